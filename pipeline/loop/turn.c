/* One turn: analyse the head, collect proposals, apply, measure, gate, and act on the verdict. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/clock.h"
#include "pipeline/base/fs.h"
#include "pipeline/loop/turn.h"
#include "stages/error_analysis/analysis.h"

enum { ASIDE_KEPT = 50, SLICES_KEPT = 60 };

/* What the report keeps of analysis.json. */
static json_t *trimmed(const json_t *analysis, const char *oid)
{
    static const char *const whole[] = {"metric",   "confusions", "noise",
                                        "coverage", "exchange",   "notes"};
    json_t *out = json_object(), *slices = json_array();
    size_t i;
    json_t *slice;
    json_object_set_new(out, "snapshot", json_string(oid));
    for (i = 0; i < sizeof whole / sizeof *whole; i++)
        json_object_set(out, whole[i], json_object_get(analysis, whole[i]));
    json_array_foreach (json_object_get(analysis, "slices"), i, slice) {
        if (i < SLICES_KEPT)
            json_array_append(slices, slice);
    }
    json_object_set_new(out, "slices", slices);
    json_object_set_new(
        out, "suspects",
        json_integer((json_int_t)json_array_size(json_object_get(analysis, "suspects"))));
    return out;
}

int fw_loop_write_inputs(struct fw_loop *l, const char *dir, const char *oid, char **history,
                         char **guidelines, struct fw_err *err)
{
    struct fw_buf lines = {0}, text = {0};
    int rc = dir ? fw_fs_mkdirs(dir, err) : fw_err_nomem(err);
    if (rc == FW_OK) {
        *history = fw_fs_join(dir, "history.jsonl");
        *guidelines = fw_fs_join(dir, "GUIDELINES.md");
        if (!*history || !*guidelines)
            rc = fw_err_nomem(err);
    }
    if (rc == FW_OK)
        rc = fw_history_write(l->history, &lines, err);
    if (rc == FW_OK)
        rc = fw_fs_write_atomic(*history, lines.p, lines.len, err);
    if (rc == FW_OK)
        rc = fw_snap_guidelines(l->repo, oid, &text, err);
    if (rc == FW_OK)
        rc = fw_fs_write_atomic(*guidelines, text.p ? text.p : "", text.len, err);
    fw_buf_release(&lines);
    fw_buf_release(&text);
    return rc;
}

static int find_analysis(const struct fw_job *job, json_t **out, struct fw_err *err)
{
    for (size_t i = 0; i < job->graph->n; i++) {
        const struct fw_node *node = &job->graph->nodes[i];
        if (!node->stage || node->stage->kind != FW_ERROR_ANALYSIS)
            continue;
        const char *path = fw_job_output(job, node->name, fw_kind_output(FW_ERROR_ANALYSIS));
        if (path)
            return fw_analysis_load(path, out, err);
    }
    return FW_OK;
}

/* Keys of the results that the proposals of a recorded iteration were made from. New reference. */
static json_t *recorded_keys(const struct fw_loop *l, int iteration)
{
    json_t *keys = fw_loop_find(l, "proposed", iteration) ? json_object() : NULL, *r;
    size_t i;
    json_array_foreach (l->records, i, r) {
        const char *phase = json_string_value(json_object_get(r, "phase"));
        const char *label = json_string_value(json_object_get(r, "label"));
        const char *state = json_string_value(json_object_get(r, "state"));
        const char *node = json_string_value(json_object_get(r, "node"));
        json_t *key = json_object_get(r, "key");
        if (keys && key && node && phase && !strcmp(phase, "improve") && label && !*label &&
            state && (!strcmp(state, "done") || !strcmp(state, "cached")) &&
            json_integer_value(json_object_get(r, "iteration")) == iteration)
            json_object_set(keys, node, key);
    }
    return keys;
}

