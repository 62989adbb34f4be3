/* Reading analysis.json and checking that it is what analysis.h describes. */
#include <stdio.h>
#include <string.h>

#include "pipeline/base/fs.h"
#include "stages/error_analysis/analysis.h"

enum kind { TEXT, TEXT_OR_NULL, NUMBER, NUMBER_OR_NULL, COUNT, COUNT_OR_NULL, BOOL };

struct need {
    const char *key;
    enum kind kind;
};

static const struct need slice_fields[] = {
    {"slice", TEXT},
    {"class", TEXT_OR_NULL},
    {"n", COUNT},
    {"share", NUMBER},
    {"train_n", COUNT},
    {"metric", NUMBER_OR_NULL},
    {"low", NUMBER_OR_NULL},
    {"high", NUMBER_OR_NULL},
    {"errors", COUNT},
    {"error_share", NUMBER},
    {"human_level", NUMBER},
    {"gap", NUMBER_OR_NULL},
    {"importance", NUMBER},
    {"ease", NUMBER},
    {"worth", NUMBER},
    {"priority", NUMBER},
    {NULL, TEXT},
};
/* May be left out, but must be this when they are there. */
static const struct need optional_slice_fields[] = {
    {"worth_metric", NUMBER_OR_NULL}, {"order", COUNT_OR_NULL},
    {"worth_next", NUMBER_OR_NULL},   {"p", NUMBER_OR_NULL},
    {"p_adjusted", NUMBER_OR_NULL},   {"weak", BOOL},
    {"found", TEXT_OR_NULL},          {"suspects", COUNT_OR_NULL},
    {"missing", COUNT_OR_NULL},       {NULL, TEXT},
};
static const struct need trait_fields[] = {
    {"condition", TEXT}, {"share", NUMBER}, {"lift", NUMBER}, {NULL, TEXT}};
static const struct need suspect_fields[] = {
    {"id", TEXT},      {"label", TEXT},  {"suggested", TEXT},
    {"score", NUMBER}, {"method", TEXT}, {NULL, TEXT},
};
static const struct need confusion_fields[] = {
    {"true", TEXT}, {"predicted", TEXT}, {"n", COUNT}, {"rate", NUMBER}, {NULL, TEXT},
};
static const struct need coverage_fields[] = {
    {"slice", TEXT}, {"train_share", NUMBER}, {"dev_share", NUMBER}, {"missing", COUNT},
    {NULL, TEXT},
};
static const struct need noise_fields[] = {
    {"rate", NUMBER},
    {"labelled", COUNT},
    {"estimated_errors", NUMBER},
    {NULL, TEXT},
};
static const struct need class_noise_fields[] = {
    {"class", TEXT},
    {"n", COUNT},
    {"rate", NUMBER},
    {NULL, TEXT},
};

static bool fits(const json_t *v, enum kind kind)
{
    switch (kind) {
    case TEXT:
        return json_is_string(v);
    case TEXT_OR_NULL:
        return json_is_string(v) || json_is_null(v);
    case NUMBER:
        return json_is_number(v);
    case NUMBER_OR_NULL:
        return json_is_number(v) || json_is_null(v);
    case BOOL:
        return json_is_boolean(v);
    default:
        return (json_is_integer(v) && json_integer_value(v) >= 0) ||
               (kind == COUNT_OR_NULL && json_is_null(v));
    }
}

static const char *wanted(enum kind kind)
{
    static const char *const words[] = {"a text",
                                        "a text or null",
                                        "a number",
                                        "a number or null",
                                        "a whole number of at least 0",
                                        "a whole number of at least 0, or null",
                                        "true or false"};
    return words[kind];
}

static int check_those(const char *path, const char *where, const json_t *o,
                       const struct need *needs, bool optional, struct fw_err *err)
{
    if (!json_is_object(o))
        return fw_err_set(err, FW_EINVAL, "%s: '%s' is missing or not an object", path, where);
    for (; needs->key; needs++) {
        const json_t *v = json_object_get(o, needs->key);
        if (!v && optional)
            continue;
        if (!v)
            return fw_err_set(err, FW_EINVAL, "%s: '%s.%s' is missing", path, where, needs->key);
        if (!fits(v, needs->kind))
            return fw_err_set(err, FW_EINVAL, "%s: '%s.%s' is not %s", path, where, needs->key,
                              wanted(needs->kind));
    }
    return FW_OK;
}

