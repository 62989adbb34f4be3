/* Views and checkouts: the rows of a snapshot and their files, as a folder. */
#include "pipeline/snap/view.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pipeline/base/fs.h"
#include "pipeline/base/hash.h"
#include "pipeline/snap/content.h"
#include "pipeline/snap/map.h"
#include "pipeline/snap/tree.h"

struct member { /* one row that the spec may take */
    const char *id, *parent;
    uint64_t group, order;
    size_t klass; /* of the stratified pick */
    bool taken;
    UT_hash_handle hh;
};

struct stratum {
    const char *label;
    size_t number;
    UT_hash_handle hh;
};

struct pick {
    const struct fw_view_spec *spec;
    struct fw_snapshot s;
    struct fw_files files;
    struct fw_arena arena;
    struct member **v; /* in the order of the rows */
    size_t n, cap, at;
    struct member *by_id;
    struct stratum *strata;
    struct fw_buf rows;
    struct fw_sha256 sha;
    struct { /* files of the rows taken */
        const struct fw_file **v;
        size_t n, cap;
    } needs;
};

static bool split_wanted(const struct pick *p, int split)
{
    if (!strcmp(p->spec->split, "all"))
        return split != FW_SPLIT_TEST;
    return !strcmp(p->spec->split, fw_split_name(split));
}

static int named_file(struct pick *p, const struct fw_row *row, const struct fw_file **out,
                      struct fw_err *err)
{
    const char *name = fw_row_str(row, "file_name");
    *out = NULL;
    if (!name)
        return FW_OK;
    if ((*out = fw_files_find(&p->files, name)))
        return FW_OK;
    return fw_err_set(err, FW_ECORRUPT, "the snapshot lacks the file '%.300s' that a row names",
                      name);
}

static int add_member(struct pick *p, const struct fw_row *row, struct fw_err *err)
{
    const char *id = fw_row_str(row, "id"), *parent = fw_row_str(row, "parent");
    const struct fw_field *label = fw_row_get(row, "label");
    const struct fw_file *file;
    struct fw_content content;
    struct member *m = fw_arena_alloc(&p->arena, sizeof *m);
    int rc = m ? named_file(p, row, &file, err) : fw_err_nomem(err);
    if (rc == FW_OK && !id)
        rc = fw_err_set(err, FW_ECORRUPT, "a row of the snapshot has no id");
    if (rc == FW_OK)
        rc = fw_content_of(row, file ? &file->oid : NULL, &content, err);
    if (rc != FW_OK)
        return rc;
    m->id = fw_arena_strdup(&p->arena, id);
    m->parent = parent ? fw_arena_strdup(&p->arena, parent) : NULL;
    m->group = fw_key_number(content.key, 0);
    m->order = fw_hash64(id, strlen(id), 1);
    if (label && label->type == FW_STRING) {
        struct stratum *s;
        HASH_FIND(hh, p->strata, label->str, label->str_len, s);
        if (!s && (s = fw_arena_alloc(&p->arena, sizeof *s))) {
            s->label = fw_arena_strndup(&p->arena, label->str, label->str_len);
            s->number = HASH_COUNT(p->strata) + 1u;
            if (s->label)
                HASH_ADD_KEYPTR(hh, p->strata, s->label, label->str_len, s);
        }
        m->klass = s ? s->number : 0;
    }
    if (p->n == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 256;
        struct member **v = realloc(p->v, cap * sizeof *v);
        if (!v)
            return fw_err_nomem(err);
        p->v = v;
        p->cap = cap;
    }
    p->v[p->n++] = m;
    if (!m->id || (parent && !m->parent))
        return fw_err_nomem(err);
    HASH_ADD_KEYPTR(hh, p->by_id, m->id, strlen(m->id), m);
    return FW_ADDED(m) ? FW_OK : fw_err_nomem(err);
}