int fw_loop_improve(struct fw_loop *l, int iteration, struct fw_measured *on, bool propose,
                    struct fw_graph **graph, struct fw_job *job, json_t **analysis,
                    struct fw_err *err)
{
    char *history = NULL, *guidelines = NULL;
    struct fw_graph *whole = NULL, *part = NULL;
    json_t *found = NULL, *keys = propose ? recorded_keys(l, iteration) : NULL;
    struct fw_job *jobs[] = {job};
    *analysis = NULL;
    char rel[64];
    snprintf(rel, sizeof rel, "%d", iteration);
    char *dir = fw_run_path(l->project->state_dir, l->run, rel);
    int rc = fw_loop_write_inputs(l, dir, on->oid, &history, &guidelines, err);
    free(dir);
    if (rc == FW_OK)
        rc = fw_graph_expand(l->plan, FW_PHASE_IMPROVE, &whole, err);
    if (rc == FW_OK && !propose)
        rc = fw_graph_only(whole, FW_ERROR_ANALYSIS, &part, err);
    *job =
        (struct fw_job){.graph = part ? part : whole,
                        .phase = "improve",
                        .label = propose ? "" : "handover",
                        .iteration = iteration,
                        .snapshot = on->oid,
                        .task = l->task,
                        .prior = &on->job,
                        .history = history,
                        .guidelines = guidelines,
                        .replay = keys,
                        .labels_left = isnan(l->plan->loop.budget_labels)
                                           ? NAN
                                           : fmax(0, l->plan->loop.budget_labels - l->stop.labels)};
    if (rc == FW_OK)
        rc = fw_runner_run(l->runner, jobs, 1, err);
    if (rc == FW_OK)
        rc = find_analysis(job, &found, err);
    if (rc == FW_OK && found)
        *analysis = trimmed(found, on->oid);
    json_decref(found);
    json_decref(keys);
    job->history = job->guidelines = NULL;
    job->replay = NULL;
    free(history);
    free(guidelines);
    if (part) { /* only the analysis was wanted, and it has been read */
        fw_job_release(job);
        fw_graph_free(part);
        fw_graph_free(whole);
        whole = NULL;
    }
    *graph = whole;
    return rc;
}

static int record_proposed(struct fw_turn *t, struct fw_err *err)
{
    json_t *parts = json_array(), *kept = json_array();
    size_t i;
    json_t *item;
    for (i = 0; i < t->parts.n; i++)
        json_array_append_new(parts, fw_part_record(&t->parts.list[i]));
    json_array_foreach (t->aside, i, item) {
        if (i < ASIDE_KEPT)
            json_array_append(kept, item);
    }
    json_t *record =
        json_pack("{s:s, s:i, s:s, s:s, s:o, s:o, s:I}", "type", "proposed", "iteration", t->k,
                  "head", t->l->head->oid, "snapshot", t->candidate, "parts", parts, "aside", kept,
                  "aside_total", (json_int_t)json_array_size(t->aside));
    if (record)
        fw_observe(&t->l->o->observer, "{s:s, s:i, s:O}", "event", "proposed", "iteration", t->k,
                   "parts", parts);
    return fw_loop_record_once(t->l, record, "snapshot", err);
}

/* Collects the proposals and makes the candidate. */
static int propose(struct fw_turn *t, struct fw_err *err)
{
    struct fw_loop *l = t->l;
    json_t *analysis = NULL;
    fw_observe(&l->o->observer, "{s:s, s:s}", "event", "phase", "phase", "improve");
    int rc = fw_loop_improve(l, t->k, l->head, true, &t->graph, &t->job, &analysis, err);
    if (rc == FW_OK)
        rc = fw_loop_record_once(l,
                                 json_pack("{s:s, s:i, s:O?}", "type", "analysis", "iteration",
                                           t->k, "analysis", analysis),
                                 NULL, err);
    json_decref(analysis);
    if (rc == FW_OK)
        rc = fw_parts_load(&t->parts, &t->job, l->history, t->aside, err);
    if (rc != FW_OK || fw_parts_fixes(&t->parts) == 0)
        return rc;
    json_t *aside = NULL;
    rc = fw_turn_apply(t, &t->parts, NULL, "", t->candidate, &aside, err);
    if (rc == FW_OK)
        json_array_extend(t->aside, aside);
    json_decref(aside);
    if (rc == FW_OK)
        rc = fw_parts_settle(&t->parts, t->aside, l->history, l->run, t->k, err);
    for (size_t i = 0; rc == FW_OK && i < t->parts.n; i++) {
        l->stop.labels += t->parts.list[i].labels;
        l->stop.money += t->parts.list[i].money;
    }
    return rc == FW_OK ? record_proposed(t, err) : rc;
}