static int check_fields(const char *path, const char *where, const json_t *o,
                        const struct need *needs, struct fw_err *err)
{
    return check_those(path, where, o, needs, false, err);
}

static int check_list(const char *path, const json_t *root, const char *key,
                      const struct need *needs, struct fw_err *err)
{
    const json_t *list = json_object_get(root, key), *v;
    size_t i;
    if (!json_is_array(list))
        return fw_err_set(err, FW_EINVAL, "%s: '%s' is missing or not a list", path, key);
    json_array_foreach (list, i, v) {
        char where[64];
        snprintf(where, sizeof where, "%s[%zu]", key, i);
        if (needs && check_fields(path, where, v, needs, err) != FW_OK)
            return FW_EINVAL;
        if (!needs && !json_is_string(v))
            return fw_err_set(err, FW_EINVAL, "%s: '%s' is not a text", path, where);
    }
    return FW_OK;
}

/* What a slice may say beside what it must. */
static int check_slices(const char *path, const json_t *root, struct fw_err *err)
{
    int rc = check_list(path, root, "slices", slice_fields, err);
    const json_t *v;
    size_t i;
    json_array_foreach (json_object_get(root, "slices"), i, v) {
        char where[64];
        snprintf(where, sizeof where, "slices[%zu]", i);
        if (rc == FW_OK)
            rc = check_those(path, where, v, optional_slice_fields, true, err);
        if (rc == FW_OK && json_object_get(v, "examples"))
            rc = check_list(path, v, "examples", NULL, err);
        if (rc == FW_OK && json_object_get(v, "traits"))
            rc = check_list(path, v, "traits", trait_fields, err);
    }
    return rc;
}

static int check_noise(const char *path, const json_t *root, struct fw_err *err)
{
    const json_t *noise = json_object_get(root, "noise"), *v;
    size_t i;
    if (json_is_null(noise))
        return FW_OK;
    if (check_fields(path, "noise", noise, noise_fields, err) != FW_OK)
        return FW_EINVAL;
    const json_t *list = json_object_get(noise, "by_class");
    if (!json_is_array(list))
        return fw_err_set(err, FW_EINVAL, "%s: 'noise.by_class' is missing or not a list", path);
    json_array_foreach (list, i, v) {
        if (check_fields(path, "noise.by_class", v, class_noise_fields, err) != FW_OK)
            return FW_EINVAL;
    }
    return FW_OK;
}

static int check(const char *path, const json_t *root, struct fw_err *err)
{
    static const struct need metric_fields[] = {
        {"name", TEXT}, {"value", NUMBER_OR_NULL}, {NULL, TEXT}};
    if (!json_is_object(root))
        return fw_err_set(err, FW_EINVAL, "%s is not a JSON object", path);
    const json_t *version = json_object_get(root, "version");
    if (!json_is_integer(version) || json_integer_value(version) != 1)
        return fw_err_set(err, FW_EINVAL, "%s: 'version' is missing or not 1", path);
    int rc = check_fields(path, "metric", json_object_get(root, "metric"), metric_fields, err);
    if (rc == FW_OK)
        rc = check_slices(path, root, err);
    if (rc == FW_OK)
        rc = check_list(path, root, "suspects", suspect_fields, err);
    if (rc == FW_OK)
        rc = check_list(path, root, "confusions", confusion_fields, err);
    if (rc == FW_OK)
        rc = check_noise(path, root, err);
    if (rc == FW_OK)
        rc = check_list(path, root, "coverage", coverage_fields, err);
    if (rc == FW_OK)
        rc = check_list(path, root, "notes", NULL, err);
    return rc;
}

int fw_analysis_load(const char *path, json_t **out, struct fw_err *err)
{
    struct fw_buf text = {0};
    json_error_t why;
    int rc = fw_fs_read(path, 0, &text, err);
    if (rc == FW_OK) {
        json_t *root = json_loadb(text.p ? text.p : "", text.len, JSON_REJECT_DUPLICATES, &why);
        if (!root) {
            fw_err_set(err, FW_EINVAL, "not valid JSON: %s", why.text);
            fw_err_at(err, path, why.line > 0 ? why.line : 0, 0);
            rc = FW_EINVAL;
        } else {
            rc = check(path, root, err);
        }
        if (rc == FW_OK)
            *out = root;
        else
            json_decref(root);
    }
    fw_buf_release(&text);
    return rc;
}
