#include "pipeline/loop/modellock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/fs.h"
#include "pipeline/base/hash.h"
#include "pipeline/plugin/plugin.h"

/* `in:` names "stage.output"; is it that stage? */
static bool ref_is_stage(const char *ref, const char *stage)
{
    size_t n = strlen(stage);
    return strncmp(ref, stage, n) == 0 && (ref[n] == '.' || ref[n] == '\0');
}

static bool needs(const struct fw_plan *plan, const struct fw_stage *from,
                  const struct fw_stage *to, size_t depth)
{
    if (from == to)
        return true;
    if (depth > plan->n_stages)
        return false;
    for (size_t i = 0; i < plan->n_stages; i++) {
        const struct fw_stage *s = &plan->stages[i];
        bool direct = from->model && !strcmp(from->model, s->name);
        for (size_t j = 0; j < from->n_needs && !direct; j++)
            direct = !strcmp(from->needs[j], s->name);
        for (size_t j = 0; j < from->n_in && !direct; j++)
            direct = ref_is_stage(from->in[j].text, s->name);
        if (direct && needs(plan, s, to, depth + 1))
            return true;
    }
    return false;
}

bool fw_modellock_covers(const struct fw_plan *plan, const struct fw_stage *stage)
{
    for (size_t i = 0; i < plan->n_stages; i++) {
        const struct fw_stage *s = &plan->stages[i];
        if ((s->kind == FW_TRAIN || s->kind == FW_EVALUATE) && needs(plan, s, stage, 0))
            return true;
    }
    return false;
}

static void put(json_t *model, const char *stage, const char *what, const char *name, json_t *value)
{
    struct fw_buf key = {0};
    fw_buf_printf(&key, "%s.%s%s%s", stage, what, name ? "." : "", name ? name : "");
    if (key.failed)
        json_decref(value);
    else
        json_object_set_new(model, key.p, value);
    fw_buf_release(&key);
}

static int put_code(json_t *model, const struct fw_plan *plan, const struct fw_stage *s,
                    struct fw_err *err)
{
    for (size_t i = 0; i < s->n_code; i++) {
        char hex[FW_SHA256_HEX];
        char *path = fw_fs_join(plan->root, s->code[i]);
        int rc = path ? fw_sha256_tree(path, hex, err) : fw_err_nomem(err);
        free(path);
        if (rc != FW_OK) {
            fw_err_wrap(err, "stage '%s': declared code", s->name);
            return fw_err_at(err, plan->path, s->pos.line, s->pos.col);
        }
        put(model, s->name, "code", s->code[i], json_string(hex));
    }
    return FW_OK;
}

/* A parameter that names a file of the project stands for its content too. */
static void put_file(json_t *model, const struct fw_plan *plan, const struct fw_stage *s,
                     const char *param, const char *rel)
{
    const json_t *schema = json_object_get(json_object_get(s->describe, "params"), param);
    const char *format = json_string_value(json_object_get(schema, "format"));
    char hex[FW_SHA256_HEX];
    if (!rel || !*rel || !format || strcmp(format, "path"))
        return;
    char *path = fw_fs_join(plan->root, rel);
    if (path && fw_sha256_tree(path, hex, NULL) == FW_OK)
        put(model, s->name, "file", param, json_string(hex));
    free(path);
}

static int put_stage(json_t *model, const struct fw_plan *plan, const struct fw_stage *s,
                     struct fw_err *err)
{
    if (s->plugin) {
        char hex[FW_SHA256_HEX], who[256];
        int rc = fw_plugin_digest(s->plugin_path, s->describe, hex, err);
        if (rc != FW_OK)
            return rc;
        const char *version = json_string_value(json_object_get(s->describe, "version"));
        snprintf(who, sizeof who, "%s %s", s->plugin, version ? version : "?");
        put(model, s->name, "plugin", NULL, json_string(who));
        put(model, s->name, "content", NULL, json_string(hex));
    }
    if (s->command)
        put(model, s->name, "command", NULL, json_string(s->command));
    if (s->argv) {
        json_t *list = json_array();
        for (size_t i = 0; s->argv[i]; i++)
            json_array_append_new(list, json_string(s->argv[i]));
        put(model, s->name, "command", NULL, list);
    }
    const char *key;
    json_t *value;
    json_object_foreach (s->params, key, value) {
        put(model, s->name, "with", key, json_incref(value));
        put_file(model, plan, s, key, json_string_value(value));
    }
    for (size_t i = 0; i < s->n_env; i++)
        put(model, s->name, "env", s->env[i].name, json_string(s->env[i].text));
    for (size_t i = 0; i < s->n_axes; i++) {
        json_t *list = json_array();
        for (size_t j = 0; j < s->axes[i].n; j++)
            json_array_append_new(list, json_string(s->axes[i].values[j]));
        put(model, s->name, "matrix", s->axes[i].name, list);
    }
    if (s->kind == FW_TRAIN) {
        json_t *seeds = json_array();
        for (size_t i = 0; i < s->n_seeds; i++)
            json_array_append_new(seeds, json_integer((json_int_t)s->seeds[i]));
        put(model, s->name, "seeds", NULL, seeds);
    }
    return put_code(model, plan, s, err);
}