static json_t *guards_record(const struct fw_decision *d)
{
    json_t *list = json_array();
    for (size_t i = 0; i < d->n_guards; i++) {
        const struct fw_guard *g = &d->guards[i];
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:f, s:f, s:f, s:b, s:b}", "guard", g->name, "metric",
                            g->metric, "before", g->before, "after", g->after, "allowance",
                            g->allowance, "required", g->required, "broken", fw_guard_broken(g)));
    }
    return list;
}

static json_t *gate_record(const struct fw_loop *l, const struct fw_decision *d)
{
    static const char *const rules[] = {"spend", "ladder", "threshold"};
    const struct fw_comparison *c = &d->cmp;
    return json_pack(
        "{s:s, s:f, s:f, s:f, s:f, s:o, s:o, s:i, s:o, s:s, s:s, s:o}", "verdict",
        fw_verdict_name(d->gate.verdict), "gain", c->gain, "low", c->low, "high", c->high, "p",
        c->p_improved, "mcnemar_p", isfinite(c->mcnemar_p) ? json_real(c->mcnemar_p) : json_null(),
        "permutation_p", isfinite(d->permutation_p) ? json_real(d->permutation_p) : json_null(),
        "look", l->looks, "alpha", isfinite(d->gate.alpha) ? json_real(d->gate.alpha) : json_null(),
        "rule", rules[l->rules.rule], "reason", d->gate.reason, "guards", guards_record(d));
}

/* One record says how the iteration ended; what was decided follows from it on resume and in
 * reports. */
static int record_gate(struct fw_turn *t, json_t *first, json_t *second, const char *state,
                       const struct fw_measured *kept, struct fw_err *err)
{
    struct fw_loop *l = t->l;
    json_t *fixes = json_array();
    for (size_t i = 0; i < t->parts.n; i++) {
        t->parts.list[i].kept = strcmp(state, "rolled back") != 0 &&
                                (!json_array_size(t->ablation) || t->parts.list[i].kept);
        json_t *fix = fw_part_gain_record(&t->parts.list[i]);
        if (t->split.n && fw_part_effective(&t->parts.list[i]) && strcmp(state, "rolled back"))
            json_object_set_new(fix, "kept", json_string("partly"));
        json_array_append_new(fixes, fix);
    }
    json_t *record = json_pack(
        "{s:s, s:i, s:O, s:O?, s:o, s:O, s:O, s:s, s:s, s:s, s:i, s:i, s:f, s:f}", "type", "gate",
        "iteration", t->k, "gate", first, "second", second, "fixes", fixes, "ablation", t->ablation,
        "fates", t->fates, "state", state, "champion", l->champion->oid, "head", l->head->oid,
        "champion_iteration", l->champion->iteration, "looks", l->looks, "labels", l->stop.labels,
        "money", l->stop.money);
    if (record && kept)
        json_object_set_new(record, "result",
                            json_pack("{s:s, s:O}", "snapshot", kept->oid, "report", kept->report));
    const json_t *shown = second ? second : first;
    if (record)
        fw_observe(&l->o->observer, "{s:s, s:i, s:O, s:s, s:O, s:O}", "event", "gate", "iteration",
                   t->k, "gate", shown, "state", state, "fixes", fixes, "ablation", t->ablation);
    return fw_loop_record_once(l, record, "champion", err);
}

static int record_measured(struct fw_turn *t, struct fw_err *err)
{
    struct fw_loop *l = t->l;
    json_t *info = NULL;
    int rc = fw_snap_info(l->repo, t->candidate, &info, err);
    if (rc != FW_OK)
        return rc;
    json_t *record =
        json_pack("{s:s, s:i, s:s, s:s, s:O}", "type", "measured", "iteration", t->k, "snapshot",
                  t->candidate, "parent", l->head->oid, "rows", json_object_get(info, "rows"));
    if (record)
        json_object_update(record, t->measured->report);
    rc = fw_loop_record_once(l, record, "score", err);
    fw_observe(&l->o->observer, "{s:s, s:i, s:O}", "event", "measured", "iteration", t->k, "score",
               json_object_get(t->measured->report, "score"));
    json_decref(info);
    return rc;
}

