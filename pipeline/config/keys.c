#include "pipeline/config/keys.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/base/suggest.h"
#include "pipeline/config/units.h"

void *fw_load_array(struct fw_load *l, size_t n, size_t size)
{
    void *p = fw_arena_array(l->arena, n, size);
    if (!p)
        l->nomem = true;
    return p;
}

struct fw_err *fw_expected(struct fw_load *l, const struct fw_tree *v, const char *what,
                           const char *expected)
{
    if (v->type == FW_TREE_LIST)
        return fw_problem(l, &v->pos, "%s: expected %s, got a list", FW_SHOW(what), expected);
    if (v->type == FW_TREE_MAP)
        return fw_problem(l, &v->pos, "%s: expected %s, got a mapping", FW_SHOW(what), expected);
    if (fw_tree_is_null(v))
        return fw_problem(l, &v->pos, "%s: expected %s, got nothing", FW_SHOW(what), expected);
    return fw_problem(l, &v->pos, "%s: expected %s, got '%s'", FW_SHOW(what), expected,
                      FW_SHOW(v->raw));
}

void fw_did_you_mean(struct fw_err *e, const char *word, const char *const *names, size_t n)
{
    const char *near = e ? fw_suggest(word, names, n) : NULL;
    if (near)
        fw_err_hint(e, "did you mean '%s'?", FW_SHOW(near));
}

static bool is_value(const struct fw_tree *v)
{
    return v->type == FW_TREE_SCALAR && !fw_tree_is_null(v);
}

bool fw_read_text(struct fw_load *l, const struct fw_tree *v, const char *what, const char **out)
{
    if (!is_value(v) || !*v->text) {
        fw_expected(l, v, what, "a text");
        return false;
    }
    *out = v->text;
    return true;
}

static bool in_range(struct fw_load *l, const struct fw_tree *v, const char *what, double value,
                     double min, double max)
{
    if (value >= min && value <= max)
        return true;
    if (isinf(max))
        fw_problem(l, &v->pos, "%s: must be at least %.15g", FW_SHOW(what), min);
    else if (isinf(min))
        fw_problem(l, &v->pos, "%s: must be at most %.15g", FW_SHOW(what), max);
    else
        fw_problem(l, &v->pos, "%s: must be from %.15g to %.15g", FW_SHOW(what), min, max);
    return false;
}

bool fw_read_number(struct fw_load *l, const struct fw_tree *v, const char *what, double min,
                    double max, double *out)
{
    double value;
    if (!is_value(v) || !v->plain || !fw_number_parse(v->text, &value)) {
        fw_expected(l, v, what, "a number");
        return false;
    }
    if (!in_range(l, v, what, value, min, max))
        return false;
    *out = value;
    return true;
}

bool fw_read_share(struct fw_load *l, const struct fw_tree *v, const char *what, double min,
                   double max, double *out)
{
    double value;
    if (!is_value(v) || !fw_share_parse(v->text, &value)) {
        fw_expected(l, v, what, "a number or a percentage like 5%");
        return false;
    }
    if (!in_range(l, v, what, value, min, max))
        return false;
    *out = value;
    return true;
}

bool fw_read_size(struct fw_load *l, const struct fw_tree *v, const char *what, uint64_t *out)
{
    if (!is_value(v) || !fw_size_parse(v->text, out)) {
        fw_expected(l, v, what, "a size like 512M or 2G");
        return false;
    }
    return true;
}

static bool read_integer(struct fw_load *l, const struct fw_tree *v, const char *what, double min,
                         double max, int64_t *out)
{
    int64_t value;
    if (!is_value(v) || !v->plain || !fw_integer_parse(v->text, &value)) {
        fw_expected(l, v, what, "a whole number");
        return false;
    }
    if (!in_range(l, v, what, (double)value, min, max))
        return false;
    *out = value;
    return true;
}

bool fw_read_seed(struct fw_load *l, const struct fw_tree *v, const char *what, uint64_t *out)
{
    int64_t value;
    /* Up to 2^53, so that every JSON reader of a request gets the same number. */
    if (!read_integer(l, v, what, 0, 9007199254740992., &value))
        return false;
    *out = (uint64_t)value;
    return true;
}

bool fw_read_texts(struct fw_load *l, const struct fw_tree *v, const char *what, size_t *n,
                   const char *const **out)
{
    if (v->type != FW_TREE_LIST) {
        fw_expected(l, v, what, "a list of texts");
        return false;
    }
    const char **list = fw_load_array(l, v->n, sizeof *list);
    if (!list)
        return false;
    for (size_t i = 0; i < v->n; i++)
        if (!fw_read_text(l, v->items[i], what, &list[i]))
            return false;
    *out = list;
    *n = v->n;
    return true;
}

static bool expect_map(struct fw_load *l, const struct fw_tree *v, const char *what)
{
    if (v->type == FW_TREE_MAP)
        return true;
    fw_expected(l, v, what, "a mapping");
    return false;
}

