/*
 * The plan: what flywheel.yaml says, typed, validated and immutable.
 *
 * text → tree with positions (tree.h) → plan. Everything a plan points to lives in its arena;
 * pointers are valid until fw_plan_free(). Safe to read from any thread.
 */
#ifndef FW_CONFIG_PLAN_H
#define FW_CONFIG_PLAN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/base/arena.h"
#include "pipeline/base/buf.h"
#include "stages/contract.h"
#include "stages/evaluate/metrics.h"

struct fw_pos {
    int line, col; /* 1-based, in characters; line 0 = no place */
    int width;     /* characters to underline on that line; at least 1 */
    int source;    /* index into fw_plan.sources: 0 is the file, k the k-th --set */
};

struct fw_source {    /* a text that was parsed; positions point into it */
    const char *file; /* as shown in messages: the path as given, or "--set" */
    const char *text;
    size_t len;
    size_t n_lines;
    const size_t *lines; /* byte offset of each line's start */
};

struct fw_name_value { /* a name and a number, e.g. a guard and its allowance */
    const char *name;
    double value;
    struct fw_pos pos;
};

struct fw_name_text { /* a name and a text, e.g. an environment variable */
    const char *name;
    const char *text;
    struct fw_pos pos;
};

enum fw_on_broken { FW_BROKEN_WARN, FW_BROKEN_GUARD };

struct fw_requirement {       /* one entry of `audit:` */
    const char *slice;        /* a condition; NULL = all samples */
    const char *metric;       /* as written; NULL = the run's */
    double at_least, at_most; /* NaN = not asked */
    const char *compare_to;   /* a condition; NULL = all samples */
    double within;            /* of compare_to's value; NaN = not compared */
    enum fw_on_broken on_broken;
    struct fw_pos pos; /* of the entry */
};

/* The metric of a requirement: as fw_metric_parse() reads it, and recall, precision, f1 and their like without
 * a class are the mean over the classes (macro_recall). */
int fw_requirement_metric(const char *text, const struct fw_task_info *task, struct fw_metric *out,
                          struct fw_err *err);

struct fw_matrix_axis {
    const char *name;
    size_t n;
    const char *const *values;
};

struct fw_resources {
    double cpus;     /* default 1 */
    uint64_t memory; /* bytes; 0 = no limit */
    int nice;        /* 0..19 */
    size_t n_named;  /* others, e.g. gpu: 1 */
    const struct fw_name_value *named;
};

struct fw_stage {
    const char *name;
    enum fw_kind kind;
    struct fw_pos pos;
    const char *plugin;      /* as written; NULL for a command */
    const char *plugin_path; /* resolved absolute path; NULL for a command */
    json_t *describe; /* what `plugin describe` printed; NULL for a command. Owned by the plan */
    /* custom only: one string (run without a shell when it is plain words), or a list ended by NULL */
    const char *command;
    const char *const *argv;
    json_t *params; /* `with`, validated against describe, defaults filled in. Object, never NULL */
    const char *model; /* evaluate: the train stage whose model is read; the sole one when not
                          written; NULL when there is none or a choice */
    struct fw_pos model_pos;
    size_t n_needs; /* explicit order, beside what inputs imply */
    const char *const *needs;
    const struct fw_pos *needs_pos; /* n_needs */
    size_t n_in, n_out;             /* custom (and extra inputs of any kind): */
    const struct fw_name_text *in;  /* name → "stage.output", "dataset.train", "dataset.dev",
                                       "dataset.all", "guidelines", "history" or a project path */
    const struct fw_name_text *out; /*   name → file name below the stage's output folder */
    size_t n_seeds;                 /* train: at least 1 (default {1}) */
    const uint64_t *seeds;
    int folds; /* train: 0 = no out-of-fold predictions */
    size_t n_axes;
    const struct fw_matrix_axis *axes;
    size_t n_env;
    const struct fw_name_text *env; /* declared environment; part of the fingerprint */
    size_t n_code;
    const char *const *code; /* declared code paths, project-relative; part of the fingerprint */
    struct fw_resources resources;
    int64_t timeout_ms; /* 0 = none */
    int retries;
    int64_t backoff_ms; /* first wait; doubles each time. Default 1 s */
    bool deterministic; /* from describe (custom: true unless said otherwise) */
};

enum fw_gate_rule { FW_RULE_SPEND, FW_RULE_LADDER, FW_RULE_THRESHOLD };

struct fw_plan {
    struct fw_arena arena;
    size_t n_sources;
    const struct fw_source *sources; /* the text of the file, then of each --set */
    const char *path;                /* of flywheel.yaml, as given */
    const char *root;                /* absolute folder it stands in */
    const char *name;
    uint64_t seed; /* for everything the engine draws itself; default 1 */

    struct {
        const char *import; /* project-relative or absolute; NULL when snapshots exist already */
        const char *repo;   /* NULL = the project's own repository */
        enum fw_task task;
        size_t n_classes;
        const char *const *classes; /* sorted as written; NULL: taken from the data at import */
        size_t n_slices;
        const struct fw_name_text *slices; /* name = text = the condition or field as written */
        double dev, test;                  /* shares; default 0.2 and 0.2 */
        bool near_copies;                  /* leak guard also refuses near copies; default true */
    } dataset;

