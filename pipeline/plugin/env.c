/* What a run is given: its request file and its environment. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/base/fs.h"
#include "pipeline/plugin/plugin.h"

/* Linux refuses a single string over 128 KiB. */
enum { MOST_VALUE = 100 * 1024 };

/* NAME → value, in the order put; jansson keeps it and makes names unique. */

static int put(json_t *env, const char *name, const char *value)
{
    if (!value || strlen(value) > MOST_VALUE)
        return 0;
    /* nocheck: paths may hold bytes that are not UTF-8 */
    return json_object_set_new_nocheck(env, name, json_string_nocheck(value));
}

static char *text_of(const json_t *value)
{
    if (json_is_string(value))
        return strdup(json_string_value(value));
    return json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
}

/* FLYWHEEL_<group>_<NAME> */
static int put_one(json_t *env, const char *group, const char *name, const json_t *value,
                   struct fw_err *err)
{
    char var[512];
    int n = snprintf(var, sizeof var, "FLYWHEEL_%s%s%s", group, group[0] ? "_" : "", name);
    if (json_is_null(value) || n >= (int)sizeof var)
        return FW_OK;
    for (char *p = var; *p; p++)
        *p = isalnum((unsigned char)*p) ? (char)toupper((unsigned char)*p) : '_';
    if (json_object_get(env, var))
        return fw_err_set(err, FW_EINVAL, "two names become the same variable %s: rename '%s'", var,
                          name);
    char *text = text_of(value);
    int rc = text && put(env, var, text) == 0 ? FW_OK : fw_err_nomem(err);
    free(text);
    return rc;
}

static int put_request(json_t *env, const json_t *request, struct fw_err *err)
{
    static const char *const single[] = {"protocol", "run",  "iteration", "stage",
                                         "node",     "kind", "seed",      "scratch",
                                         "project",  "task", "split",     "deadline",
                                         "quota"};
    static const char *const groups[][2] = {
        {"inputs", "IN"}, {"outputs", "OUT"}, {"params", "PARAM"}, {"matrix", "MATRIX"}};
    int rc = FW_OK;
    for (size_t i = 0; i < sizeof single / sizeof *single && rc == FW_OK; i++) {
        const json_t *value = json_object_get(request, single[i]);
        if (value)
            rc = put_one(env, "", single[i], value, err);
    }
    for (size_t i = 0; i < sizeof groups / sizeof *groups && rc == FW_OK; i++) {
        const char *name;
        json_t *value;
        json_object_foreach(json_object_get(request, groups[i][0]), name, value)
        {
            rc = put_one(env, groups[i][1], name, value, err);
            if (rc != FW_OK)
                break;
        }
    }
    return rc;
}

static int put_threads(json_t *env, const json_t *request)
{
    static const char *const names[] = {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS",
                                        "MKL_NUM_THREADS"};
    double cpus = json_number_value(json_object_get(json_object_get(request, "resources"), "cpus"));
    char text[16];
    int failed = 0;
    if (!(cpus > 0 && cpus < 1e6))
        return 0;
    snprintf(text, sizeof text, "%d", cpus < 1 ? 1 : (int)cpus);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        failed |= put(env, names[i], text);
    return failed;
}

static int put_ours(json_t *env, const json_t *request)
{
    static const char *const same[] = {"HOME", "TZ", "SOURCE_DATE_EPOCH"};
    const char *path = getenv("PATH"), *tmp = getenv("TMPDIR");
    const char *scratch = json_string_value(json_object_get(request, "scratch"));
    int failed = put(env, "PATH", path ? path : "/usr/local/bin:/usr/bin:/bin");
    failed |= put(env, "LANG", "C.UTF-8");
    failed |= put(env, "TMPDIR", scratch ? scratch : tmp ? tmp : "/tmp");
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        failed |= put(env, same[i], getenv(same[i]));
    return failed | put_threads(env, request);
}

static int put_declared(json_t *env, const char *const *declared, struct fw_err *err)
{
    for (; declared && *declared; declared++) {
        const char *equals = strchr(*declared, '=');
        if (!equals || equals == *declared)
            return fw_err_set(err, FW_EINVAL, "'%.100s' is not NAME=value", *declared);
        if (!strncmp(*declared, "FLYWHEEL_", 9))
            return fw_err_set(err, FW_EINVAL,
                              "env: '%.*s' cannot be declared: names that begin with FLYWHEEL_ are "
                              "set by flywheel",
                              (int)(equals - *declared), *declared);
        char *name = strndup(*declared, (size_t)(equals - *declared));
        int failed = !name || put(env, name, equals + 1) != 0;
        free(name);
        if (failed)
            return fw_err_nomem(err);
    }
    return FW_OK;
}

/* One block: the pointers, then the strings. */
static char **pack(json_t *env)
{
    const char *name;
    json_t *value;
    size_t n = json_object_size(env), bytes = 0, i = 0;
    json_object_foreach(env, name, value) bytes += strlen(name) + json_string_length(value) + 2;
    char **out = malloc((n + 1) * sizeof *out + bytes + 1);
    if (!out)
        return NULL;
    char *to = (char *)(out + n + 1), *end = to + bytes + 1;
    json_object_foreach(env, name, value)
    {
        out[i++] = to;
        to += snprintf(to, (size_t)(end - to), "%s=%s", name, json_string_value(value)) + 1;
    }
    out[n] = NULL;
    return out;
}

char **fw_plugin_env(const json_t *request, const char *request_path, const char *const *declared,
                     struct fw_err *err)
{
    char **out = NULL;
    json_t *env = json_object();
    if (!env || put_ours(env, request) != 0)
        goto nomem;
    if (put_declared(env, declared, err) != FW_OK || put_request(env, request, err) != FW_OK)
        goto out;
    if (put(env, "FLYWHEEL_PROTOCOL", "1") != 0 || put(env, "FLYWHEEL_EVENTS_FD", "3") != 0 ||
        put(env, "FLYWHEEL_REQUEST", request_path) != 0)
        goto nomem;
    if ((out = pack(env)))
        goto out;
nomem:
    fw_err_nomem(err);
out:
    json_decref(env);
    return out;
}

/* Made anew for each try and read at once: it need not survive a crash, so it is not synced. */
static int write_unsynced(const char *path, const struct fw_buf *text, struct fw_err *err)
{
    char tmp[PATH_MAX];
    if (snprintf(tmp, sizeof tmp, "%s.tmp", path) >= (int)sizeof tmp)
        return fw_err_set(err, FW_EINVAL, "path too long: %s", path);
    int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return fw_err_sys(err, errno, "cannot create %s", tmp);
    int e = 0;
    for (size_t at = 0; !e && at < text->len;) {
        ssize_t n = write(fd, text->p + at, text->len - at);
        if (n < 0 && errno != EINTR)
            e = errno;
        at += n > 0 ? (size_t)n : 0;
    }
    if (close(fd) != 0 && !e)
        e = errno;
    if (!e && rename(tmp, path) != 0)
        e = errno;
    if (e)
        unlink(tmp);
    return e ? fw_err_sys(err, e, "cannot write %s", path) : FW_OK;
}

int fw_request_write(const char *path, const json_t *request, struct fw_err *err)
{
    char *text = json_dumps(request, JSON_INDENT(1));
    if (!text)
        return fw_err_set(err, FW_EINVAL, "the request cannot be written as JSON: %s", path);
    struct fw_buf b = {0};
    fw_buf_puts(&b, text);
    fw_buf_putc(&b, '\n');
    free(text);
    int rc = b.failed ? fw_err_nomem(err) : write_unsynced(path, &b, err);
    fw_buf_release(&b);
    return rc;
}