bool fw_read_numbers(struct fw_load *l, const struct fw_tree *v, const char *what, size_t *n,
                     const struct fw_name_value **out)
{
    if (!expect_map(l, v, what))
        return false;
    struct fw_name_value *list = fw_load_array(l, v->n, sizeof *list);
    if (!list)
        return false;
    for (size_t i = 0; i < v->n; i++) {
        list[i].name = v->pairs[i].key;
        list[i].pos = v->pairs[i].pos;
        if (!fw_read_share(l, v->pairs[i].value, v->pairs[i].key, 0, INFINITY, &list[i].value))
            return false;
    }
    *out = list;
    *n = v->n;
    return true;
}

bool fw_read_named_texts(struct fw_load *l, const struct fw_tree *v, const char *what, size_t *n,
                         const struct fw_name_text **out)
{
    if (!expect_map(l, v, what))
        return false;
    struct fw_name_text *list = fw_load_array(l, v->n, sizeof *list);
    if (!list)
        return false;
    for (size_t i = 0; i < v->n; i++) {
        list[i].name = v->pairs[i].key;
        list[i].pos = v->pairs[i].value->pos;
        if (!fw_read_text(l, v->pairs[i].value, v->pairs[i].key, &list[i].text))
            return false;
    }
    *out = list;
    *n = v->n;
    return true;
}

static void read_choice(struct fw_load *l, const struct fw_tree *v, const struct fw_key *key,
                        int *out)
{
    struct fw_buf all = {0};
    size_t n = 0;
    for (; key->words[n]; n++) {
        if (is_value(v) && strcmp(v->text, key->words[n]) == 0) {
            *out = (int)n;
            goto out;
        }
        fw_buf_printf(&all, "%s%s", n == 0 ? "" : key->words[n + 1] ? ", " : " or ", key->words[n]);
    }
    struct fw_err *e = fw_expected(l, v, key->name, all.p ? all.p : "another word");
    if (v->type == FW_TREE_SCALAR)
        fw_did_you_mean(e, v->text, key->words, n);
out:
    fw_buf_release(&all);
}

static void read_key(struct fw_load *l, const struct fw_tree *v, const struct fw_key *key,
                     const char *where, char *base)
{
    void *to = base + key->offset;
    size_t *n = (size_t *)(base + key->count);
    int64_t integer;
    switch (key->type) {
    case FW_KEY_TEXT:
        fw_read_text(l, v, key->name, to);
        break;
    case FW_KEY_INTEGER:
        if (read_integer(l, v, key->name, key->min, key->max, &integer))
            *(int *)to = (int)integer;
        break;
    case FW_KEY_SEED:
        fw_read_seed(l, v, key->name, to);
        break;
    case FW_KEY_NUMBER:
        fw_read_number(l, v, key->name, key->min, key->max, to);
        break;
    case FW_KEY_SHARE:
        fw_read_share(l, v, key->name, key->min, key->max, to);
        break;
    case FW_KEY_BOOL:
        if (is_value(v) && v->plain &&
            (strcmp(v->text, "true") == 0 || strcmp(v->text, "false") == 0))
            *(bool *)to = v->text[0] == 't';
        else
            fw_expected(l, v, key->name, "true or false");
        break;
    case FW_KEY_DURATION:
        if (!is_value(v) || !fw_duration_parse(v->text, to))
            fw_expected(l, v, key->name, "a duration like 90s, 30m, 8h or 2d");
        break;
    case FW_KEY_SIZE:
        fw_read_size(l, v, key->name, to);
        break;
    case FW_KEY_CHOICE:
        read_choice(l, v, key, to);
        break;
    case FW_KEY_TEXTS:
        fw_read_texts(l, v, key->name, n, to);
        break;
    case FW_KEY_NUMBERS:
        fw_read_numbers(l, v, key->name, n, to);
        break;
    case FW_KEY_FILES:
        fw_read_named_texts(l, v, key->name, n, to);
        break;
    case FW_KEY_MAP:
        fw_keys_read(l, v, key->keys, key->name, to);
        break;
    case FW_KEY_MAPS:
    case FW_KEY_OTHER:
        key->read(l, v, where, base);
        break;
    }
}

void fw_keys_read(struct fw_load *l, const struct fw_tree *v, const struct fw_key *keys,
                  const char *where, void *base)
{
    const char *names[48];
    size_t n = 0;
    if (v->type != FW_TREE_MAP) {
        fw_expected(l, v, where, "a mapping");
        return;
    }
    for (; keys[n].name && n < sizeof names / sizeof *names; n++)
        names[n] = keys[n].name;
    for (size_t i = 0; i < v->n && !l->nomem; i++) {
        const struct fw_tree_pair *pair = &v->pairs[i];
        size_t k = 0;
        while (k < n && strcmp(names[k], pair->key) != 0)
            k++;
        if (k < n) {
            read_key(l, pair->value, &keys[k], where, base);
            continue;
        }
        struct fw_err *e =
            fw_problem(l, &pair->pos, "unknown key '%s' in %s", FW_SHOW(pair->key), where);
        fw_did_you_mean(e, pair->key, names, n);
    }
}

bool fw_name_is_plain(const char *name)
{
    if (!isalpha((unsigned char)name[0]) && name[0] != '_')
        return false;
    for (const char *s = name; *s; s++)
        if (!isalnum((unsigned char)*s) && *s != '_' && *s != '-')
            return false;
    return strlen(name) <= 64;
}
