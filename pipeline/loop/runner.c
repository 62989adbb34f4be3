#include "pipeline/loop/runner.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "pipeline/base/clock.h"
#include "pipeline/base/fs.h"
#include "pipeline/cache/cache.h"
#include "pipeline/exec/exec.h"
#include "pipeline/loop/artifact.h"
#include "pipeline/loop/node.h"
#include "pipeline/loop/runner_parts.h"
#include "pipeline/plugin/plugin.h"

enum { TAIL_LINES = 8 };

/* A node that is being carried out. */
struct live {
    struct fw_runner *r;
    struct fw_job *job;
    int at;    /* in the job's graph */
    int index; /* in the scheduler */
    struct fw_step *task;
    struct fw_exec *exec;
    uv_work_t work;
    int64_t began;
    struct live *next;
};

struct fw_runner {
    struct fw_runner_options o;
    struct fw_artifacts *artifacts;
    char (*digests)[FW_SHA256_HEX]; /* plugin digest by stage; "" until asked for */
    double stage_ms;
    int signal;
    /* one fw_runner_run */
    uv_loop_t loop;
    uv_timer_t wake;
    uv_signal_t sigint, sigterm;
    struct fw_sched *sched;
    struct fw_job *const *jobs;
    size_t n_jobs;
    struct live *live;
    bool finished, pumping;
    struct fw_err fault; /* of the engine itself: ends the run */
};

int fw_runner_open(const struct fw_runner_options *o, struct fw_runner **out, struct fw_err *err)
{
    struct fw_runner *r = calloc(1, sizeof *r);
    if (!r)
        return fw_err_nomem(err);
    r->o = *o;
    r->artifacts = fw_artifacts_new(o->project, o->repo);
    r->digests = calloc(o->project->plan->n_stages + 1, sizeof *r->digests);
    if (!r->artifacts || !r->digests) {
        fw_runner_close(r);
        return fw_err_nomem(err);
    }
    *out = r;
    return FW_OK;
}

void fw_runner_close(struct fw_runner *r)
{
    if (!r)
        return;
    fw_artifacts_free(r->artifacts);
    free(r->digests);
    free(r);
}

int fw_runner_signal(const struct fw_runner *r)
{
    return r->signal;
}

double fw_runner_stage_ms(const struct fw_runner *r)
{
    return r->stage_ms;
}

void fw_job_release(struct fw_job *job)
{
    for (size_t i = 0; job->results && i < job->graph->n; i++) {
        json_decref(job->results[i].outputs);
        free(job->results[i].log);
        free(job->results[i].waiting);
    }
    free(job->results);
    job->results = NULL;
}

const char *fw_job_output(const struct fw_job *job, const char *node, const char *output)
{
    int at = fw_graph_find(job->graph, node);
    if (at < 0 || !job->results)
        return NULL;
    return json_string_value(
        json_object_get(json_object_get(job->results[at].outputs, output), "path"));
}

static const char *plugin_digest(struct fw_runner *r, const struct fw_stage *s, struct fw_err *err)
{
    size_t at = (size_t)(s - r->o.project->plan->stages);
    if (!r->digests[at][0] &&
        fw_plugin_digest(s->plugin_path, s->describe, r->digests[at], err) != FW_OK)
        return NULL;
    return r->digests[at];
}

/* Paths and digests of a node's inputs, all of which are there by now. */
static int find_inputs(struct fw_runner *r, struct fw_step *t, struct fw_err *err)
{
    for (size_t i = 0; i < t->node->n_in; i++) {
        const struct fw_input *in = &t->node->in[i];
        t->in[i].name = in->name;
        if (in->node >= 0) {
            const json_t *o = json_object_get(t->job->results[in->node].outputs, in->ref);
            t->in[i].path = json_string_value(json_object_get(o, "path"));
            t->in[i].digest = json_string_value(json_object_get(o, "digest"));
            if (!t->in[i].path)
                return fw_err_set(err, FW_EINVAL, "input '%s' was not made", in->name);
            continue;
        }
        const struct fw_artifact *a;
        int rc = fw_artifacts_get(r->artifacts, t->job, in->ref, &a, err);
        if (rc != FW_OK)
            return fw_err_wrap(err, "input '%s'", in->name);
        t->in[i].path = a->path;
        t->in[i].digest = a->digest;
    }
    return FW_OK;
}

