#include "pipeline/loop/record.h"

#include <string.h>

/* What a journal folds to; see record.h for the shape. */
struct fold {
    json_t *out, *iterations;
    const json_t *header;
    bool inherited; /* unproven fixes of earlier runs are in the head */
};

static const char *text_of(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

static void copy(json_t *to, const json_t *from, const char *key)
{
    json_t *v = json_object_get(from, key);
    if (v)
        json_object_set(to, key, v);
}

static json_t *iteration(struct fold *f, int k)
{
    size_t i;
    json_t *it;
    json_array_foreach (f->iterations, i, it) {
        if (json_integer_value(json_object_get(it, "iteration")) == k)
            return it;
    }
    it = json_pack("{s:i, s:n, s:n, s:n, s:[], s:[], s:[], s:n, s:b, s:[], s:f}", "iteration", k,
                   "snapshot", "score", "gate", "fixes", "ablation", "aside", "analysis",
                   "champion", 0, "stages", "seconds", 0.0);
    if (it && json_array_append_new(f->iterations, it) != 0)
        return NULL;
    return it;
}

static void on_header(struct fold *f, const json_t *r)
{
    static const char *const keys[] = {"run",    "version", "name",  "task", "classes",
                                       "metric", "gate",    "model", "plan", "sets"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        copy(f->out, r, keys[i]);
    json_object_set(f->out, "started", json_object_get(r, "at"));
    f->header = r;
}

static void on_stage(struct fold *f, const json_t *r)
{
    static const char *const keys[] = {"node",     "stage", "state", "seconds",
                                       "attempts", "log",   "error", "label"};
    json_t *it = iteration(f, (int)json_integer_value(json_object_get(r, "iteration")));
    json_t *stages = json_object_get(it, "stages"), *s = json_object();
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        copy(s, r, keys[i]);
    /* A later attempt or a resumed session says it anew. */
    size_t i;
    json_t *old;
    bool cached = !strcmp(text_of(r, "state"), "cached");
    json_array_foreach (stages, i, old) {
        if (strcmp(text_of(old, "node"), text_of(s, "node")) ||
            strcmp(text_of(old, "label"), text_of(s, "label")))
            continue;
        if (cached && !strcmp(text_of(old, "state"), "done"))
            json_decref(s);
        else
            json_array_set_new(stages, i, s);
        return;
    }
    json_array_append_new(stages, s);
}

static void on_proposed(struct fold *f, const json_t *r)
{
    json_t *it = iteration(f, (int)json_integer_value(json_object_get(r, "iteration")));
    json_t *fixes = json_array(), *part;
    size_t i;
    json_array_foreach (json_object_get(r, "parts"), i, part) {
        json_t *fix =
            json_pack("{s:s, s:s, s:n, s:n, s:n, s:n, s:b}", "stage", text_of(part, "stage"),
                      "kind", text_of(part, "kind"), "gain", "low", "high", "verdict", "kept", 0);
        json_object_update(fix, json_object_get(part, "counts"));
        copy(fix, part, "labels");
        copy(fix, part, "money");
        json_array_append_new(fixes, fix);
    }
    json_object_set_new(it, "fixes", fixes);
    copy(it, r, "aside");
    copy(it, r, "aside_total");
    copy(it, r, "snapshot");
    json_object_set(it, "parent", json_object_get(r, "head"));
}

static void on_measured(struct fold *f, const json_t *r)
{
    static const char *const keys[] = {"snapshot", "parent",    "rows",      "score",
                                       "metrics",  "per_class", "confusion", "audit"};
    int k = (int)json_integer_value(json_object_get(r, "iteration"));
    json_t *it = iteration(f, k);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        copy(it, r, keys[i]);
    if (k == 0) {
        json_object_set_new(
            it, "gate",
            json_pack("{s:s, s:s}", "verdict", "baseline", "reason", "the data as imported"));
        json_object_set_new(it, "state", json_string("kept"));
        json_object_set_new(f->out, "champion",
                            json_pack("{s:i, s:O, s:O}", "iteration", 0, "snapshot",
                                      json_object_get(r, "snapshot"), "score",
                                      json_object_get(r, "score")));
    }
}

/* Gains measured by the gate go to the fixes that were proposed. */
static void merge_gains(json_t *fixes, const json_t *gains)
{
    static const char *const keys[] = {"gain", "low", "high", "verdict", "kept"};
    size_t i, j;
    json_t *fix, *gain;
    json_array_foreach (fixes, i, fix) {
        json_array_foreach (gains, j, gain) {
            if (strcmp(text_of(fix, "stage"), text_of(gain, "part")))
                continue;
            for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
                copy(fix, gain, keys[k]);
        }
    }
}

/* A later gate decides about the provisional fixes before it as well. Fates of single fixes are an
 * ablation's, of its own iteration. */
static void settle_provisional(struct fold *f, const json_t *fates)
{
    size_t i, j;
    json_t *fate, *it;
    json_array_foreach (fates, i, fate) {
        if (json_is_true(json_object_get(fate, "inherited")))
            f->inherited = false;
        if (!json_object_get(fate, "from") || json_object_get(fate, "fixes"))
            continue;
        json_array_foreach (f->iterations, j, it) {
            double k = json_number_value(json_object_get(it, "iteration"));
            if (strcmp(text_of(it, "state"), "provisional") ||
                k < json_number_value(json_object_get(fate, "from")) ||
                k > json_number_value(json_object_get(fate, "to")))
                continue;
            bool kept = !strcmp(text_of(fate, "fate"), "kept");
            json_object_set_new(it, "state", json_string(kept ? "kept" : "rolled back"));
        }
    }
}

static void on_gate(struct fold *f, const json_t *r)
{
    json_t *it = iteration(f, (int)json_integer_value(json_object_get(r, "iteration")));
    const json_t *result = json_object_get(r, "result"), *second = json_object_get(r, "second");
    copy(it, r, "gate");
    copy(it, r, "ablation");
    copy(it, r, "state");
    if (json_is_object(second))
        json_object_set(it, "gate_after_ablation", (json_t *)second);
    merge_gains(json_object_get(it, "fixes"), json_object_get(r, "fixes"));
    settle_provisional(f, json_object_get(r, "fates"));
    if (json_is_object(result)) {
        copy(it, result, "snapshot");
        json_object_update(it, json_object_get(result, "report"));
        if (!strcmp(text_of(r, "state"), "kept"))
            json_object_set_new(f->out, "champion",
                                json_pack("{s:O, s:O, s:O}", "iteration",
                                          json_object_get(r, "champion_iteration"), "snapshot",
                                          json_object_get(result, "snapshot"), "score",
                                          json_object_get(it, "score")));
    }
    copy(f->out, r, "looks");
    json_object_set(f->out, "labels_used", json_object_get(r, "labels"));
    json_object_set(f->out, "money_used", json_object_get(r, "money"));
}

static void status(struct fold *f, const char *s, const json_t *r)
{
    json_object_set_new(f->out, "status", json_string(s));
    json_object_set(f->out, "ended", strcmp(s, "running") ? json_object_get(r, "at") : json_null());
    json_object_set_new(f->out, "failure",
                        !strcmp(s, "failed") ? json_pack("{s:s, s:s}", "text", text_of(r, "text"),
                                                         "hint", text_of(r, "hint"))
                                             : json_null());
    json_object_set_new(f->out, "waiting",
                        !strcmp(s, "parked") ? json_pack("[{s:s}]", "reason", text_of(r, "text"))
                                             : json_array());
}

static void on_record(struct fold *f, const json_t *r)
{
    const char *type = text_of(r, "type");
    if (!strcmp(type, "run"))
        on_header(f, r);
    else if (!strcmp(type, "stage"))
        on_stage(f, r);
    else if (!strcmp(type, "sanity"))
        json_object_set(f->out, "sanity", (json_t *)r);
    else if (!strcmp(type, "baselines"))
        copy(f->out, r, "baselines");
    else if (!strcmp(type, "proposed"))
        on_proposed(f, r);
    else if (!strcmp(type, "measured"))
        on_measured(f, r);
    else if (!strcmp(type, "gate"))
        on_gate(f, r);
    else if (!strcmp(type, "analysis"))
        copy(iteration(f, (int)json_integer_value(json_object_get(r, "iteration"))), r, "analysis");
    else if (!strcmp(type, "nothing"))
        copy(iteration(f, (int)json_integer_value(json_object_get(r, "iteration"))), r, "aside");
    else if (!strcmp(type, "inherited"))
        f->inherited = *text_of(r, "snapshot");
    else if (!strcmp(type, "base"))
        json_object_set(f->out, "import", (json_t *)r);
    else if (!strcmp(type, "test") || !strcmp(type, "handover") || !strcmp(type, "provisional"))
        json_object_set(f->out, type, (json_t *)r);
    else if (!strcmp(type, "stop"))
        json_object_set_new(
            f->out, "stop",
            json_pack("{s:s, s:s}", "reason", text_of(r, "reason"), "text", text_of(r, "text")));
    else if (!strcmp(type, "resumed"))
        status(f, "running", r);
    else if (!strcmp(type, "parked") || !strcmp(type, "failed") || !strcmp(type, "interrupted"))
        status(f, type, r);
    else if (!strcmp(type, "end"))
        status(f, "stopped", r);
}

const json_t *fw_record_gate(const json_t *iteration)
{
    const json_t *second = json_object_get(iteration, "gate_after_ablation");
    return json_is_object(second) ? second : json_object_get(iteration, "gate");
}

/* By the parts of an ablation. False when there was none, or it does not say how many. */
static bool fixes_by_part(const json_t *parts, double *kept, double *dropped)
{
    size_t i;
    json_t *part;
    *kept = *dropped = 0;
    json_array_foreach (parts, i, part) {
        json_t *n = json_object_get(part, "fixes");
        if (!json_is_number(n))
            return false;
        *(json_is_true(json_object_get(part, "kept")) ? kept : dropped) += json_number_value(n);
    }
    return json_array_size(parts) > 0;
}

void fw_record_fixes(const json_t *iteration, double *kept, double *dropped)
{
    static const char *const changes[] = {"relabel", "add", "remove", "guideline"};
    size_t i;
    json_t *fix;
    if (!fixes_by_part(json_object_get(iteration, "ablation"), kept, dropped)) {
        *kept = *dropped = 0;
        json_array_foreach (json_object_get(iteration, "fixes"), i, fix) {
            double *to = json_is_false(json_object_get(fix, "kept")) ? dropped : kept;
            for (size_t k = 0; k < sizeof changes / sizeof *changes; k++)
                *to += json_number_value(json_object_get(fix, changes[k]));
        }
    }
    if (!strcmp(text_of(iteration, "state"), "rolled back")) {
        *dropped += *kept;
        *kept = 0;
    }
}

static json_t *used(const struct fold *f, const char *limit, double value)
{
    const json_t *b = json_object_get(f->header, "budget");
    json_t *max = json_object_get(b, limit);
    return json_pack("{s:f, s:O}", "used", value, "limit", max ? max : json_null());
}

static void count_provisional(struct fold *f)
{
    const json_t *provisional = json_object_get(f->out, "provisional");
    double sum = 0, kept, dropped;
    size_t i;
    json_t *it;
    if (!json_is_object(provisional))
        return;
    json_array_foreach (f->iterations, i, it) {
        fw_record_fixes(it, &kept, &dropped);
        if (!strcmp(text_of(it, "state"), "provisional"))
            sum += kept;
    }
    json_t *counted = json_copy((json_t *)provisional); /* the original is the journal's */
    json_object_set_new(counted, "fixes", json_integer((json_int_t)sum));
    json_object_set_new(counted, "inherited", json_boolean(f->inherited));
    json_object_set_new(f->out, "provisional", counted);
}

static void finish(struct fold *f, const json_t *journal)
{
    double wall = 0, stage = 0;
    size_t i, j;
    json_t *r, *it, *s;
    json_array_foreach (journal, i, r) {
        if (json_object_get(r, "wall_ms")) {
            wall = json_number_value(json_object_get(r, "wall_ms")) / 1000;
            stage = json_number_value(json_object_get(r, "stage_ms")) / 1000;
        }
    }
    json_object_set_new(
        f->out, "budget",
        json_pack("{s:o, s:o, s:o, s:o}", "labels",
                  used(f, "labels", json_number_value(json_object_get(f->out, "labels_used"))),
                  "money",
                  used(f, "money", json_number_value(json_object_get(f->out, "money_used"))),
                  "wall_seconds", used(f, "wall_seconds", wall), "stage_seconds",
                  used(f, "stage_seconds", stage)));
    json_object_del(f->out, "labels_used");
    json_object_del(f->out, "money_used");
    const json_t *champion = json_object_get(f->out, "champion");
    json_array_foreach (f->iterations, i, it) {
        double seconds = 0;
        json_array_foreach (json_object_get(it, "stages"), j, s)
            seconds += json_number_value(json_object_get(s, "seconds"));
        json_object_set_new(it, "seconds", json_real(seconds));
        json_object_set_new(it, "champion",
                            json_boolean(json_is_object(champion) &&
                                         json_equal(json_object_get(champion, "iteration"),
                                                    json_object_get(it, "iteration"))));
    }
}

/* An iteration that only looked for fixes (none were left) is no row of the record; it stands apart,
 * for its logs and for the reasons why nothing that was proposed was taken. */
static void drop_empty(struct fold *f)
{
    for (size_t i = json_array_size(f->iterations); i-- > 0;) {
        json_t *it = json_array_get(f->iterations, i);
        if (!json_is_null(json_object_get(it, "snapshot")) ||
            strcmp(text_of(f->out, "status"), "stopped"))
            continue;
        json_object_set(f->out, "last_look", it);
        json_array_remove(f->iterations, i);
    }
}

int fw_record_fold(const json_t *journal, json_t **out, struct fw_err *err)
{
    struct fold f = {.iterations = json_array()};
    f.out = json_pack("{s:i, s:s, s:n, s:n, s:n, s:n, s:n, s:n, s:n, s:n, s:i, s:[], s:[], s:s}",
                      "flywheel", 1, "status", "running", "ended", "sanity", "champion",
                      "provisional", "test", "handover", "stop", "failure", "looks", 0, "baselines",
                      "waiting", "run", "");
    size_t i;
    json_t *r;
    if (!f.out || !f.iterations) {
        json_decref(f.out);
        json_decref(f.iterations);
        return fw_err_nomem(err);
    }
    json_array_foreach (journal, i, r)
        on_record(&f, r);
    finish(&f, journal);
    drop_empty(&f);
    count_provisional(&f);
    json_object_set_new(f.out, "iterations", f.iterations);
    *out = f.out;
    return FW_OK;
}
