#include <stdlib.h>
#include <string.h>

#include "pipeline/snap/apply.h"

struct load {
    struct fw_applying *a;
    struct fw_ashard *shard;
};

static int shard_push(struct fw_ashard *s, struct fw_arow *row, struct fw_err *err)
{
    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 32;
        struct fw_arow **v = realloc(s->v, cap * sizeof *v);
        if (!v)
            return fw_err_nomem(err);
        s->v = v;
        s->cap = cap;
    }
    s->v[s->n++] = row;
    return FW_OK;
}

struct fw_class_count *fw_class_find(const struct fw_applying *a, const char *name)
{
    struct fw_class_count *c;
    HASH_FIND_STR(a->classes, name, c);
    return c;
}

static int on_row(void *ctx, int split, const struct fw_row *row, struct fw_err *err)
{
    struct load *l = ctx;
    const char *id = fw_row_str(row, "id"), *label = fw_row_str(row, "label");
    struct fw_arow *r = fw_arena_alloc(&l->a->arena, sizeof *r);
    if (!id)
        return fw_err_set(err, FW_ECORRUPT, "a row of the snapshot has no id");
    if (!r || !(r->id = fw_arena_strdup(&l->a->arena, id)))
        return fw_err_nomem(err);
    r->line = row->line;
    r->len = row->line_len;
    r->split = split;
    struct fw_class_count *c = label ? fw_class_find(l->a, label) : NULL;
    if (c && split == FW_SPLIT_TRAIN)
        c->in_train++;
    return shard_push(l->shard, r, err);
}

static int load(struct fw_applying *a, size_t at, struct fw_err *err)
{
    struct fw_ashard *s = &a->shards[at];
    struct load l = {a, s};
    if (s->loaded)
        return FW_OK;
    s->loaded = true;
    if (!s->source)
        return FW_OK;
    int rc = fw_object_read(a->r, &s->source->oid, GIT_OBJECT_BLOB, &s->blob, err);
    return rc == FW_OK ? fw_shard_each(a->rows, &a->s, s->source->split, s->source->index,
                                       git_odb_object_data(s->blob), git_odb_object_size(s->blob),
                                       on_row, &l, err)
                       : rc;
}

int fw_applying_load_all(struct fw_applying *a, struct fw_err *err)
{
    int rc = FW_OK;
    for (size_t i = 0; i < (size_t)FW_SPLITS * a->s.shards && rc == FW_OK; i++)
        rc = load(a, i, err);
    return rc;
}

int fw_applying_open(struct fw_applying *a, struct fw_repo *r, const char *parent,
                     const struct fw_apply_options *o, struct fw_err *err)
{
    *a = (struct fw_applying){.r = r, .o = o};
    int rc = fw_snapshot_open(r, parent, &a->s, err);
    if (rc != FW_OK)
        return rc;
    a->rows = fw_rows_new();
    a->shards = calloc((size_t)FW_SPLITS * a->s.shards, sizeof *a->shards);
    if (!a->rows || !a->shards)
        return fw_err_nomem(err);
    for (size_t i = 0; i < a->s.n; i++)
        a->shards[(size_t)a->s.v[i].split * a->s.shards + a->s.v[i].index].source = &a->s.v[i];
    for (size_t i = 0; i < a->s.n_classes; i++) {
        struct fw_class_count *c = fw_arena_alloc(&a->arena, sizeof *c);
        if (!c)
            return fw_err_nomem(err);
        c->name = a->s.classes[i];
        HASH_ADD_KEYPTR(hh, a->classes, c->name, strlen(c->name), c);
        if (!FW_ADDED(c))
            return fw_err_nomem(err);
    }
    rc = fw_pack_open(r, &a->pack, err);
    if (rc == FW_OK && a->s.has_files)
        rc = fw_files_load(r, &a->s.files, &a->files, err);
    /* the train rows are all needed: they say how many a class has */
    for (size_t i = 0; i < a->s.shards && rc == FW_OK; i++)
        rc = load(a, (size_t)FW_SPLIT_TRAIN * a->s.shards + i, err);
    return rc;
}

void fw_applying_release(struct fw_applying *a)
{
    for (size_t i = 0; a->shards && i < (size_t)FW_SPLITS * a->s.shards; i++) {
        free(a->shards[i].v);
        if (a->shards[i].blob)
            git_odb_object_free(a->shards[i].blob);
    }
    free(a->shards);
    HASH_CLEAR(hh, a->classes);
    HASH_CLEAR(hh, a->added);
    HASH_CLEAR(hh, a->loose);
    HASH_CLEAR(hh, a->known);
    HASH_CLEAR(hh, a->near_texts);
    fw_near_free(a->near_images);
    fw_phashes_close(a->phashes);
    fw_buf_release(&a->guidelines);
    fw_buf_release(&a->bytes);
    fw_files_release(&a->files);
    fw_pack_free(a->pack);
    fw_rows_free(a->rows);
    fw_snapshot_release(&a->s);
    fw_arena_release(&a->arena);
}

