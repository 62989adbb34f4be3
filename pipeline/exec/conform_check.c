#include "pipeline/exec/conform_check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/fs.h"
#include "pipeline/config/params.h"
#include "pipeline/plugin/plugin.h"
#include "stages/data/dataset.h"
#include "stages/data/patch.h"

enum { DESCRIBE_TIMEOUT_MS = 10000, DESCRIBE_SLOW_MS = 2000, DESCRIBE_MAX = 1 << 20 };

/* One call of describe: its text (malloc'd) or a reason. */
struct described {
    char *text, *errors; /* stdout and stderr */
    size_t n;
    struct fw_exit exit;
    struct fw_err err;
    int rc;
};

static void call_describe(const char *path, struct described *d)
{
    const char *argv[] = {path, "describe", NULL};
    json_t *nothing = json_object();
    memset(d, 0, sizeof(*d));
    char **env = nothing ? fw_plugin_env(nothing, "", NULL, &d->err) : NULL;
    json_decref(nothing);
    if (!env) {
        d->rc = fw_err_nomem(&d->err);
        return;
    }
    d->rc = fw_exec_capture(argv, (const char *const *)env, "/", DESCRIBE_TIMEOUT_MS, DESCRIBE_MAX,
                            &d->text, &d->n, &d->errors, &d->exit, &d->err);
    if (d->rc == FW_OK && (d->exit.kind != FW_EXIT_CODE || d->exit.code != 0)) {
        struct fw_trial ended = {.exit = d->exit};
        struct fw_buf how = {0};
        fw_trial_ending(&ended, &how);
        d->rc = fw_err_set(&d->err, FW_EINVAL, "`describe`: %s", how.p ? how.p : "failed");
        fw_buf_release(&how);
    }
    free(env);
}

bool fw_conform_describe(const struct fw_conform_options *options, struct fw_conform *c)
{
    struct described first, second;
    char text[sizeof(first.err.msg) + sizeof(first.err.hint) + 64];
    call_describe(options->path, &first);
    if (first.rc == FW_OK)
        first.rc = fw_plugin_parse_describe(first.text, first.n, &c->describe, &first.err);
    if (first.rc != FW_OK) {
        snprintf(text, sizeof(text), "%s%s%s", first.err.msg, first.err.hint[0] ? "; " : "",
                 first.err.hint);
        fw_conform_add(c, FW_VERDICT_FAILED, "describe answers", text,
                       first.errors && first.errors[0] ? first.errors : first.text);
        free(first.text);
        free(first.errors);
        return false;
    }
    fw_conform_add(c, FW_VERDICT_OK, "describe answers", "", "");

    call_describe(options->path, &second);
    bool same = second.rc == FW_OK && first.n == second.n &&
                (first.n == 0 || memcmp(first.text, second.text, first.n) == 0);
    fw_conform_add(c, same ? FW_VERDICT_OK : FW_VERDICT_FAILED, "describe is stable",
                   same ? "" : "a second call gave another answer", "");
    /* The better of two: the first may have waited for the disk. */
    int64_t ms = first.exit.wall_ms < second.exit.wall_ms || second.rc != FW_OK
                     ? first.exit.wall_ms
                     : second.exit.wall_ms;
    snprintf(
        text, sizeof(text),
        "it took %.1f s, and every command that reads the plan waits for it: load what is slow "
        "in `run` alone",
        (double)ms / 1000);
    fw_conform_add(c, ms <= DESCRIBE_SLOW_MS ? FW_VERDICT_OK : FW_VERDICT_FAILED,
                   "describe is quick", ms <= DESCRIBE_SLOW_MS ? "" : text, "");
    free(first.text);
    free(first.errors);
    free(second.text);
    free(second.errors);
    return true;
}

static void on_problem(void *ctx, const char *param, const char *message, const char *hint)
{
    struct fw_buf *b = ctx;
    fw_buf_printf(b, "%s%s%s%s%s%s", b->len ? "; " : "", param ? "'" : "", param ? param : "",
                  param ? "': " : "", message, hint && hint[0] ? " (" : "");
    if (hint && hint[0])
        fw_buf_printf(b, "%s)", hint);
}

/* Does the engine refuse this value of this parameter, going by what the plugin says of it? */
static bool refused(const json_t *describe, const json_t *params, const char *name, json_t *value)
{
    struct fw_buf problems = {0};
    json_t *tried = json_copy((json_t *)params), *checked = NULL;
    json_object_set_new(tried, name, value);
    int n = fw_params_check(describe, tried, &checked, on_problem, &problems);
    json_decref(tried);
    json_decref(checked);
    fw_buf_release(&problems);
    return n > 0;
}

