#include "stages/data/request.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/base/fs.h"

enum { EXIT_WAITING = 75 };

static const char *named(const struct fw_request *r, const char *group, const char *name)
{
    return json_string_value(json_object_get(json_object_get(r->json, group), name));
}

const char *fw_request_in(const struct fw_request *r, const char *name)
{
    return named(r, "inputs", name);
}

const char *fw_request_out(const struct fw_request *r, const char *name)
{
    return named(r, "outputs", name);
}

double fw_request_num(const struct fw_request *r, const char *param)
{
    return json_number_value(json_object_get(r->params, param));
}

const char *fw_request_str(const struct fw_request *r, const char *param)
{
    return json_string_value(json_object_get(r->params, param));
}

double fw_request_quota(const struct fw_request *r, double own)
{
    const json_t *quota = json_object_get(r->json, "quota");
    return json_is_number(quota) ? fmax(0, json_number_value(quota)) : own;
}

bool fw_request_bool(const struct fw_request *r, const char *param)
{
    return json_is_true(json_object_get(r->params, param));
}

/* One event is one write, so that lines of several threads do not mix. Losing an event is no reason
 * to fail the stage. */
static void emit(json_t *event)
{
    const char *fd = getenv("FLYWHEEL_EVENTS_FD");
    char *text = fd && event ? json_dumps(event, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
    json_decref(event);
    if (!text)
        return;
    struct fw_buf line = {0};
    fw_buf_puts(&line, text);
    fw_buf_putc(&line, '\n');
    free(text);
    int to = atoi(fd);
    for (size_t at = 0; !line.failed && at < line.len;) {
        ssize_t n = write(to, line.p + at, line.len - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        at += (size_t)n;
    }
    fw_buf_release(&line);
}

void fw_event_progress(double done, double total, const char *unit)
{
    emit(json_pack("{s:s,s:f,s:f,s:s}", "type", "progress", "done", done, "total", total, "unit",
                   unit ? unit : ""));
}

void fw_event_metric(const char *name, double value, int step)
{
    emit(json_pack("{s:s,s:s,s:f,s:i}", "type", "metric", "name", name, "value", value, "step",
                   step));
}

void fw_event_message(const char *level, const char *fmt, ...)
{
    char text[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    emit(json_pack("{s:s,s:s,s:s}", "type", "message", "level", level, "text", text));
}

void fw_event_waiting(const char *reason, int count, int poll_after_seconds)
{
    emit(json_pack("{s:s,s:s,s:i,s:i}", "type", "waiting", "reason", reason, "count", count,
                   "poll_after", poll_after_seconds));
}

static int read_task(struct fw_request *r, const char ***classes, struct fw_err *err)
{
    const char *task = json_string_value(json_object_get(r->json, "task"));
    const json_t *list = json_object_get(r->json, "classes"), *v;
    size_t i;
    r->task.task = task && !strcmp(task, "regression") ? FW_REGRESSION : FW_CLASSIFICATION;
    if (!json_array_size(list))
        return FW_OK;
    *classes = calloc(json_array_size(list), sizeof **classes);
    if (!*classes)
        return fw_err_nomem(err);
    json_array_foreach (list, i, v) {
        if (!((*classes)[i] = json_string_value(v)))
            return fw_err_set(err, FW_EINVAL, "the request's classes are not a list of names");
    }
    r->task.classes = *classes;
    r->task.n_classes = json_array_size(list);
    return FW_OK;
}

static const char *text_of(const struct fw_request *r, const char *key)
{
    const char *s = json_string_value(json_object_get(r->json, key));
    return s ? s : "";
}

static int read_request(struct fw_request *r, const char ***classes, struct fw_err *err)
{
    const char *path = getenv("FLYWHEEL_REQUEST");
    json_error_t why;
    if (!path)
        return fw_err_set(err, FW_EINVAL,
                          "FLYWHEEL_REQUEST is not set: this plugin is run by flywheel");
    r->json = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
    if (!r->json) {
        fw_err_set(err, FW_EINVAL, "the request cannot be read: %s", why.text);
        fw_err_at(err, path, why.line > 0 ? why.line : 0, 0);
        return FW_EINVAL;
    }
    json_int_t protocol = json_integer_value(json_object_get(r->json, "protocol"));
    if (protocol != 1)
        return fw_err_set(err, FW_EINVAL, "the request speaks protocol %lld; this plugin speaks 1",
                          (long long)protocol);
    r->run = text_of(r, "run");
    r->stage = text_of(r, "stage");
    r->node = text_of(r, "node");
    r->kind = text_of(r, "kind");
    r->scratch = text_of(r, "scratch");
    r->project = text_of(r, "project");
    r->iteration = (int)json_integer_value(json_object_get(r->json, "iteration"));
    r->seed = (uint64_t)json_integer_value(json_object_get(r->json, "seed"));
    r->params = json_object_get(r->json, "params");
    return read_task(r, classes, err);
}

int fw_plugin_main(int argc, char **argv, const char *describe_json, fw_plugin_run_fn *run)
{
    struct fw_request r = {0};
    struct fw_err err = {0};
    const char **classes = NULL;
    if (argc == 2 && !strcmp(argv[1], "describe"))
        return puts(describe_json) < 0 || fflush(stdout) != 0 ? 1 : 0;
    if (argc != 2 || strcmp(argv[1], "run") != 0) {
        fprintf(stderr, "usage: %s describe | run\n", argc ? fw_fs_base(argv[0]) : "plugin");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN); /* an engine that stopped listening is no reason to die */
    int rc = read_request(&r, &classes, &err);
    if (rc == FW_OK)
        rc = run(&r, &err);
    if (rc != FW_OK && rc != FW_EWAITING) {
        char text[4096];
        fw_err_format(&err, text, sizeof text);
        fprintf(stderr, "error: %s\n", text);
    }
    free(classes);
    json_decref(r.json);
    return rc == FW_OK ? 0 : rc == FW_EWAITING ? EXIT_WAITING : 1;
}
