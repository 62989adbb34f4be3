#include "pipeline/exec/trial.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/base/fs.h"
#include "pipeline/plugin/plugin.h"

struct running {
    struct fw_trial *trial;
    struct fw_exec *exec; /* NULL once it has ended */
    uv_timer_t stop;
};

static void on_event(void *ctx, const json_t *event)
{
    struct running *r = ctx;
    const char *type = json_string_value(json_object_get(event, "type"));
    const char *text = json_string_value(json_object_get(event, "text"));
    r->trial->events++;
    /* The executor drops what is malformed and says so in one message of its own. */
    if (text && strstr(text, " dropped; the first because ")) {
        fw_buf_clear(&r->trial->bad);
        fw_buf_puts(&r->trial->bad, text);
    }
    if (type && strcmp(type, "waiting") == 0) {
        const char *reason = json_string_value(json_object_get(event, "reason"));
        fw_buf_clear(&r->trial->waiting);
        fw_buf_puts(&r->trial->waiting, reason ? reason : "");
    }
}

static void on_exit_done(void *ctx, const struct fw_exit *result)
{
    struct running *r = ctx;
    r->trial->exit = *result;
    r->exec = NULL;
    if (!uv_is_closing((uv_handle_t *)&r->stop))
        uv_close((uv_handle_t *)&r->stop, NULL);
}

static void on_stop_time(uv_timer_t *timer)
{
    struct running *r = timer->data;
    if (r->exec)
        fw_exec_stop(r->exec);
}

static json_t *classes_of(const struct fw_task_info *task)
{
    json_t *list = json_array();
    for (size_t i = 0; i < task->n_classes; i++)
        json_array_append_new(list, json_string(task->classes[i]));
    return list;
}

static json_t *make_request(const struct fw_trial_spec *spec, const char *out, const char *scratch)
{
    json_t *outputs = json_object(), *name;
    size_t i;
    json_array_foreach (spec->outputs, i, name) {
        const char *text = json_string_value(name);
        json_object_set_new(outputs, text, json_sprintf("%s/%s", out, text));
    }
    /* The last field is one that no plugin knows: requests may grow, and plugins must not mind. */
    return json_pack(
        "{s:i,s:s,s:i,s:s,s:s,s:s,s:i,s:s,s:s,s:o,s:s,s:{},s:{},s:{},s:[],s:s,s:O,s:O,s:o,"
        "s:{s:i,s:i},s:n,s:s,s:{s:b}}",
        "protocol", FW_PROTOCOL, "run", "plugin-test", "iteration", 0, "stage",
        fw_kind_name(spec->kind), "node", fw_kind_name(spec->kind), "kind",
        fw_kind_name(spec->kind), "seed", 1, "project", spec->project, "task", "classification",
        "classes", classes_of(spec->task), "metric", "macro_f1", "human_level", "importance",
        "ease", "slices", "split", "dev", "params", spec->params, "inputs", spec->inputs, "outputs",
        outputs, "resources", "cpus", 1, "memory", 0, "deadline", "scratch", scratch, "future",
        "unknown", 1);
}

static int run_to_its_end(const struct fw_trial_spec *spec, struct fw_trial *t, char *const *env,
                          struct fw_err *err)
{
    const char *argv[] = {spec->plugin, "run", NULL};
    struct running r = {.trial = t};
    struct fw_exec_spec x = {
        .argv = argv,
        .env = (const char *const *)env,
        .cwd = spec->project,
        .log_path = t->log,
        .timeout_ms = spec->timeout_ms,
        .grace_ms = spec->grace_ms,
        .on_event = on_event,
        .on_exit = on_exit_done,
        .ctx = &r,
    };
    uv_loop_t loop;
    int failed = uv_loop_init(&loop);
    if (failed)
        return fw_err_set(err, FW_EIO, "cannot make an event loop: %s", uv_strerror(failed));
    uv_timer_init(&loop, &r.stop);
    r.stop.data = &r;
    int rc = fw_exec_start(&loop, &x, &r.exec, err);
    if (rc != FW_OK)
        uv_close((uv_handle_t *)&r.stop, NULL);
    else if (spec->stop_after_ms > 0)
        uv_timer_start(&r.stop, on_stop_time, (uint64_t)spec->stop_after_ms, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&loop) != 0 && rc == FW_OK)
        rc = fw_err_set(err, FW_EIO, "the event loop did not close");
    return rc;
}

int fw_trial_run(const struct fw_trial_spec *spec, struct fw_trial *out, struct fw_err *err)
{
    char *scratch = fw_fs_join(spec->dir, "scratch");
    char *path = fw_fs_join(spec->dir, "request.json");
    json_t *request = NULL;
    char **env = NULL;
    int rc = FW_OK;
    memset(out, 0, sizeof(*out));
    out->out = fw_fs_join(spec->dir, "out");
    out->log = fw_fs_join(spec->dir, "log");
    if (!scratch || !path || !out->out || !out->log)
        rc = fw_err_nomem(err);
    if (rc == FW_OK)
        rc = fw_fs_mkdirs(scratch, err);
    if (rc == FW_OK)
        rc = fw_fs_mkdirs(out->out, err);
    if (rc == FW_OK)
        rc = (request = make_request(spec, out->out, scratch)) ? FW_OK : fw_err_nomem(err);
    if (rc == FW_OK)
        rc = fw_request_write(path, request, err);
    if (rc == FW_OK) {
        env = fw_plugin_env(request, path, NULL, err);
        rc = env ? run_to_its_end(spec, out, env, err) : err ? err->code : FW_ENOMEM;
    }
    free(env);
    json_decref(request);
    free(path);
    free(scratch);
    return rc;
}

void fw_trial_release(struct fw_trial *t)
{
    free(t->out);
    free(t->log);
    fw_buf_release(&t->bad);
    fw_buf_release(&t->waiting);
    memset(t, 0, sizeof(*t));
}

void fw_trial_ending(const struct fw_trial *t, struct fw_buf *out)
{
    switch (t->exit.kind) {
    case FW_EXIT_CODE:
        fw_buf_printf(out, "exit %d", t->exit.code);
        break;
    case FW_EXIT_SIGNAL:
        fw_buf_printf(out, "killed by signal %d (%s)", t->exit.signal, strsignal(t->exit.signal));
        break;
    case FW_EXIT_TIMEOUT:
        fw_buf_printf(out, "still running after %.1f s", (double)t->exit.wall_ms / 1000);
        break;
    case FW_EXIT_OOM:
        fw_buf_puts(out, "out of memory");
        break;
    case FW_EXIT_LOG_LIMIT:
        fw_buf_puts(out, "wrote more log than is allowed");
        break;
    case FW_EXIT_STOPPED:
        fw_buf_puts(out, "stopped");
        break;
    }
}
