/* From the stages of a plan to the nodes of one phase. The check has been passed before. */
#include <stdlib.h>
#include <string.h>

#include "pipeline/graph/expand.h"

static int by_number(const void *a, const void *b)
{
    return (*(const int *)a > *(const int *)b) - (*(const int *)a < *(const int *)b);
}

int fw_expand_add(struct fw_expand *x, struct fw_node node, struct fw_inputs *in)
{
    int index = -1;
    if (x->n == x->cap) {
        size_t cap = x->cap ? x->cap * 2 : 64;
        struct fw_node *v = realloc(x->nodes, cap * sizeof *v);
        if (!v) {
            x->nomem = true;
            goto out;
        }
        x->nodes = v;
        x->cap = cap;
    }
    for (size_t i = 0; i < in->n; i++)
        fw_inputs_need(x, in, in->v[i].node);
    if (in->n_needs > 0)
        qsort(in->needs, in->n_needs, sizeof *in->needs, by_number);
    size_t kept = 0;
    for (size_t i = 0; i < in->n_needs; i++)
        if (kept == 0 || in->needs[kept - 1] != in->needs[i])
            in->needs[kept++] = in->needs[i];
    struct fw_input *inputs = fw_arena_array(&x->graph->arena, in->n, sizeof *inputs);
    int *needs = fw_arena_array(&x->graph->arena, kept, sizeof *needs);
    if (!inputs || !needs || x->nomem) {
        x->nomem = true;
        goto out;
    }
    if (in->n > 0)
        memcpy(inputs, in->v, in->n * sizeof *inputs);
    if (kept > 0)
        memcpy(needs, in->needs, kept * sizeof *needs);
    node.in = inputs;
    node.n_in = in->n;
    node.needs = needs;
    node.n_needs = kept;
    index = (int)x->n;
    x->nodes[x->n++] = node;
out:
    fw_inputs_release(in);
    return index;
}

struct fw_node fw_expand_node(struct fw_expand *x, const struct fw_stage *s,
                              const struct fw_instance *v)
{
    size_t n = s->kind == FW_CUSTOM ? s->n_out : 1;
    const char **out = fw_arena_array(&x->graph->arena, n, sizeof *out);
    for (size_t i = 0; out && i < n; i++)
        out[i] = s->kind == FW_CUSTOM ? s->out[i].name : fw_kind_output(s->kind);
    x->nomem |= !out;
    return (struct fw_node){.name = v->name,
                            .type = s->plugin ? FW_NODE_PLUGIN : FW_NODE_COMMAND,
                            .stage = s,
                            .seed = v->seed,
                            .fold = -1,
                            .n_matrix = v->n_matrix,
                            .matrix = v->matrix,
                            .n_out = out ? n : 0,
                            .out = out};
}

static int add_merge(struct fw_expand *x, const char *name, const struct fw_instance *v,
                     struct fw_inputs *in)
{
    static const char *const out[] = {"predictions"};
    struct fw_node node = {.name = name, .type = FW_NODE_MERGE, .fold = -1, .n_out = 1, .out = out};
    if (v) {
        node.n_matrix = v->n_matrix;
        node.matrix = v->matrix;
    }
    return fw_expand_add(x, node, in);
}

static void add_train(struct fw_expand *x, const struct fw_stage *s)
{
    const char *data = x->phase == FW_PHASE_SANITY ? "dataset:sanity" : "dataset:train";
    struct fw_instances *all = (struct fw_instances *)(uintptr_t)fw_expand_instances(x, s);
    for (size_t i = 0; i < all->n && !x->nomem; i++) {
        struct fw_inputs in = {0};
        fw_inputs_set(x, &in, "dataset", -1, data);
        fw_expand_written(x, &in, s, all->v[i].matrix);
        all->v[i].node = fw_expand_add(x, fw_expand_node(x, s, &all->v[i]), &in);
    }
}

static bool same_matrix(const struct fw_instance *a, const struct fw_instance *b)
{
    for (size_t i = 0; i < a->n_matrix; i++)
        if (strcmp(a->matrix[i].text, b->matrix[i].text) != 0)
            return false;
    return true;
}

/* One node for each model of its train stage, and the merge of a model's seeds under the stage's
 * own name. */
