#include "pipeline/snap/apply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DUMP = JSON_COMPACT | JSON_REAL_PRECISION(15) };

struct patch_file { /* one file below patches/ */
    char *path;
    struct fw_buf lines;
};

struct patch_files {
    struct patch_file *v;
    size_t n;
};

static int file_for(struct patch_files *files, const struct fw_apply_part *part,
                    struct patch_file **out, struct fw_err *err)
{
    struct fw_buf path = {0};
    fw_buf_printf(&path, "patches/%d-%s.jsonl", part->iteration, part->stage);
    for (char *p = path.p ? path.p + strlen("patches/") : NULL; p && *p; p++)
        if (*p == '/')
            *p = '_';
    char *name = fw_buf_steal(&path);
    for (size_t i = 0; name && i < files->n; i++) {
        if (!strcmp(files->v[i].path, name)) {
            *out = &files->v[i];
            free(name);
            return FW_OK;
        }
    }
    struct patch_file *v = name ? realloc(files->v, (files->n + 1) * sizeof *v) : NULL;
    if (!v) {
        free(name);
        return fw_err_nomem(err);
    }
    files->v = v;
    files->v[files->n] = (struct patch_file){.path = name};
    *out = &files->v[files->n++];
    return FW_OK;
}

static int set_aside(struct fw_applying *a, const struct fw_fix *fix, struct patch_file *file,
                     json_t *aside, struct fw_err *err)
{
    json_t *line = json_copy(fix->json);
    if (!line || json_object_set_new(line, "aside", json_string(a->why)) != 0 ||
        json_array_append_new(aside, json_pack("{s:s, s:O, s:s}", "stage", a->part->stage, "fix",
                                               fix->json, "reason", a->why)) != 0) {
        json_decref(line);
        return fw_err_nomem(err);
    }
    char *text = json_dumps(line, DUMP);
    json_decref(line);
    if (!text)
        return fw_err_nomem(err);
    fw_buf_puts(&file->lines, text);
    fw_buf_putc(&file->lines, '\n');
    free(text);
    return FW_OK;
}

static int keep(const struct fw_fix *fix, struct patch_file *file, struct fw_err *err)
{
    char *text = json_dumps(fix->json, DUMP);
    if (!text)
        return fw_err_nomem(err);
    fw_buf_puts(&file->lines, text);
    fw_buf_putc(&file->lines, '\n');
    free(text);
    return FW_OK;
}

static int apply_part(struct fw_applying *a, struct patch_files *files,
                      struct fw_apply_counts *counts, json_t *aside, struct fw_err *err)
{
    static int (*const apply[FW_OPS])(struct fw_applying *, const struct fw_fix *, bool *,
                                      struct fw_err *) = {[FW_OP_RELABEL] = fw_fix_relabel,
                                                          [FW_OP_REMOVE] = fw_fix_remove,
                                                          [FW_OP_ADD] = fw_fix_add,
                                                          [FW_OP_CONFIRM] = fw_fix_confirm,
                                                          [FW_OP_GUIDELINE] = fw_fix_guideline};
    size_t *const by_op[FW_OPS] = {
        [FW_OP_RELABEL] = &counts->relabel,
        [FW_OP_REMOVE] = &counts->remove,
        [FW_OP_ADD] = &counts->add,
        [FW_OP_CONFIRM] = &counts->confirm,
        [FW_OP_GUIDELINE] = &counts->guideline,
    };
    struct patch_file *file = NULL;
    int rc = file_for(files, a->part, &file, err);
    for (size_t i = 0; i < a->part->patch->n && rc == FW_OK; i++) {
        const struct fw_fix *fix = &a->part->patch->fixes[i];
        bool ok = false;
        if (a->part->take && !a->part->take[i])
            continue;
        a->why[0] = '\0';
        rc = apply[fix->op](a, fix, &ok, err);
        if (rc == FW_OK && ok) {
            ++*by_op[fix->op];
            rc = keep(fix, file, err);
        } else if (rc == FW_OK) {
            counts->set_aside++;
            rc = set_aside(a, fix, file, aside, err);
        }
    }
    return rc;
}