/* Measures, decides, acts. */
static int judge(struct fw_turn *t, struct fw_err *err)
{
    struct fw_loop *l = t->l;
    struct fw_decision d = {0}, again = {0};
    struct fw_measured *kept = NULL, *result = NULL;
    json_t *first = NULL, *second = NULL;
    const char *state = "rolled back";
    bool alone = l->plan->loop.measure_parts && fw_parts_effective(&t->parts) > 1;
    int rc = fw_turn_measure(t, &t->parts, true, alone, err);
    if (rc == FW_OK)
        rc = record_measured(t, err);
    if (rc == FW_OK)
        rc = fw_turn_part_gains(t, &t->parts, err);
    if (rc == FW_OK)
        rc = fw_measure_stability(l, t->measured, err);
    if (rc == FW_OK)
        rc = fw_turn_decide(t, t->measured, false, &d, err);
    if (rc == FW_OK)
        first = gate_record(l, &d);
    enum fw_verdict verdict = d.gate.verdict;
    if (rc == FW_OK && verdict != FW_VERDICT_WORSE) {
        result = t->measured;
    } else if (rc == FW_OK && l->plan->loop.ablate) {
        rc = fw_turn_ablate(t, &kept, &again, err);
        if (rc == FW_OK && kept) {
            second = gate_record(l, &again);
            verdict = again.gate.verdict;
            result = verdict == FW_VERDICT_WORSE ? NULL : kept;
        }
    }
    l->stop.since_improved++;
    if (rc == FW_OK && result) {
        rc = fw_turn_accept(t, result, verdict, err);
        state = verdict == FW_VERDICT_IMPROVED ? "kept" : "provisional";
    } else if (rc == FW_OK) {
        rc = fw_turn_roll_back(t, err);
    }
    if (rc == FW_OK)
        rc = record_gate(t, first, second, state, result, err);
    free(d.guards);
    free(again.guards);
    json_decref(first);
    json_decref(second);
    fw_measured_free(kept);
    return rc;
}

/* Labels were given, but they changed nothing: no look at the dev set is spent on it. */
static int no_change(struct fw_turn *t, struct fw_err *err)
{
    struct fw_loop *l = t->l;
    l->stop.since_improved++;
    json_t *gate =
        json_pack("{s:s, s:f, s:n, s:n, s:n, s:n, s:i, s:n, s:n, s:s, s:[]}", "verdict",
                  "undecided", "gain", 0.0, "low", "high", "p", "mcnemar_p", "look", l->looks,
                  "alpha", "rule", "reason", "no fix changes the data", "guards");
    int rc = record_gate(t, gate, NULL, "unchanged", NULL, err);
    json_decref(gate);
    return rc;
}

static int start(struct fw_turn *t, struct fw_err *err)
{
    struct fw_loop *l = t->l;
    const json_t *before = fw_loop_find(l, "iteration", t->k);
    fw_observe(&l->o->observer, "{s:s, s:i, s:b}", "event", "iteration", "iteration", t->k,
               "recorded", fw_loop_find(l, "gate", t->k) != NULL);
    t->when = before ? json_integer_value(json_object_get(before, "when")) : fw_clock_now();
    return fw_loop_record_once(l,
                               json_pack("{s:s, s:i, s:I, s:s}", "type", "iteration", "iteration",
                                         t->k, "when", (json_int_t)t->when, "head", l->head->oid),
                               "head", err);
}

int fw_loop_turn(struct fw_loop *l, int iteration, struct fw_err *err)
{
    struct fw_turn t = {.l = l,
                        .k = iteration,
                        .aside = json_array(),
                        .ablation = json_array(),
                        .fates = json_array()};
    int rc = t.aside && t.ablation && t.fates ? start(&t, err) : fw_err_nomem(err);
    if (rc == FW_OK)
        rc = propose(&t, err);
    if (rc == FW_OK && fw_parts_fixes(&t.parts) == 0) {
        l->stop.nothing_left = true;
        rc = fw_loop_record_once(l,
                                 json_pack("{s:s, s:i, s:O}", "type", "nothing", "iteration",
                                           iteration, "aside", t.aside),
                                 NULL, err);
    } else if (rc == FW_OK) {
        l->stop.iteration = iteration;
        rc = strcmp(t.candidate, l->head->oid) ? judge(&t, err) : no_change(&t, err);
    }
    fw_parts_release(&t.split, fw_measured_free);
    fw_parts_release(&t.parts, fw_measured_free);
    fw_measured_free(t.measured);
    if (t.graph)
        fw_job_release(&t.job);
    fw_graph_free(t.graph);
    json_decref(t.aside);
    json_decref(t.ablation);
    json_decref(t.fates);
    return rc;
}