static void add_evaluate(struct fw_expand *x, const struct fw_stage *s)
{
    static const char *const splits[] = {[FW_PHASE_SANITY] = "sanity",
                                         [FW_PHASE_MEASURE] = "dev",
                                         [FW_PHASE_IMPROVE] = "train",
                                         [FW_PHASE_TEST] = "test"};
    const char *split = splits[x->phase];
    const char *data = fw_expand_text(x, "dataset:%s", split);
    const struct fw_stage *train = fw_plan_stage(x->plan, s->model);
    const struct fw_instances *models = fw_expand_instances(x, train);
    struct fw_instances *all = (struct fw_instances *)(uintptr_t)fw_expand_instances(x, s);
    for (size_t i = 0; i < all->n && !x->nomem; i++) {
        struct fw_inputs merged = {0};
        for (size_t k = 0; k < models->n && !x->nomem; k++) {
            const struct fw_instance *model = &models->v[k];
            struct fw_inputs in = {0};
            if (!same_matrix(&all->v[i], model))
                continue;
            if (model->node >= 0)
                fw_inputs_set(x, &in, "model", model->node, "model");
            else
                fw_inputs_set(x, &in, "model", -1,
                              fw_expand_text(x, "prior:%s.model", model->name));
            fw_inputs_set(x, &in, "dataset", -1, data);
            fw_expand_written(x, &in, s, model->matrix);
            struct fw_node node = fw_expand_node(x, s, model);
            node.name = fw_expand_text(x, "%s%s", s->name, model->name + strlen(train->name));
            node.split = split;
            int made = fw_expand_add(x, node, &in);
            fw_inputs_set(x, &merged,
                          fw_expand_text(x, "seed=%llu", (unsigned long long)model->seed), made,
                          "predictions");
        }
        all->v[i].node = add_merge(x, all->v[i].name, &all->v[i], &merged);
    }
}

static const struct fw_stage *evaluate_of(const struct fw_expand *x, const struct fw_stage *train)
{
    const struct fw_stage *found = NULL;
    for (size_t i = 0; i < x->plan->n_stages; i++) {
        const struct fw_stage *s = &x->plan->stages[i];
        if (s->kind != FW_EVALUATE || !s->model || strcmp(s->model, train->name) != 0)
            continue;
        if (x->plan->metric.of && strcmp(x->plan->metric.of, s->name) == 0)
            return s;
        if (!found)
            found = s;
    }
    return found;
}

int fw_expand_out_of_fold(struct fw_expand *x, const struct fw_stage *train)
{
    const struct fw_stage *evaluate = evaluate_of(x, train);
    if (train->folds == 0 || !evaluate || x->phase != FW_PHASE_IMPROVE)
        return -1;
    const char *name = fw_expand_text(x, "%s.out-of-fold", train->name);
    for (size_t i = 0; i < x->n; i++)
        if (x->nodes[i].type == FW_NODE_MERGE && strcmp(x->nodes[i].name, name) == 0)
            return (int)i;
    struct fw_inputs merged = {0};
    struct fw_instance v = {.seed = train->seeds[0]};
    for (int f = 0; f < train->folds && !x->nomem; f++) {
        struct fw_inputs in = {0};
        v.name = fw_expand_text(x, "%s[seed=%llu,fold=%d/%d]", train->name,
                                (unsigned long long)v.seed, f + 1, train->folds);
        struct fw_node node = fw_expand_node(x, train, &v);
        node.fold = f;
        node.folds = train->folds;
        fw_inputs_set(x, &in, "dataset", -1, fw_expand_text(x, "fold:%d/%d:rest", f, train->folds));
        fw_expand_written(x, &in, train, NULL);
        int model = fw_expand_add(x, node, &in);

        v.name = fw_expand_text(x, "%s[fold=%d/%d]", evaluate->name, f + 1, train->folds);
        node = fw_expand_node(x, evaluate, &v);
        node.fold = f;
        node.folds = train->folds;
        node.split = "train";
        in = (struct fw_inputs){0};
        fw_inputs_set(x, &in, "model", model, "model");
        fw_inputs_set(x, &in, "dataset", -1, fw_expand_text(x, "fold:%d/%d:part", f, train->folds));
        fw_expand_written(x, &in, evaluate, NULL);
        int part = fw_expand_add(x, node, &in);
        fw_inputs_set(x, &merged, fw_expand_text(x, "fold=%d/%d", f + 1, train->folds), part,
                      "predictions");
    }
    return add_merge(x, name, NULL, &merged);
}

/* Inputs that the kind implies; `in:` may add to them or replace them. */
static void add_implied(struct fw_expand *x, struct fw_inputs *in, const struct fw_stage *s,
                        const struct fw_name_text *matrix)
{
    const char *of = x->plan->metric.of;
    const struct fw_stage *evaluate = of ? fw_plan_stage(x->plan, of) : NULL;
    bool proposes = fw_kind_proposes(s->kind);
    if (s->kind == FW_DRIFT)
        fw_inputs_set(x, in, "dataset", -1, "dataset:train");
    if (s->kind != FW_ERROR_ANALYSIS && !proposes)
        return;
    const struct fw_stage *analysis = proposes ? fw_deps_analysis(x->plan, &x->deps, s) : NULL;
    fw_inputs_set(x, in, "dataset", -1, proposes ? "dataset:train" : "dataset:all");
    if (analysis)
        fw_expand_connect(x, in, "analysis", s, matrix, analysis, "analysis");
    if (evaluate) {
        const struct fw_stage *train = fw_plan_stage(x->plan, evaluate->model);
        fw_inputs_set(x, in, "predictions", -1,
                      fw_expand_text(x, "prior:%s.predictions", evaluate->name));
        int out_of_fold = fw_expand_out_of_fold(x, train);
        if (out_of_fold >= 0)
            fw_inputs_set(x, in, "out_of_fold", out_of_fold, "predictions");
        int curve = s->kind == FW_ERROR_ANALYSIS ? fw_expand_curve(x, train, evaluate) : -1;
        if (curve >= 0)
            fw_inputs_set(x, in, "curve", curve, "curve");
    }
    fw_inputs_set(x, in, "guidelines", -1, "guidelines");
    fw_inputs_set(x, in, "history", -1, "history");
}

