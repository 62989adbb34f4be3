#include "pipeline/config/tree.h"

#include <stdlib.h>
#include <string.h>

#include <uthash.h>
#include <yaml.h>

#include "pipeline/config/units.h"

struct anchor {
    char *name;
    struct fw_tree *tree;
    UT_hash_handle hh;
};

struct parse {
    struct fw_load *l;
    yaml_parser_t yaml;
    int source;
    int first_col; /* columns before the parsed part, on its first line */
    int depth;
    size_t aliased;
    struct anchor *anchors;
    bool dead; /* nothing more can be made of the text */
};

struct items { /* children while their number is not known */
    size_t n, cap;
    struct fw_tree_pair *v;
};

static struct fw_tree *parse_value(struct parse *p, yaml_event_t *event);

static void out_of_memory(struct parse *p)
{
    p->l->nomem = true;
    p->dead = true;
}

static struct fw_pos place(const struct parse *p, yaml_mark_t from, yaml_mark_t to)
{
    struct fw_pos pos = {.line = (int)from.line + 1,
                         .col = (int)from.column + 1 + (from.line == 0 ? p->first_col : 0),
                         .width = 1,
                         .source = p->source};
    if (to.line == from.line && to.column > from.column)
        pos.width = (int)(to.column - from.column);
    return pos;
}

static struct fw_err *refuse(struct parse *p, const struct fw_pos *pos, const char *msg)
{
    p->dead = true;
    return fw_problem(p->l, pos, "%s", msg);
}

/* `{a: ${B}}` is not YAML: the first thing to look for when a line with a reference fails. */
static bool line_has_reference(const struct parse *p, int line)
{
    const struct fw_source *src = &p->l->sources[p->source];
    if (line < 1 || (size_t)line > src->n_lines)
        return false;
    size_t from = src->lines[line - 1];
    size_t to = (size_t)line < src->n_lines ? src->lines[line] : src->len;
    return memmem(src->text + from, to - from, "${", 2) != NULL;
}

static bool next_event(struct parse *p, yaml_event_t *event)
{
    if (p->dead)
        return false;
    if (yaml_parser_parse(&p->yaml, event))
        return true;
    if (p->yaml.error == YAML_MEMORY_ERROR) {
        out_of_memory(p);
        return false;
    }
    struct fw_pos pos = place(p, p->yaml.problem_mark, p->yaml.problem_mark);
    struct fw_err *e;
    const struct fw_source *src = &p->l->sources[p->source];
    if ((size_t)pos.line > src->n_lines) { /* the end of a text without a last newline */
        pos.line = (int)src->n_lines;
        pos.col = 1;
        for (size_t i = src->lines[src->n_lines - 1]; i < src->len; i++)
            pos.col += ((unsigned char)src->text[i] & 0xc0) != 0x80;
    }
    p->dead = true;
    if (p->yaml.context)
        e = fw_problem(p->l, &pos, "not valid YAML: %s (%s, line %zu)", p->yaml.problem,
                       p->yaml.context, p->yaml.context_mark.line + 1);
    else
        e = fw_problem(p->l, &pos, "not valid YAML: %s",
                       p->yaml.problem ? p->yaml.problem : "cannot be read");
    if (line_has_reference(p, pos.line))
        fw_err_hint(e, "inside { } and [ ] a reference needs quotes: \"${NAME}\"");
    return false;
}

static struct fw_tree *new_tree(struct parse *p, enum fw_tree_type type, struct fw_pos pos)
{
    struct fw_tree *t = fw_arena_alloc(p->l->arena, sizeof *t);
    if (!t) {
        out_of_memory(p);
        return NULL;
    }
    t->type = type;
    t->pos = pos;
    t->size = 1;
    return t;
}

static void remember(struct parse *p, const yaml_char_t *name, struct fw_tree *tree)
{
    if (!name || !tree || p->dead)
        return;
    struct anchor *a = NULL;
    const char *key = (const char *)name;
    HASH_FIND_STR(p->anchors, key, a);
    if (a) { /* YAML lets a later anchor take over the name */
        a->tree = tree;
        return;
    }
    a = fw_arena_alloc(p->l->arena, sizeof *a);
    char *copy = fw_arena_strdup(p->l->arena, key);
    if (!a || !copy) {
        out_of_memory(p);
        return;
    }
    a->name = copy;
    a->tree = tree;
    HASH_ADD_KEYPTR(hh, p->anchors, a->name, strlen(a->name), a);
}

static struct fw_tree *parse_alias(struct parse *p, const yaml_event_t *event)
{
    struct fw_pos pos = place(p, event->start_mark, event->end_mark);
    const char *key = (const char *)event->data.alias.anchor;
    struct anchor *a = NULL;
    HASH_FIND_STR(p->anchors, key, a);
    if (!a) {
        p->dead = true;
        fw_problem(p->l, &pos, "no anchor '&%s' stands before this alias", FW_SHOW(key));
        return NULL;
    }
    if (p->depth + a->tree->height > FW_TREE_DEPTH) {
        refuse(p, &pos, "nested more than 64 levels deep");
        return NULL;
    }
    p->aliased += a->tree->size;
    if (p->aliased > FW_TREE_ALIASED) {
        fw_err_hint(refuse(p, &pos, "aliases repeat more than 10000 values"),
                    "write the values out, or repeat less");
        return NULL;
    }
    return a->tree;
}

