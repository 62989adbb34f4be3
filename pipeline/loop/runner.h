/*
 * Runs graphs: takes expanded graphs with their snapshot, asks the scheduler what to do, looks
 * results up in the cache, starts what is missing, checks outputs against their contract, puts them
 * into the cache, and journals each node's end. Several graphs (a candidate and its parts) run as
 * one, sharing the slots.
 *
 *     fw_runner_open(...);  fw_runner_run(r, jobs, n, &err);  ...  fw_runner_close(r);
 *
 * One thread with one libuv loop of its own; digests and checks run on libuv's worker threads.
 * SIGINT and SIGTERM during a run stop what runs (TERM, grace, KILL) and give FW_ECANCELLED.
 */
#ifndef FW_LOOP_RUNNER_H
#define FW_LOOP_RUNNER_H

#include <jansson.h>

#include "pipeline/graph/graph.h"
#include "pipeline/journal/journal.h"
#include "pipeline/loop/observer.h"
#include "pipeline/loop/project.h"
#include "pipeline/sched/sched.h"
#include "pipeline/snap/snap.h"

struct fw_node_result {
    enum fw_state state;
    json_t *outputs; /* name → {"path": absolute, "digest": sha256}; NULL unless successful */
    double seconds;  /* of the last attempt; 0 when cached */
    int attempts;
    char *log;         /* absolute path, NULL when nothing ran */
    struct fw_err err; /* why it failed */
    char *waiting;     /* what it waits for, or NULL */
    int waiting_count;
};

struct fw_job {
    /* filled by the caller */
    const struct fw_graph *graph;
    const char *phase; /* "measure", "improve", ...: for the journal */
    const char *label; /* folder below the iteration: "" or "relabel-alone" */
    int iteration;
    const char *snapshot; /* commit id */
    struct fw_task_info task;
    const struct fw_job *prior; /* whose outputs "prior:" names; may be NULL */
    const char *history;        /* path of the JSON lines; may be NULL */
    const char *guidelines;     /* path of GUIDELINES.md; may be NULL */
    const char
        *test_dir; /* NULL: dataset:test is the sealed split; else this folder stands in for it */
    const json_t *replay; /* node → cache key of results that a resumed run had; may be NULL */
    double labels_left;   /* NaN = no limit; told to the stages that propose */
    /* filled by fw_runner_run */
    struct fw_node_result *results; /* graph->n */
};

struct fw_runner_options {
    const struct fw_project *project;
    struct fw_repo *repo;
    const char *run;
    struct fw_journal *journal;
    struct fw_observer observer;
    int jobs; /* 0 = as many as the slots allow */
};

struct fw_runner;

int fw_runner_open(const struct fw_runner_options *o, struct fw_runner **out, struct fw_err *err);
void fw_runner_close(struct fw_runner *r);
/* FW_OK when every node succeeded. FW_ESTAGE: some failed (err: the first, with the last lines of
 * its log; the rest finished). FW_EWAITING: some wait for people, none failed. FW_ECANCELLED: a
 * signal. Results are filled in every case except when the call could not begin. */
int fw_runner_run(struct fw_runner *r, struct fw_job *const *jobs, size_t n, struct fw_err *err);
/* The signal that ended the last run, or 0. */
int fw_runner_signal(const struct fw_runner *r);
/* Milliseconds that stages have run since opening, summed over nodes. */
double fw_runner_stage_ms(const struct fw_runner *r);
void fw_job_release(struct fw_job *job);
/* Absolute path of an output, borrowed; NULL when the node did not succeed or has no such output.
 */
const char *fw_job_output(const struct fw_job *job, const char *node, const char *output);

/* What running the job would do, without doing it:
 * [{"node","state":"cached"|"run"|"unknown","why"}]. previous: result objects of earlier runs by
 * node name ({node: recipe}), for "params.C changed". */
int fw_runner_explain(struct fw_runner *r, struct fw_job *job, const json_t *previous, json_t **out,
                      struct fw_err *err);

#endif
