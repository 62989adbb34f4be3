#include "pipeline/snap/import.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/base/fs.h"
#include "pipeline/snap/tree.h"

enum { ROWS_A_SHARD = 256, MAX_SHARDS = 1 << 20 };

static unsigned shards_for(size_t rows)
{
    unsigned shards = 1;
    while (shards < MAX_SHARDS && (size_t)shards * ROWS_A_SHARD < rows)
        shards *= 2;
    return shards;
}

/* The row as it is kept: the source's bytes, with id and split where they were missing. */
static int put_row(struct fw_import *m, const struct fw_item *item, struct fw_buf *out,
                   struct fw_err *err)
{
    struct fw_row row;
    struct fw_edits edits = {0};
    struct fw_buf json = {0};
    int rc = fw_row_parse(m->rows, item->line, item->len, &row, err);
    if (rc != FW_OK)
        return rc;
    const char *id = fw_row_str(&row, "id"), *split = fw_row_str(&row, "split");
    if (!id || strcmp(id, item->id) != 0) {
        fw_buf_json_str(&json, item->id, strlen(item->id));
        fw_edits_set(&edits, &row, "id", json.p ? json.p : "", json.len);
    }
    fw_buf_clear(&json);
    if (!split || strcmp(split, fw_split_name(item->split)) != 0) {
        fw_buf_printf(&json, "\"%s\"", fw_split_name(item->split));
        fw_edits_set(&edits, &row, "split", json.p ? json.p : "", json.len);
    }
    bool ok = !json.failed;
    ok = fw_edits_apply(&edits, &row, out) && ok;
    fw_buf_putc(out, '\n');
    fw_buf_release(&json);
    return ok && !out->failed ? FW_OK : fw_err_nomem(err);
}

struct changes {
    struct fw_arena arena;
    struct fw_change *v;
    size_t n;
};

static int add_change(struct changes *c, const char *dir, const char *path, const git_oid *oid,
                      struct fw_err *err)
{
    char *full = fw_arena_printf(&c->arena, "%s%s", dir, path);
    if (!full)
        return fw_err_nomem(err);
    c->v[c->n++] = (struct fw_change){.path = full, .oid = *oid};
    return FW_OK;
}

static int add_blob(struct fw_import *m, struct changes *c, const char *path, const char *data,
                    size_t n, struct fw_err *err)
{
    git_oid oid;
    int rc = fw_pack_add(m->pack, GIT_OBJECT_BLOB, data, n, &oid, err);
    return rc == FW_OK ? add_change(c, "", path, &oid, err) : rc;
}

/* All rows of the shards of one split, in the order they came: the items are dealt out by counting.
 */
static int put_shards(struct fw_import *m, struct changes *c, int split, unsigned shards,
                      struct fw_err *err)
{
    size_t *starts = calloc((size_t)shards + 1, sizeof *starts);
    size_t *order = calloc(m->n + 1, sizeof *order);
    struct fw_buf rows = {0};
    int rc = starts && order ? FW_OK : fw_err_nomem(err);
    for (size_t i = 0; i < m->n && rc == FW_OK; i++)
        if (m->v[i].split == split && !m->v[i].dropped)
            starts[fw_shard_of(m->v[i].id, shards) + 1]++;
    for (unsigned s = 0; s < shards && rc == FW_OK; s++)
        starts[s + 1] += starts[s];
    for (size_t i = 0; i < m->n && rc == FW_OK; i++)
        if (m->v[i].split == split && !m->v[i].dropped)
            order[starts[fw_shard_of(m->v[i].id, shards)]++] = i;
    for (unsigned s = 0; s < shards && rc == FW_OK; s++) {
        char path[FW_SHARD_PATH];
        size_t from = s ? starts[s - 1] : 0; /* each start has moved to the next one's place */
        fw_buf_clear(&rows);
        for (size_t k = from; k < starts[s] && rc == FW_OK; k++)
            rc = put_row(m, &m->v[order[k]], &rows, err);
        if (rc == FW_OK && rows.len) {
            git_oid oid;
            fw_shard_path(split, s, shards, path);
            rc = fw_pack_add_rows(m->pack, NULL, rows.p, rows.len, &oid, err);
            if (rc == FW_OK)
                rc = add_change(c, "", path, &oid, err);
        }
    }
    fw_buf_release(&rows);
    free(order);
    free(starts);
    return rc;
}

