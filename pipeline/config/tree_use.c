/* Sources, overrides and look-ups of the tree that tree.c reads. */
#include <stdlib.h>
#include <string.h>

#include "pipeline/config/tree.h"
#include "pipeline/config/units.h"

int fw_source_add(struct fw_load *l, const char *file, const char *text, size_t len)
{
    size_t n_lines = 1;
    for (size_t i = 0; i < len; i++)
        n_lines += text[i] == '\n';
    struct fw_source *sources = fw_arena_array(l->arena, l->n_sources + 1, sizeof *sources);
    size_t *lines = fw_arena_array(l->arena, n_lines, sizeof *lines);
    if (!sources || !lines) {
        l->nomem = true;
        return -1;
    }
    for (size_t i = 0, n = 1; i < len; i++)
        if (text[i] == '\n')
            lines[n++] = i + 1;
    if (l->n_sources > 0)
        memcpy(sources, l->sources, l->n_sources * sizeof *sources);
    sources[l->n_sources] = (struct fw_source){
        .file = file, .text = text, .len = len, .n_lines = n_lines, .lines = lines};
    l->sources = sources;
    return (int)l->n_sources++;
}

const struct fw_tree_pair *fw_tree_pair(const struct fw_tree *map, const char *key)
{
    if (map && map->type == FW_TREE_MAP && map->sorted) {
        size_t low = 0, high = map->n;
        while (low < high) {
            size_t mid = low + (high - low) / 2;
            int c = strcmp(map->sorted[mid]->key, key);
            if (c == 0)
                return map->sorted[mid];
            if (c < 0)
                low = mid + 1;
            else
                high = mid;
        }
        return NULL;
    }
    for (size_t i = 0; map && map->type == FW_TREE_MAP && i < map->n; i++)
        if (strcmp(map->pairs[i].key, key) == 0)
            return &map->pairs[i];
    return NULL;
}

const struct fw_tree *fw_tree_get(const struct fw_tree *map, const char *key)
{
    const struct fw_tree_pair *pair = fw_tree_pair(map, key);
    return pair ? pair->value : NULL;
}

bool fw_tree_is_null(const struct fw_tree *v)
{
    return v->type == FW_TREE_SCALAR && v->plain &&
           (!*v->text || strcmp(v->text, "~") == 0 || strcmp(v->text, "null") == 0);
}

static json_t *scalar_json(const struct fw_tree *v)
{
    int64_t integer;
    double number;
    if (!v->plain)
        return json_string(v->text);
    if (fw_tree_is_null(v))
        return json_null();
    if (strcmp(v->text, "true") == 0 || strcmp(v->text, "false") == 0)
        return json_boolean(v->text[0] == 't');
    if (fw_integer_parse(v->text, &integer))
        return json_integer(integer);
    if (fw_number_parse(v->text, &number))
        return json_real(number);
    return json_string(v->text);
}

json_t *fw_tree_json(const struct fw_tree *v)
{
    if (v->type == FW_TREE_SCALAR)
        return scalar_json(v);
    json_t *json = v->type == FW_TREE_LIST ? json_array() : json_object();
    for (size_t i = 0; json && i < v->n; i++) {
        json_t *child = fw_tree_json(v->type == FW_TREE_LIST ? v->items[i] : v->pairs[i].value);
        int rc = v->type == FW_TREE_LIST ? json_array_append_new(json, child)
                                         : json_object_set_new(json, v->pairs[i].key, child);
        if (rc != 0) {
            json_decref(json);
            json = NULL;
        }
    }
    return json;
}