static int on_member(void *ctx, int split, const struct fw_row *row, struct fw_err *err)
{
    struct pick *p = ctx;
    return split_wanted(p, split) ? add_member(p, row, err) : FW_OK;
}

/* The group that decides the fold: of the content at the root of a chain of augmentations. */
static uint64_t fold_group(const struct pick *p, const struct member *m)
{
    for (int depth = 0; m->parent && depth < 64; depth++) {
        struct member *up;
        HASH_FIND_STR(p->by_id, m->parent, up);
        if (!up) /* its siblings still share the missing parent */
            return fw_hash64(m->parent, strlen(m->parent), 2);
        m = up;
    }
    return m->group;
}

static int by_class(const void *va, const void *vb)
{
    const struct member *a = *(struct member *const *)va, *b = *(struct member *const *)vb;
    if (a->klass != b->klass)
        return a->klass < b->klass ? -1 : 1;
    if (a->order != b->order)
        return a->order < b->order ? -1 : 1;
    return strcmp(a->id, b->id);
}

static int by_round(const void *va, const void *vb)
{
    const struct member *a = *(struct member *const *)va, *b = *(struct member *const *)vb;
    if (a->group != b->group) /* holds the rank within the class here */
        return a->group < b->group ? -1 : 1;
    return by_class(va, vb);
}

/* The first `limit` of: each class's first by hash, each class's second, and so on. */
static int take_limited(struct pick *p, struct fw_err *err)
{
    size_t n = 0;
    struct member **v = calloc(p->n + 1, sizeof *v);
    if (!v)
        return fw_err_nomem(err);
    for (size_t i = 0; i < p->n; i++)
        if (p->v[i]->taken)
            v[n++] = p->v[i];
    if (n)
        qsort(v, n, sizeof *v, by_class);
    for (size_t i = 0; i < n; i++)
        v[i]->group = i && v[i - 1]->klass == v[i]->klass ? v[i - 1]->group + 1 : 0;
    if (n)
        qsort(v, n, sizeof *v, by_round);
    for (size_t i = p->spec->limit; i < n; i++)
        v[i]->taken = false;
    free(v);
    return FW_OK;
}

/* Where a content lies in [0, 2^64); independent of its fold. */
static uint64_t place(const struct pick *p, const struct member *m)
{
    uint64_t group = fold_group(p, m);
    return fw_hash64(&group, sizeof group, 3);
}

