#include "pipeline/loop/artifact.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "pipeline/base/fs.h"
#include "pipeline/base/hash.h"

struct entry {
    char *key;
    char *path;
    struct fw_artifact artifact;
    UT_hash_handle hh;
};

struct fw_artifacts {
    const struct fw_project *project;
    struct fw_repo *repo;
    struct entry *by_key;
};

struct fw_artifacts *fw_artifacts_new(const struct fw_project *project, struct fw_repo *repo)
{
    struct fw_artifacts *a = calloc(1, sizeof *a);
    if (a) {
        a->project = project;
        a->repo = repo;
    }
    return a;
}

void fw_artifacts_free(struct fw_artifacts *a)
{
    if (!a)
        return;
    struct entry *e, *tmp;
    HASH_ITER (hh, a->by_key, e, tmp) {
        HASH_DEL(a->by_key, e);
        free(e->key);
        free(e->path);
        free(e);
    }
    free(a);
}

/* "dataset:SPLIT", "fold:F/N:rest|part" and "subset:1/N". false: not a view. */
static bool view_of(const char *ref, struct fw_view_spec *spec)
{
    int fold, folds, one_of;
    char what[8];
    *spec = (struct fw_view_spec){.split = "train"};
    if (!strncmp(ref, "dataset:", 8)) {
        spec->split = ref + 8;
        if (!strcmp(spec->split, "sanity")) {
            spec->split = "train";
            spec->limit = FW_SANITY_SAMPLES;
        }
        return true;
    }
    if (sscanf(ref, "fold:%d/%d:%7s", &fold, &folds, what) == 3) {
        spec->fold = fold;
        spec->folds = folds;
        spec->part = !strcmp(what, "part");
        return true;
    }
    if (sscanf(ref, "subset:1/%d", &one_of) == 1 && one_of > 0) {
        spec->one_of = one_of;
        return true;
    }
    return false;
}

static int plain(const char *path, struct entry *e, struct fw_err *err)
{
    if (!(e->path = strdup(path)))
        return fw_err_nomem(err);
    return fw_sha256_tree(path, e->artifact.digest, err);
}

static int resolve(struct fw_artifacts *a, const struct fw_job *job, const char *ref,
                   struct entry *e, struct fw_err *err)
{
    struct fw_view_spec spec;
    if (!strcmp(ref, "history"))
        return plain(job->history ? job->history : "/dev/null", e, err);
    if (!strcmp(ref, "guidelines"))
        return plain(job->guidelines ? job->guidelines : "/dev/null", e, err);
    if (!strcmp(ref, "dataset:test") && job->test_dir)
        return plain(job->test_dir, e, err);
    if (view_of(ref, &spec))
        return fw_snap_view(a->repo, job->snapshot, &spec, &e->path, e->artifact.digest, err);
    if (!strncmp(ref, "file:", 5)) {
        char *path = fw_fs_join(a->project->root, ref + 5);
        int rc = path ? plain(path, e, err) : fw_err_nomem(err);
        free(path);
        return rc;
    }
    return fw_err_set(err, FW_EINVAL, "there is no input '%s'", ref);
}

/* Outputs of the measure phase on the head snapshot: "prior:NODE.OUTPUT". */
static int prior(const struct fw_job *job, const char *ref, struct entry *e, struct fw_err *err)
{
    const char *dot = strrchr(ref, '.');
    char node[512];
    if (!job->prior || !dot || (size_t)(dot - ref) >= sizeof node)
        return fw_err_set(err, FW_EINVAL, "there is no earlier result '%s'", ref);
    snprintf(node, sizeof node, "%.*s", (int)(dot - ref), ref);
    int at = fw_graph_find(job->prior->graph, node);
    const json_t *out = at < 0 ? NULL : json_object_get(job->prior->results[at].outputs, dot + 1);
    const char *path = json_string_value(json_object_get(out, "path"));
    const char *digest = json_string_value(json_object_get(out, "digest"));
    if (!path || !digest)
        return fw_err_set(err, FW_EINVAL, "there is no earlier result '%s'", ref);
    snprintf(e->artifact.digest, sizeof e->artifact.digest, "%s", digest);
    e->path = strdup(path);
    return e->path ? FW_OK : fw_err_nomem(err);
}

int fw_artifacts_get(struct fw_artifacts *a, const struct fw_job *job, const char *ref,
                     const struct fw_artifact **out, struct fw_err *err)
{
    bool is_prior = !strncmp(ref, "prior:", 6);
    struct fw_buf key = {0};
    /* What the name depends on beside itself: the snapshot, and the job for files it brings. */
    if (!strncmp(ref, "file:", 5))
        fw_buf_puts(&key, ref);
    else
        fw_buf_printf(&key, "%s|%s|%s|%s|%p", ref, job->snapshot, job->history ? job->history : "",
                      job->test_dir ? job->test_dir : "",
                      is_prior ? (const void *)job->prior : NULL);
    if (key.failed)
        return fw_err_nomem(err);
    struct entry *e = NULL;
    HASH_FIND_STR(a->by_key, key.p, e);
    if (e && !is_prior) {
        fw_buf_release(&key);
        *out = &e->artifact;
        return FW_OK;
    }
    if (e) { /* a prior job may have been run again */
        HASH_DEL(a->by_key, e);
        free(e->key);
        free(e->path);
        free(e);
    }
    e = calloc(1, sizeof *e);
    int rc = e ? FW_OK : fw_err_nomem(err);
    if (rc == FW_OK)
        rc = is_prior ? prior(job, ref + 6, e, err) : resolve(a, job, ref, e, err);
    if (rc == FW_OK && !(e->key = fw_buf_steal(&key)))
        rc = fw_err_nomem(err);
    fw_buf_release(&key);
    if (rc != FW_OK) {
        if (e)
            free(e->path);
        free(e);
        return rc;
    }
    e->artifact.path = e->path;
    HASH_ADD_KEYPTR(hh, a->by_key, e->key, strlen(e->key), e);
    *out = &e->artifact;
    return FW_OK;
}
