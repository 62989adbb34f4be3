/* The expansion at work: nodes being made, in the order in which they may run. Internal. */
#ifndef FW_GRAPH_EXPAND_H
#define FW_GRAPH_EXPAND_H

#include "pipeline/graph/deps.h"

/* One thing that a stage leaves behind: a node of this graph, or of the measure phase (node -1). */
struct fw_instance {
    const char *name; /* of the node */
    int node;
    size_t n_matrix;
    const struct fw_name_text *matrix;
    uint64_t seed; /* train */
    int tag;       /* where its own part begins in name: "train[C=1,seed=2]" → "C=1,seed=2]" */
};

struct fw_instances {
    bool made;
    size_t n;
    struct fw_instance *v;
};

struct fw_expand {
    const struct fw_plan *plan;
    struct fw_deps deps;
    enum fw_phase phase;
    struct fw_graph *graph;
    struct fw_node *nodes;
    size_t n, cap;
    bool *included;                 /* per stage: has nodes in this phase */
    struct fw_instances *instances; /* per stage */
    bool nomem;
};

struct fw_inputs { /* inputs and waits of a node while they are collected */
    size_t n, cap, n_needs, cap_needs;
    struct fw_input *v;
    int *needs;
};

/* Adds a node; takes over the inputs. Its index, or -1 when memory is out. */
int fw_expand_add(struct fw_expand *x, struct fw_node node, struct fw_inputs *inputs);
/* Sets the input `name`, replacing one of that name. */
void fw_inputs_set(struct fw_expand *x, struct fw_inputs *in, const char *name, int node,
                   const char *ref);
void fw_inputs_need(struct fw_expand *x, struct fw_inputs *in, int node);
void fw_inputs_release(struct fw_inputs *in);
/* "prior:NODE.OUTPUT" or the like, in the graph's arena. */
const char *fw_expand_text(struct fw_expand *x, const char *fmt, ...) FW_PRINTF(2, 3);

/* What the stage leaves behind in this phase. Makes nothing. */
const struct fw_instances *fw_expand_instances(struct fw_expand *x, const struct fw_stage *s);
/* The axes a stage runs over: evaluate follows its train stage. */
const struct fw_stage *fw_expand_axes(const struct fw_plan *plan, const struct fw_stage *s);

/* Input `name` from output `output` of stage `from`, for the instance of `s` with this matrix:
 * one to one where both have the same axes, else a gather node when there is more than one. */
void fw_expand_connect(struct fw_expand *x, struct fw_inputs *in, const char *name,
                       const struct fw_stage *s, const struct fw_name_text *matrix,
                       const struct fw_stage *from, const char *output);
/* The node "<train>.out-of-fold", made with its folds when it is asked for first; -1 when the stage
 * has no folds or nothing evaluates it. */
int fw_expand_out_of_fold(struct fw_expand *x, const struct fw_stage *train);
/* The node without inputs that instance v of stage s is, with the stage's outputs. */
struct fw_node fw_expand_node(struct fw_expand *x, const struct fw_stage *s,
                              const struct fw_instance *v);
/* The node "<train>.curve" with all that it needs, made when it is asked for first; -1 when the plan
 * has none. */
int fw_expand_curve(struct fw_expand *x, const struct fw_stage *train,
                    const struct fw_stage *evaluate);
/* Inputs written under in:, and waits written under needs:. */
void fw_expand_written(struct fw_expand *x, struct fw_inputs *in, const struct fw_stage *s,
                       const struct fw_name_text *matrix);

#endif