/* GUIDELINES.md of the source, or a start with one empty section a class. */
static int put_guidelines(struct fw_import *m, struct changes *c, struct fw_err *err)
{
    struct fw_buf text = {0};
    if (fw_import_read(m, "GUIDELINES.md", NULL) == FW_OK)
        return add_blob(m, c, "GUIDELINES.md", m->bytes.p, m->bytes.len, err);
    fw_buf_puts(&text, "# Labelling guidelines\n\nWhat belongs to each class, for everyone who "
                       "labels. Stages may propose better words.\n");
    for (size_t i = 0; i < m->n_classes; i++)
        fw_buf_printf(&text, "\n## %s\n\n", m->classes[i]);
    int rc =
        text.failed ? fw_err_nomem(err) : add_blob(m, c, "GUIDELINES.md", text.p, text.len, err);
    fw_buf_release(&text);
    return rc;
}

static int put_tree(struct fw_import *m, git_oid *tree, struct fw_err *err)
{
    unsigned shards = shards_for(m->report->rows);
    struct changes c = {.v = calloc(m->n + (size_t)shards * FW_SPLITS + 2, sizeof *c.v)};
    struct fw_buf meta = {0};
    int rc = c.v ? FW_OK : fw_err_nomem(err);
    /* what was left out is not kept either, unless a sample that stays has the same bytes */
    for (int kept = 0; kept < 2; kept++)
        for (size_t i = 0; i < m->n; i++)
            if (m->v[i].file_name && m->v[i].dropped != kept)
                fw_pack_want(m->pack, &m->v[i].oid, kept);
    for (size_t i = 0; i < m->n && rc == FW_OK; i++)
        if (m->v[i].file_name && !m->v[i].dropped)
            rc = add_change(&c, "files/", m->v[i].file_name, &m->v[i].oid, err);
    for (int split = 0; split < FW_SPLITS && rc == FW_OK; split++)
        rc = put_shards(m, &c, split, shards, err);
    if (rc == FW_OK)
        rc = fw_dataset_json(m->o->task, m->classes, m->n_classes, shards, &meta, err);
    if (rc == FW_OK)
        rc = add_blob(m, &c, "dataset.json", meta.p, meta.len, err);
    if (rc == FW_OK)
        rc = put_guidelines(m, &c, err);
    if (rc == FW_OK)
        rc = fw_tree_update(m->r, m->pack, NULL, c.v, c.n, tree, err);
    fw_buf_release(&meta);
    fw_arena_release(&c.arena);
    free(c.v);
    return rc;
}

static int parent_of(struct fw_import *m, char hex[FW_OID_HEX], git_oid *tree, struct fw_err *err)
{
    git_oid id;
    git_commit *commit = NULL;
    struct fw_err why = {0};
    int rc = fw_repo_branch(m->r, m->o->name, hex, &why);
    if (rc == FW_ENOTFOUND) {
        *hex = '\0';
        return FW_OK;
    }
    if (rc != FW_OK) {
        if (err)
            *err = why;
        return rc;
    }
    int grc = git_oid_fromstr(&id, hex) || git_commit_lookup(&commit, m->r->git, &id);
    if (grc != 0)
        return fw_git_fail(err, grc, "cannot read snapshot %.12s", hex);
    *tree = *git_commit_tree_id(commit);
    git_commit_free(commit);
    return FW_OK;
}

/* Writes everything, moves the branch last. A tree that is the branch's already is no new commit.
 */