static void add_other(struct fw_expand *x, const struct fw_stage *s)
{
    struct fw_instances *all = (struct fw_instances *)(uintptr_t)fw_expand_instances(x, s);
    for (size_t i = 0; i < all->n && !x->nomem; i++) {
        struct fw_inputs in = {0};
        add_implied(x, &in, s, all->v[i].matrix);
        fw_expand_written(x, &in, s, all->v[i].matrix);
        all->v[i].node = fw_expand_add(x, fw_expand_node(x, s, &all->v[i]), &in);
    }
}

/* Which stages have nodes in this phase. */
static void choose(struct fw_expand *x, const int *order, int n)
{
    const char *of = x->plan->metric.of;
    const struct fw_stage *scored = of ? fw_plan_stage(x->plan, of) : NULL;
    bool measured = x->phase == FW_PHASE_MEASURE || x->phase == FW_PHASE_IMPROVE;
    for (size_t i = 0; measured && i < x->plan->n_stages; i++)
        x->included[i] = x->deps.measure[i] == (x->phase == FW_PHASE_MEASURE);
    if (measured || !scored)
        return;
    x->included[scored - x->plan->stages] = true;
    /* The sanity check needs what the scored stage waits for: walk from the last to the first. */
    for (int k = n; x->phase == FW_PHASE_SANITY && k-- > 0;) {
        int i = order[k];
        for (size_t e = x->deps.start[i]; x->included[i] && e < x->deps.start[i + 1]; e++)
            x->included[x->deps.v[e].stage] = true;
    }
}

static int refuse(const struct fw_plan *plan, struct fw_err *err)
{
    struct fw_problems problems = {0};
    int rc = fw_graph_check(plan, &problems);
    if (rc != FW_OK && err)
        *err = problems.list[0];
    fw_problems_release(&problems);
    return rc;
}

int fw_graph_expand(const struct fw_plan *plan, enum fw_phase phase, struct fw_graph **out,
                    struct fw_err *err)
{
    int rc = refuse(plan, err);
    if (rc != FW_OK)
        return rc;
    struct fw_expand x = {.plan = plan, .phase = phase, .graph = calloc(1, sizeof *x.graph)};
    size_t n = plan->n_stages;
    int *order = calloc(n + 1, sizeof *order);
    x.included = calloc(n + 1, sizeof *x.included);
    x.instances = calloc(n + 1, sizeof *x.instances);
    if (!x.graph || !order || !x.included || !x.instances ||
        fw_deps_build(plan, &x.deps) != FW_OK) {
        rc = fw_err_nomem(err);
        goto out;
    }
    int placed = fw_deps_order(plan, &x.deps, order, NULL, NULL);
    x.nomem = placed < 0;
    if (!x.nomem)
        choose(&x, order, placed);
    for (int k = 0; k < placed && !x.nomem; k++) {
        const struct fw_stage *s = &plan->stages[order[k]];
        if (!x.included[order[k]])
            continue;
        if (s->kind == FW_TRAIN)
            add_train(&x, s);
        else if (s->kind == FW_EVALUATE)
            add_evaluate(&x, s);
        else
            add_other(&x, s);
    }
    struct fw_node *nodes = fw_arena_array(&x.graph->arena, x.n, sizeof *nodes);
    if (x.nomem || !nodes) {
        rc = fw_err_nomem(err);
        goto out;
    }
    if (x.n > 0)
        memcpy(nodes, x.nodes, x.n * sizeof *nodes);
    x.graph->nodes = nodes;
    x.graph->n = x.n;
    *out = x.graph;
    x.graph = NULL;
out:
    fw_graph_free(x.graph);
    fw_deps_release(&x.deps);
    free(x.nodes);
    free(x.included);
    free(x.instances);
    free(order);
    return rc;
}

void fw_graph_free(struct fw_graph *graph)
{
    if (!graph)
        return;
    fw_arena_release(&graph->arena);
    free(graph);
}

int fw_graph_find(const struct fw_graph *graph, const char *node)
{
    for (size_t i = 0; i < graph->n; i++)
        if (strcmp(graph->nodes[i].name, node) == 0)
            return (int)i;
    return -1;
}
