/* What a snapshot says about itself: info, rows, guidelines; what a branch holds: list. */
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/clock.h"
#include "pipeline/snap/snapshot.h"

struct rows {
    fw_snap_row_fn *fn;
    void *ctx;
};

static int each(void *ctx, int split, const struct fw_row *row, struct fw_err *err)
{
    struct rows *r = ctx;
    (void)split;
    return r->fn(r->ctx, row->line, row->line_len, err);
}

int fw_snap_rows(struct fw_repo *r, const char *oid, const char *split, fw_snap_row_fn *fn,
                 void *ctx, struct fw_err *err)
{
    struct fw_snapshot s;
    struct rows rows = {fn, ctx};
    bool all = !strcmp(split, "all");
    int which = all ? FW_SPLIT_TRAIN : fw_split_parse(split);
    if (which < 0)
        return fw_err_set(err, FW_EINVAL, "no split is named '%s'", split);
    int rc = fw_snapshot_open(r, oid, &s, err);
    if (rc != FW_OK)
        return rc;
    rc = fw_snapshot_each(&s, which, each, &rows, err);
    if (rc == FW_OK && all)
        rc = fw_snapshot_each(&s, FW_SPLIT_DEV, each, &rows, err);
    fw_snapshot_release(&s);
    return rc;
}

int fw_snap_guidelines(struct fw_repo *r, const char *oid, struct fw_buf *out, struct fw_err *err)
{
    struct fw_snapshot s;
    git_odb_object *o = NULL;
    int rc = fw_snapshot_open(r, oid, &s, err);
    if (rc != FW_OK)
        return rc;
    if (s.has_guidelines)
        rc = fw_object_read(r, &s.guidelines, GIT_OBJECT_BLOB, &o, err);
    if (o) {
        fw_buf_add(out, git_odb_object_data(o), git_odb_object_size(o));
        git_odb_object_free(o);
    }
    fw_snapshot_release(&s);
    return rc == FW_OK && out->failed ? fw_err_nomem(err) : rc;
}

/* Rows are lines: counting them needs no parsing. */
static int count_rows(const struct fw_snapshot *s, size_t rows[FW_SPLITS], struct fw_err *err)
{
    struct fw_buf data = {0};
    int rc = FW_OK;
    for (size_t i = 0; i < s->n && rc == FW_OK; i++) {
        rc = fw_blob_read(s->r, &s->v[i].oid, &data, err);
        const char *p = data.p, *end = p ? p + data.len : p;
        while (rc == FW_OK && p < end) {
            const char *nl = memchr(p, '\n', (size_t)(end - p));
            rows[s->v[i].split] += !nl || nl > p;
            p = nl ? nl + 1 : end;
        }
    }
    fw_buf_release(&data);
    return rc;
}

int fw_snap_info(struct fw_repo *r, const char *oid, json_t **out, struct fw_err *err)
{
    struct fw_snapshot s;
    size_t rows[FW_SPLITS] = {0};
    char tree[FW_OID_HEX], parent[FW_OID_HEX] = "";
    git_commit *commit = NULL;
    json_t *info = NULL, *classes = NULL;
    int rc = fw_snapshot_open(r, oid, &s, err);
    if (rc != FW_OK)
        return rc;
    int grc = git_commit_lookup(&commit, r->git, &s.commit);
    rc = grc == 0 ? count_rows(&s, rows, err) : fw_git_fail(err, grc, "cannot read %s", oid);
    if (rc != FW_OK)
        goto out;
    classes = json_array();
    for (size_t i = 0; i < s.n_classes; i++)
        json_array_append_new(classes, json_string(s.classes[i]));
    fw_oid_hex(&s.tree, tree);
    if (git_commit_parentcount(commit))
        fw_oid_hex(git_commit_parent_id(commit, 0), parent);
    info = json_pack(
        "{s:s, s:O, s:{s:I, s:I, s:I}, s:s, s:s, s:o, s:I, s:o}", "task",
        s.task == FW_REGRESSION ? "regression" : "classification", "classes", classes, "rows",
        "train", (json_int_t)rows[FW_SPLIT_TRAIN], "dev", (json_int_t)rows[FW_SPLIT_DEV], "test",
        (json_int_t)rows[FW_SPLIT_TEST], "commit", oid, "tree", tree, "parent",
        *parent ? json_string(parent) : json_null(), "when", (json_int_t)git_commit_time(commit),
        "message", json_string_nocheck(git_commit_message(commit)));
    if (info)
        *out = info;
    else
        rc = fw_err_nomem(err);
out:
    json_decref(classes);
    git_commit_free(commit);
    fw_snapshot_release(&s);
    return rc;
}

static json_t *trailers_of(const char *message)
{
    git_message_trailer_array found = {0};
    json_t *out = json_object();
    if (git_message_trailers(&found, message) != 0)
        return out;
    for (size_t i = 0; i < found.count; i++) {
        json_t *old = json_object_get(out, found.trailers[i].key);
        /* a key that comes again (a metric each) keeps all its values */
        if (old) {
            json_t *both = json_sprintf("%s\n%s", json_string_value(old), found.trailers[i].value);
            json_object_set_new(out, found.trailers[i].key, both);
        } else {
            json_object_set_new(out, found.trailers[i].key, json_string(found.trailers[i].value));
        }
    }
    git_message_trailer_array_free(&found);
    return out;
}

int fw_snap_list(struct fw_repo *r, const char *name, json_t **out, struct fw_err *err)
{
    char hex[FW_OID_HEX], when[FW_ISO_LEN];
    git_oid oid;
    git_revwalk *walk = NULL;
    json_t *list = json_array();
    int rc = list ? fw_repo_branch(r, name, hex, err) : fw_err_nomem(err);
    if (rc == FW_OK)
        rc = fw_oid_parse(hex, &oid, err);
    int grc = rc == FW_OK ? git_revwalk_new(&walk, r->git) : 0;
    if (rc == FW_OK && !grc)
        grc = git_revwalk_push(walk, &oid);
    if (rc == FW_OK && !grc)
        grc = git_revwalk_simplify_first_parent(walk);
    while (rc == FW_OK && !grc && (grc = git_revwalk_next(&oid, walk)) == 0) {
        git_commit *c = NULL;
        if ((grc = git_commit_lookup(&c, r->git, &oid)) != 0)
            break;
        fw_oid_hex(&oid, hex);
        fw_clock_iso(git_commit_time(c), when);
        const char *subject = git_commit_summary(c);
        json_t *row =
            json_pack("{s:s, s:s, s:s, s:o}", "commit", hex, "when", when, "subject",
                      subject ? subject : "", "trailers", trailers_of(git_commit_message(c)));
        git_commit_free(c);
        if (json_array_append_new(list, row) != 0)
            rc = fw_err_nomem(err);
    }
    if (rc == FW_OK && grc != GIT_ITEROVER)
        rc = fw_git_fail(err, grc, "cannot read the history of flywheel/%s", name);
    if (walk)
        git_revwalk_free(walk);
    if (rc == FW_OK)
        *out = list;
    else
        json_decref(list);
    return rc;
}