struct changes {
    struct fw_change *v;
    size_t n, cap;
};

static int change(struct changes *c, const char *path, const git_oid *oid, struct fw_err *err)
{
    if (c->n == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 64;
        struct fw_change *v = realloc(c->v, cap * sizeof *v);
        if (!v)
            return fw_err_nomem(err);
        c->v = v;
        c->cap = cap;
    }
    c->v[c->n++] = (struct fw_change){.path = path, .remove = oid == NULL};
    if (oid)
        c->v[c->n - 1].oid = *oid;
    return path ? FW_OK : fw_err_nomem(err);
}

static int change_blob(struct fw_applying *a, struct changes *c, const char *path,
                       const struct fw_buf *data, struct fw_err *err)
{
    git_oid oid;
    if (data->failed)
        return fw_err_nomem(err);
    int rc = fw_pack_add(a->pack, GIT_OBJECT_BLOB, data->p ? data->p : "", data->len, &oid, err);
    return rc == FW_OK ? change(c, path, &oid, err) : rc;
}

/* A shard as a change of what it was, if it was there. */
static int change_shard(struct fw_applying *a, struct changes *c, const struct fw_ashard *s,
                        const char *path, const struct fw_buf *rows, struct fw_err *err)
{
    git_oid oid;
    struct fw_version old = {0};
    if (!path || rows->failed)
        return fw_err_nomem(err);
    if (s->source) {
        old.oid = s->source->oid;
        old.data = git_odb_object_data(s->blob);
        old.n = git_odb_object_size(s->blob);
    }
    int rc = fw_pack_add_rows(a->pack, s->source ? &old : NULL, rows->p, rows->len, &oid, err);
    return rc == FW_OK ? change(c, path, &oid, err) : rc;
}

static int put_shards(struct fw_applying *a, struct changes *c, struct fw_err *err)
{
    struct fw_buf rows = {0};
    int rc = FW_OK;
    for (size_t i = 0; i < (size_t)FW_SPLITS * a->s.shards && rc == FW_OK; i++) {
        const struct fw_ashard *s = &a->shards[i];
        char path[FW_SHARD_PATH];
        if (!s->dirty)
            continue;
        fw_buf_clear(&rows);
        for (size_t k = 0; k < s->n; k++) {
            if (s->v[k]->removed)
                continue;
            fw_buf_add(&rows, s->v[k]->line, s->v[k]->len);
            fw_buf_putc(&rows, '\n');
        }
        fw_shard_path((int)(i / a->s.shards), (unsigned)(i % a->s.shards), a->s.shards, path);
        const char *name = fw_arena_strdup(&a->arena, path);
        if (rows.len || rows.failed)
            rc = change_shard(a, c, s, name, &rows, err);
        else if (s->source)
            rc = change(c, name, NULL, err);
    }
    fw_buf_release(&rows);
    return rc;
}

static int still_named(struct fw_applying *a, const struct fw_arow *r, struct fw_err *err)
{
    struct fw_row row;
    struct fw_path *p = NULL;
    int rc = fw_row_parse(a->rows, r->line, r->len, &row, err);
    const char *name = rc == FW_OK ? fw_row_str(&row, "file_name") : NULL;
    if (name)
        HASH_FIND_STR(a->loose, name, p);
    if (p)
        HASH_DEL(a->loose, p);
    return rc;
}

