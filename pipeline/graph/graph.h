/*
 * Stages and artifacts as an acyclic graph. Pure: no files, no processes.
 *
 * A plan is expanded for each phase of a turn:
 *   FW_PHASE_MEASURE  on a candidate: train and evaluate (for each seed), what they need, and the
 *                     merge of the seeds' predictions
 *   FW_PHASE_IMPROVE  on the head snapshot: out-of-fold predictions, error analysis, proposals,
 *                     drift, and the custom stages that the measurement does not need
 *   FW_PHASE_SANITY   the scored train stage with its first seed on a few samples, evaluated on
 *                     those same samples
 *   FW_PHASE_TEST     the final evaluation: the scored evaluate stage on the sealed split with the
 *                     champion's models
 * Fan-out (seeds, folds, matrix) is expanded here, so a node is exactly one thing to do.
 *
 * An input of a node is either an output of another node of this graph, or an external artifact
 * named by a string that the runner resolves to a path and a digest:
 *   "dataset:train" "dataset:dev" "dataset:test"   views of one split
 *   "dataset:all"                                  train and dev in one folder
 *   "fold:F/N:rest" "fold:F/N:part"                train without fold F of N; fold F alone. F from 0
 *   "subset:1/N"                                   one train content in N; 1/4 is part of 1/2
 *   "dataset:sanity"                               the few samples of the sanity check
 *   "guidelines" "history"                         the snapshot's GUIDELINES.md; fixes tried so far
 *   "prior:NODE.OUTPUT"                            an output of the measure phase on the head
 *                                                  snapshot (in FW_PHASE_TEST: the champion's)
 *   "file:PATH"                                    a project file or folder
 *
 * The learning curve (loop.curve, on by default) is part of FW_PHASE_IMPROVE when the scored train
 * stage has folds and there is an error analysis: the train stage with its first seed on 1/4 and
 * 1/2 of the train split and, for classification, on the trusted part of it, each evaluated on dev.
 * "<train>.curve" joins them with the full-size predictions of that seed, and the error analyses
 * read it as `curve`. Three more trainings (1/4 + 1/2 + nearly 1 of the data) and three evaluations
 * for a head snapshot, all cached as any other node.
 *
 * Fan-out: a node that reads a fanned-out stage and has the same matrix axes is matched instance by
 * instance; any other reads a gather node, "<stage>.<output>.all", a folder with one entry for each
 * instance ("seed=1", "C=2,seed=1"). evaluate follows the axes and seeds of its train stage.
 */
#ifndef FW_GRAPH_GRAPH_H
#define FW_GRAPH_GRAPH_H

#include "pipeline/config/plan.h"

enum fw_phase { FW_PHASE_SANITY, FW_PHASE_MEASURE, FW_PHASE_IMPROVE, FW_PHASE_TEST };

enum fw_node_type {
    FW_NODE_PLUGIN,
    FW_NODE_COMMAND,
    FW_NODE_MERGE, /* merges predictions of its inputs (seeds or folds); done by the engine */
    FW_NODE_GATHER, /* a folder with one link per instance of a fanned-out stage; done by the
                       engine */
    FW_NODE_TRUSTED, /* train without the labels that look wrong; done by the engine */
    FW_NODE_CURVE    /* the points of the learning curve with their sizes; done by the engine */
};

struct fw_input {
    const char *name; /* as the stage sees it: "dataset", "model", "predictions" */
    int node;         /* index of the producing node, or -1 for an external artifact */
    const char *ref;  /* output name of that node, or the external name */
};

struct fw_node {
    const char
        *name; /* "train[seed=1]", "train[seed=1,fold=2/5]", "analyse"; unique in the graph */
    enum fw_node_type type;
    const struct fw_stage *stage; /* NULL for merge and gather */
    uint64_t seed;
    int fold, folds; /* fold from 0, −1 when not a fold; names count from 1: "fold=1/5" */
    size_t n_matrix;
    const struct fw_name_text *matrix; /* axis → value */
    const char
        *split; /* evaluate: which split it predicts: "dev", "test", "train" (folds), "sanity" */
    size_t n_in;
    const struct fw_input *in;
    size_t n_out;
    const char *const *out; /* output names */
    size_t n_needs;
    const int *
        needs; /* every node that must be done before (inputs and explicit), each once, ascending */
};

struct fw_graph {
    struct fw_arena arena;
    size_t n;
    const struct fw_node *nodes; /* in a topological order that is stable for a given plan */
};

/* Checks the stage graph of a plan: unknown names, cycles (the path is in the message: "a → b →
 * a"), an evaluate without a train, what a phase cannot give. FW_EINVAL with the problems, which
 * carry positions. Called after fw_plan_load and before any run. */
int fw_graph_check(const struct fw_plan *plan, struct fw_problems *problems);
/* The nodes of one phase; runs the check first and fails with its first problem. The graph borrows
 * the plan's stages and names: the plan must live longer. An empty graph is no error. */
int fw_graph_expand(const struct fw_plan *plan, enum fw_phase phase, struct fw_graph **out,
                    struct fw_err *err);
/* The nodes of one kind and all that they need. Names and stages are borrowed from `graph`, which
 * must live longer. */
int fw_graph_only(const struct fw_graph *graph, enum fw_kind kind, struct fw_graph **out,
                  struct fw_err *err);
void fw_graph_free(struct fw_graph *graph);
int fw_graph_find(const struct fw_graph *graph, const char *node); /* index or -1 */

/* The names the loop asks for: the merged dev predictions are output "predictions" of node
 * "<evaluate>", each seed's of "<evaluate>[seed=S]"; with one seed "<evaluate>" is the merge of
 * one. The merged out-of-fold predictions are node "<train>.out-of-fold", the trusted train
 * samples "<train>.trusted". */

#endif