/* Parameters that name files or folders of the project ("format": "path" in describe) stand for their
 * content: a pool that has grown gives another result. */
static void add_files(struct fw_runner *r, struct fw_job *job, const struct fw_node *node,
                      json_t *recipe)
{
    const json_t *schema = node->stage ? json_object_get(node->stage->describe, "params") : NULL;
    json_t *files = json_object(), *param;
    const char *name;
    json_object_foreach ((json_t *)schema, name, param) {
        const char *format = json_string_value(json_object_get(param, "format"));
        const char *path = json_string_value(json_object_get(node->stage->params, name));
        const struct fw_artifact *a = NULL;
        struct fw_buf ref = {0};
        if (!format || strcmp(format, "path") || !path || !*path)
            continue;
        fw_buf_printf(&ref, "file:%s", path);
        if (!ref.failed && fw_artifacts_get(r->artifacts, job, ref.p, &a, NULL) == FW_OK)
            json_object_set_new(files, name, json_string(a->digest));
        else /* not readable as a whole: good for this call alone; the stage itself says what is wrong */
            json_object_set_new(files, name, json_pack("[s, i]", r->o.run, job->iteration));
        fw_buf_release(&ref);
    }
    if (json_object_size(files))
        json_object_set(recipe, "files", files);
    json_decref(files);
}

int fw_runner_look_up(struct fw_runner *r, struct fw_job *job, const struct fw_node *node,
                      struct fw_step **out, bool *hit, struct fw_err *err)
{
    struct fw_step *t = NULL;
    const char *digest = NULL;
    int rc = fw_step_open(r->o.project, r->o.run, job, node, &t, err);
    if (rc == FW_OK)
        rc = find_inputs(r, t, err);
    if (rc == FW_OK && node->type == FW_NODE_PLUGIN &&
        !(digest = plugin_digest(r, node->stage, err)))
        rc = err->code;
    if (rc == FW_OK)
        rc = fw_recipe_make(r->o.project, r->o.run, job, node, digest, t->in, &t->recipe, err);
    if (rc == FW_OK)
        add_files(r, job, node, t->recipe);
    if (rc == FW_OK)
        rc = fw_cache_key(t->recipe, t->key, err);
    /* What an iteration that is on record was decided with stays, whatever has become of a pool since. */
    const char *had = json_string_value(json_object_get(job->replay, node->name));
    json_t *result = NULL;
    if (rc == FW_OK && had && fw_cache_get(r->o.project->state_dir, had, &result, NULL) == FW_OK)
        snprintf(t->key, sizeof t->key, "%s", had);
    json_decref(result);
    if (rc == FW_OK) {
        int got = fw_cache_get(r->o.project->state_dir, t->key, &t->result, err);
        *hit = got == FW_OK;
        if (got != FW_OK && got != FW_ENOTFOUND)
            rc = got;
    }
    if (rc == FW_OK)
        *out = t;
    else
        fw_step_free(t);
    return rc;
}

static void pump(struct fw_runner *r);

static void journal_node(struct fw_runner *r, const struct fw_job *job, size_t at, const char *key,
                         enum fw_state state)
{
    const struct fw_node_result *res = &job->results[at];
    const struct fw_node *node = &job->graph->nodes[at];
    struct fw_err err = {0};
    json_t *record =
        json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:f, s:i}", "type", "stage", "iteration",
                  job->iteration, "phase", job->phase, "label", job->label ? job->label : "",
                  "node", node->name, "stage", node->stage ? node->stage->name : "", "state",
                  fw_state_name(state), "seconds", res->seconds, "attempts", res->attempts);
    if (key && *key)
        json_object_set_new(record, "key", json_string(key));
    if (res->log)
        json_object_set_new(record, "log",
                            json_string(res->log + strlen(r->o.project->state_dir) + 1));
    if (!fw_state_is_success(state) && res->err.msg[0])
        json_object_set_new(record, "error", json_string(res->err.msg));
    if (!record || fw_journal_append(r->o.journal, record, false, &err) != FW_OK)
        r->fault = record ? err : (struct fw_err){.code = FW_ENOMEM, .msg = "out of memory"};
    json_decref(record);
    const char *error = fw_state_is_success(state) ? NULL : res->err.msg;
    fw_observe(&r->o.observer, "{s:s, s:s, s:s, s:i, s:s, s:f, s:i, s:s?}", "event", "node", "node",
               node->name, "state", fw_state_name(state), "iteration", job->iteration, "label",
               job->label ? job->label : "", "seconds", res->seconds, "attempt", res->attempts,
               "error", error && *error ? error : NULL);
}

