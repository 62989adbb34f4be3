#include "pipeline/snap/snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/hash.h"
#include "pipeline/snap/tree.h"

enum { MAX_SHARDS = 1 << 20 };

static const char *const split_names[FW_SPLITS] = {"train", "dev", "test"};

const char *fw_split_name(int split)
{
    return split_names[split];
}

int fw_split_parse(const char *word)
{
    for (int i = 0; i < FW_SPLITS; i++)
        if (!strcmp(word, split_names[i]))
            return i;
    if (!strcmp(word, "val") || !strcmp(word, "valid") || !strcmp(word, "validation"))
        return FW_SPLIT_DEV;
    return -1;
}

unsigned fw_shard_of(const char *id, unsigned shards)
{
    return (unsigned)(fw_hash64(id, strlen(id), 0) & (shards - 1));
}

static int shard_digits(unsigned shards)
{
    int digits = 2;
    while (digits < 8 && (shards - 1) >> (4 * digits))
        digits++;
    return digits;
}

void fw_shard_path(int split, unsigned index, unsigned shards, char out[FW_SHARD_PATH])
{
    snprintf(out, FW_SHARD_PATH, "samples/%s/%0*x.jsonl", split_names[split], shard_digits(shards),
             index);
}

bool fw_snapshot_has_class(const struct fw_snapshot *s, const char *name)
{
    for (size_t i = 0; i < s->n_classes; i++)
        if (!strcmp(s->classes[i], name))
            return true;
    return false;
}

static int bad_meta(struct fw_err *err, const char *hex, const char *why)
{
    return fw_err_set(err, FW_ECORRUPT, "dataset.json of snapshot %.12s %s", hex, why);
}

static int read_meta(struct fw_snapshot *s, const git_oid *oid, const char *hex, struct fw_err *err)
{
    git_odb_object *o = NULL;
    int rc = fw_object_read(s->r, oid, GIT_OBJECT_BLOB, &o, err);
    if (rc != FW_OK)
        return rc;
    json_t *j = json_loadb(git_odb_object_data(o), git_odb_object_size(o), 0, NULL);
    git_odb_object_free(o);
    const char *task = json_string_value(json_object_get(j, "task"));
    const json_t *classes = json_object_get(j, "classes"), *v;
    json_int_t shards = json_integer_value(json_object_get(j, "shards"));
    size_t i;
    if (!j)
        rc = bad_meta(err, hex, "is not valid JSON");
    else if (json_integer_value(json_object_get(j, "version")) != 1)
        rc = bad_meta(err, hex, "is of a version that this program does not know");
    else if (!task || (strcmp(task, "classification") && strcmp(task, "regression")))
        rc = bad_meta(err, hex, "names no known task");
    else if (shards < 1 || shards > MAX_SHARDS || (shards & (shards - 1)))
        rc = bad_meta(err, hex, "has a bad number of shards");
    if (rc != FW_OK)
        goto out;
    s->task = strcmp(task, "regression") ? FW_CLASSIFICATION : FW_REGRESSION;
    s->shards = (unsigned)shards;
    s->classes = fw_arena_array(&s->arena, json_array_size(classes) + 1, sizeof *s->classes);
    if (!s->classes)
        rc = fw_err_nomem(err);
    json_array_foreach(classes, i, v)
    {
        if (rc == FW_OK && !json_is_string(v))
            rc = bad_meta(err, hex, "has a class that is not a text");
        if (rc == FW_OK &&
            !(s->classes[s->n_classes++] = fw_arena_strdup(&s->arena, json_string_value(v))))
            rc = fw_err_nomem(err);
    }
out:
    json_decref(j);
    return rc;
}

static int list_split(struct fw_snapshot *s, int split, const git_oid *tree, size_t *cap,
                      struct fw_err *err)
{
    git_tree *t = NULL;
    int rc = FW_OK, grc = git_tree_lookup(&t, s->r->git, tree);
    if (grc != 0)
        return fw_git_fail(err, grc, "cannot read samples/%s", split_names[split]);
    /* the names are hex of one width, so the order of the tree is the order of the shards */
    for (size_t i = 0; i < git_tree_entrycount(t) && rc == FW_OK; i++) {
        const git_tree_entry *e = git_tree_entry_byindex(t, i);
        char *end = NULL, want[FW_SHARD_PATH], have[FW_SHARD_PATH * 5];
        unsigned long index = strtoul(git_tree_entry_name(e), &end, 16);
        fw_shard_path(split, (unsigned)index, s->shards, want);
        snprintf(have, sizeof have, "samples/%s/%s", split_names[split], git_tree_entry_name(e));
        if (index >= s->shards || strcmp(have, want) != 0) {
            rc = fw_err_set(err, FW_ECORRUPT, "%.200s is not a shard of this snapshot", have);
            break;
        }
        if (s->n == *cap) {
            size_t more = *cap ? *cap * 2 : 64;
            struct fw_shard *v = realloc(s->v, more * sizeof *v);
            if (!v) {
                rc = fw_err_nomem(err);
                break;
            }
            s->v = v;
            *cap = more;
        }
        s->v[s->n++] = (struct fw_shard){split, (unsigned)index, *git_tree_entry_id(e)};
    }
    git_tree_free(t);
    return rc;
}

