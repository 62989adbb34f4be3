/* The end of a run: the sealed test, the hand-over, and the record that is committed. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/clock.h"
#include "pipeline/base/fs.h"
#include "pipeline/loop/loop_state.h"
#include "pipeline/loop/record.h"

/* The models of a measured snapshot on the test split. */
static int test_one(struct fw_loop *l, struct fw_measured *m, const char *label,
                    const struct fw_evalset *set, json_t **out, struct fw_err *err)
{
    struct fw_graph *graph = NULL;
    struct fw_scores *scores = NULL;
    struct fw_job job = {.phase = "test",
                         .label = label,
                         .iteration = m->iteration,
                         .snapshot = m->oid,
                         .task = l->task,
                         .prior = &m->job,
                         .labels_left = NAN};
    struct fw_job *jobs[] = {&job};
    int rc = fw_graph_expand(l->plan, FW_PHASE_TEST, &graph, err);
    job.graph = graph;
    if (rc == FW_OK)
        rc = fw_runner_run(l->runner, jobs, 1, err);
    if (rc == FW_OK)
        rc = fw_measure_scores(l, &job, set, &scores, err);
    if (rc == FW_OK)
        rc = fw_scores_report(set, &l->metric, scores, l->plan->loop.confidence, l->plan->seed, out,
                              err);
    fw_scores_free(scores);
    if (graph)
        fw_job_release(&job);
    fw_graph_free(graph);
    return rc;
}

static bool has_test(const struct fw_loop *l)
{
    return json_integer_value(json_object_get(json_object_get(l->info, "rows"), "test")) > 0;
}

/* Once per run, after the stop: the champion, and the baseline beside it. */
static int sealed_test(struct fw_loop *l, struct fw_err *err)
{
    struct fw_evalset *set = NULL;
    json_t *champion = NULL, *baseline = NULL;
    if (fw_loop_find(l, "test", -1) || !has_test(l))
        return FW_OK;
    fw_observe(&l->o->observer, "{s:s, s:s}", "event", "phase", "phase", "test");
    int rc = fw_evalset_load(l->repo, l->base->oid, "test", l->plan, &l->task, &set, err);
    if (rc == FW_OK)
        rc = test_one(l, l->base, "test-baseline", set, &baseline, err);
    if (rc == FW_OK && l->champion != l->base)
        rc = test_one(l, l->champion, "test-champion", set, &champion, err);
    else if (rc == FW_OK)
        champion = json_incref(baseline);
    if (rc == FW_OK)
        rc = fw_loop_record(l,
                            json_pack("{s:s, s:O, s:O}", "type", "test", "champion", champion,
                                      "baseline", baseline),
                            err);
    json_decref(champion);
    json_decref(baseline);
    fw_evalset_free(set);
    return rc;
}

static void say(json_t *list, const char *fmt, ...) FW_PRINTF(2, 3);