static struct fw_tree *parse_scalar(struct parse *p, const yaml_event_t *event)
{
    struct fw_tree *t = new_tree(p, FW_TREE_SCALAR, place(p, event->start_mark, event->end_mark));
    if (!t)
        return NULL;
    const char *value = (const char *)event->data.scalar.value;
    size_t n = event->data.scalar.length;
    t->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    t->raw = fw_arena_strndup(p->l->arena, value, n);
    if (!t->raw) {
        out_of_memory(p);
        return NULL;
    }
    if (memchr(value, '\0', n)) {
        refuse(p, &t->pos, "a NUL character in a text");
        return NULL;
    }
    t->text = fw_env_expand(p->l, t);
    if (!t->text) /* a problem was added; the rest can still be checked */
        t->text = t->raw;
    return t;
}

static bool push(struct parse *p, struct items *list, struct fw_tree_pair pair)
{
    if (list->n == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 8;
        struct fw_tree_pair *v = realloc(list->v, cap * sizeof *v);
        if (!v) {
            out_of_memory(p);
            return false;
        }
        list->v = v;
        list->cap = cap;
    }
    list->v[list->n++] = pair;
    return true;
}

static void grow(struct fw_tree *parent, const struct fw_tree *child)
{
    parent->size += child->size;
    if (child->height + 1 > parent->height)
        parent->height = child->height + 1;
}

static void parse_items(struct parse *p, struct fw_tree *t)
{
    struct items list = {0};
    yaml_event_t event;
    t->height = 1;
    while (next_event(p, &event)) {
        bool end = event.type == YAML_SEQUENCE_END_EVENT;
        struct fw_tree *v = end ? NULL : parse_value(p, &event);
        yaml_event_delete(&event);
        if (end || !v || !push(p, &list, (struct fw_tree_pair){.value = v}))
            break;
        grow(t, v);
    }
    if (!p->dead) {
        t->items = fw_arena_array(p->l->arena, list.n, sizeof *t->items);
        if (!t->items)
            out_of_memory(p);
        for (size_t i = 0; t->items && i < list.n; i++)
            t->items[i] = list.v[i].value;
        t->n = list.n;
    }
    free(list.v);
}

static int by_key(const void *a, const void *b)
{
    const struct fw_tree_pair *x = *(const struct fw_tree_pair *const *)a;
    const struct fw_tree_pair *y = *(const struct fw_tree_pair *const *)b;
    int c = strcmp(x->key, y->key);
    return c ? c : (x > y) - (x < y);
}

/* Sorts the keys, for look-ups and to see duplicates. Only the first of each stays in the map, so
 * that whoever reads on sees one value. */
static void sort_keys(struct parse *p, struct fw_tree *map)
{
    const struct fw_tree_pair **sorted = fw_arena_array(p->l->arena, map->n, sizeof *sorted);
    size_t kept = 0;
    if (!sorted) {
        out_of_memory(p);
        return;
    }
    for (size_t i = 0; i < map->n; i++)
        sorted[i] = &map->pairs[i];
    qsort(sorted, map->n, sizeof(*sorted), by_key);
    for (size_t i = 1, first = 0; i < map->n; i++) {
        if (strcmp(sorted[i]->key, sorted[first]->key) != 0) {
            first = i;
            continue;
        }
        fw_problem(p->l, &sorted[i]->pos, "duplicate key '%s': it stands on line %d already",
                   FW_SHOW(sorted[i]->key), sorted[first]->pos.line);
        map->pairs[sorted[i] - map->pairs].value = NULL;
    }
    for (size_t i = 0; i < map->n; i++)
        if (map->pairs[i].value)
            map->pairs[kept++] = map->pairs[i];
    if (kept < map->n) {
        map->n = kept;
        for (size_t i = 0; i < kept; i++)
            sorted[i] = &map->pairs[i];
        qsort(sorted, kept, sizeof(*sorted), by_key);
    }
    map->sorted = sorted;
}

/* The key's event; the pair's key and place, or false when nothing more can be read. */
static bool parse_key(struct parse *p, const yaml_event_t *event, struct fw_tree_pair *pair)
{
    pair->pos = place(p, event->start_mark, event->end_mark);
    if (event->type != YAML_SCALAR_EVENT) {
        refuse(p, &pair->pos, "a key must be plain text");
        return false;
    }
    if (event->data.scalar.tag) {
        refuse(p, &pair->pos, "tags are not supported");
        return false;
    }
    const char *key = (const char *)event->data.scalar.value;
    if (strcmp(key, "<<") == 0) {
        fw_err_hint(refuse(p, &pair->pos, "merge keys (<<) are not supported"),
                    "write the keys out, or use an alias for the whole value");
        return false;
    }
    if (strlen(key) != event->data.scalar.length) {
        refuse(p, &pair->pos, "a NUL character in a key");
        return false;
    }
    pair->key = fw_arena_strdup(p->l->arena, key);
    if (!pair->key) {
        out_of_memory(p);
        return false;
    }
    return true;
}

