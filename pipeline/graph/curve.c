/* The learning curve of the model that is held fixed, as nodes. */
#include <string.h>

#include "pipeline/graph/expand.h"

/* One point: the train stage on another dataset, evaluated on dev. The node that predicts. */
static int add_point(struct fw_expand *x, const struct fw_stage *train,
                     const struct fw_stage *evaluate, const char *point, int from,
                     const char *dataset)
{
    struct fw_instance v = {.seed = train->seeds[0]};
    struct fw_inputs in = {0};
    v.name = fw_expand_text(x, "%s[seed=%llu,%s]", train->name, (unsigned long long)v.seed, point);
    fw_inputs_set(x, &in, "dataset", from, dataset);
    fw_expand_written(x, &in, train, NULL);
    int model = fw_expand_add(x, fw_expand_node(x, train, &v), &in);

    v.name = fw_expand_text(x, "%s[%s]", evaluate->name, point);
    struct fw_node node = fw_expand_node(x, evaluate, &v);
    node.split = "dev";
    in = (struct fw_inputs){0};
    fw_inputs_set(x, &in, "model", model, "model");
    fw_inputs_set(x, &in, "dataset", -1, "dataset:dev");
    fw_expand_written(x, &in, evaluate, NULL);
    return fw_expand_add(x, node, &in);
}

/* Train without the labels that look wrong, by the out-of-fold predictions. */
static int add_trusted(struct fw_expand *x, const struct fw_stage *train, int out_of_fold)
{
    static const char *const out[] = {"dataset"};
    struct fw_inputs in = {0};
    fw_inputs_set(x, &in, "dataset", -1, "dataset:train");
    fw_inputs_set(x, &in, "out_of_fold", out_of_fold, "predictions");
    fw_inputs_set(x, &in, "history", -1, "history");
    return fw_expand_add(x,
                         (struct fw_node){.name = fw_expand_text(x, "%s.trusted", train->name),
                                          .type = FW_NODE_TRUSTED,
                                          .fold = -1,
                                          .n_out = 1,
                                          .out = out},
                         &in);
}

/* A point is two inputs: its predictions, and the dataset that made them, for its size. */
static void set_point(struct fw_expand *x, struct fw_inputs *in, const char *point, int predicted,
                      const char *predictions, int from, const char *dataset)
{
    fw_inputs_set(x, in, point, predicted, predictions);
    fw_inputs_set(x, in, fw_expand_text(x, "%s.dataset", point), from, dataset);
}

int fw_expand_curve(struct fw_expand *x, const struct fw_stage *train,
                    const struct fw_stage *evaluate)
{
    static const char *const out[] = {"curve"}, *const subsets[] = {"1/4", "1/2"};
    int out_of_fold = x->plan->loop.curve ? fw_expand_out_of_fold(x, train) : -1;
    if (out_of_fold < 0)
        return -1;
    const char *name = fw_expand_text(x, "%s.curve", train->name);
    for (size_t i = 0; i < x->n; i++)
        if (x->nodes[i].type == FW_NODE_CURVE && strcmp(x->nodes[i].name, name) == 0)
            return (int)i;
    struct fw_inputs curve = {0};
    for (size_t i = 0; i < sizeof subsets / sizeof *subsets && !x->nomem; i++) {
        const char *point = fw_expand_text(x, "subset=%s", subsets[i]);
        const char *dataset = fw_expand_text(x, "subset:%s", subsets[i]);
        int node = add_point(x, train, evaluate, point, -1, dataset);
        set_point(x, &curve, point, node, "predictions", -1, dataset);
    }
    set_point(x, &curve, "full", -1,
              fw_expand_text(x, "prior:%s[seed=%llu].predictions", evaluate->name,
                             (unsigned long long)train->seeds[0]),
              -1, "dataset:train");
    if (x->plan->dataset.task == FW_CLASSIFICATION && !x->nomem) {
        int trusted = add_trusted(x, train, out_of_fold);
        int node = add_point(x, train, evaluate, "trusted", trusted, "dataset");
        set_point(x, &curve, "trusted", node, "predictions", trusted, "dataset");
    }
    return fw_expand_add(
        x,
        (struct fw_node){.name = name, .type = FW_NODE_CURVE, .fold = -1, .n_out = 1, .out = out},
        &curve);
}