static void live_free(struct live *l)
{
    for (struct live **at = &l->r->live; *at; at = &(*at)->next) {
        if (*at == l) {
            *at = l->next;
            break;
        }
    }
    fw_step_free(l->task);
    free(l);
}

static void finish(struct live *l, enum fw_state state)
{
    struct fw_runner *r = l->r;
    struct fw_node_result *res = &l->job->results[l->at];
    res->attempts = fw_sched_attempts(r->sched, l->index);
    if (l->began) {
        double ms = (double)(fw_clock_ms() - l->began);
        res->seconds = ms / 1000;
        r->stage_ms += ms;
    }
    if (fw_state_is_success(state) && !(res->outputs = fw_step_outputs(l->task)))
        r->fault = (struct fw_err){.code = FW_ENOMEM, .msg = "out of memory"};
    fw_sched_finish(r->sched, l->index, state, fw_clock_ms());
    res->state = fw_sched_state(r->sched, l->index);
    journal_node(r, l->job, l->at, l->task ? l->task->key : NULL, state);
    live_free(l);
    pump(r);
}

static void check_work(uv_work_t *w)
{
    struct live *l = w->data;
    if (!l->task->node->stage)
        fw_step_builtin_work(l->task);
    else
        fw_step_check_work(l->task);
}

static void check_done(uv_work_t *w, int status)
{
    struct live *l = w->data;
    struct fw_step *t = l->task;
    (void)status;
    if (t->rc == FW_OK) {
        finish(l, FW_STATE_DONE);
        return;
    }
    l->job->results[l->at].err = t->err;
    if (t->rc == FW_EIO || t->rc == FW_ENOMEM) /* ours, not the stage's: say so and stop */
        l->r->fault = t->err;
    finish(l, FW_STATE_BAD_OUTPUT);
}

/* What the end of a process means, in words. */
static enum fw_state judge(struct live *l, const struct fw_exit *x)
{
    struct fw_node_result *res = &l->job->results[l->at];
    const struct fw_stage *s = l->task->node->stage;
    struct fw_err *err = &res->err;
    switch (x->kind) {
    case FW_EXIT_CODE:
        if (x->code == 0)
            return FW_STATE_DONE;
        if (x->code == 75)
            return FW_STATE_WAITING;
        fw_err_set(err, FW_ESTAGE, "exited with %d", x->code);
        return FW_STATE_FAILED;
    case FW_EXIT_TIMEOUT:
        fw_err_set(err, FW_ESTAGE, "ran longer than its timeout of %g s",
                   (double)s->timeout_ms / 1000);
        return FW_STATE_TIMEOUT;
    case FW_EXIT_OOM:
        fw_err_set(err, FW_ESTAGE, "used more memory than its limit of %llu MiB",
                   (unsigned long long)(s->resources.memory >> 20));
        return FW_STATE_OOM;
    case FW_EXIT_LOG_LIMIT:
        fw_err_set(err, FW_ESTAGE, "wrote more log than is allowed");
        return FW_STATE_FAILED;
    case FW_EXIT_STOPPED:
        fw_err_set(err, FW_ECANCELLED, "stopped");
        return FW_STATE_CANCELLED;
    case FW_EXIT_SIGNAL:
    default:
        fw_err_set(err, FW_ESTAGE, "was killed by signal %d (%s)%s", x->signal,
                   strsignal(x->signal),
                   x->signal == SIGKILL ? "; the system may have run out of memory" : "");
        return FW_STATE_KILLED;
    }
}