struct fw_ashard *fw_applying_shard(struct fw_applying *a, int split, const char *id)
{
    return &a->shards[(size_t)split * a->s.shards + fw_shard_of(id, a->s.shards)];
}

int fw_applying_find(struct fw_applying *a, const char *id, struct fw_arow **out,
                     struct fw_err *err)
{
    *out = NULL;
    for (int split = 0; split < FW_SPLITS && !*out; split++) {
        struct fw_ashard *s = fw_applying_shard(a, split, id);
        int rc = load(a, (size_t)(s - a->shards), err);
        if (rc != FW_OK)
            return rc;
        for (size_t i = 0; i < s->n && !*out; i++) /* a shard is some 256 rows */
            if (!strcmp(s->v[i]->id, id))
                *out = s->v[i];
    }
    return FW_OK;
}

int fw_applying_append(struct fw_applying *a, const char *line, size_t len, const char *id,
                       struct fw_arow **out, struct fw_err *err)
{
    struct fw_ashard *s = fw_applying_shard(a, FW_SPLIT_TRAIN, id);
    struct fw_arow *r = fw_arena_alloc(&a->arena, sizeof *r);
    if (!r || !(r->line = fw_arena_strndup(&a->arena, line, len)) ||
        !(r->id = fw_arena_strdup(&a->arena, id)))
        return fw_err_nomem(err);
    r->len = len;
    r->split = FW_SPLIT_TRAIN;
    r->by = a->part->stage;
    s->dirty = true;
    *out = r;
    return shard_push(s, r, err);
}

int fw_known_add(struct fw_applying *a, struct fw_known **map, const unsigned char key[FW_KEY],
                 const struct fw_arow *row, struct fw_err *err)
{
    struct fw_known *k;
    HASH_FIND(hh, *map, key, FW_KEY, k);
    if (k) {
        /* an evaluation sample is the stronger reason to refuse a copy */
        if (k->row->removed || (k->row->split == FW_SPLIT_TRAIN && row->split != FW_SPLIT_TRAIN))
            k->row = row;
        return FW_OK;
    }
    if (!(k = fw_arena_alloc(&a->arena, sizeof *k)))
        return fw_err_nomem(err);
    memcpy(k->key, key, FW_KEY);
    k->row = row;
    HASH_ADD(hh, *map, key, FW_KEY, k);
    return FW_ADDED(k) ? FW_OK : fw_err_nomem(err);
}

static int index_near(struct fw_applying *a, const struct fw_arow *row, const struct fw_content *c,
                      const git_oid *file, struct fw_err *err)
{
    const struct fw_phash *h = NULL;
    if (c->has_near)
        return fw_known_add(a, &a->near_texts, c->near, row, err);
    if (c->has != FW_HAS_FILE)
        return FW_OK;
    int rc = fw_phashes_of_blob(a->phashes, a->r, file, &h, err);
    return rc == FW_OK && h ? fw_near_add(a->near_images, h, row, err) : rc;
}

static int index_row(struct fw_applying *a, const struct fw_arow *r, struct fw_err *err)
{
    struct fw_row row;
    struct fw_content c;
    int rc = fw_row_parse(a->rows, r->line, r->len, &row, err);
    if (rc != FW_OK)
        return rc;
    const char *name = fw_row_str(&row, "file_name");
    const struct fw_file *file = name ? fw_files_find(&a->files, name) : NULL;
    struct fw_path *added = NULL;
    if (name && !file)
        HASH_FIND_STR(a->added, name, added);
    const git_oid *oid = file ? &file->oid : added ? &added->oid : NULL;
    if (name && !oid)
        return fw_err_set(err, FW_ECORRUPT,
                          "the snapshot lacks the file '%.300s' that sample '%.100s' names", name,
                          r->id);
    rc = fw_content_of(&row, oid, &c, err);
    if (rc != FW_OK)
        return rc;
    a->contents |= c.has;
    a->n_features = c.has & FW_HAS_FEATURES ? c.n_features : a->n_features;
    rc = fw_known_add(a, &a->known, c.key, r, err);
    if (rc == FW_OK && a->o->near_copies && r->split != FW_SPLIT_TRAIN)
        rc = index_near(a, r, &c, oid, err);
    return rc;
}

int fw_applying_index(struct fw_applying *a, struct fw_err *err)
{
    if (a->indexed)
        return FW_OK;
    int rc = fw_applying_load_all(a, err);
    if (rc == FW_OK && a->o->near_copies) {
        rc = fw_phashes_open(a->r->state_dir, &a->phashes, err);
        if (rc == FW_OK && !(a->near_images = fw_near_new()))
            rc = fw_err_nomem(err);
    }
    for (size_t i = 0; i < (size_t)FW_SPLITS * a->s.shards && rc == FW_OK; i++)
        for (size_t k = 0; k < a->shards[i].n && rc == FW_OK; k++)
            if (!a->shards[i].v[k]->removed)
                rc = index_row(a, a->shards[i].v[k], err);
    a->indexed = rc == FW_OK;
    return rc;
}