static int list_shards(struct fw_snapshot *s, const git_oid *samples, struct fw_err *err)
{
    size_t cap = 0;
    int rc = FW_OK;
    for (int i = 0; i < FW_SPLITS && rc == FW_OK; i++) {
        git_oid tree;
        rc = fw_tree_entry(s->r, samples, split_names[i], GIT_OBJECT_TREE, &tree, err);
        if (rc == FW_ENOTFOUND)
            rc = FW_OK;
        else if (rc == FW_OK)
            rc = list_split(s, i, &tree, &cap, err);
    }
    return rc;
}

int fw_snapshot_open(struct fw_repo *r, const char *hex, struct fw_snapshot *s, struct fw_err *err)
{
    git_commit *commit = NULL;
    git_oid meta, samples;
    *s = (struct fw_snapshot){.r = r};
    int rc = fw_oid_parse(hex, &s->commit, err);
    if (rc != FW_OK)
        return rc;
    int grc = git_commit_lookup(&commit, r->git, &s->commit);
    if (grc != 0)
        return fw_git_fail(err, grc, "cannot read snapshot %.12s", hex);
    s->tree = *git_commit_tree_id(commit);
    git_commit_free(commit);
    rc = fw_tree_entry(r, &s->tree, "dataset.json", GIT_OBJECT_BLOB, &meta, err);
    if (rc == FW_ENOTFOUND)
        rc = fw_err_set(err, FW_EINVAL,
                        "commit %.12s is not a dataset snapshot: it has no "
                        "dataset.json",
                        hex);
    if (rc == FW_OK)
        rc = read_meta(s, &meta, hex, err);
    if (rc == FW_OK) {
        rc = fw_tree_entry(r, &s->tree, "samples", GIT_OBJECT_TREE, &samples, err);
        rc = rc == FW_OK ? list_shards(s, &samples, err) : rc == FW_ENOTFOUND ? FW_OK : rc;
    }
    if (rc == FW_OK) {
        s->has_files = fw_tree_entry(r, &s->tree, "files", GIT_OBJECT_TREE, &s->files, NULL) == 0;
        s->has_guidelines =
            fw_tree_entry(r, &s->tree, "GUIDELINES.md", GIT_OBJECT_BLOB, &s->guidelines, NULL) == 0;
    } else {
        fw_snapshot_release(s);
    }
    return rc;
}

void fw_snapshot_release(struct fw_snapshot *s)
{
    free(s->v);
    fw_arena_release(&s->arena);
    *s = (struct fw_snapshot){0};
}

int fw_shard_each(struct fw_rows *rows, const struct fw_snapshot *s, int split, unsigned index,
                  const char *data, size_t n, fw_snapshot_row_fn *fn, void *ctx, struct fw_err *err)
{
    int rc = FW_OK, line = 0;
    for (size_t at = 0; at < n && rc == FW_OK;) {
        const char *nl = memchr(data + at, '\n', n - at);
        size_t len = nl ? (size_t)(nl - data) - at : n - at;
        struct fw_row row;
        line++;
        if (len && (rc = fw_row_parse(rows, data + at, len, &row, err)) != FW_OK) {
            char path[FW_SHARD_PATH];
            fw_shard_path(split, index, s->shards, path);
            fw_err_at(err, path, line, 0);
        } else if (len) {
            rc = fn(ctx, split, &row, err);
        }
        at += len + 1;
    }
    return rc;
}

int fw_snapshot_each(const struct fw_snapshot *s, int split, fw_snapshot_row_fn *fn, void *ctx,
                     struct fw_err *err)
{
    struct fw_rows *rows = fw_rows_new();
    struct fw_buf data = {0};
    int rc = rows ? FW_OK : fw_err_nomem(err);
    for (size_t i = 0; i < s->n && rc == FW_OK; i++) {
        if (split != FW_SPLITS && s->v[i].split != split)
            continue;
        rc = fw_blob_read(s->r, &s->v[i].oid, &data, err);
        if (rc == FW_OK)
            rc = fw_shard_each(rows, s, s->v[i].split, s->v[i].index, data.p, data.len, fn, ctx,
                               err);
    }
    fw_buf_release(&data);
    fw_rows_free(rows);
    return rc;
}

int fw_dataset_json(enum fw_task task, const char *const *classes, size_t n_classes,
                    unsigned shards, struct fw_buf *out, struct fw_err *err)
{
    fw_buf_printf(out, "{\n  \"version\": 1,\n  \"task\": \"%s\",\n  \"classes\": [",
                  task == FW_REGRESSION ? "regression" : "classification");
    for (size_t i = 0; i < n_classes; i++) {
        fw_buf_puts(out, i ? ", " : "");
        fw_buf_json_str(out, classes[i], strlen(classes[i]));
    }
    fw_buf_printf(out, "],\n  \"shards\": %u\n}\n", shards);
    return out->failed ? fw_err_nomem(err) : FW_OK;
}
