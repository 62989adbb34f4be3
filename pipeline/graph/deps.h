/*
 * What each stage of a plan waits for, as seen by the check and by the expansion. Internal to this
 * folder.
 */
#ifndef FW_GRAPH_DEPS_H
#define FW_GRAPH_DEPS_H

#include "pipeline/graph/graph.h"

enum fw_ref_type {
    FW_REF_STAGE,    /* an output of a stage */
    FW_REF_DATASET,  /* "dataset:train" */
    FW_REF_DOCUMENT, /* "guidelines", "history" */
    FW_REF_FILE,     /* "file:PATH" */
    FW_REF_SEALED,   /* dataset.test */
    FW_REF_NO_VIEW,  /* dataset.SOMETHING */
    FW_REF_NO_OUTPUT /* a stage, but not one of its outputs */
};

struct fw_ref {
    enum fw_ref_type type;
    const struct fw_stage *stage; /* FW_REF_STAGE, FW_REF_NO_OUTPUT */
    const char *rest;             /* output, view, document or path; borrowed from the text */
};

struct fw_ref fw_ref_parse(const struct fw_plan *plan, const char *text);
/* Is `name` an output of the stage? "out-of-fold" is one of a train stage with folds. */
bool fw_stage_has_output(const struct fw_stage *s, const char *name);
/* Its only output, or NULL. */
const char *fw_stage_sole_output(const struct fw_stage *s);

/* The same matrix axes, in any order, with the same values, in any order? */
bool fw_same_axes(const struct fw_stage *a, const struct fw_stage *b);

struct fw_dep {
    int stage;                /* the stage that is waited for */
    const struct fw_pos *pos; /* where it is named */
    bool implied;             /* by the kinds, not written */
};

struct fw_deps {
    struct fw_arena arena;
    size_t
        *start; /* n_stages + 1: dependencies of stage i are v[start[i]] .. v[start[i + 1] - 1] */
    struct fw_dep *v;
    bool *measure;     /* n_stages: part of the measure phase */
    int *reached_by;   /* n_stages: the measured stage that needs this one, or -1 */
    size_t n_analysis; /* error-analysis stages */
    const struct fw_stage *first_analysis;
};

/* Names that do not resolve are left out: fw_graph_check reports them. FW_ENOMEM. */
int fw_deps_build(const struct fw_plan *plan, struct fw_deps *deps);
void fw_deps_release(struct fw_deps *deps);
/* The analysis a proposing stage reads: the one its in: or needs: names, else the only one; NULL
 * when there is none or a choice. */
const struct fw_stage *fw_deps_analysis(const struct fw_plan *plan, const struct fw_deps *deps,
                                        const struct fw_stage *s);
/* Visits each stage after those it waits for, in an order that is stable for the plan. Fills
 * order[n_stages]; returns how many were placed. A cycle is reported through on_cycle (may be NULL)
 * as the stages on it and the dependencies between them. FW_ENOMEM below zero. */
typedef void fw_cycle_fn(void *ctx, size_t n, const int *stages, const struct fw_dep *const *edges);
int fw_deps_order(const struct fw_plan *plan, const struct fw_deps *deps, int *order,
                  fw_cycle_fn *on_cycle, void *ctx);

#endif
