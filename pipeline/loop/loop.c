#include "pipeline/loop/loop.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "pipeline/base/clock.h"
#include "pipeline/base/fs.h"
#include "pipeline/cache/cache.h"
#include "pipeline/exec/exec.h"
#include "pipeline/loop/loop_state.h"
#include "pipeline/loop/notify.h"
#include "pipeline/loop/record.h"

static int new_id(struct fw_loop *l, struct fw_err *err)
{
    char id[64];
    unsigned short r = 0;
    time_t now = (time_t)fw_clock_now();
    struct tm tm;
    if (l->o->new_id) {
        if (!fw_fs_rel_is_safe(l->o->new_id) || strchr(l->o->new_id, '/') || l->o->new_id[0] == '.')
            return fw_err_set(err, FW_EINVAL, "'%s' cannot name a run: use letters, digits and '-'",
                              l->o->new_id);
        l->run = strdup(l->o->new_id);
    } else {
        if (getrandom(&r, sizeof r, 0) != sizeof r)
            r = (unsigned short)fw_clock_ms();
        gmtime_r(&now, &tm);
        size_t n = strftime(id, sizeof id, "%Y%m%d-%H%M%S", &tm);
        snprintf(id + n, sizeof id - n, "-%04x", r);
        l->run = strdup(id);
    }
    if (!l->run)
        return fw_err_nomem(err);
    char *journal = fw_run_path(l->project->state_dir, l->run, "journal.jsonl");
    int rc = FW_OK;
    if (!journal)
        rc = fw_err_nomem(err);
    else if (fw_fs_exists(journal))
        rc = fw_err_set(err, FW_EEXISTS, "there is a run '%s' already", l->run);
    free(journal);
    return rc;
}

/* A run that waits for people has tasks out: a second one beside it would send them twice. */
static int refuse_if_parked(struct fw_loop *l, struct fw_err *err)
{
    json_t *runs = NULL, *record = NULL;
    int rc = fw_runs_list(l->project->state_dir, &runs, err);
    size_t n = rc == FW_OK ? json_array_size(runs) : 0;
    const char *last = n ? json_string_value(json_array_get(runs, n - 1)) : NULL;
    if (last && !l->o->even_if_parked &&
        fw_run_record(l->project->state_dir, last, &record, NULL) == FW_OK &&
        !strcmp(json_string_value(json_object_get(record, "status")), "parked")) {
        rc = fw_err_set(err, FW_EWAITING, "run %s is parked, waiting for people", last);
        fw_err_hint(
            err,
            "`flywheel resume` goes on with it; `flywheel run --new` starts another beside it");
    }
    json_decref(record);
    json_decref(runs);
    return rc;
}

int fw_loop_load_history(struct fw_loop *l, struct fw_err *err)
{
    json_t *runs = NULL;
    size_t i;
    json_t *name;
    if (!(l->history = fw_history_new()))
        return fw_err_nomem(err);
    int rc = fw_runs_list(l->project->state_dir, &runs, err);
    l->order = (int)json_array_size(runs);
    json_array_foreach (runs, i, name) {
        const char *id = json_string_value(name);
        json_t *records = NULL;
        if (rc != FW_OK || (l->run && !strcmp(id, l->run))) /* they stand in the order of time */
            break;
        char *path = fw_run_path(l->project->state_dir, id, "journal.jsonl");
        if (path && fw_journal_read(path, &records, NULL) == FW_OK)
            rc = fw_history_add_journal(l->history, records, err);
        json_decref(records);
        free(path);
    }
    json_decref(runs);
    return rc;
}

static int check_same_plan(const struct fw_loop *l, struct fw_err *err)
{
    const json_t *header = fw_loop_find(l, "run", -1);
    const char *plan = json_string_value(json_object_get(header, "plan"));
    if (!plan || !strcmp(plan, l->project->text))
        return FW_OK;
    fw_err_set(err, FW_EREFUSED, "flywheel.yaml has changed since run %s began", l->run);
    fw_err_at(err, l->project->yaml, 0, 0);
    return fw_err_hint(err, "put it back to resume, or start a new run with `flywheel run`");
}