static int commit(struct fw_import *m, char oid[FW_OID_HEX], struct fw_err *err)
{
    char parent[FW_OID_HEX] = "", hex[FW_OID_HEX];
    git_oid tree, old_tree, new, parent_oid;
    struct fw_buf message = {0};
    int rc = parent_of(m, parent, &old_tree, err);
    if (rc == FW_OK)
        rc = put_tree(m, &tree, err);
    if (rc != FW_OK)
        return rc;
    if (*parent && git_oid_equal(&tree, &old_tree)) {
        memcpy(oid, parent, FW_OID_HEX);
        return FW_OK;
    }
    fw_buf_printf(&message,
                  "Import %zu samples from %s\n\ntrain %zu, dev %zu, test %zu\n\n"
                  "Flywheel-Import: %s\n",
                  m->report->rows, fw_fs_base(m->o->source), m->report->train, m->report->dev,
                  m->report->test, fw_fs_base(m->o->source));
    rc = message.failed ? fw_err_nomem(err) : FW_OK;
    if (rc == FW_OK && *parent)
        rc = fw_oid_parse(parent, &parent_oid, err);
    if (rc == FW_OK)
        rc = fw_commit_add(m->r, m->pack, &tree, *parent ? &parent_oid : NULL, message.p,
                           m->o->when, &new, err);
    if (rc == FW_OK)
        rc = fw_pack_finish(m->pack, err);
    if (rc == FW_OK) {
        fw_oid_hex(&new, hex);
        rc = fw_repo_move(m->r, m->o->name, parent, hex, "flywheel: import", err);
    }
    if (rc == FW_OK)
        memcpy(oid, hex, FW_OID_HEX);
    fw_buf_release(&message);
    return rc;
}

static int refused(struct fw_import *m, struct fw_err *err)
{
    size_t n = m->problems->n + m->problems->more;
    fw_err_set(err, FW_EINVAL, "%zu problem%s in the data; nothing was imported", n,
               n == 1 ? "" : "s");
    fw_err_at(err, m->o->source, 0, 0);
    return FW_EINVAL;
}

static int work(struct fw_import *m, char oid[FW_OID_HEX], struct fw_err *err)
{
    struct fw_sink sink = {.ctx = m,
                           .row = fw_import_row,
                           .problem = fw_import_problem,
                           .warnings = &m->report->warnings};
    int rc = fw_source_read(m->o, &m->base, &sink, err);
    if (rc == FW_OK && !m->n && !m->problems->n)
        fw_sink_problem(&sink, m->o->source, 0, NULL, "there are no samples");
    if (rc == FW_OK)
        rc = fw_import_ids(m, err);
    if (rc == FW_OK)
        rc = fw_import_classes(m, err);
    /* splits of part of the data would only raise false alarms */
    if (rc == FW_OK && !m->problems->n)
        rc = fw_import_splits(m, err);
    if (rc == FW_OK && m->problems->n)
        rc = refused(m, err);
    if (rc == FW_OK && m->undecodable > 1)
        fw_buf_printf(&m->report->warnings, "%zu more files cannot be decoded as images\n",
                      m->undecodable - 1);
    if (rc == FW_OK && m->phashes)
        rc = fw_phashes_save(m->phashes, err);
    return rc == FW_OK ? commit(m, oid, err) : rc;
}

int fw_snap_import(struct fw_repo *r, const struct fw_import_options *o, char oid[FW_OID_HEX],
                   struct fw_import_report *report, struct fw_import_problems *problems,
                   struct fw_err *err)
{
    struct fw_import m = {.r = r, .o = o, .report = report, .problems = problems};
    *report = (struct fw_import_report){0};
    problems->n = problems->more = 0;
    int rc = (m.rows = fw_rows_new()) ? fw_fs_mkdirs(r->state_dir, err) : fw_err_nomem(err);
    if (rc == FW_OK)
        rc = fw_pack_open(r, &m.pack, err);
    if (rc == FW_OK && o->near_copies)
        rc = fw_phashes_open(r->state_dir, &m.phashes, err);
    if (rc == FW_OK)
        rc = work(&m, oid, err);
    if (rc == FW_OK && report->warnings.failed)
        rc = fw_err_nomem(err);
    fw_phashes_close(m.phashes);
    fw_pack_free(m.pack);
    fw_rows_free(m.rows);
    fw_buf_release(&m.bytes);
    fw_arena_release(&m.arena);
    free(m.base);
    free(m.v);
    return rc;
}