/* A copy of the map whose pair `key` holds `value`, or is gone when value is NULL. */
static struct fw_tree *with_pair(struct fw_load *l, const struct fw_tree *map,
                                 struct fw_tree_pair pair)
{
    struct fw_tree *copy = fw_arena_alloc(l->arena, sizeof *copy);
    struct fw_tree_pair *pairs = fw_arena_array(l->arena, map->n + 1, sizeof *pairs);
    if (!copy || !pairs) {
        l->nomem = true;
        return NULL;
    }
    *copy = *map;
    copy->pairs = pairs;
    copy->sorted = NULL;
    copy->n = 0;
    bool placed = false;
    for (size_t i = 0; i < map->n; i++) {
        bool same = strcmp(map->pairs[i].key, pair.key) == 0;
        if (same)
            placed = true;
        if (!same)
            pairs[copy->n++] = map->pairs[i];
        else if (pair.value)
            pairs[copy->n++] = pair;
    }
    if (!placed && pair.value)
        pairs[copy->n++] = pair;
    return copy;
}

struct set_path {
    const char *text; /* the whole --set text, an arena copy */
    size_t end;       /* of the path: where the "=" stands */
    int source;
    struct fw_tree *value; /* NULL: take the key away */
};

/* Puts the value below `map` (NULL: none yet) at the path that starts at byte `at`. */
static struct fw_tree *put(struct fw_load *l, const struct fw_tree *map, const struct set_path *s,
                           size_t at, int depth)
{
    static const struct fw_tree empty = {.type = FW_TREE_MAP, .size = 1, .height = 1};
    size_t end = at;
    int col = 1;
    while (end < s->end && s->text[end] != '.')
        end++;
    for (size_t i = 0; i < at; i++)
        col += ((unsigned char)s->text[i] & 0xc0) != 0x80;
    struct fw_pos pos = {.line = 1, .col = col, .width = (int)(end - at), .source = s->source};
    struct fw_tree fresh = empty;
    fresh.pos = pos;
    if (end == at || depth > FW_TREE_DEPTH) {
        pos.width = 1;
        fw_problem(l, &pos,
                   end == at ? "a key is missing here" : "nested more than 64 levels deep");
        return NULL;
    }
    if (map && map->type != FW_TREE_MAP && !fw_tree_is_null(map)) {
        fw_problem(l, &pos, "'%.*s' is not a mapping: set it whole",
                   at > 0 ? (int)(at - 1 > 60 ? 60 : at - 1) : 0, s->text);
        return NULL;
    }
    if (!map || map->type != FW_TREE_MAP)
        map = &fresh;
    struct fw_tree_pair pair = {.key = fw_arena_strndup(l->arena, s->text + at, end - at),
                                .pos = pos};
    if (!pair.key) {
        l->nomem = true;
        return NULL;
    }
    if (end == s->end) {
        pair.value = s->value;
    } else {
        pair.value = put(l, fw_tree_get(map, pair.key), s, end + 1, depth + 1);
        if (!pair.value)
            return NULL;
    }
    return with_pair(l, map, pair);
}

void fw_tree_set(struct fw_load *l, struct fw_tree **root, const char *set)
{
    struct set_path s = {.text = fw_arena_strdup(l->arena, set)};
    if (!s.text) {
        l->nomem = true;
        return;
    }
    s.source = fw_source_add(l, "--set", s.text, strlen(s.text));
    if (s.source < 0)
        return;
    const char *equals = strchr(s.text, '=');
    struct fw_pos pos = {.line = 1, .col = 1, .width = 1, .source = s.source};
    if (!equals) {
        fw_err_hint(fw_problem(l, &pos, "'=' is missing"), "write --set stages.train.with.C=2.0");
        return;
    }
    s.end = (size_t)(equals - s.text);
    size_t before = l->problems->n + l->problems->more;
    if (equals[1 + strspn(equals + 1, " \t")]) {
        s.value = fw_tree_parse(l, s.source, s.end + 1);
        if (!s.value || l->problems->n + l->problems->more > before)
            return;
        if (fw_tree_is_null(s.value))
            s.value = NULL;
    }
    struct fw_tree *changed = put(l, *root, &s, 0, 0);
    if (changed)
        *root = changed;
}