static int open_all(struct fw_loop *l, struct fw_err *err)
{
    const struct fw_project *p = l->project;
    char *path = NULL;
    int rc = fw_project_make_state(p, err);
    if (rc == FW_OK)
        rc = fw_lock_take(p->state_dir, l->o->command, l->o->wait, &l->lock, err);
    if (rc == FW_OK) { /* what an engine that was killed left behind */
        fw_exec_end_orphans(p->root);
        rc = fw_cache_clean(p->state_dir, err);
    }
    if (rc == FW_OK)
        rc = fw_repo_open(p->root, p->plan->dataset.repo, p->state_dir, &l->repo, err);
    if (rc == FW_OK && l->o->run) {
        l->resumed = true;
        rc = (l->run = strdup(l->o->run)) ? FW_OK : fw_err_nomem(err);
    } else if (rc == FW_OK) {
        rc = refuse_if_parked(l, err);
        if (rc == FW_OK)
            rc = new_id(l, err);
    }
    if (rc == FW_OK && !(path = fw_run_path(p->state_dir, l->run, "journal.jsonl")))
        rc = fw_err_nomem(err);
    if (rc == FW_OK)
        rc = fw_journal_open(path, !l->resumed, &l->journal, &l->records, err);
    free(path);
    if (rc == FW_OK && l->resumed)
        rc = check_same_plan(l, err);
    struct fw_runner_options o = {.project = p,
                                  .repo = l->repo,
                                  .run = l->run,
                                  .journal = l->journal,
                                  .observer = l->o->observer,
                                  .jobs = l->o->jobs};
    if (rc == FW_OK)
        rc = fw_runner_open(&o, &l->runner, err);
    return rc == FW_OK ? fw_loop_load_history(l, err) : rc;
}

/* Time spent in earlier sessions, from the last record that says it. */
static void carry_over(struct fw_loop *l)
{
    for (size_t i = json_array_size(l->records); i-- > 0;) {
        const json_t *r = json_array_get(l->records, i);
        if (!json_object_get(r, "wall_ms"))
            continue;
        l->wall_before_ms = json_number_value(json_object_get(r, "wall_ms"));
        l->stop.stage_ms = json_number_value(json_object_get(r, "stage_ms"));
        break;
    }
}

static enum fw_stop check_stop(struct fw_loop *l, int next, char *text, size_t size)
{
    const json_t *stop = fw_loop_find(l, "stop", -1);
    if (stop && !fw_loop_find(l, "iteration", next) && !fw_loop_find(l, "nothing", next)) {
        const char *reason = json_string_value(json_object_get(stop, "reason"));
        snprintf(text, size, "%s", json_string_value(json_object_get(stop, "text")));
        for (int s = FW_STOP_TARGET; s <= FW_STOP_MAX_ITERATIONS; s++)
            if (reason && !strcmp(reason, fw_stop_name(s)))
                return s;
    }
    /* An iteration that was begun is finished: only clocks could say otherwise now. */
    if (fw_loop_find(l, "iteration", next) && !l->stop.nothing_left)
        return FW_STOP_NONE;
    struct fw_loop_state s = l->stop;
    s.score =
        json_number_value(json_object_get(json_object_get(l->champion->report, "score"), "value"));
    s.higher_is_better = fw_metric_higher_is_better(&l->metric);
    s.wall_ms = fw_loop_wall_ms(l);
    s.stage_ms += fw_runner_stage_ms(l->runner);
    return fw_stop_check(l->plan, &s, text, size);
}

static int turns(struct fw_loop *l, struct fw_err *err)
{
    char text[256];
    enum fw_stop reason;
    int rc = FW_OK;
    for (int k = 1; (reason = check_stop(l, k, text, sizeof text)) == FW_STOP_NONE; k++) {
        rc = fw_loop_turn(l, k, err);
        if (rc != FW_OK)
            return rc;
    }
    return fw_loop_end(l, reason, text, err);
}