/* Files of rows that were removed go, unless another row names them. */
static int put_files(struct fw_applying *a, struct changes *c, struct fw_err *err)
{
    int rc = a->loose ? fw_applying_load_all(a, err) : FW_OK;
    for (size_t i = 0; a->loose && i < (size_t)FW_SPLITS * a->s.shards && rc == FW_OK; i++)
        for (size_t k = 0; a->loose && k < a->shards[i].n && rc == FW_OK; k++)
            if (!a->shards[i].v[k]->removed)
                rc = still_named(a, a->shards[i].v[k], err);
    for (struct fw_path *p = a->loose; p && rc == FW_OK; p = p->hh.next) {
        struct fw_path *again;
        HASH_FIND_STR(a->added, p->path, again);
        if (again) /* added and removed in one patch */
            HASH_DEL(a->added, again);
        if (fw_files_find(&a->files, p->path))
            rc = change(c, fw_arena_printf(&a->arena, "files/%s", p->path), NULL, err);
    }
    for (struct fw_refused *f = a->refused; f; f = f->next)
        fw_pack_want(a->pack, &f->oid, false);
    for (struct fw_path *p = a->added; p && rc == FW_OK; p = p->hh.next) {
        fw_pack_want(a->pack, &p->oid, true);
        rc = change(c, fw_arena_printf(&a->arena, "files/%s", p->path), &p->oid, err);
    }
    return rc;
}

/* patches/ holds what made this snapshot from its parent; the parent's own are in its tree. */
static int put_patches(struct fw_applying *a, struct patch_files *files, struct changes *c,
                       struct fw_err *err)
{
    git_oid tree;
    struct fw_files old = {0};
    int rc = fw_tree_entry(a->r, &a->s.tree, "patches", GIT_OBJECT_TREE, &tree, err);
    if (rc == FW_OK)
        rc = fw_files_load(a->r, &tree, &old, err);
    else if (rc == FW_ENOTFOUND)
        rc = FW_OK;
    for (size_t i = 0; i < old.n && rc == FW_OK; i++) {
        const char *path = fw_arena_printf(&a->arena, "patches/%s", old.v[i].path);
        bool again = false;
        for (size_t k = 0; path && k < files->n; k++)
            again = again || (files->v[k].lines.len && !strcmp(files->v[k].path, path));
        if (!again)
            rc = change(c, path, NULL, err);
    }
    for (size_t i = 0; i < files->n && rc == FW_OK; i++)
        if (files->v[i].lines.len || files->v[i].lines.failed)
            rc = change_blob(a, c, files->v[i].path, &files->v[i].lines, err);
    fw_files_release(&old);
    return rc;
}

static struct fw_apply_counts total(const struct fw_apply_counts *counts, size_t n)
{
    struct fw_apply_counts t = {0};
    for (size_t i = 0; i < n; i++) {
        t.relabel += counts[i].relabel;
        t.remove += counts[i].remove;
        t.add += counts[i].add;
        t.confirm += counts[i].confirm;
        t.guideline += counts[i].guideline;
        t.set_aside += counts[i].set_aside;
    }
    return t;
}

static void words(struct fw_buf *b, const struct fw_apply_counts *c)
{
    const struct {
        const char *verb;
        size_t n;
    } parts[] = {{"relabel", c->relabel},
                 {"add", c->add},
                 {"remove", c->remove},
                 {"reword guidelines of", c->guideline}};
    const char *sep = "";
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (!parts[i].n)
            continue;
        fw_buf_printf(b, "%s%s %zu", sep, parts[i].verb, parts[i].n);
        sep = ", ";
    }
    if (!*sep)
        fw_buf_puts(b, "no change");
}