    struct {
        const char *name; /* as written, e.g. "macro_f1", "f1:spam" */
        const char *of;   /* the evaluate stage that is scored */
        bool has_target;
        double target;
        double human_default; /* NaN when not given */
        size_t n_human;
        const struct fw_name_value *human; /* per class or slice */
        size_t n_baselines;                /* older systems: name → path of predictions */
        const struct fw_name_text *baselines;
        size_t n_importance, n_ease; /* per class or slice, default 1 */
        const struct fw_name_value *importance, *ease;
    } metric;

    size_t n_stages;
    const struct fw_stage *stages; /* in the order written */
    const uint32_t *by_name;       /* their indices, sorted by name; see fw_plan_stage() */

    struct {
        int patience;       /* default 2 */
        int max_iterations; /* default 10 */
        enum fw_gate_rule rule;
        double confidence; /* for the run; default 0.95 */
        double min_gain;   /* rule threshold */
        size_t n_guards;
        const struct fw_name_value *guards; /* class, slice or metric → allowance */
        bool ablate;                        /* default true */
        bool measure_parts;                 /* `measure: parts` (default) or `whole` */
        bool sanity;                        /* the few-samples check; default true */
        bool curve;                         /* measure the learning curve; default true */
        double cost_label, cost_sample;     /* of one label checked, one new sample; default 1 */
        int split; /* what an iteration may spend on labels and samples together; 0 = not split */
        double budget_labels, budget_money;      /* NaN = none */
        int64_t budget_wall_ms, budget_stage_ms; /* 0 = none */
        const char *stability_pool; /* unlabelled pool for the kappa stop; NULL = none */
        double stability_kappa;     /* default 0.99 */
    } loop;

    size_t n_audit;
    const struct fw_requirement *audit; /* checked at every champion */

    struct {
        double cpus;     /* default: the machine's */
        uint64_t memory; /* default: the machine's */
        size_t n_named;
        const struct fw_name_value *named;
    } limits; /* top-level `resources:` */

    struct {
        const char *webhook; /* NULL = none */
        const char *secret;  /* HMAC key; may be NULL */
        bool on_stopped, on_failed, on_waiting;
    } notify;
};

enum { FW_PROBLEMS = 20 };

/* Up to 20 problems, each with a place. Self-contained: they outlive the plan and its text. */
struct fw_problems {
    size_t n;
    struct fw_err list[FW_PROBLEMS];
    struct { /* what is shown below the message: the source line, clipped, and the caret */
        char *line;
        int caret, width;
    } source[FW_PROBLEMS];
    size_t more; /* how many were not kept */
};

/* Finds and describes a plugin: fills *path (malloc'd) and *describe (new reference), or fails with
 * the reason (no place). Given by the engine; tests give their own. */
typedef int fw_describe_fn(void *ctx, const char *root, const char *plugin, char **path,
                           json_t **describe, struct fw_err *err);

struct fw_plan_options {
    size_t n_sets;
    const char *const *sets;  /* "stages.relabel.with.budget=20" */
    fw_describe_fn *describe; /* NULL: plugins are not looked up and params not checked */
    void *describe_ctx;
};

/* FW_OK, or a negative code with every problem found in *problems (zero-initialised by the caller,
 * released with fw_problems_release in every case). */
int fw_plan_load(const char *path, const struct fw_plan_options *options, struct fw_plan **out,
                 struct fw_problems *problems);
/* The same from bytes in memory; path is only used in messages and to find the project's root. */
int fw_plan_load_text(const char *path, const char *text, size_t len,
                      const struct fw_plan_options *options, struct fw_plan **out,
                      struct fw_problems *problems);
void fw_plan_free(struct fw_plan *plan);

/* Adds a problem at a place in the plan's text; returns its error, for fw_err_hint(), or NULL when
 * there are too many already. pos may be NULL: no place. */
struct fw_err *fw_plan_problem(const struct fw_plan *plan, struct fw_problems *problems,
                               const struct fw_pos *pos, const char *fmt, ...) FW_PRINTF(4, 5);
void fw_problems_release(struct fw_problems *problems);
/* In the order of the text: file, line, column. Done by fw_plan_load and fw_graph_check. */
void fw_problems_sort(struct fw_problems *problems);
/* "flywheel.yaml:7:3: error: unknown key 'patiance' in loop\n    patiance: 2\n    ^~~~~~~~\n  did
 * you mean 'patience'?" for each, then "and N more". */
void fw_problems_format(const struct fw_problems *problems, bool colour, struct fw_buf *out);

const struct fw_stage *fw_plan_stage(const struct fw_plan *plan, const char *name); /* or NULL */
struct fw_task_info fw_plan_task(const struct fw_plan *plan);

/* JSON Schema (draft 2020-12) of flywheel.yaml, made from the tables the parser reads by. malloc'd;
 * NULL when memory is out. */
char *fw_plan_schema(void);

#endif
