#include "pipeline/loop/parts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

enum { MAX_SPLIT = 8, MAX_KINDS = 16 };

bool fw_part_effective(const struct fw_part *part)
{
    return part->n_effective > 0;
}

size_t fw_parts_effective(const struct fw_parts *parts)
{
    size_t n = 0;
    for (size_t i = 0; i < parts->n; i++)
        n += fw_part_effective(&parts->list[i]);
    return n;
}

size_t fw_parts_fixes(const struct fw_parts *parts)
{
    size_t n = 0;
    for (size_t i = 0; i < parts->n; i++)
        n += parts->list[i].n_taken;
    return n;
}

static void count(struct fw_part *p)
{
    p->n_taken = p->n_effective = 0;
    for (size_t i = 0; i < p->patch->n; i++) {
        p->n_taken += p->take[i];
        p->n_effective += p->take[i] && p->patch->fixes[i].op != FW_OP_CONFIRM;
    }
}

/* Names that go into folders and refs keep to letters, digits, '.', '_' and '-'. */
static void make_label(struct fw_part *p, size_t index)
{
    snprintf(p->label, sizeof p->label, "alone-%zu-%s", index, p->name);
    for (char *c = p->label; *c; c++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", *c))
            *c = '-';
}

/* A new part of the node at the end of the list, or NULL when memory is out. */
static struct fw_part *append(struct fw_parts *parts, const struct fw_stage *stage,
                              const char *node, struct fw_patch *patch)
{
    struct fw_part *list = realloc(parts->list, (parts->n + 1) * sizeof *list);
    if (!list)
        return NULL;
    parts->list = list;
    struct fw_part *p = &list[parts->n++];
    *p = (struct fw_part){.stage = stage, .node = node, .patch = patch};
    p->take = calloc(patch->n + 1, sizeof *p->take);
    p->aside = calloc(patch->n + 1, sizeof *p->aside);
    return p->take && p->aside ? p : NULL;
}

void fw_parts_release(struct fw_parts *parts, void (*free_measured)(struct fw_measured *))
{
    for (size_t i = 0; i < parts->n; i++) {
        struct fw_part *p = &parts->list[i];
        if (p->owns_patch)
            fw_patch_free(p->patch);
        free(p->take);
        free(p->aside);
        free_measured(p->alone);
    }
    free(parts->list);
    *parts = (struct fw_parts){0};
}

struct fw_apply_part fw_part_apply(const struct fw_part *part, int iteration)
{
    const json_t *d = part->stage->describe;
    return (struct fw_apply_part){.name = part->name,
                                  .stage = part->stage->name,
                                  .plugin = part->stage->plugin ? part->stage->plugin : "command",
                                  .plugin_version =
                                      json_string_value(json_object_get(d, "version")),
                                  .iteration = iteration,
                                  .patch = part->patch,
                                  .take = part->take};
}

struct gone {
    char *key;
    UT_hash_handle hh;
};

static char *gone_key(const char *stage, const struct fw_fix *fix)
{
    json_t *packed = fw_history_pack(fix);
    struct fw_buf b = {0};
    if (packed)
        fw_buf_printf(&b, "%s\x1f%s\x1f%s\x1f%s", stage,
                      json_string_value(json_array_get(packed, 0)),
                      json_string_value(json_array_get(packed, 1)),
                      json_string_value(json_array_get(packed, 2)));
    json_decref(packed);
    return fw_buf_steal(&b);
}

static enum fw_op op_of(const json_t *fix)
{
    const char *name = json_string_value(json_object_get(fix, "op"));
    for (int op = 0; op < FW_OPS; op++)
        if (name && !strcmp(name, fw_op_name(op)))
            return op;
    return FW_OP_CONFIRM;
}

static const char *id_of(const json_t *fix)
{
    const char *id = json_string_value(json_object_get(fix, "id"));
    return id ? id : json_string_value(json_object_get(json_object_get(fix, "sample"), "id"));
}

static int collect_gone(const json_t *aside, struct gone **set, struct fw_err *err)
{
    size_t i;
    json_t *item;
    json_array_foreach (aside, i, item) {
        json_t *json = json_object_get(item, "fix");
        const char *stage = json_string_value(json_object_get(item, "stage"));
        struct fw_fix fix = {.op = op_of(json), .id = id_of(json), .json = json};
        struct gone *g = calloc(1, sizeof *g), *old = NULL;
        if (!g || !(g->key = gone_key(stage ? stage : "", &fix))) {
            free(g);
            return fw_err_nomem(err);
        }
        HASH_FIND_STR(*set, g->key, old);
        if (old) {
            free(g->key);
            free(g);
        } else {
            HASH_ADD_KEYPTR(hh, *set, g->key, strlen(g->key), g);
        }
    }
    return FW_OK;
}

static int settle_part(struct fw_part *p, struct gone *set, struct fw_history *history,
                       const char *run, int iteration, struct fw_err *err)
{
    for (size_t i = 0; i < p->patch->n; i++) {
        const struct fw_fix *fix = &p->patch->fixes[i];
        if (!p->take[i])
            continue;
        char *key = gone_key(p->stage->name, fix);
        struct gone *g = NULL;
        if (!key)
            return fw_err_nomem(err);
        HASH_FIND_STR(set, key, g);
        free(key);
        const char *fate = g ? "aside" : fix->op == FW_OP_CONFIRM ? "confirmed" : "provisional";
        if (g) {
            p->take[i] = false;
            p->aside[i] = true;
            p->n_set_aside++;
        }
        int rc = fw_history_add(history, run, iteration, p->stage->name, fix, fate, err);
        if (rc != FW_OK)
            return rc;
    }
    count(p);
    return FW_OK;
}

int fw_parts_settle(struct fw_parts *parts, const json_t *aside, struct fw_history *history,
                    const char *run, int iteration, struct fw_err *err)
{
    struct gone *set = NULL, *g, *tmp;
    int rc = collect_gone(aside, &set, err);
    for (size_t i = 0; i < parts->n && rc == FW_OK; i++)
        rc = settle_part(&parts->list[i], set, history, run, iteration, err);
    HASH_ITER (hh, set, g, tmp) {
        HASH_DEL(set, g);
        free(g->key);
        free(g);
    }
    return rc;
}

/* The class a fix is about: what a relabel makes of it, what is added or removed. */
static const char *class_of(const struct fw_fix *fix)
{
    const json_t *label = NULL;
    switch (fix->op) {
    case FW_OP_RELABEL:
        label = json_object_get(fix->json, "to");
        break;
    case FW_OP_ADD:
        label = json_object_get(json_object_get(fix->json, "sample"), "label");
        break;
    case FW_OP_REMOVE:
        label = json_object_get(fix->json, "from");
        break;
    case FW_OP_GUIDELINE:
        label = json_object_get(fix->json, "class");
        break;
    default:
        break;
    }
    return json_is_string(label) ? json_string_value(label) : NULL;
}

/* The part of its stage that a fix names, or "". */
static const char *kind_of(const struct fw_fix *fix)
{
    const char *name = json_string_value(json_object_get(fix->json, "part"));
    return name ? name : "";
}

typedef const char *key_fn(const struct fw_fix *fix);

struct tally {
    const char *name;
    size_t n;
};

static int by_count(const void *a, const void *b)
{
    const struct tally *x = a, *y = b;
    return x->n != y->n ? (x->n < y->n ? 1 : -1) : strcmp(x->name, y->name);
}

/* Keys of the taken fixes, most fixes first. NULL when memory is out. */
static struct tally *tally(const struct fw_patch *patch, const bool *take, key_fn *key, size_t *n)
{
    struct tally *t = calloc(patch->n + 1, sizeof *t);
    *n = 0;
    for (size_t i = 0; t && i < patch->n; i++) {
        const char *name = !take || take[i] ? key(&patch->fixes[i]) : NULL;
        size_t j = 0;
        if (!name)
            continue;
        while (j < *n && strcmp(t[j].name, name))
            j++;
        if (j == *n)
            t[(*n)++].name = name;
        t[j].n++;
    }
    if (t)
        qsort(t, *n, sizeof *t, by_count);
    return t;
}

/* Gives each of patch's fixes (of `take`; NULL: all) to the part of its key among list[0..groups);
 * what has no key of its own goes to the first, a key beyond the groups to the last. */
static void deal(const struct fw_patch *patch, const bool *take, key_fn *key,
                 const struct tally *keys, struct fw_part *list, size_t groups)
{
    for (size_t i = 0; i < patch->n; i++) {
        const char *name = key(&patch->fixes[i]);
        size_t j = 0;
        if (take && !take[i])
            continue;
        while (name && j < groups - 1 && strcmp(keys[j].name, name))
            j++;
        list[j].take[i] = true;
    }
}

/* One part for each kind of fix the patch names, MAX_KINDS at most. Takes the patch over. */
static int add_node(struct fw_parts *parts, const struct fw_node *node, struct fw_patch *patch,
                    struct fw_err *err)
{
    size_t n = 0, first = parts->n;
    struct tally *kinds = tally(patch, NULL, kind_of, &n);
    size_t groups = n < 1 ? 1 : n < MAX_KINDS ? n : MAX_KINDS;
    int rc = kinds ? FW_OK : fw_err_nomem(err);
    for (size_t g = 0; g < groups && rc == FW_OK; g++) {
        const char *kind = n ? kinds[g].name : "";
        struct fw_part *p = append(parts, node->stage, node->name, patch);
        if (!p) {
            rc = fw_err_nomem(err);
            break;
        }
        if (g == MAX_KINDS - 1 && n > MAX_KINDS)
            kind = "others";
        snprintf(p->name, sizeof p->name, "%s%s%s", node->name, *kind ? ":" : "", kind);
        make_label(p, parts->n - 1);
    }
    if (parts->n > first)
        parts->list[first].owns_patch = true;
    else
        fw_patch_free(patch);
    if (rc == FW_OK)
        deal(patch, NULL, kind_of, kinds, parts->list + first, groups);
    free(kinds);
    return rc;
}

/* Of its fixes (those of `take`), the ones that history refuses are set aside. */
static int filter(struct fw_part *p, const struct fw_history *history, json_t *aside,
                  struct fw_err *err)
{
    for (size_t i = 0; i < p->patch->n; i++) {
        const struct fw_fix *fix = &p->patch->fixes[i];
        char why[200];
        if (!p->take[i])
            continue;
        p->labels += fw_fix_labels(fix);
        p->money += fw_fix_money(fix);
        if (!fw_history_refuses(history, fix, why, sizeof why))
            continue;
        p->take[i] = false;
        p->n_set_aside++;
        if (json_array_append_new(aside, json_pack("{s:s, s:O, s:s}", "stage", p->stage->name,
                                                   "fix", fix->json, "reason", why)) != 0)
            return fw_err_nomem(err);
    }
    count(p);
    return FW_OK;
}

int fw_parts_load(struct fw_parts *parts, const struct fw_job *job,
                  const struct fw_history *history, json_t *aside, struct fw_err *err)
{
    int rc = FW_OK;
    for (size_t i = 0; i < job->graph->n && rc == FW_OK; i++) {
        const struct fw_node *node = &job->graph->nodes[i];
        if (!node->stage || !fw_kind_proposes(node->stage->kind))
            continue;
        const char *path = fw_job_output(job, node->name, fw_kind_output(node->stage->kind));
        struct fw_patch *patch = NULL;
        if (!path)
            continue;
        rc = fw_patch_load(path, &patch, err);
        if (rc == FW_OK)
            rc = add_node(parts, node, patch, err);
    }
    for (size_t i = 0; i < parts->n && rc == FW_OK; i++)
        rc = filter(&parts->list[i], history, aside, err);
    return rc;
}

int fw_parts_split(const struct fw_part *part, struct fw_parts *out, struct fw_err *err)
{
    size_t n;
    struct tally *classes = tally(part->patch, part->take, class_of, &n);
    if (!classes)
        return fw_err_nomem(err);
    size_t groups = n < MAX_SPLIT ? n : MAX_SPLIT;
    int rc = FW_OK;
    for (size_t g = 0; g < groups && groups > 1 && rc == FW_OK; g++) {
        struct fw_part *p = append(out, part->stage, part->node, part->patch);
        if (!p) {
            rc = fw_err_nomem(err);
            break;
        }
        snprintf(p->name, sizeof p->name, "%s: %s", part->name,
                 g == MAX_SPLIT - 1 && n > MAX_SPLIT ? "other classes" : classes[g].name);
        make_label(p, g);
    }
    if (rc == FW_OK && groups > 1)
        deal(part->patch, part->take, class_of, classes, out->list, groups);
    for (size_t g = 0; g < out->n; g++)
        count(&out->list[g]);
    free(classes);
    return rc;
}

static json_t *packed(const struct fw_part *part, const bool *which)
{
    json_t *list = json_array();
    for (size_t i = 0; which && i < part->patch->n; i++)
        if (which[i])
            json_array_append_new(list, fw_history_pack(&part->patch->fixes[i]));
    return list;
}

json_t *fw_part_taken(const struct fw_part *part)
{
    return packed(part, part->take);
}

json_t *fw_part_record(const struct fw_part *part)
{
    const struct fw_apply_counts *c = &part->counts;
    return json_pack("{s:s, s:s, s:o, s:o, s:{s:I, s:I, s:I, s:I, s:I, s:I}, s:f, s:f}", "stage",
                     part->name, "kind", fw_kind_name(part->stage->kind), "taken",
                     fw_part_taken(part), "aside", packed(part, part->aside), "counts", "relabel",
                     (json_int_t)c->relabel, "add", (json_int_t)c->add, "remove",
                     (json_int_t)c->remove, "confirm", (json_int_t)c->confirm, "guideline",
                     (json_int_t)c->guideline, "set_aside", (json_int_t)part->n_set_aside, "labels",
                     part->labels, "money", part->money);
}

json_t *fw_part_gain_record(const struct fw_part *part)
{
    const struct fw_comparison *g = &part->gain;
    if (!part->has_gain)
        return json_pack("{s:s, s:I, s:n, s:n, s:n, s:n, s:b}", "part", part->name, "fixes",
                         (json_int_t)part->n_effective, "gain", "low", "high", "verdict", "kept",
                         part->kept);
    const char *verdict = g->low > 0 ? "improved" : g->high < 0 ? "worse" : "undecided";
    return json_pack("{s:s, s:I, s:f, s:f, s:f, s:s, s:b}", "part", part->name, "fixes",
                     (json_int_t)part->n_effective, "gain", g->gain, "low", g->low, "high", g->high,
                     "verdict", verdict, "kept", part->kept);
}