static void on_exit_cb(void *ctx, const struct fw_exit *x)
{
    struct live *l = ctx;
    struct fw_runner *r = l->r;
    l->exec = NULL;
    enum fw_state state = judge(l, x);
    if (state != FW_STATE_DONE) {
        finish(l, state);
        return;
    }
    l->work.data = l;
    if (uv_queue_work(&r->loop, &l->work, check_work, check_done) != 0) {
        fw_err_set(&l->job->results[l->at].err, FW_EIO, "cannot queue the check of its outputs");
        finish(l, FW_STATE_FAILED);
    }
}

static void on_event(void *ctx, const json_t *event)
{
    struct live *l = ctx;
    const char *type = json_string_value(json_object_get(event, "type"));
    const char *node = l->task->node->name;
    const struct fw_observer *o = &l->r->o.observer;
    if (!type)
        return;
    if (!strcmp(type, "waiting")) {
        struct fw_node_result *res = &l->job->results[l->at];
        const char *reason = json_string_value(json_object_get(event, "reason"));
        free(res->waiting);
        res->waiting = strdup(reason ? reason : "an outside system");
        res->waiting_count = (int)json_number_value(json_object_get(event, "count"));
    } else if (!strcmp(type, "progress")) {
        const char *unit = json_string_value(json_object_get(event, "unit"));
        fw_observe(o, "{s:s, s:s, s:f, s:f, s:s}", "event", "progress", "node", node, "done",
                   json_number_value(json_object_get(event, "done")), "total",
                   json_number_value(json_object_get(event, "total")), "unit", unit ? unit : "");
    } else if (!strcmp(type, "message")) {
        const char *level = json_string_value(json_object_get(event, "level"));
        const char *text = json_string_value(json_object_get(event, "text"));
        fw_observe(o, "{s:s, s:s, s:s, s:s}", "event", "message", "node", node, "level",
                   level ? level : "info", "text", text ? text : "");
    } else if (!strcmp(type, "metric")) {
        const char *name = json_string_value(json_object_get(event, "name"));
        fw_observe(o, "{s:s, s:s, s:s, s:f}", "event", "metric", "node", node, "name",
                   name ? name : "", "value", json_number_value(json_object_get(event, "value")));
    }
}

static int start_process(struct live *l, struct fw_err *err)
{
    struct fw_step *t = l->task;
    const struct fw_stage *s = t->node->stage;
    struct fw_node_result *res = &l->job->results[l->at];
    char *scratch = fw_fs_join(t->dir, "scratch"), *path = fw_fs_join(t->dir, "request.json");
    const char **declared = calloc(s->n_env + 1, sizeof *declared);
    struct fw_buf *vars = calloc(s->n_env + 1, sizeof *vars);
    json_t *request = NULL;
    char **env = NULL, **argv = NULL;
    const char *const plugin[] = {s->plugin_path, "run", NULL};
    int rc = scratch && path && declared && vars ? fw_step_prepare(t, err) : fw_err_nomem(err);
    for (size_t i = 0; i < s->n_env && rc == FW_OK; i++) {
        fw_buf_printf(&vars[i], "%s=%s", s->env[i].name, s->env[i].text);
        declared[i] = vars[i].p;
        rc = vars[i].failed ? fw_err_nomem(err) : FW_OK;
    }
    if (rc == FW_OK)
        rc = fw_request_make(l->r->o.project, t->run, l->job, t->node, t->in, t->out_dir, scratch,
                             &request, err);
    if (rc == FW_OK)
        rc = fw_request_write(path, request, err);
    if (rc == FW_OK && !(env = fw_plugin_env(request, path, declared, err)))
        rc = err->code;
    if (rc == FW_OK && t->node->type == FW_NODE_COMMAND)
        rc = fw_recipe_argv(t->node, request, &argv, err);
    free(res->log);
    res->log = strdup(t->log);
    if (rc == FW_OK && !res->log)
        rc = fw_err_nomem(err);
    if (rc == FW_OK) {
        struct fw_exec_spec spec = {.argv = argv ? (const char *const *)argv : plugin,
                                    .env = (const char *const *)env,
                                    .cwd = argv ? l->r->o.project->root : scratch,
                                    .log_path = t->log,
                                    .timeout_ms = s->timeout_ms,
                                    .memory = s->resources.memory,
                                    .cpus = s->resources.cpus,
                                    .nice = s->resources.nice,
                                    .on_event = on_event,
                                    .on_exit = on_exit_cb,
                                    .ctx = l};
        l->began = fw_clock_ms();
        rc = fw_exec_start(&l->r->loop, &spec, &l->exec, err);
    }
    for (size_t i = 0; vars && i < s->n_env; i++)
        fw_buf_release(&vars[i]);
    fw_recipe_argv_free(argv);
    json_decref(request);
    free(vars);
    free(declared);
    free(env);
    free(scratch);
    free(path);
    return rc;
}

