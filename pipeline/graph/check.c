/* What must hold between the stages of a plan before any of them runs. */
#include <string.h>

#include "pipeline/base/suggest.h"
#include "pipeline/graph/deps.h"

enum { MAX_FAN_OUT = 10000 };

struct check {
    const struct fw_plan *plan;
    struct fw_problems *problems;
    const struct fw_deps *deps;
};

static void suggest_stage(const struct fw_plan *plan, struct fw_err *e, const char *word)
{
    const char *near = NULL;
    for (size_t i = 0; e && i < plan->n_stages && !near; i++)
        near = fw_suggest(word, &plan->stages[i].name, 1);
    if (near)
        fw_err_hint(e, "did you mean '%s'?", near);
}

static void check_needs(const struct check *c, const struct fw_stage *s)
{
    for (size_t i = 0; i < s->n_needs; i++)
        if (!fw_plan_stage(c->plan, s->needs[i]))
            suggest_stage(c->plan,
                          fw_plan_problem(c->plan, c->problems, &s->needs_pos[i],
                                          "no stage is named '%.80s'", s->needs[i]),
                          s->needs[i]);
}

static void list_outputs(const struct fw_stage *s, struct fw_err *e)
{
    struct fw_buf b = {0};
    for (size_t i = 0; s->kind == FW_CUSTOM && i < s->n_out && i < 12; i++)
        fw_buf_printf(&b, "%s%s", i ? ", " : "", s->out[i].name);
    if (s->kind != FW_CUSTOM)
        fw_buf_printf(&b, "%s%s", fw_kind_output(s->kind), s->folds > 0 ? ", out-of-fold" : "");
    if (b.p)
        fw_err_hint(e, "it has: %s", b.p);
    else
        fw_err_hint(e, "it has none: name its files with out:");
    fw_buf_release(&b);
}

/* "trian.model" looks like a path; when it is nearly an output of a stage it was meant as one. */
static void check_near_miss(const struct check *c, const struct fw_name_text *in)
{
    const char *dot = strchr(in->text, '.');
    char name[65];
    if (c->plan->n_stages > 200) /* each with each: not worth its time in a large plan */
        return;
    if (!dot || strchr(in->text, '/') || (size_t)(dot - in->text) >= sizeof name)
        return;
    memcpy(name, in->text, (size_t)(dot - in->text));
    name[dot - in->text] = '\0';
    for (size_t i = 0; i < c->plan->n_stages; i++) {
        const struct fw_stage *s = &c->plan->stages[i];
        if (!fw_suggest(name, &s->name, 1) || !fw_stage_has_output(s, dot + 1))
            continue;
        fw_err_hint(fw_plan_problem(c->plan, c->problems, &in->pos, "no stage is named '%s'", name),
                    "did you mean '%s.%s'? For a file of that name write './%s'", s->name, dot + 1,
                    in->text);
        return;
    }
}

