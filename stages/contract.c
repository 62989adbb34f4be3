#include "stages/contract.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pipeline/base/fs.h"
#include "stages/data/ids.h"
#include "stages/data/patch.h"
#include "stages/data/predictions.h"
#include "stages/drift/drift.h"
#include "stages/error_analysis/analysis.h"

static const struct {
    const char *name, *output;
    bool proposes;
} kinds[FW_KINDS] = {
    [FW_TRAIN] = {"train", "model", false},
    [FW_EVALUATE] = {"evaluate", "predictions", false},
    [FW_ERROR_ANALYSIS] = {"error-analysis", "analysis", false},
    [FW_TARGETED_COLLECTION] = {"targeted-collection", "patch", true},
    [FW_AUGMENT] = {"augment", "patch", true},
    [FW_RELABEL] = {"relabel", "patch", true},
    [FW_DRIFT] = {"drift", "drift", false},
    [FW_CUSTOM] = {"custom", NULL, false},
};

const char *fw_kind_name(enum fw_kind kind)
{
    return kinds[kind].name;
}

int fw_kind_parse(const char *name, enum fw_kind *out)
{
    for (int i = 0; i < FW_KINDS; i++) {
        if (!strcmp(name, kinds[i].name)) {
            *out = (enum fw_kind)i;
            return FW_OK;
        }
    }
    return FW_ENOTFOUND;
}

bool fw_kind_proposes(enum fw_kind kind)
{
    return kinds[kind].proposes;
}

const char *fw_kind_output(enum fw_kind kind)
{
    return kinds[kind].output;
}

static int stop_at_first(void *ctx, const char *rel, const struct stat *st, struct fw_err *err)
{
    (void)ctx;
    (void)rel;
    (void)st;
    (void)err;
    return 1;
}

static int check_model(const char *path, struct fw_err *err)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return fw_err_sys(err, errno, "cannot read %s", path);
    if (S_ISDIR(st.st_mode)) {
        int rc = fw_fs_walk(path, stop_at_first, NULL, err);
        if (rc < 0)
            return rc;
        if (rc == 0)
            return fw_err_set(err, FW_EINVAL, "the model folder %s holds no file", path);
        return FW_OK;
    }
    if (!S_ISREG(st.st_mode))
        return fw_err_set(err, FW_EINVAL, "%s is neither a file nor a folder", path);
    if (st.st_size == 0)
        return fw_err_set(err, FW_EINVAL, "the model file %s is empty", path);
    return FW_OK;
}

/* Every sample of the view predicted once, and nothing else. (The loader has refused ids that occur
 * twice.) */
static int check_ids(const char *path, const struct fw_predictions *p, const char *const *ids,
                     size_t n, struct fw_err *err)
{
    struct fw_ids known = {0};
    int rc = FW_OK;
    for (size_t i = 0; i < n && rc == FW_OK; i++)
        if (fw_ids_add(&known, ids[i]) < 0)
            rc = fw_err_nomem(err);
    for (size_t i = 0; i < p->n && rc == FW_OK; i++)
        if (fw_ids_find(&known, p->ids[i]) < 0)
            rc = fw_err_set(err, FW_EINVAL,
                            "predictions in %s name a sample that was not given: '%s'", path,
                            p->ids[i]);
    size_t missing = 0;
    const char *first = NULL;
    for (size_t i = 0; i < n && rc == FW_OK; i++) {
        if (fw_predictions_find(p, ids[i]) < 0) {
            first = first ? first : ids[i];
            missing++;
        }
    }
    if (missing)
        rc = fw_err_set(err, FW_EINVAL,
                        "predictions in %s leave out %zu of %zu samples, the first is '%s'", path,
                        missing, n, first);
    fw_ids_release(&known);
    return rc;
}

static int check_predictions(const char *path, const struct fw_task_info *task,
                             const char *const *ids, size_t n_ids, struct fw_err *err)
{
    struct fw_predictions *p = NULL;
    int rc = fw_predictions_load(path, task, &p, err);
    if (rc != FW_OK)
        return rc;
    if (ids)
        rc = check_ids(path, p, ids, n_ids, err);
    fw_predictions_free(p);
    return rc;
}

int fw_contract_check(enum fw_kind kind, const char *name, const char *path,
                      const struct fw_task_info *task, const char *const *ids, size_t n_ids,
                      struct fw_err *err)
{
    if (!fw_fs_exists(path))
        return fw_err_set(err, FW_EINVAL, "the output '%s' was not written: %s does not exist",
                          name, path);
    const char *own = kinds[kind].output;
    if (!own || strcmp(own, name) != 0)
        return FW_OK; /* an output of the user's own: that it exists is all that is asked */
    if (!strcmp(own, "model"))
        return check_model(path, err);
    if (!strcmp(own, "predictions"))
        return check_predictions(path, task, ids, n_ids, err);
    if (!strcmp(own, "drift")) {
        json_t *drift = NULL;
        int rc = fw_drift_load(path, &drift, err);
        json_decref(drift);
        return rc;
    }
    if (!strcmp(own, "patch")) {
        struct fw_patch *patch = NULL;
        int rc = fw_patch_load(path, &patch, err);
        fw_patch_free(patch);
        return rc;
    }
    json_t *analysis = NULL;
    int rc = fw_analysis_load(path, &analysis, err);
    json_decref(analysis);
    return rc;
}