static void begin(struct fw_runner *r, int index, int attempt)
{
    struct fw_err err = {0};
    struct live *l = calloc(1, sizeof *l);
    size_t j = 0;
    int at = index;
    for (; at >= (int)r->jobs[j]->graph->n; j++)
        at -= (int)r->jobs[j]->graph->n;
    if (!l) {
        fw_err_nomem(&r->fault);
        fw_sched_finish(r->sched, index, FW_STATE_FAILED, fw_clock_ms());
        return;
    }
    l->r = r;
    l->job = r->jobs[j];
    l->at = at;
    l->index = index;
    l->next = r->live;
    r->live = l;
    const struct fw_node *node = &l->job->graph->nodes[at];
    bool hit = false;
    int rc = fw_runner_look_up(r, l->job, node, &l->task, &hit, &err);
    if (rc == FW_OK && hit) {
        finish(l, FW_STATE_CACHED);
        return;
    }
    if (rc == FW_OK && node->stage) {
        fw_observe(&r->o.observer, "{s:s, s:s, s:s, s:i, s:s, s:i}", "event", "node", "node",
                   node->name, "state", "running", "iteration", l->job->iteration, "label",
                   l->job->label ? l->job->label : "", "attempt", attempt);
        rc = start_process(l, &err);
    } else if (rc == FW_OK) {
        rc = fw_step_prepare(l->task, &err);
        l->work.data = l;
        if (rc == FW_OK && uv_queue_work(&r->loop, &l->work, check_work, check_done) != 0)
            rc = fw_err_set(&err, FW_EIO, "cannot queue work");
    }
    if (rc == FW_OK)
        return;
    l->job->results[at].err = err;
    if (rc == FW_EIO || rc == FW_ENOMEM)
        r->fault = err;
    finish(l, FW_STATE_FAILED);
}

static void on_wake(uv_timer_t *t)
{
    pump(t->data);
}

static void pump(struct fw_runner *r)
{
    if (r->pumping) /* a node that ended at once (cached): the loop below goes on by itself */
        return;
    r->pumping = true;
    while (!r->finished) {
        if (r->fault.code)
            fw_sched_cancel(r->sched);
        struct fw_action a = fw_sched_next(r->sched, fw_clock_ms());
        if (a.type == FW_ACT_START) {
            begin(r, a.node, a.attempt);
            continue;
        }
        if (a.type == FW_ACT_WAKE) {
            int64_t in = a.at_ms - fw_clock_ms();
            uv_timer_start(&r->wake, on_wake, in > 0 ? (uint64_t)in : 1, 0);
        } else if (a.type == FW_ACT_FINISHED) {
            r->finished = true;
            uv_close((uv_handle_t *)&r->wake, NULL);
            uv_close((uv_handle_t *)&r->sigint, NULL);
            uv_close((uv_handle_t *)&r->sigterm, NULL);
        }
        break;
    }
    r->pumping = false;
}

static void on_signal(uv_signal_t *s, int signum)
{
    struct fw_runner *r = s->data;
    r->signal = signum;
    fw_observe(&r->o.observer, "{s:s, s:s, s:s}", "event", "message", "level", "warning", "text",
               "stopping; `flywheel resume` will go on from here");
    fw_sched_cancel(r->sched);
    for (struct live *l = r->live; l; l = l->next)
        if (l->exec)
            fw_exec_stop(l->exec);
    pump(r);
}