int fw_modellock_make(const struct fw_plan *plan, const char *dev_digest, const char *test_digest,
                      json_t **out, struct fw_err *err)
{
    json_t *model = json_object(), *lock = NULL;
    char *text = NULL;
    char hex[FW_SHA256_HEX];
    int rc = model ? FW_OK : fw_err_nomem(err);
    for (size_t i = 0; i < plan->n_stages && rc == FW_OK; i++)
        if (fw_modellock_covers(plan, &plan->stages[i]))
            rc = put_stage(model, plan, &plan->stages[i], err);
    if (rc == FW_OK && !(text = json_dumps(model, JSON_COMPACT | JSON_SORT_KEYS)))
        rc = fw_err_nomem(err);
    if (rc == FW_OK)
        rc = fw_sha256_bytes(text, strlen(text), hex, err);
    if (rc == FW_OK) {
        lock = json_pack("{s:i, s:s, s:O, s:{s:s, s:s}}", "version", 1, "fingerprint", hex, "model",
                         model, "evaluation", "dev", dev_digest, "test", test_digest);
        rc = lock ? FW_OK : fw_err_nomem(err);
    }
    if (rc == FW_OK)
        *out = lock;
    free(text);
    json_decref(model);
    return rc;
}

int fw_modellock_read(const char *root, json_t **out, struct fw_err *err)
{
    char *path = fw_fs_join(root, "flywheel.lock");
    if (!path)
        return fw_err_nomem(err);
    int rc = FW_OK;
    json_error_t e;
    json_t *lock = NULL;
    if (!fw_fs_exists(path))
        rc = fw_err_set(err, FW_ENOTFOUND, "there is no flywheel.lock yet");
    else if (!(lock = json_load_file(path, JSON_REJECT_DUPLICATES, &e)) ||
             !json_is_object(json_object_get(lock, "model")) ||
             !json_is_object(json_object_get(lock, "evaluation"))) {
        rc = fw_err_set(err, FW_ECORRUPT, "not a lock file: %s",
                        lock ? "\"model\" or \"evaluation\" is missing" : e.text);
        fw_err_at(err, path, lock ? 0 : e.line, lock ? 0 : e.column);
        fw_err_hint(err,
                    "restore it with git, or delete it and start a new baseline with --new-model");
    }
    free(path);
    if (rc == FW_OK)
        *out = lock;
    else
        json_decref(lock);
    return rc;
}

int fw_modellock_write(const char *root, const json_t *lock, struct fw_err *err)
{
    char *path = fw_fs_join(root, "flywheel.lock");
    char *text = json_dumps(lock, JSON_INDENT(2) | JSON_SORT_KEYS | JSON_REAL_PRECISION(15));
    struct fw_buf b = {0};
    int rc = FW_OK;
    if (path && text)
        fw_buf_printf(&b, "%s\n", text);
    if (!path || !text || b.failed)
        rc = fw_err_nomem(err);
    else
        rc = fw_fs_write_atomic(path, b.p, b.len, err);
    fw_buf_release(&b);
    free(text);
    free(path);
    return rc;
}

static void say(struct fw_buf *b, const char *key, const json_t *from, const json_t *to)
{
    char *x = from ? json_dumps(from, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6)) : NULL;
    char *y = to ? json_dumps(to, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6)) : NULL;
    fw_buf_printf(b, "\n    %s: %.80s → %.80s", key, x ? x : "(absent)", y ? y : "(absent)");
    free(x);
    free(y);
}

static int differences(const json_t *a, const json_t *b, struct fw_buf *out)
{
    int n = 0;
    const char *key;
    const json_t *value;
    json_object_foreach ((json_t *)a, key, value) {
        const json_t *other = json_object_get(b, key);
        if (!other || !json_equal(value, other)) {
            say(out, key, value, other);
            n++;
        }
    }
    json_object_foreach ((json_t *)b, key, value) {
        if (!json_object_get(a, key)) {
            say(out, key, NULL, value);
            n++;
        }
    }
    return n;
}

int fw_modellock_check(const json_t *locked, const json_t *now, bool model, bool evaluation,
                       struct fw_err *err)
{
    struct fw_buf diff = {0};
    int rc = FW_OK;
    if (model &&
        differences(json_object_get(locked, "model"), json_object_get(now, "model"), &diff)) {
        rc = fw_err_set(err, FW_EREFUSED,
                        "the model is held fixed, but it differs from flywheel.lock:%s",
                        diff.p ? diff.p : "");
        fw_err_hint(err,
                    "put it back, or run with --new-model to start a new baseline on the current "
                    "data");
    } else if (evaluation && differences(json_object_get(locked, "evaluation"),
                                         json_object_get(now, "evaluation"), &diff)) {
        rc = fw_err_set(err, FW_EREFUSED,
                        "the evaluation sets are held fixed, but they differ from flywheel.lock:%s",
                        diff.p ? diff.p : "");
        fw_err_hint(err,
                    "put the snapshot branch back, or run with --new-benchmark to start a new one; "
                    "scores before and after cannot be compared");
    }
    fw_buf_release(&diff);
    return rc;
}
