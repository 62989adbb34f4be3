#include "pipeline/loop/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "pipeline/base/arena.h"

struct entry {
    const char *key; /* op, id and to, joined by 0x1f */
    const char *op, *id, *to, *run, *stage, *fate;
    int iteration;
    struct entry *next; /* in order of time */
    UT_hash_handle hh;  /* the newest entry of a key */
};

struct fw_history {
    struct fw_arena arena;
    struct entry *first, *last, *by_key;
};

struct fw_history *fw_history_new(void)
{
    return calloc(1, sizeof(struct fw_history));
}

void fw_history_free(struct fw_history *h)
{
    if (!h)
        return;
    HASH_CLEAR(hh, h->by_key);
    fw_arena_release(&h->arena);
    free(h);
}

json_t *fw_history_pack(const struct fw_fix *fix)
{
    const char *to = "";
    char *text = NULL;
    const json_t *label = json_object_get(fix->json, fix->op == FW_OP_CONFIRM ? "label" : "to");
    const char *id = fix->id;
    if (fix->op == FW_OP_GUIDELINE) {
        id = json_string_value(json_object_get(fix->json, "class"));
        label = json_object_get(fix->json, "text");
    }
    if (json_is_string(label))
        to = json_string_value(label);
    else if (label)
        to = text = json_dumps(label, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
    json_t *packed = json_pack("[s, s, s]", fw_op_name(fix->op), id ? id : "", to ? to : "");
    free(text);
    return packed;
}

static int add(struct fw_history *h, const char *run, int iteration, const char *stage,
               const json_t *packed, const char *fate, struct fw_err *err)
{
    const char *op = json_string_value(json_array_get(packed, 0));
    const char *id = json_string_value(json_array_get(packed, 1));
    const char *to = json_string_value(json_array_get(packed, 2));
    if (!op || !id || !to)
        return fw_err_set(err, FW_ECORRUPT, "a recorded fix is not [op, id, to]");
    struct entry *e = fw_arena_alloc(&h->arena, sizeof *e);
    if (!e)
        return fw_err_nomem(err);
    e->key = fw_arena_printf(&h->arena, "%s\x1f%s\x1f%s", op, id, to);
    e->op = fw_arena_strdup(&h->arena, op);
    e->id = fw_arena_strdup(&h->arena, id);
    e->to = fw_arena_strdup(&h->arena, to);
    e->run = fw_arena_strdup(&h->arena, run);
    e->stage = fw_arena_strdup(&h->arena, stage);
    e->fate = fw_arena_strdup(&h->arena, fate);
    if (!e->key || !e->op || !e->id || !e->to || !e->run || !e->stage || !e->fate)
        return fw_err_nomem(err);
    e->iteration = iteration;
    if (h->last)
        h->last->next = e;
    else
        h->first = e;
    h->last = e;
    struct entry *old = NULL;
    HASH_REPLACE(hh, h->by_key, key[0], strlen(e->key), e, old);
    return FW_OK;
}

int fw_history_add(struct fw_history *h, const char *run, int iteration, const char *stage,
                   const struct fw_fix *fix, const char *fate, struct fw_err *err)
{
    json_t *packed = fw_history_pack(fix);
    int rc = packed ? add(h, run, iteration, stage, packed, fate, err) : fw_err_nomem(err);
    json_decref(packed);
    return rc;
}

int fw_history_fate(struct fw_history *h, const char *run, int from, int to, const json_t *packed,
                    const char *fate, struct fw_err *err)
{
    const char *op = json_string_value(json_array_get(packed, 0));
    const char *id = json_string_value(json_array_get(packed, 1));
    const char *label = json_string_value(json_array_get(packed, 2));
    char *kept = fw_arena_strdup(&h->arena, fate);
    if (!kept)
        return fw_err_nomem(err);
    for (struct entry *e = h->first; e; e = e->next) {
        if (strcmp(e->fate, "provisional"))
            continue;
        if (run && (strcmp(e->run, run) || e->iteration < from || e->iteration > to))
            continue;
        if (op && (!id || !label || strcmp(e->op, op) || strcmp(e->id, id) || strcmp(e->to, label)))
            continue;
        e->fate = kept;
    }
    return FW_OK;
}

static int add_proposed(struct fw_history *h, const char *run, const json_t *record,
                        struct fw_err *err)
{
    int iteration = (int)json_integer_value(json_object_get(record, "iteration"));
    size_t i, j;
    json_t *part, *fix;
    json_array_foreach (json_object_get(record, "parts"), i, part) {
        const char *stage = json_string_value(json_object_get(part, "stage"));
        json_array_foreach (json_object_get(part, "taken"), j, fix) {
            const char *op = json_string_value(json_array_get(fix, 0));
            const char *fate = op && !strcmp(op, "confirm") ? "confirmed" : "provisional";
            int rc = add(h, run, iteration, stage ? stage : "", fix, fate, err);
            if (rc != FW_OK)
                return rc;
        }
        json_array_foreach (json_object_get(part, "aside"), j, fix) {
            int rc = add(h, run, iteration, stage ? stage : "", fix, "aside", err);
            if (rc != FW_OK)
                return rc;
        }
    }
    return FW_OK;
}

static int add_fate(struct fw_history *h, const char *run, const json_t *record, struct fw_err *err)
{
    int from = (int)json_integer_value(json_object_get(record, "from"));
    int to = (int)json_integer_value(json_object_get(record, "to"));
    const char *fate = json_string_value(json_object_get(record, "fate"));
    if (json_is_true(json_object_get(record, "inherited")))
        run = NULL;
    const json_t *fixes = json_object_get(record, "fixes");
    size_t i;
    json_t *fix;
    int rc = FW_OK;
    if (!json_is_array(fixes))
        return fw_history_fate(h, run, from, to, NULL, fate ? fate : "", err);
    json_array_foreach (fixes, i, fix) {
        if (rc == FW_OK)
            rc = fw_history_fate(h, run, from, to, fix, fate ? fate : "", err);
    }
    return rc;
}

int fw_history_add_journal(struct fw_history *h, const json_t *journal, struct fw_err *err)
{
    const char *run = "";
    size_t i, j;
    json_t *record, *fate;
    int rc = FW_OK;
    json_array_foreach (journal, i, record) {
        const char *type = json_string_value(json_object_get(record, "type"));
        if (!type)
            continue;
        if (!strcmp(type, "run")) {
            run = json_string_value(json_object_get(record, "run"));
            run = run ? run : "";
        } else if (!strcmp(type, "proposed")) {
            rc = add_proposed(h, run, record, err);
        } else if (!strcmp(type, "gate")) {
            json_array_foreach (json_object_get(record, "fates"), j, fate) {
                if (rc == FW_OK)
                    rc = add_fate(h, run, fate, err);
            }
        }
        if (rc != FW_OK)
            return rc;
    }
    return FW_OK;
}

const char *fw_history_refuses(const struct fw_history *h, const struct fw_fix *fix, char *why,
                               size_t size)
{
    json_t *packed = fw_history_pack(fix);
    struct fw_buf key = {0};
    const char *refused = NULL;
    if (packed)
        fw_buf_printf(&key, "%s\x1f%s\x1f%s", json_string_value(json_array_get(packed, 0)),
                      json_string_value(json_array_get(packed, 1)),
                      json_string_value(json_array_get(packed, 2)));
    if (packed && !key.failed) {
        struct entry *e = NULL;
        HASH_FIND(hh, h->by_key, key.p, key.len, e);
        if (e && !strcmp(e->fate, "rejected")) {
            snprintf(why, size, "rejected in iteration %d of run %s", e->iteration, e->run);
            refused = why;
        }
    }
    fw_buf_release(&key);
    json_decref(packed);
    return refused;
}

int fw_history_write(const struct fw_history *h, struct fw_buf *out, struct fw_err *err)
{
    for (const struct entry *e = h->first; e; e = e->next) {
        fw_buf_puts(out, "{\"op\":");
        fw_buf_json_str(out, e->op, strlen(e->op));
        fw_buf_puts(out, ",\"id\":");
        fw_buf_json_str(out, e->id, strlen(e->id));
        fw_buf_puts(out, ",\"to\":");
        fw_buf_json_str(out, e->to, strlen(e->to));
        fw_buf_printf(out, ",\"iteration\":%d,\"stage\":", e->iteration);
        fw_buf_json_str(out, e->stage, strlen(e->stage));
        fw_buf_puts(out, ",\"run\":");
        fw_buf_json_str(out, e->run, strlen(e->run));
        fw_buf_puts(out, ",\"verdict\":");
        fw_buf_json_str(out, e->fate, strlen(e->fate));
        fw_buf_puts(out, "}\n");
    }
    fw_buf_add(out, "", 0);
    return out->failed ? fw_err_nomem(err) : FW_OK;
}