/* The first failure, with where its log is and its last lines. */
static int outcome(struct fw_runner *r, struct fw_err *err)
{
    const struct fw_node_result *waiting = NULL;
    const char *who = "";
    if (r->fault.code) {
        *err = r->fault;
        return r->fault.code;
    }
    if (r->signal)
        return fw_err_set(err, FW_ECANCELLED, "stopped by signal %d (%s)", r->signal,
                          strsignal(r->signal));
    for (size_t j = 0; j < r->n_jobs; j++) {
        for (size_t i = 0; i < r->jobs[j]->graph->n; i++) {
            const struct fw_node_result *res = &r->jobs[j]->results[i];
            if (res->state == FW_STATE_WAITING) {
                waiting = res;
                who = r->jobs[j]->graph->nodes[i].name;
            }
            if (!fw_state_is_failure(res->state))
                continue;
            struct fw_buf tail = {0};
            fw_err_set(err, FW_ESTAGE, "stage %s (iteration %d) %s",
                       r->jobs[j]->graph->nodes[i].name, r->jobs[j]->iteration, res->err.msg);
            if (res->err.file[0])
                fw_err_at(err, res->err.file, res->err.line, res->err.col);
            if (res->log && fw_log_tail(res->log, TAIL_LINES, &tail, NULL) == FW_OK && tail.len) {
                size_t used = strlen(err->msg);
                snprintf(err->msg + used, sizeof err->msg - used, "\n  last lines of %s:\n%s",
                         res->log, tail.p);
            }
            fw_buf_release(&tail);
            fw_err_hint(err, "%s",
                        res->err.hint[0] ? res->err.hint
                                         : "mend the cause, then `flywheel resume`; after a change "
                                           "of flywheel.yaml, `flywheel run`");
            return FW_ESTAGE;
        }
    }
    if (waiting)
        return fw_err_set(err, FW_EWAITING, "%s: %s", who,
                          waiting->waiting ? waiting->waiting : "an outside system is not done");
    return FW_OK;
}

static int prepare(struct fw_runner *r, struct fw_job *const *jobs, size_t n, struct fw_err *err)
{
    r->jobs = jobs;
    r->n_jobs = n;
    r->finished = false;
    r->fault = (struct fw_err){0};
    r->live = NULL;
    for (size_t j = 0; j < n; j++) {
        fw_job_release(jobs[j]);
        jobs[j]->results = calloc(jobs[j]->graph->n + 1, sizeof *jobs[j]->results);
        if (!jobs[j]->results)
            return fw_err_nomem(err);
    }
    return fw_runner_make_sched(r->o.project->plan, jobs, n, r->o.jobs, &r->sched, err);
}

int fw_runner_run(struct fw_runner *r, struct fw_job *const *jobs, size_t n, struct fw_err *err)
{
    int rc = prepare(r, jobs, n, err);
    if (rc != FW_OK)
        return rc;
    int e = uv_loop_init(&r->loop);
    if (e) {
        fw_sched_free(r->sched);
        r->sched = NULL;
        return fw_err_sys(err, -e, "cannot start the event loop");
    }
    uv_timer_init(&r->loop, &r->wake);
    uv_signal_init(&r->loop, &r->sigint);
    uv_signal_init(&r->loop, &r->sigterm);
    r->wake.data = r->sigint.data = r->sigterm.data = r;
    uv_signal_start(&r->sigint, on_signal, SIGINT);
    uv_signal_start(&r->sigterm, on_signal, SIGTERM);
    pump(r);
    uv_run(&r->loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&r->loop) != 0)
        fw_err_set(&r->fault, FW_EIO, "the event loop did not close");
    size_t index = 0;
    for (size_t j = 0; j < n; j++) {
        for (size_t i = 0; i < jobs[j]->graph->n; i++) {
            enum fw_state state = fw_sched_state(r->sched, (int)index++);
            jobs[j]->results[i].state = state;
            /* Those that never began had no end of their own to be told. */
            if (state == FW_STATE_SKIPPED)
                journal_node(r, jobs[j], i, NULL, state);
        }
    }
    rc = outcome(r, err);
    fw_sched_free(r->sched);
    r->sched = NULL;
    return rc;
}