static void parse_pairs(struct parse *p, struct fw_tree *t)
{
    struct items list = {0};
    yaml_event_t event;
    t->height = 1;
    while (next_event(p, &event)) {
        struct fw_tree_pair pair = {0};
        bool end = event.type == YAML_MAPPING_END_EVENT;
        bool ok = !end && parse_key(p, &event, &pair);
        yaml_event_delete(&event);
        if (!ok || !next_event(p, &event))
            break;
        pair.value = parse_value(p, &event);
        yaml_event_delete(&event);
        if (!pair.value || !push(p, &list, pair))
            break;
        grow(t, pair.value);
    }
    if (!p->dead) {
        t->pairs = fw_arena_array(p->l->arena, list.n, sizeof *t->pairs);
        if (!t->pairs)
            out_of_memory(p);
        else if (list.n > 0)
            memcpy(t->pairs, list.v, list.n * sizeof *t->pairs);
        t->n = t->pairs ? list.n : 0;
        sort_keys(p, t);
    }
    free(list.v);
}

static const yaml_char_t *event_tag(const yaml_event_t *e)
{
    return e->type == YAML_SCALAR_EVENT           ? e->data.scalar.tag
           : e->type == YAML_SEQUENCE_START_EVENT ? e->data.sequence_start.tag
           : e->type == YAML_MAPPING_START_EVENT  ? e->data.mapping_start.tag
                                                  : NULL;
}

static struct fw_tree *parse_value(struct parse *p, yaml_event_t *event)
{
    struct fw_pos pos = place(p, event->start_mark, event->end_mark);
    if (event_tag(event)) {
        fw_err_hint(refuse(p, &pos, "tags are not supported"),
                    "write text in quotes and numbers without");
        return NULL;
    }
    if (event->type == YAML_ALIAS_EVENT)
        return parse_alias(p, event);
    struct fw_tree *t = NULL;
    if (event->type == YAML_SCALAR_EVENT) {
        t = parse_scalar(p, event);
        remember(p, event->data.scalar.anchor, t);
        return p->dead ? NULL : t;
    }
    bool list = event->type == YAML_SEQUENCE_START_EVENT;
    if (p->depth >= FW_TREE_DEPTH) {
        refuse(p, &pos, "nested more than 64 levels deep");
        return NULL;
    }
    t = new_tree(p, list ? FW_TREE_LIST : FW_TREE_MAP, pos);
    if (!t)
        return NULL;
    p->depth++;
    if (list)
        parse_items(p, t);
    else
        parse_pairs(p, t);
    p->depth--;
    remember(p, list ? event->data.sequence_start.anchor : event->data.mapping_start.anchor, t);
    return p->dead ? NULL : t;
}

/* Events up to the first value, the value, and nothing but the end after it. */
static struct fw_tree *parse_document(struct parse *p)
{
    struct fw_tree *root = NULL;
    yaml_event_t event;
    bool end = false;
    while (!end && next_event(p, &event)) {
        struct fw_pos pos = place(p, event.start_mark, event.end_mark);
        switch (event.type) {
        case YAML_STREAM_START_EVENT:
        case YAML_DOCUMENT_END_EVENT:
            break;
        case YAML_STREAM_END_EVENT:
            end = true;
            break;
        case YAML_DOCUMENT_START_EVENT:
            if (root)
                refuse(p, &pos, "a second document: a file holds one");
            break;
        default:
            root = parse_value(p, &event);
        }
        yaml_event_delete(&event);
    }
    if (p->dead)
        return NULL;
    if (!root) {
        struct fw_pos pos = {.line = 1, .col = 1 + p->first_col, .width = 1, .source = p->source};
        fw_problem(p->l, &pos, "nothing is written here");
    }
    return root;
}

struct fw_tree *fw_tree_parse(struct fw_load *l, int index, size_t start)
{
    const struct fw_source *src = &l->sources[index];
    struct parse p = {.l = l, .source = index};
    for (size_t i = 0; i < start; i++)
        p.first_col += ((unsigned char)src->text[i] & 0xc0) != 0x80;
    if (!yaml_parser_initialize(&p.yaml)) {
        l->nomem = true;
        return NULL;
    }
    yaml_parser_set_encoding(&p.yaml, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&p.yaml, (const unsigned char *)src->text + start,
                                 src->len - start);
    struct fw_tree *root = parse_document(&p);
    yaml_parser_delete(&p.yaml);
    HASH_CLEAR(hh, p.anchors);
    return root;
}