/* A run that did not get as far as its header never was: nothing can be resumed. */
static void drop_unborn(struct fw_loop *l)
{
    char *dir = l->run && l->journal && !fw_loop_find(l, "run", -1)
                    ? fw_run_path(l->project->state_dir, l->run, "")
                    : NULL;
    if (dir)
        fw_fs_remove(dir, NULL);
    free(dir);
}

/* How the session ended, for status and for the next one. */
static void record_outcome(struct fw_loop *l, int rc, const struct fw_err *err)
{
    json_t *record = NULL;
    struct fw_err ignored;
    if (rc == FW_OK || !l->journal || !fw_loop_find(l, "run", -1))
        return;
    if (rc == FW_EWAITING)
        record = json_pack("{s:s, s:s}", "type", "parked", "text", err->msg);
    else if (rc == FW_ECANCELLED)
        record = json_pack("{s:s, s:s}", "type", "interrupted", "text", err->msg);
    else
        record =
            json_pack("{s:s, s:s, s:s}", "type", "failed", "text", err->msg, "hint", err->hint);
    fw_loop_record(l, record, &ignored);
}

static void close_all(struct fw_loop *l)
{
    fw_measured_free(l->head);
    fw_measured_free(l->champion);
    fw_measured_free(l->base);
    fw_evalset_free(l->dev);
    fw_history_free(l->history);
    fw_runner_close(l->runner);
    fw_journal_close(l->journal);
    fw_repo_close(l->repo);
    fw_lock_release(l->lock);
    json_decref(l->records);
    json_decref(l->info);
    free(l->classes);
    free(l->kappas);
    free(l->run);
}

int fw_loop_run(const struct fw_project *project, const struct fw_loop_options *o,
                struct fw_loop_outcome *outcome, struct fw_err *err)
{
    const struct fw_plan *plan = project->plan;
    struct fw_loop l = {.project = project,
                        .plan = plan,
                        .o = o,
                        .session_began = fw_clock_ms(),
                        .rules = {.rule = plan->loop.rule,
                                  .confidence = plan->loop.confidence,
                                  .min_gain = plan->loop.min_gain,
                                  .max_iterations = plan->loop.max_iterations,
                                  .ablate = plan->loop.ablate}};
    int rc = open_all(&l, err);
    if (rc == FW_OK) {
        carry_over(&l);
        fw_observe(&o->observer, "{s:s, s:s, s:b}", "event", "run", "run", l.run, "resumed",
                   l.resumed);
        if (l.resumed)
            rc = fw_loop_record(&l, json_pack("{s:s}", "type", "resumed"), err);
    }
    if (rc == FW_OK)
        rc = fw_loop_begin(&l, outcome, err);
    if (rc == FW_OK)
        rc = turns(&l, err);
    record_outcome(&l, rc, err);
    if (rc != FW_OK)
        drop_unborn(&l);
    if (l.runner)
        outcome->signal = fw_runner_signal(l.runner);
    if (l.run && l.records)
        fw_notify(plan, l.run, l.records, &o->observer);
    outcome->run = l.run;
    l.run = NULL;
    close_all(&l);
    return rc;
}

int fw_loop_import(const struct fw_project *project, const char *command, bool again,
                   char oid[FW_OID_HEX], struct fw_import_report *report,
                   struct fw_import_problems *problems, struct fw_err *err)
{
    struct fw_lock *lock = NULL;
    struct fw_repo *repo = NULL;
    int rc = fw_project_make_state(project, err);
    if (rc == FW_OK)
        rc = fw_lock_take(project->state_dir, command, false, &lock, err);
    if (rc == FW_OK)
        rc = fw_repo_open(project->root, project->plan->dataset.repo, project->state_dir, &repo,
                          err);
    if (rc == FW_OK)
        rc = fw_loop_base(project, repo, fw_clock_now(), again, oid, report, problems, err);
    fw_repo_close(repo);
    fw_lock_release(lock);
    return rc;
}
