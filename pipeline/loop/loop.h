/*
 * The flywheel: from a plan to a better dataset.
 *
 * fw_loop_run() takes the project's lock, imports the data on the first run, checks that the model
 * and the evaluation sets are what they were, measures the baseline, and then, turn by turn:
 * analyses the head snapshot, collects proposals, applies them to a candidate snapshot, measures
 * it, lets the gate decide; until the stop rule says stop. It never prints: progress goes to the
 * observer, the record to the journal.
 *
 * Resume is the same function: it walks the same steps; what was done is found in the cache by
 * content and what was decided in the journal, so a run that was killed anywhere goes on to the
 * same result.
 */
#ifndef FW_LOOP_LOOP_H
#define FW_LOOP_LOOP_H

#include "pipeline/loop/observer.h"
#include "pipeline/loop/project.h"
#include "pipeline/snap/snap.h"

struct fw_loop_options {
    const char *run;     /* resume this run; NULL: a new one */
    const char *new_id;  /* name of the new run; NULL: made from the time */
    bool wait;           /* for the project's lock */
    bool new_model;      /* accept a changed model: a new baseline on the current data */
    bool new_benchmark;  /* accept changed evaluation sets */
    bool even_if_parked; /* start although another run waits for people */
    int jobs;            /* 0 = as the slots allow */
    const char *command; /* what the lock file says about the holder */
    const char *const *sets;
    size_t n_sets;
    struct fw_observer observer;
};

struct fw_loop_outcome {
    char *run;                        /* its id; free() */
    int signal;                       /* that ended it, or 0 */
    struct fw_import_problems import; /* when the import failed */
};

/* FW_OK: the run stopped by its own rule. FW_EWAITING: parked. FW_ESTAGE, FW_EREFUSED, FW_EBUSY,
 * FW_ECANCELLED and others as they say. Whatever is returned, what was reached is kept. */
int fw_loop_run(const struct fw_project *project, const struct fw_loop_options *o,
                struct fw_loop_outcome *outcome, struct fw_err *err);

/* Imports the dataset as the first snapshot, as the first run would; again: as a snapshot on top of
 * the branch when there is one. Takes the lock. */
int fw_loop_import(const struct fw_project *project, const char *command, bool again,
                   char oid[FW_OID_HEX], struct fw_import_report *report,
                   struct fw_import_problems *problems, struct fw_err *err);

/* What `flywheel run` would do now and why, without doing it. New reference:
 * {"snapshot","phases":[{"phase","nodes":[{"node","state","why"}]}], "model": "unchanged" | "new" |
 * text}. */
int fw_loop_explain(const struct fw_project *project, json_t **out, struct fw_err *err);

#endif
