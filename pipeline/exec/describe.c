#include "pipeline/exec/describe.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "pipeline/base/fs.h"
#include "pipeline/exec/exec.h"
#include "pipeline/plugin/plugin.h"

enum { MOST_OUT = 1 << 20, MOST_KEPT = 16 << 20 };

/* ---- asking ---- */

/* The last line a plugin wrote to stderr that is not empty: there the reason usually stands. */
static void add_reason(struct fw_err *err, char *errors)
{
    size_t n = strlen(errors);
    while (n && strchr(" \r\n\t", errors[n - 1]))
        errors[--n] = '\0';
    if (n == 0)
        return;
    char *line = strrchr(errors, '\n');
    line = line ? line + 1 : errors;
    for (char *p = line; *p; p++)
        if ((unsigned char)*p < 32 || (unsigned char)*p >= 127)
            *p = '?';
    fw_err_hint(err, "it said: %.400s", line);
}

static int check_end(const struct fw_exit *end, char *errors, int64_t timeout_ms,
                     struct fw_err *err)
{
    switch (end->kind) {
    case FW_EXIT_CODE:
        if (end->code == 0)
            return FW_OK;
        fw_err_set(err, FW_EINVAL, "`describe` failed with exit code %d", end->code);
        break;
    case FW_EXIT_SIGNAL:
        fw_err_set(err, FW_EINVAL, "`describe` was killed by signal %d (%s)", end->signal,
                   strsignal(end->signal));
        break;
    case FW_EXIT_TIMEOUT:
        fw_err_set(err, FW_EINVAL, "`describe` did not end within %.3g s",
                   (double)timeout_ms / 1000);
        break;
    case FW_EXIT_LOG_LIMIT:
        fw_err_set(err, FW_EINVAL, "`describe` printed more than 1 MiB");
        break;
    case FW_EXIT_OOM:
    case FW_EXIT_STOPPED:
        fw_err_set(err, FW_EINVAL, "`describe` was stopped");
        break;
    }
    add_reason(err, errors);
    return FW_EINVAL;
}

int fw_describe_ask(const char *root, const char *path, int64_t timeout_ms, json_t **describe,
                    struct fw_err *err)
{
    const char *const argv[] = {path, "describe", NULL};
    char *out = NULL, *errors = NULL;
    size_t n = 0;
    struct fw_exit end = {0};
    char **env = fw_plugin_env(NULL, NULL, NULL, err);
    if (!env)
        return FW_ENOMEM;
    int rc = fw_exec_capture(argv, (const char *const *)env, root, timeout_ms, MOST_OUT, &out, &n,
                             &errors, &end, err);
    if (rc == FW_OK)
        rc = check_end(&end, errors, timeout_ms, err);
    if (rc == FW_OK)
        rc = fw_plugin_parse_describe(out, n, describe, err);
    free(out);
    free(errors);
    free(env);
    return rc;
}

/* ---- what was answered before ---- */

