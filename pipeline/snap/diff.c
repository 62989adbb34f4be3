/* Two snapshots compared in samples. Shards that are the same object are not read. */
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/hash.h"
#include "pipeline/snap/map.h"
#include "pipeline/snap/snapshot.h"
#include "pipeline/snap/tree.h"

struct side {
    struct fw_snapshot s;
    struct fw_files files;
    const struct fw_shard **at; /* FW_SPLITS × shards; NULL where there is none */
};

struct sample {
    const char *id, *label; /* the label's JSON text, "" when there is none */
    int split;
    uint64_t rest; /* hash of the row, without its label, answers, split and provenance */
    bool met;
    UT_hash_handle hh;
};

struct tally { /* keyed counts: relabels by (from, to), classes by label */
    const char *key, *from, *to;
    size_t n, added, removed, in, out;
    UT_hash_handle hh;
};

struct counts {
    size_t added, removed, relabelled, changed;
};

struct diff {
    struct fw_repo *r;
    struct side a, b;
    struct fw_arena arena;
    struct fw_rows *rows;
    const struct side *now; /* the side read now */
    struct sample *old, *new;
    struct tally *pairs, *classes;
    struct counts splits[FW_SPLITS];
    size_t added, removed, relabelled, changed, moved, more, max;
    json_t *samples;
};

static int side_open(struct diff *d, struct side *side, const char *oid, struct fw_err *err)
{
    int rc = fw_snapshot_open(d->r, oid, &side->s, err);
    if (rc == FW_OK && side->s.has_files)
        rc = fw_files_load(d->r, &side->s.files, &side->files, err);
    if (rc != FW_OK)
        return rc;
    side->at = calloc((size_t)FW_SPLITS * side->s.shards, sizeof *side->at);
    if (!side->at)
        return fw_err_nomem(err);
    for (size_t i = 0; i < side->s.n; i++)
        side->at[(size_t)side->s.v[i].split * side->s.shards + side->s.v[i].index] = &side->s.v[i];
    return FW_OK;
}

static void side_release(struct side *side)
{
    free(side->at);
    fw_files_release(&side->files);
    fw_snapshot_release(&side->s);
}

static const git_oid *file_of(const struct side *side, const char *name)
{
    const struct fw_file *f = name ? fw_files_find(&side->files, name) : NULL;
    return f ? &f->oid : NULL;
}

static uint64_t rest_of(const struct fw_row *row, const git_oid *file)
{
    static const char *const own[] = {"label", "labels", "split", "provenance"};
    uint64_t h = file ? fw_hash64(file->id, sizeof file->id, 1) : 0;
    for (size_t i = 0; i < row->n; i++) {
        bool skip = false;
        for (size_t k = 0; k < sizeof own / sizeof *own; k++)
            skip = skip || !strcmp(row->fields[i].key, own[k]);
        if (skip)
            continue;
        h = fw_hash64(row->fields[i].key, strlen(row->fields[i].key), h);
        h = fw_hash64(row->fields[i].raw, row->fields[i].raw_len, h);
    }
    return h;
}

static int on_row(void *ctx, int split, const struct fw_row *row, struct fw_err *err)
{
    struct diff *d = ctx;
    const char *id = fw_row_str(row, "id");
    const struct fw_field *label = fw_row_get(row, "label");
    struct sample *s = fw_arena_alloc(&d->arena, sizeof *s);
    if (!id)
        return fw_err_set(err, FW_ECORRUPT, "a row of the snapshot has no id");
    if (!s || !(s->id = fw_arena_strdup(&d->arena, id)) ||
        !(s->label = label ? fw_arena_strndup(&d->arena, label->raw, label->raw_len)
                           : fw_arena_strdup(&d->arena, "")))
        return fw_err_nomem(err);
    s->split = split;
    s->rest = rest_of(row, file_of(d->now, fw_row_str(row, "file_name")));
    if (d->now == &d->a)
        HASH_ADD_KEYPTR(hh, d->old, s->id, strlen(s->id), s);
    else
        HASH_ADD_KEYPTR(hh, d->new, s->id, strlen(s->id), s);
    return FW_ADDED(s) ? FW_OK : fw_err_nomem(err);
}