static int by_place(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* The contents in the first part of all places, and the first content of each class that has none
 * there: a model must know all classes, however few samples it gets. */
static int take_part(struct pick *p, struct fw_err *err)
{
    uint64_t bound = UINT64_MAX / (uint64_t)p->spec->one_of;
    size_t strata = HASH_COUNT(p->strata) + 1u;
    uint64_t *first = malloc(strata * sizeof *first);
    if (!first)
        return fw_err_nomem(err);
    memset(first, 0xff, strata * sizeof *first);
    for (size_t i = 0; i < p->n; i++) {
        uint64_t at = place(p, p->v[i]);
        if (at < first[p->v[i]->klass])
            first[p->v[i]->klass] = at;
    }
    qsort(first, strata, sizeof *first, by_place);
    for (size_t i = 0; i < p->n; i++) {
        uint64_t at = place(p, p->v[i]);
        bool in = at <= bound || /* copies follow, whatever their class */
                  bsearch(&at, first, strata, sizeof *first, by_place);
        p->v[i]->taken = p->v[i]->taken && in;
    }
    free(first);
    return FW_OK;
}

static int choose(struct pick *p, struct fw_err *err)
{
    const struct fw_view_spec *spec = p->spec;
    int rc = fw_snapshot_each(&p->s, FW_SPLITS, on_member, p, err);
    for (size_t i = 0; i < p->n && rc == FW_OK; i++) {
        struct member *m = p->v[i];
        m->taken = true;
        if (spec->folds > 0) {
            bool in = fold_group(p, m) % (uint64_t)spec->folds == (uint64_t)spec->fold;
            m->taken = in == spec->part;
        }
    }
    if (rc == FW_OK && spec->one_of > 0)
        rc = take_part(p, err);
    return rc == FW_OK && spec->limit ? take_limited(p, err) : rc;
}

static int on_row(void *ctx, int split, const struct fw_row *row, struct fw_err *err)
{
    struct pick *p = ctx;
    const struct fw_file *file;
    bool chosen = p->spec->folds > 0 || p->spec->one_of > 0 || p->spec->limit;
    if (!split_wanted(p, split) || (chosen && !p->v[p->at++]->taken))
        return FW_OK;
    int rc = named_file(p, row, &file, err);
    if (rc != FW_OK)
        return rc;
    fw_buf_add(&p->rows, row->line, row->line_len);
    fw_buf_putc(&p->rows, '\n');
    fw_sha256_add(&p->sha, row->line, row->line_len);
    fw_sha256_add(&p->sha, "\n", 1);
    if (!file)
        return FW_OK;
    fw_sha256_add(&p->sha, file->oid.id, sizeof file->oid.id);
    if (p->needs.n == p->needs.cap) {
        size_t cap = p->needs.cap ? p->needs.cap * 2 : 256;
        const struct fw_file **v = realloc(p->needs.v, cap * sizeof *v);
        if (!v)
            return fw_err_nomem(err);
        p->needs.v = v;
        p->needs.cap = cap;
    }
    p->needs.v[p->needs.n++] = file;
    return FW_OK;
}

static void pick_release(struct pick *p)
{
    char hex[FW_SHA256_HEX];
    if (p->sha.ctx)
        fw_sha256_final(&p->sha, hex, NULL);
    HASH_CLEAR(hh, p->by_id);
    HASH_CLEAR(hh, p->strata);
    free(p->v);
    free(p->needs.v);
    fw_buf_release(&p->rows);
    fw_files_release(&p->files);
    fw_arena_release(&p->arena);
    fw_snapshot_release(&p->s);
}

/* The rows of a view, the files they need, and the digest of both. */
static int pick(struct fw_repo *r, const char *oid, const struct fw_view_spec *spec, struct pick *p,
                char digest[FW_SHA256_HEX], struct fw_err *err)
{
    p->spec = spec;
    int rc = fw_snapshot_open(r, oid, &p->s, err);
    if (rc == FW_OK && p->s.has_files)
        rc = fw_files_load(r, &p->s.files, &p->files, err);
    if (rc == FW_OK && (spec->folds > 0 || spec->one_of > 0 || spec->limit))
        rc = choose(p, err);
    fw_sha256_init(&p->sha);
    if (rc == FW_OK)
        rc = fw_snapshot_each(&p->s, FW_SPLITS, on_row, p, err);
    if (rc == FW_OK && p->rows.failed)
        rc = fw_err_nomem(err);
    if (rc == FW_OK)
        rc = fw_sha256_final(&p->sha, digest, err);
    return rc;
}

static int check_spec(const struct fw_view_spec *spec, struct fw_err *err)
{
    if (strcmp(spec->split, "all") != 0 && fw_split_parse(spec->split) < 0)
        return fw_err_set(err, FW_EINVAL, "no split is named '%s'", spec->split);
    if (spec->folds < 0 || (spec->folds > 0 && (spec->fold < 0 || spec->fold >= spec->folds)))
        return fw_err_set(err, FW_EINVAL, "there is no fold %d of %d", spec->fold, spec->folds);
    if (spec->one_of < 0)
        return fw_err_set(err, FW_EINVAL, "there is no subset of one in %d", spec->one_of);
    return FW_OK;
}

static int no_rows(const struct fw_view_spec *spec, struct fw_err *err)
{
    if (spec->folds == 0)
        return fw_err_set(err, FW_EINVAL, "the snapshot has no sample in %s", spec->split);
    fw_err_set(err, FW_EINVAL, "fold %d of %d %s no sample", spec->fold + 1, spec->folds,
               spec->part ? "has" : "leaves");
    return fw_err_hint(err, "use fewer folds");
}

struct seal {
    const char *dir;
    struct fw_buf last; /* the folder sealed last; files come sorted */
};

/* Makes the folders on the way to a file read-only, from the innermost up. */
static int seal(void *ctx, const char *rel, const struct stat *st, struct fw_err *err)
{
    struct seal *s = ctx;
    struct fw_buf path = {0};
    const char *slash = strrchr(rel, '/');
    size_t n = slash ? (size_t)(slash - rel) : 0, root = strlen(s->dir);
    int rc = FW_OK;
    (void)st;
    if (!n || (s->last.len == n && !memcmp(s->last.p, rel, n)))
        return FW_OK;
    fw_buf_clear(&s->last);
    fw_buf_add(&s->last, rel, n);
    fw_buf_printf(&path, "%s/%.*s", s->dir, (int)n, rel);
    if (path.failed || s->last.failed)
        rc = fw_err_nomem(err);
    while (rc == FW_OK && strlen(path.p) > root) {
        if (chmod(path.p, 0555) != 0)
            rc = fw_err_sys(err, errno, "cannot seal %s", path.p);
        *strrchr(path.p, '/') = '\0';
    }
    fw_buf_release(&path);
    return rc;
}

static int fill(struct fw_repo *r, struct pick *p, const char *dir, struct fw_err *err)
{
    char *path = fw_fs_join(dir, "samples.jsonl");
    int rc = path ? fw_fs_write_atomic(path, p->rows.p, p->rows.len, err) : fw_err_nomem(err);
    if (rc == FW_OK && chmod(path, 0444) != 0)
        rc = fw_err_sys(err, errno, "cannot write %s", path);
    for (size_t i = 0; i < p->needs.n && rc == FW_OK; i++)
        rc = fw_blob_place(r, &p->needs.v[i]->oid, dir, p->needs.v[i]->path, false, err);
    struct seal s = {.dir = dir};
    if (rc == FW_OK && p->needs.n)
        rc = fw_fs_walk(dir, seal, &s, err);
    fw_buf_release(&s.last);
    if (rc == FW_OK && p->needs.n)
        rc = fw_sync_all(dir, err);
    if (rc == FW_OK && chmod(dir, 0555) != 0)
        rc = fw_err_sys(err, errno, "cannot seal %s", dir);
    free(path);
    return rc;
}

/* Built beside and renamed into place, so what has the name is whole. */
static int build(struct fw_repo *r, struct pick *p, const char *path, struct fw_err *err)
{
    struct fw_buf tmp = {0};
    fw_buf_printf(&tmp, "%s/views", r->state_dir);
    int rc = tmp.failed ? fw_err_nomem(err) : fw_fs_mkdirs(tmp.p, err);
    fw_buf_puts(&tmp, "/.new-XXXXXX");
    if (rc == FW_OK && tmp.failed)
        rc = fw_err_nomem(err);
    if (rc == FW_OK && !mkdtemp(tmp.p))
        rc = fw_err_sys(err, errno, "cannot create a folder in %s/views", r->state_dir);
    if (rc != FW_OK)
        goto out;
    rc = fill(r, p, tmp.p, err);
    int e = rc == FW_OK && rename(tmp.p, path) != 0 ? errno : 0;
    if (e && !fw_fs_is_dir(path))
        rc = fw_err_sys(err, e, "cannot create %s", path);
    if (fw_fs_exists(tmp.p)) /* failed, or another process was first */
        fw_fs_remove(tmp.p, NULL);
out:
    fw_buf_release(&tmp);
    return rc;
}

int fw_snap_view(struct fw_repo *r, const char *oid, const struct fw_view_spec *spec, char **path,
                 char digest[65], struct fw_err *err)
{
    struct pick p = {0};
    struct fw_buf dir = {0};
    char hex[FW_SHA256_HEX];
    char *made = NULL;
    int rc = check_spec(spec, err);
    if (rc == FW_OK)
        rc = pick(r, oid, spec, &p, hex, err);
    if (rc == FW_OK && !p.rows.len)
        rc = no_rows(spec, err);
    if (rc == FW_OK) {
        fw_buf_printf(&dir, "%s/views/%s", r->state_dir, hex);
        made = fw_buf_steal(&dir);
        rc = made ? FW_OK : fw_err_nomem(err);
    }
    if (rc == FW_OK && !fw_fs_is_dir(made))
        rc = build(r, &p, made, err);
    if (rc == FW_OK) {
        *path = made;
        memcpy(digest, hex, sizeof hex);
    } else {
        free(made);
    }
    pick_release(&p);
    return rc;
}

int fw_snap_split_digest(struct fw_repo *r, const char *oid, const char *split, char hex[65],
                         struct fw_err *err)
{
    struct pick p = {0};
    struct fw_view_spec spec = {.split = split};
    char out[FW_SHA256_HEX];
    int rc = check_spec(&spec, err);
    if (rc == FW_OK)
        rc = pick(r, oid, &spec, &p, out, err);
    if (rc == FW_OK)
        memcpy(hex, out, sizeof out);
    pick_release(&p);
    return rc;
}

static bool is_empty_dir(const char *path)
{
    DIR *d = opendir(path);
    bool empty = d != NULL;
    for (struct dirent *e; d && empty && (e = readdir(d));)
        empty = !strcmp(e->d_name, ".") || !strcmp(e->d_name, "..");
    if (d)
        closedir(d);
    return empty;
}

static int every_row(void *ctx, int split, const struct fw_row *row, struct fw_err *err)
{
    (void)split;
    (void)err;
    fw_buf_add(ctx, row->line, row->line_len);
    fw_buf_putc(ctx, '\n');
    return FW_OK;
}

static int write_out(struct fw_repo *r, struct pick *p, const char *dir, struct fw_err *err)
{
    int rc = fw_snapshot_each(&p->s, FW_SPLITS, every_row, &p->rows, err);
    for (size_t i = 0; i < p->files.n && rc == FW_OK; i++)
        rc = fw_blob_place(r, &p->files.v[i].oid, dir, p->files.v[i].path, true, err);
    if (rc == FW_OK && p->s.has_guidelines)
        rc = fw_blob_place(r, &p->s.guidelines, dir, "GUIDELINES.md", true, err);
    char *path = fw_fs_join(dir, "samples.jsonl");
    if (rc == FW_OK && (!path || p->rows.failed))
        rc = fw_err_nomem(err);
    if (rc == FW_OK) /* last: a folder without it is not a dataset */
        rc = fw_fs_write_atomic(path, p->rows.p ? p->rows.p : "", p->rows.len, err);
    free(path);
    return rc;
}

int fw_snap_checkout(struct fw_repo *r, const char *oid, const char *dir, struct fw_err *err)
{
    struct pick p = {0};
    bool there = fw_fs_exists(dir);
    if (there && !is_empty_dir(dir)) {
        fw_err_set(err, FW_EEXISTS, "%s is there already and not an empty folder", dir);
        return fw_err_hint(err, "name a folder that does not exist");
    }
    int rc = fw_snapshot_open(r, oid, &p.s, err);
    if (rc == FW_OK && p.s.has_files)
        rc = fw_files_load(r, &p.s.files, &p.files, err);
    if (rc == FW_OK)
        rc = fw_fs_mkdirs(dir, err);
    if (rc == FW_OK) {
        rc = write_out(r, &p, dir, err);
        if (rc != FW_OK && !there)
            fw_fs_remove(dir, NULL);
    }
    pick_release(&p);
    return rc;
}