static void stamp_file(const char *path, struct fw_buf *out)
{
    struct stat st;
    if (stat(path, &st) != 0)
        fw_buf_puts(out, "-;");
    else
        fw_buf_printf(out, "%lld:%lld.%09ld:%lld.%09ld:%llu;", (long long)st.st_size,
                      (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
                      (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec,
                      (unsigned long long)st.st_ino);
}

/* What must be the same for an answer to be good still. */
static char *stamp(const char *path, const json_t *describe)
{
    struct fw_buf out = {0};
    size_t i, dir = (size_t)(fw_fs_base(path) - path);
    json_t *code;
    fw_buf_printf(&out, "%s;%d;", FW_VERSION, FW_PROTOCOL);
    stamp_file(path, &out);
    json_array_foreach(json_object_get(describe, "code"), i, code)
    {
        struct fw_buf full = {0};
        fw_buf_printf(&full, "%.*s%s", (int)dir, path, json_string_value(code));
        if (full.failed)
            out.failed = true;
        else
            stamp_file(full.p, &out);
        fw_buf_release(&full);
    }
    return fw_buf_steal(&out);
}

static json_t *kept_load(const char *file)
{
    struct fw_buf text = {0};
    json_t *kept = NULL;
    if (fw_fs_read(file, MOST_KEPT, &text, NULL) == FW_OK && text.len)
        kept = json_loadb(text.p, text.len, 0, NULL);
    fw_buf_release(&text);
    if (!json_is_object(kept)) {
        json_decref(kept);
        kept = json_object();
    }
    return kept;
}

/* The kept answer, checked like a fresh one: the file may have been written by anybody. */
static json_t *kept_get(const json_t *kept, const char *path)
{
    const json_t *entry = json_object_get(kept, path);
    const json_t *answer = json_object_get(entry, "describe");
    const char *was = json_string_value(json_object_get(entry, "stamp"));
    char *text = was && answer ? json_dumps(answer, JSON_COMPACT) : NULL;
    json_t *checked = NULL;
    if (text && fw_plugin_parse_describe(text, strlen(text), &checked, NULL) == FW_OK) {
        char *now = stamp(path, checked);
        if (!now || strcmp(now, was) != 0) {
            json_decref(checked);
            checked = NULL;
        }
        free(now);
    }
    free(text);
    return checked;
}

/* A file that was changed this moment may change again within the clock's grain. */
static bool is_settled(const char *path)
{
    struct stat st;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return stat(path, &st) == 0 &&
           (now.tv_sec - st.st_mtim.tv_sec) * 1000 + (now.tv_nsec - st.st_mtim.tv_nsec) / 1000000 >
               20;
}

static void kept_put(const char *file, json_t *kept, const char *path, json_t *describe)
{
    const char *key;
    json_t *value;
    void *next;
    char *now = stamp(path, describe);
    json_t *entry = now ? json_pack("{s:s,s:O}", "stamp", now, "describe", describe) : NULL;
    free(now);
    if (!entry || json_object_set_new(kept, path, entry) != 0)
        return;
    json_object_foreach_safe(kept, next, key, value) if (!fw_fs_exists(key))
        json_object_del(kept, key);
    char *text = json_dumps(kept, JSON_INDENT(1));
    if (text)
        (void)fw_fs_write_atomic(file, text, strlen(text), NULL);
    free(text);
}

/* <root>/.flywheel/describe.json, when root is a project; NULL otherwise. */
static char *kept_file(const char *root)
{
    char *state = fw_fs_join(root, ".flywheel"), *yaml = fw_fs_join(root, "flywheel.yaml");
    char *file = NULL;
    if (state && yaml && (fw_fs_is_dir(state) || fw_fs_exists(yaml)) &&
        fw_fs_mkdirs(state, NULL) == FW_OK)
        file = fw_fs_join(state, "describe.json");
    free(state);
    free(yaml);
    return file;
}

int fw_describe_run(const char *root, const char *plugin, char **path, json_t **describe,
                    struct fw_err *err)
{
    char *found = NULL;
    json_t *answer = NULL;
    int rc = fw_plugin_find(root, plugin, &found, err);
    if (rc != FW_OK)
        return rc;
    char *file = kept_file(root);
    json_t *kept = file ? kept_load(file) : NULL;
    if (kept)
        answer = kept_get(kept, found);
    if (!answer) {
        bool settled = is_settled(found);
        rc = fw_describe_ask(root, found, FW_DESCRIBE_MS, &answer, err);
        if (rc == FW_OK && kept && settled)
            kept_put(file, kept, found, answer);
        else if (rc != FW_OK)
            fw_err_wrap(err, "plugin '%s' (%s)", plugin, found);
    }
    json_decref(kept);
    free(file);
    if (rc != FW_OK) {
        free(found);
        return rc;
    }
    *path = found;
    *describe = answer;
    return FW_OK;
}