static void check_in(const struct check *c, const struct fw_stage *s, const struct fw_name_text *in)
{
    struct fw_ref r = fw_ref_parse(c->plan, in->text);
    struct fw_err *e;
    switch (r.type) {
    case FW_REF_SEALED:
        e = fw_plan_problem(c->plan, c->problems, &in->pos, "dataset.test is sealed");
        fw_err_hint(e, "no stage reads it but the final evaluation, once, after the run has "
                       "stopped; use dataset.dev");
        return;
    case FW_REF_NO_VIEW:
        e = fw_plan_problem(c->plan, c->problems, &in->pos, "the dataset has no part '%.80s'",
                            r.rest);
        fw_err_hint(e,
                    "write dataset.train, dataset.dev or dataset.all (train and dev); a file "
                    "of that name is './%.80s'",
                    in->text);
        return;
    case FW_REF_NO_OUTPUT:
        e = fw_plan_problem(c->plan, c->problems, &in->pos,
                            *r.rest ? "stage '%s' has no output '%.80s'"
                                    : "which output of stage '%s'?%.0s",
                            r.stage->name, r.rest);
        list_outputs(r.stage, e);
        return;
    case FW_REF_FILE:
        check_near_miss(c, in);
        break;
    default:
        break;
    }
    if (r.type == FW_REF_STAGE && strcmp(r.rest, "out-of-fold") == 0 &&
        c->deps->measure[s - c->plan->stages])
        fw_err_hint(fw_plan_problem(c->plan, c->problems, &in->pos,
                                    "'%s' is measured, and out-of-fold predictions come later",
                                    s->name),
                    "only stages that neither train nor evaluate waits for can read them");
    bool fixed = strcmp(in->name, "dataset") == 0 ||
                 (s->kind == FW_EVALUATE && strcmp(in->name, "model") == 0);
    if ((s->kind == FW_TRAIN || s->kind == FW_EVALUATE) && fixed)
        fw_plan_problem(c->plan, c->problems, &in->pos,
                        "the input '%s' of a stage of kind %s is given by flywheel", in->name,
                        fw_kind_name(s->kind));
    else if (s->kind == FW_TRAIN && r.type == FW_REF_DATASET && strcmp(r.rest, "train") != 0)
        fw_err_hint(fw_plan_problem(c->plan, c->problems, &in->pos,
                                    "a train stage may not read dataset.%s", r.rest),
                    "the samples it is judged by must stay unseen");
}

static void check_model(const struct check *c, const struct fw_stage *s)
{
    const struct fw_stage *train = s->model ? fw_plan_stage(c->plan, s->model) : NULL;
    if (!s->model) {
        size_t trains = 0;
        for (size_t i = 0; i < c->plan->n_stages; i++)
            trains += c->plan->stages[i].kind == FW_TRAIN;
        struct fw_err *e = fw_plan_problem(c->plan, c->problems, &s->pos,
                                           trains ? "which train stage does '%s' evaluate?"
                                                  : "'%s' evaluates, and there is no train stage",
                                           s->name);
        fw_err_hint(e, trains ? "say it with model: NAME" : "add a stage of kind: train");
    } else if (!train) {
        suggest_stage(c->plan,
                      fw_plan_problem(c->plan, c->problems, &s->model_pos,
                                      "no stage is named '%.80s'", s->model),
                      s->model);
    } else if (train->kind != FW_TRAIN) {
        fw_plan_problem(c->plan, c->problems, &s->model_pos, "'%s' is not a train stage", s->model);
    } else {
        if (s->n_axes > 0 && !fw_same_axes(s, train))
            fw_err_hint(fw_plan_problem(c->plan, c->problems, &s->pos,
                                        "the matrix of '%s' is not that of '%s'", s->name,
                                        train->name),
                        "leave it out: evaluate follows its train stage");
        if (c->plan->metric.of && strcmp(c->plan->metric.of, s->name) == 0 && train->n_axes > 0)
            fw_err_hint(fw_plan_problem(c->plan, c->problems, &train->pos,
                                        "'%s' has a matrix, and its model is the one held fixed",
                                        train->name),
                        "use seeds: for repeated training, or a second train stage for variants");
    }
}

static void check_fan_out(const struct check *c, const struct fw_stage *s)
{
    double n = (double)s->n_seeds;
    for (size_t i = 0; i < s->n_axes; i++)
        n *= (double)s->axes[i].n;
    if (n > MAX_FAN_OUT)
        fw_plan_problem(c->plan, c->problems, &s->pos,
                        "matrix and seeds make %.0f runs of '%s'; at most %d are possible", n,
                        s->name, MAX_FAN_OUT);
}

static void check_stage(const struct check *c, const struct fw_stage *s)
{
    check_fan_out(c, s);
    check_needs(c, s);
    for (size_t i = 0; i < s->n_in; i++)
        check_in(c, s, &s->in[i]);
    if (s->kind == FW_EVALUATE)
        check_model(c, s);
    if (s->kind == FW_TRAIN && s->folds > 0 && s->n_axes > 0)
        fw_plan_problem(c->plan, c->problems, &s->pos,
                        "'%s' has folds and a matrix: only one of them is possible", s->name);
    if (fw_kind_proposes(s->kind) && c->deps->n_analysis > 1 &&
        !fw_deps_analysis(c->plan, c->deps, s))
        fw_err_hint(fw_plan_problem(c->plan, c->problems, &s->pos,
                                    "which error-analysis does '%s' follow?", s->name),
                    "say it with needs: NAME");
}