static void try_param(const json_t *describe, const json_t *params, const char *name,
                      const json_t *schema, struct fw_buf *accepted)
{
    const char *type = json_string_value(json_object_get(schema, "type"));
    const json_t *low = json_object_get(schema, "minimum"), *high;
    high = json_object_get(schema, "maximum");
    const char *lead = accepted->len ? "; " : "";
    if (!json_object_get(schema, "type") && !json_object_get(schema, "enum"))
        fw_buf_printf(accepted, "%s'%s' has neither \"type\" nor \"enum\"", lead, name);
    else if (type && !refused(describe, params, name,
                              strcmp(type, "object") == 0 ? json_array() : json_object()))
        fw_buf_printf(accepted, "%s'%s' takes a value of another type", lead, name);
    else if (low && !refused(describe, params, name, json_real(json_number_value(low) - 1)))
        fw_buf_printf(accepted, "%s'%s' takes a value below its minimum", lead, name);
    else if (high && !refused(describe, params, name, json_real(json_number_value(high) + 1)))
        fw_buf_printf(accepted, "%s'%s' takes a value above its maximum", lead, name);
    else if (json_object_get(schema, "enum") &&
             !refused(describe, params, name, json_string("no such choice\x01")))
        fw_buf_printf(accepted, "%s'%s' takes a value that is not in its enum", lead, name);
}

/* What the user gave, and every default as if the user had given it: a default must fit too. */
static json_t *with_defaults(const json_t *describe, const json_t *given)
{
    json_t *all = given ? json_copy((json_t *)given) : json_object(), *schema, *value;
    const char *name;
    json_object_foreach(json_object_get(describe, "params"), name, schema)
    {
        value = json_object_get(schema, "default");
        if (value && !json_is_null(value) && !json_object_get(all, name))
            json_object_set(all, name, value);
    }
    return all;
}

bool fw_conform_params(const struct fw_conform_options *options, struct fw_conform *c,
                       json_t **params)
{
    static const char check[] = "its parameters fit its own description";
    struct fw_buf text = {0};
    const char *name;
    json_t *schema, *checked = NULL, *tried = with_defaults(c->describe, options->params);
    int n = fw_params_check(c->describe, tried, &checked, on_problem, &text);
    if (n != 0) {
        fw_buf_puts(&text, "; values can be given with --with NAME=VALUE");
        fw_conform_add(c, FW_VERDICT_FAILED, check, text.p, "");
        goto out;
    }
    fw_conform_add(c, FW_VERDICT_OK, check, "", "");
    fw_buf_clear(&text);
    json_object_foreach(json_object_get(c->describe, "params"), name, schema)
        try_param(c->describe, tried, name, schema, &text);
    if (!refused(c->describe, tried, "no-such-parameter", json_true()))
        fw_buf_printf(&text, "%san unknown parameter is taken", text.len ? "; " : "");
    fw_conform_add(c, text.len ? FW_VERDICT_FAILED : FW_VERDICT_OK,
                   "wrong parameters would be refused", text.len ? text.p : "", "");
out:
    fw_buf_release(&text);
    json_decref(tried);
    *params = checked;
    return n == 0;
}

static int check_fix(const struct fw_patch *patch, const struct fw_fix *fix,
                     const struct fw_dataset *ds, struct fw_err *err)
{
    const struct fw_sample *sample = fix->id ? fw_dataset_find(ds, fix->id) : NULL;
    const char *op = fw_op_name(fix->op);
    if (fix->op == FW_OP_GUIDELINE)
        return FW_OK;
    if (fix->op != FW_OP_ADD) {
        const char *from = json_string_value(
            json_object_get(fix->json, fix->op == FW_OP_CONFIRM ? "label" : "from"));
        if (!sample)
            return fw_err_set(err, FW_EINVAL, "%s of '%s', which is not in the dataset", op,
                              fix->id);
        if (from && sample->label && strcmp(from, sample->label) != 0)
            return fw_err_set(err, FW_EINVAL, "%s of '%s' says its label is '%s'; it is '%s'", op,
                              fix->id, from, sample->label);
        return FW_OK;
    }
    const char *parent = json_string_value(json_object_get(fix->json, "parent"));
    const char *file =
        json_string_value(json_object_get(json_object_get(fix->json, "sample"), "file_name"));
    if (sample)
        return fw_err_set(err, FW_EINVAL, "add of '%s', which is in the dataset already", fix->id);
    if (parent && !fw_dataset_find(ds, parent))
        return fw_err_set(err, FW_EINVAL, "add with the parent '%s', which is not in the dataset",
                          parent);
    if (!file)
        return FW_OK;
    struct fw_buf path = {0};
    fw_buf_printf(&path, "%s/files/%s", patch->dir ? patch->dir : "", file);
    bool there = patch->dir && path.p && fw_fs_exists(path.p);
    fw_buf_release(&path);
    return there ? FW_OK
                 : fw_err_set(err, FW_EINVAL, "add of '%s': there is no files/%s in the patch",
                              fix->id ? fix->id : "?", file);
}

int fw_conform_patch(const char *path, const char *dataset, struct fw_err *err)
{
    struct fw_patch *patch = NULL;
    struct fw_dataset *ds = NULL;
    int rc = fw_dataset_load(dataset, &fw_conform_task, &ds, err);
    if (rc == FW_OK)
        rc = fw_patch_load(path, &patch, err);
    for (size_t i = 0; rc == FW_OK && i < patch->n; i++) {
        rc = check_fix(patch, &patch->fixes[i], ds, err);
        if (rc != FW_OK)
            fw_err_at(err, path, patch->fixes[i].line, 0);
    }
    fw_patch_free(patch);
    fw_dataset_free(ds);
    return rc;
}
