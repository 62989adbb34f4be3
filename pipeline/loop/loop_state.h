/* The loop's own state, shared by its files: begin.c, measure.c, turn.c, end.c. Not for others. */
#ifndef FW_LOOP_LOOP_STATE_H
#define FW_LOOP_LOOP_STATE_H

#include "pipeline/loop/gate.h"
#include "pipeline/loop/history.h"
#include "pipeline/loop/loop.h"
#include "pipeline/loop/runner.h"
#include "pipeline/loop/score.h"
#include "pipeline/loop/stop.h"

/* A snapshot with its models' predictions and scores. */
struct fw_measured {
    int refs;
    int iteration;
    char oid[FW_OID_HEX];
    char label[160];
    struct fw_graph *graph;
    struct fw_job job;
    struct fw_scores *scores;
    json_t *report; /* fw_scores_report */
};

struct fw_loop {
    const struct fw_project *project;
    const struct fw_plan *plan;
    const struct fw_loop_options *o;
    char *run;
    int order; /* among the project's runs, for those that begin within one second */
    bool resumed;
    struct fw_lock *lock;
    struct fw_repo *repo;
    struct fw_journal *journal;
    json_t *records; /* the journal as it was found; appended to as it grows */
    struct fw_runner *runner;
    struct fw_history *history;
    json_t *info; /* of the base snapshot; holds the class names */
    const char **classes;
    struct fw_task_info task;
    struct fw_metric metric;
    struct fw_gate_rules rules;
    struct fw_evalset *dev;
    struct fw_measured *base, *champion, *head;
    struct fw_loop_state stop;
    double *kappas;
    int head_since; /* first iteration whose fixes are provisional; 0 = none */
    bool inherited; /* the head holds provisional fixes of earlier runs too */
    int looks;
    double wall_before_ms; /* of earlier sessions of this run */
    int64_t session_began;
};

/* journaling.c */
const json_t *fw_loop_find(const struct fw_loop *l, const char *type, int iteration);
/* Appends a record (stolen) with the time and what was spent so far. */
int fw_loop_record(struct fw_loop *l, json_t *record, struct fw_err *err);
/* The same unless one of its type and iteration stands there already; then the two must be equal in
 * field `key` (when not NULL): a difference is FW_ECORRUPT. */
int fw_loop_record_once(struct fw_loop *l, json_t *record, const char *key, struct fw_err *err);
double fw_loop_wall_ms(const struct fw_loop *l);

/* loop.c: the fixes of the runs before this one (all, when l->run is NULL), so that nothing rejected
 * is proposed again. */
int fw_loop_load_history(struct fw_loop *l, struct fw_err *err);

/* measure.c */
/* Runs the measure phase on one or more snapshots at once. */
int fw_measure(struct fw_loop *l, int iteration, const char *const *oids, const char *const *labels,
               size_t n, struct fw_measured **out, struct fw_err *err);
struct fw_measured *fw_measured_ref(struct fw_measured *m);
void fw_measured_free(struct fw_measured *m);
int fw_measure_stability(struct fw_loop *l, struct fw_measured *now, struct fw_err *err);
/* Predictions of each seed for a finished measure or test job. */
int fw_measure_scores(struct fw_loop *l, const struct fw_job *job, const struct fw_evalset *set,
                      struct fw_scores **out, struct fw_err *err);
const struct fw_stage *
fw_loop_scored_stage(const struct fw_loop *l); /* the evaluate stage that counts */

/* Tells the user which requirements of the audit a champion's report breaks, or leaves open. */
void fw_measure_tell_audit(const struct fw_loop *l, const json_t *report);

/* begin.c */
int fw_loop_begin(struct fw_loop *l, struct fw_loop_outcome *outcome, struct fw_err *err);
int fw_loop_base(const struct fw_project *p, struct fw_repo *repo, int64_t when, bool again,
                 char oid[FW_OID_HEX], struct fw_import_report *report,
                 struct fw_import_problems *problems, struct fw_err *err);
int fw_loop_task(struct fw_loop *l, const char *oid, struct fw_err *err);
int fw_loop_model(struct fw_loop *l, const char *oid, json_t **lock, struct fw_err *err);

/* turn.c */
/* One iteration. l->stop.nothing_left is set when no stage proposed anything. */
int fw_loop_turn(struct fw_loop *l, int iteration, struct fw_err *err);
/* The improve phase on a snapshot: fills job (with graph) and the analysis (NULL when there is
 * none). */
int fw_loop_improve(struct fw_loop *l, int iteration, struct fw_measured *on, bool propose,
                    struct fw_graph **graph, struct fw_job *job, json_t **analysis,
                    struct fw_err *err);

/* Writes the files that every stage of an iteration may read beside the data into dir (NULL: no
 * memory was left for its name); both names are the caller's to free, also on failure. */
int fw_loop_write_inputs(struct fw_loop *l, const char *dir, const char *oid, char **history,
                         char **guidelines, struct fw_err *err);

/* end.c */
int fw_loop_end(struct fw_loop *l, enum fw_stop reason, const char *text, struct fw_err *err);

#endif