/* Proposals and analyses come after a measurement; nothing that is measured can wait for them. */
static void check_phases(const struct check *c)
{
    for (size_t i = 0; i < c->plan->n_stages; i++) {
        const struct fw_stage *s = &c->plan->stages[i];
        int by = c->deps->reached_by[i];
        if (by < 0 || s->kind == FW_CUSTOM)
            continue;
        const struct fw_stage *needing = &c->plan->stages[by];
        if (needing->kind != FW_TRAIN && needing->kind != FW_EVALUATE && needing->kind != FW_CUSTOM)
            continue; /* the first wrong step is enough */
        const struct fw_pos *pos = &needing->pos;
        for (size_t e = c->deps->start[by]; e < c->deps->start[by + 1]; e++)
            if (c->deps->v[e].stage == (int)i)
                pos = c->deps->v[e].pos;
        fw_err_hint(fw_plan_problem(c->plan, c->problems, pos,
                                    "'%s' cannot need '%s', a stage of kind %s", needing->name,
                                    s->name, fw_kind_name(s->kind)),
                    "train and evaluate, and all that they need, are measured first; analyses and "
                    "proposals follow from that");
    }
}

static void on_cycle(void *ctx, size_t n, const int *stages, const struct fw_dep *const *edges)
{
    const struct check *c = ctx;
    struct fw_buf path = {0};
    const struct fw_pos *pos = NULL;
    size_t shown = n > 20 ? 20 : n;
    for (size_t i = 0; i < shown; i++)
        fw_buf_printf(&path, "%s → ", c->plan->stages[stages[i]].name);
    fw_buf_printf(&path, "%s%s", n > shown ? "… → " : "", c->plan->stages[stages[0]].name);
    for (size_t i = 0; i < n && !pos; i++)
        if (!edges[i]->implied)
            pos = edges[i]->pos;
    fw_err_hint(fw_plan_problem(c->plan, c->problems, pos ? pos : edges[0]->pos,
                                "the stages need each other in a circle: %s", path.p ? path.p : ""),
                "take one of these away; what goes round is the loop itself, not the graph");
    fw_buf_release(&path);
}

int fw_graph_check(const struct fw_plan *plan, struct fw_problems *problems)
{
    struct fw_deps deps;
    size_t before = problems->n + problems->more;
    bool scored = plan->metric.of != NULL, custom_only = true;
    int rc = fw_deps_build(plan, &deps);
    if (rc != FW_OK) {
        if (problems->n < FW_PROBLEMS)
            fw_err_nomem(&problems->list[problems->n++]);
        return rc;
    }
    struct check c = {.plan = plan, .problems = problems, .deps = &deps};
    for (size_t i = 0; i < plan->n_stages; i++) {
        custom_only = custom_only && plan->stages[i].kind == FW_CUSTOM;
        scored = scored || plan->stages[i].kind == FW_EVALUATE;
        check_stage(&c, &plan->stages[i]);
    }
    if (!scored && !custom_only)
        fw_err_hint(fw_plan_problem(plan, problems, NULL, "there is no evaluate stage"),
                    "add one, or nothing can be scored: evaluate: {plugin: NAME}");
    check_phases(&c);
    int *order = fw_arena_array(&deps.arena, plan->n_stages, sizeof *order);
    if (!order || fw_deps_order(plan, &deps, order, on_cycle, &c) < 0) {
        if (problems->n < FW_PROBLEMS)
            fw_err_nomem(&problems->list[problems->n++]);
        rc = FW_ENOMEM;
    }
    fw_deps_release(&deps);
    fw_problems_sort(problems);
    if (rc == FW_OK && problems->n + problems->more > before)
        rc = FW_EINVAL;
    return rc;
}