static int read_shard(struct diff *d, const struct side *side, const struct fw_shard *shard,
                      struct fw_err *err)
{
    git_odb_object *o = NULL;
    if (!shard)
        return FW_OK;
    int rc = fw_object_read(d->r, &shard->oid, GIT_OBJECT_BLOB, &o, err);
    if (rc != FW_OK)
        return rc;
    d->now = side;
    rc = fw_shard_each(d->rows, &side->s, shard->split, shard->index, git_odb_object_data(o),
                       git_odb_object_size(o), on_row, d, err);
    git_odb_object_free(o);
    return rc;
}

/* Has a file that both have other bytes? Then rows that are the same may still differ. */
static bool contents_differ(const struct diff *d)
{
    if (!d->a.s.has_files || !d->b.s.has_files || git_oid_equal(&d->a.s.files, &d->b.s.files))
        return false;
    for (size_t i = 0; i < d->a.files.n; i++) {
        const git_oid *other = file_of(&d->b, d->a.files.v[i].path);
        if (other && !git_oid_equal(other, &d->a.files.v[i].oid))
            return true;
    }
    return false;
}

static bool same_shard(const struct fw_shard *a, const struct fw_shard *b)
{
    return a && b ? git_oid_equal(&a->oid, &b->oid) : a == b;
}

/* A sample has one shard number whatever its split, so shards are read by number: where any split
 * differs, all splits of it. */
static int read_both(struct diff *d, struct fw_err *err)
{
    unsigned na = d->a.s.shards, nb = d->b.s.shards;
    bool all = na != nb || contents_differ(d);
    int rc = FW_OK;
    for (unsigned i = 0; i < (na > nb ? na : nb) && rc == FW_OK; i++) {
        bool differs = all;
        for (int k = 0; k < FW_SPLITS && !differs; k++)
            differs = !same_shard(d->a.at[(size_t)k * na + i], d->b.at[(size_t)k * nb + i]);
        for (int k = 0; k < FW_SPLITS && differs && rc == FW_OK; k++) {
            if (i < na)
                rc = read_shard(d, &d->a, d->a.at[(size_t)k * na + i], err);
            if (rc == FW_OK && i < nb)
                rc = read_shard(d, &d->b, d->b.at[(size_t)k * nb + i], err);
        }
    }
    return rc;
}

static struct tally *tally(struct diff *d, struct tally **map, const char *from, const char *to)
{
    struct tally *t;
    char *key = fw_arena_printf(&d->arena, "%s%s%s", from, to ? "\n" : "", to ? to : "");
    if (!key)
        return NULL;
    HASH_FIND_STR(*map, key, t);
    if (t)
        return t;
    if (!(t = fw_arena_alloc(&d->arena, sizeof *t)))
        return NULL;
    *t = (struct tally){.key = key, .from = from, .to = to};
    HASH_ADD_KEYPTR(hh, *map, t->key, strlen(t->key), t);
    return FW_ADDED(t) ? t : NULL;
}

static json_t *label_json(const char *raw)
{
    json_t *v = *raw ? json_loads(raw, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL) : NULL;
    return v ? v : json_null();
}

static int note(struct diff *d, const char *id, const char *what, json_t *from, json_t *to,
                struct fw_err *err)
{
    if (json_array_size(d->samples) >= d->max) {
        d->more++;
        json_decref(from);
        json_decref(to);
        return FW_OK;
    }
    json_t *row =
        json_pack("{s:s, s:s, s:o, s:o}", "id", id, "change", what, "from", from, "to", to);
    return json_array_append_new(d->samples, row) == 0 ? FW_OK : fw_err_nomem(err);
}

static int one_sided(struct diff *d, const struct sample *s, bool added, struct fw_err *err)
{
    struct tally *t = tally(d, &d->classes, s->label, NULL);
    if (!t)
        return fw_err_nomem(err);
    *(added ? &t->added : &t->removed) += 1;
    *(added ? &d->added : &d->removed) += 1;
    *(added ? &d->splits[s->split].added : &d->splits[s->split].removed) += 1;
    return added ? note(d, s->id, "added", json_null(), label_json(s->label), err)
                 : note(d, s->id, "removed", label_json(s->label), json_null(), err);
}

static int relabelled(struct diff *d, const struct sample *a, const struct sample *b,
                      struct fw_err *err)
{
    struct tally *pair = tally(d, &d->pairs, a->label, b->label);
    struct tally *out = tally(d, &d->classes, a->label, NULL);
    struct tally *in = tally(d, &d->classes, b->label, NULL);
    if (!pair || !out || !in)
        return fw_err_nomem(err);
    pair->n++;
    out->out++;
    in->in++;
    d->relabelled++;
    d->splits[b->split].relabelled++;
    return note(d, b->id, "relabelled", label_json(a->label), label_json(b->label), err);
}