static void say(json_t *list, const char *fmt, ...)
{
    char line[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    json_array_append_new(list, json_string(line));
}

static void say_slice(const struct fw_loop *l, json_t *next, const json_t *s, double worth)
{
    const char *slice = json_string_value(json_object_get(s, "slice"));
    double gap = json_number_value(json_object_get(s, "gap"));
    bool human = !isnan(l->plan->metric.human_default) || l->plan->metric.n_human > 0;
    if (l->task.task == FW_REGRESSION)
        say(next,
            "Work on %s: closing its gap of %.4g to %s would take %.4g off the mean absolute "
            "error.",
            slice, gap, human ? "human level" : "an error of 0", worth);
    else
        say(next,
            "Work on %s: closing its gap to %s of %.1f points would be worth %.2f points of "
            "accuracy.",
            slice, human ? "human level" : "100 %", 100 * gap, 100 * worth);
}

/* The slice to work on after `done` others, when the analysis says (analysis.h, "order"); else the one
 * with the next lower priority. */
static const json_t *slice_after(const json_t *slices, size_t done)
{
    const json_t *s;
    size_t i;
    json_array_foreach (slices, i, s)
        if (json_integer_value(json_object_get(s, "order")) == (json_int_t)done + 1)
            return s;
    s = json_array_get(slices, 0);
    return json_object_get(s, "order") ? NULL : json_array_get(slices, done);
}

/* What would be the best next use of time, in plain sentences. */
static json_t *next_steps(const struct fw_loop *l, enum fw_stop reason, const json_t *analysis)
{
    json_t *next = json_array();
    const json_t *slices = json_object_get(analysis, "slices");
    for (size_t i = 0; i < 3 && i < json_array_size(slices); i++) {
        const json_t *s = slice_after(slices, i);
        double worth = json_number_value(json_object_get(s, "worth"));
        if (!s || worth <= 0)
            break;
        say_slice(l, next, s, worth);
    }
    const json_t *noise = json_object_get(analysis, "noise");
    double rate = json_number_value(json_object_get(noise, "rate"));
    if (json_is_object(noise) && rate >= 0.01)
        say(next,
            "About %.1f %% of the train labels still look wrong; %lld are listed as suspects.",
            100 * rate, (long long)json_integer_value(json_object_get(analysis, "suspects")));
    const json_t *r;
    size_t i;
    json_array_foreach (json_object_get(l->champion->report, "audit"), i, r) {
        if (!strcmp(json_string_value(json_object_get(r, "state")), "broken"))
            say(next, "The audit is broken: %s; the champion is short by %.4g.",
                json_string_value(json_object_get(r, "requirement")),
                json_number_value(json_object_get(r, "short_by")));
    }
    const char *said =
        json_string_value(json_object_get(json_object_get(analysis, "exchange"), "sentence"));
    if (said)
        say(next, "%s", said);
    if (l->head != l->champion)
        say(next,
            "Unproven fixes wait on refs/flywheel/provisional/%s: neither better nor worse beyond "
            "the "
            "noise. A larger dev set would tell.",
            l->plan->name);
    if (reason == FW_STOP_PATIENCE || reason == FW_STOP_NOTHING_LEFT || reason == FW_STOP_STABLE)
        say(next,
            "Data fixes have stopped helping this model: compare model variants on the frozen "
            "snapshot, then start a new baseline with `flywheel run --new-model`.");
    if (reason == FW_STOP_BUDGET)
        say(next,
            "The budget ended the run, not the data: raise it in `loop: {budget: ...}` to go on.");
    if (reason == FW_STOP_MAX_ITERATIONS)
        say(next, "max_iterations ended the run, not the data: another `flywheel run` goes on from "
                  "here.");
    return next;
}

static int hand_over(struct fw_loop *l, enum fw_stop reason, struct fw_err *err)
{
    struct fw_graph *graph = NULL;
    struct fw_job job;
    json_t *analysis = NULL;
    if (fw_loop_find(l, "handover", -1))
        return FW_OK;
    fw_observe(&l->o->observer, "{s:s, s:s}", "event", "phase", "phase", "handover");
    int rc =
        fw_loop_improve(l, l->stop.iteration + 1, l->champion, false, &graph, &job, &analysis, err);
    if (rc == FW_OK)
        rc = fw_loop_record(l,
                            json_pack("{s:s, s:O?, s:o}", "type", "handover", "analysis", analysis,
                                      "next", next_steps(l, reason, analysis)),
                            err);
    json_decref(analysis);
    fw_graph_free(graph);
    return rc;
}

/* Unproven fixes stay on a ref of their own. */
static int keep_provisional(struct fw_loop *l, struct fw_err *err)
{
    char ref[512], old[FW_OID_HEX];
    snprintf(ref, sizeof ref, "refs/flywheel/provisional/%s", l->plan->name);
    if (l->head == l->champion) /* nothing is unproven any more */
        return fw_repo_ref(l->repo, ref, old, NULL) == FW_OK
                   ? fw_repo_set_ref(l->repo, ref, l->champion->oid, err)
                   : FW_OK;
    int rc = fw_repo_set_ref(l->repo, ref, l->head->oid, err);
    if (rc == FW_OK)
        rc = fw_loop_record_once(l,
                                 json_pack("{s:s, s:s, s:s}", "type", "provisional", "snapshot",
                                           l->head->oid, "ref", ref),
                                 NULL, err);
    return rc;
}

/* The record, the journal, the plan and the lock under refs/flywheel/runs/<id>. */
static int commit_record(struct fw_loop *l, struct fw_err *err)
{
    static const char *const names[] = {"record.json", "journal.jsonl", "flywheel.yaml",
                                        "flywheel.lock"};
    struct fw_buf files[4] = {{0}};
    json_t *record = NULL;
    char *text = NULL, *journal = fw_run_path(l->project->state_dir, l->run, "journal.jsonl");
    char *lock = fw_fs_join(l->project->root, "flywheel.lock");
    char ref[512], message[512], oid[FW_OID_HEX];
    json_t *all = json_copy(l->records);
    json_array_append_new(all, json_pack("{s:s}", "type", "end"));
    int rc = journal && lock && all ? fw_record_fold(all, &record, err) : fw_err_nomem(err);
    if (rc == FW_OK && !(text = json_dumps(record, JSON_INDENT(1) | JSON_SORT_KEYS)))
        rc = fw_err_nomem(err);
    if (rc == FW_OK) {
        fw_buf_puts(&files[0], text);
        fw_buf_puts(&files[2], l->project->text);
        rc = fw_fs_read(journal, 0, &files[1], err);
    }
    if (rc == FW_OK)
        rc = fw_fs_read(lock, 0, &files[3], err);
    if (rc == FW_OK) {
        snprintf(ref, sizeof ref, "refs/flywheel/runs/%s", l->run);
        snprintf(message, sizeof message, "flywheel run %s\n\nFlywheel-Run: %s\n", l->run, l->run);
        rc = fw_repo_commit_files(l->repo, names, files, 4, l->champion->oid, message,
                                  fw_clock_now(), oid, err);
    }
    if (rc == FW_OK)
        rc = fw_repo_set_ref(l->repo, ref, oid, err);
    for (size_t i = 0; i < 4; i++)
        fw_buf_release(&files[i]);
    json_decref(record);
    json_decref(all);
    free(text);
    free(journal);
    free(lock);
    return rc;
}

int fw_loop_end(struct fw_loop *l, enum fw_stop reason, const char *text, struct fw_err *err)
{
    int rc = fw_loop_record_once(
        l,
        json_pack("{s:s, s:s, s:s}", "type", "stop", "reason", fw_stop_name(reason), "text", text),
        NULL, err);
    if (rc == FW_OK)
        rc = keep_provisional(l, err);
    if (rc == FW_OK)
        rc = hand_over(l, reason, err);
    if (rc == FW_OK)
        rc = sealed_test(l, err);
    if (rc == FW_OK)
        rc = commit_record(l, err);
    if (rc == FW_OK)
        rc = fw_loop_record_once(l, json_pack("{s:s}", "type", "end"), NULL, err);
    size_t merged;
    if (rc == FW_OK) /* as many as git lets be before its own `gc --auto`; a failure costs nothing */
        fw_repo_tidy_packs(l->repo, 50, &merged, NULL);
    if (rc == FW_OK)
        fw_observe(&l->o->observer, "{s:s, s:s, s:s}", "event", "stop", "reason",
                   fw_stop_name(reason), "text", text);
    return rc;
}