static void message(struct fw_buf *b, const struct fw_apply_part *parts,
                    const struct fw_apply_counts *counts, size_t n,
                    const struct fw_apply_options *o)
{
    struct fw_apply_counts t = total(counts, n);
    const char *given = o->trailers ? o->trailers : "";
    if (o->message) {
        fw_buf_puts(b, o->message);
        while (b->len && b->p[b->len - 1] == '\n')
            b->p[--b->len] = '\0';
        fw_buf_puts(b, "\n");
    } else {
        fw_buf_printf(b, "Iteration %d: ", n ? parts[0].iteration : 0);
        words(b, &t);
        fw_buf_puts(b, "\n\n");
        for (size_t i = 0; i < n; i++) {
            fw_buf_printf(b, "%s: ", parts[i].name ? parts[i].name : parts[i].stage);
            words(b, &counts[i]);
            if (counts[i].set_aside)
                fw_buf_printf(b, " (%zu set aside)", counts[i].set_aside);
            fw_buf_puts(b, "\n");
        }
    }
    fw_buf_printf(b, "\n%s", given);
    if (*given && given[strlen(given) - 1] != '\n')
        fw_buf_puts(b, "\n");
    if (!strstr(given, "Flywheel-Fixes:"))
        fw_buf_printf(b, "Flywheel-Fixes: relabel=%zu add=%zu remove=%zu\n", t.relabel, t.add,
                      t.remove);
}

static int commit(struct fw_applying *a, struct patch_files *files, const struct fw_buf *text,
                  char oid[FW_OID_HEX], struct fw_err *err)
{
    struct changes c = {0};
    git_oid tree, made;
    int rc = put_files(a, &c, err);
    if (rc == FW_OK)
        rc = put_shards(a, &c, err);
    if (rc == FW_OK && a->guidelines_dirty)
        rc = change_blob(a, &c, "GUIDELINES.md", &a->guidelines, err);
    if (rc == FW_OK)
        rc = put_patches(a, files, &c, err);
    if (rc == FW_OK)
        rc = fw_tree_update(a->r, a->pack, &a->s.tree, c.v, c.n, &tree, err);
    if (rc == FW_OK)
        rc = text->failed ? fw_err_nomem(err)
                          : fw_commit_add(a->r, a->pack, &tree, &a->s.commit, text->p, a->o->when,
                                          &made, err);
    if (rc == FW_OK)
        rc = fw_pack_finish(a->pack, err);
    if (rc == FW_OK)
        fw_oid_hex(&made, oid);
    free(c.v);
    return rc;
}

static bool dirty(const struct fw_applying *a)
{
    bool yes = a->guidelines_dirty;
    for (size_t i = 0; i < (size_t)FW_SPLITS * a->s.shards && !yes; i++)
        yes = a->shards[i].dirty;
    return yes;
}

int fw_snap_apply(struct fw_repo *r, const char *parent, const struct fw_apply_part *parts,
                  size_t n, const struct fw_apply_options *o, char oid[FW_OID_HEX],
                  struct fw_apply_counts *counts, json_t **aside, struct fw_err *err)
{
    struct fw_applying a;
    struct patch_files files = {0};
    struct fw_buf text = {0};
    json_t *list = json_array();
    struct fw_apply_counts *done = calloc(n ? n : 1, sizeof *done);
    int rc = fw_applying_open(&a, r, parent, o, err);
    if (rc == FW_OK && (!list || !done))
        rc = fw_err_nomem(err);
    for (size_t i = 0; i < n && rc == FW_OK; i++) {
        a.part = &parts[i];
        rc = apply_part(&a, &files, &done[i], list, err);
    }
    /* hashes only save time; a disk that is full will be said by the commit */
    if (rc == FW_OK && a.phashes)
        fw_phashes_save(a.phashes, NULL);
    if (rc == FW_OK && dirty(&a)) {
        message(&text, parts, done, n, o);
        rc = commit(&a, &files, &text, oid, err);
    } else if (rc == FW_OK) {
        snprintf(oid, FW_OID_HEX, "%s", parent);
    }
    if (rc == FW_OK) {
        if (n)
            memcpy(counts, done, n * sizeof *done);
        *aside = list;
        list = NULL;
    }
    for (size_t i = 0; i < files.n; i++) {
        free(files.v[i].path);
        fw_buf_release(&files.v[i].lines);
    }
    free(files.v);
    free(done);
    fw_buf_release(&text);
    json_decref(list);
    fw_applying_release(&a);
    return rc;
}