static int compare(struct diff *d, struct fw_err *err)
{
    int rc = FW_OK;
    for (struct sample *a = d->old, *b; a && rc == FW_OK; a = a->hh.next) {
        HASH_FIND_STR(d->new, a->id, b);
        if (!b) {
            rc = one_sided(d, a, false, err);
            continue;
        }
        b->met = true;
        if (a->split != b->split) {
            d->moved++;
            rc = note(d, a->id, "moved", json_string(fw_split_name(a->split)),
                      json_string(fw_split_name(b->split)), err);
        }
        if (rc == FW_OK && strcmp(a->label, b->label) != 0) {
            rc = relabelled(d, a, b, err);
        } else if (rc == FW_OK && a->rest != b->rest) {
            d->changed++;
            d->splits[b->split].changed++;
            rc = note(d, a->id, "changed", json_null(), json_null(), err);
        }
    }
    for (struct sample *b = d->new; b &&rc == FW_OK; b = b->hh.next)
        if (!b->met)
            rc = one_sided(d, b, true, err);
    return rc;
}

static int by_count(const struct tally *a, const struct tally *b)
{
    return a->n != b->n ? (a->n > b->n ? -1 : 1) : strcmp(a->key, b->key);
}

static int by_key(const struct tally *a, const struct tally *b)
{
    return strcmp(a->key, b->key);
}

static json_t *result(struct diff *d)
{
    json_t *splits = json_object(), *pairs = json_array(), *classes = json_array();
    for (int i = 0; i < FW_SPLITS; i++)
        json_object_set_new(splits, fw_split_name(i),
                            json_pack("{s:I, s:I, s:I, s:I}", "added",
                                      (json_int_t)d->splits[i].added, "removed",
                                      (json_int_t)d->splits[i].removed, "relabelled",
                                      (json_int_t)d->splits[i].relabelled, "changed",
                                      (json_int_t)d->splits[i].changed));
    HASH_SORT(d->pairs, by_count);
    HASH_SORT(d->classes, by_key);
    for (struct tally *t = d->pairs; t; t = t->hh.next)
        json_array_append_new(pairs, json_pack("{s:o, s:o, s:I}", "from", label_json(t->from), "to",
                                               label_json(t->to), "n", (json_int_t)t->n));
    /* for numbers a table by value would be as long as the list of samples */
    bool by_class = d->b.s.task == FW_CLASSIFICATION;
    for (struct tally *t = by_class ? d->classes : NULL; t; t = t->hh.next)
        json_array_append_new(classes, json_pack("{s:o, s:I, s:I, s:I, s:I}", "class",
                                                 label_json(t->from), "added", (json_int_t)t->added,
                                                 "removed", (json_int_t)t->removed, "in",
                                                 (json_int_t)t->in, "out", (json_int_t)t->out));
    if (!by_class)
        json_array_clear(pairs);
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:O, s:I}", "added",
                     (json_int_t)d->added, "removed", (json_int_t)d->removed, "relabelled",
                     (json_int_t)d->relabelled, "changed", (json_int_t)d->changed, "moved",
                     (json_int_t)d->moved, "splits", splits, "relabels", pairs, "by_class", classes,
                     "samples", d->samples, "more", (json_int_t)d->more);
}

int fw_snap_diff(struct fw_repo *r, const char *a, const char *b, size_t max, json_t **out,
                 struct fw_err *err)
{
    struct diff d = {.r = r, .max = max, .rows = fw_rows_new(), .samples = json_array()};
    int rc = d.rows && d.samples ? side_open(&d, &d.a, a, err) : fw_err_nomem(err);
    if (rc == FW_OK)
        rc = side_open(&d, &d.b, b, err);
    if (rc == FW_OK)
        rc = read_both(&d, err);
    if (rc == FW_OK)
        rc = compare(&d, err);
    json_t *j = rc == FW_OK ? result(&d) : NULL;
    if (rc == FW_OK && !j)
        rc = fw_err_nomem(err);
    if (rc == FW_OK)
        *out = j;
    HASH_CLEAR(hh, d.old);
    HASH_CLEAR(hh, d.new);
    HASH_CLEAR(hh, d.pairs);
    HASH_CLEAR(hh, d.classes);
    json_decref(d.samples);
    fw_arena_release(&d.arena);
    fw_rows_free(d.rows);
    side_release(&d.a);
    side_release(&d.b);
    return rc;
}
