/*
 * The scheduler: a pure state machine. Events in (start, finished, time), actions out (start this
 * node, wake me then). No I/O, no clock, no libuv. Counts down blocked inputs, keeps a ready queue
 * in graph order, and honours slots: cpus, memory and named resources.
 */
#ifndef FW_SCHED_SCHED_H
#define FW_SCHED_SCHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/base/err.h"

enum fw_state {
    FW_STATE_BLOCKED,
    FW_STATE_READY,
    FW_STATE_RUNNING,
    FW_STATE_BACKOFF, /* failed, will be tried again */
    FW_STATE_DONE,
    FW_STATE_CACHED, /* done without running */
    FW_STATE_FAILED, /* non-zero exit */
    FW_STATE_KILLED, /* ended by a signal that we did not send */
    FW_STATE_TIMEOUT,
    FW_STATE_OOM,        /* over its memory limit */
    FW_STATE_BAD_OUTPUT, /* exited 0 but an output is missing or malformed */
    FW_STATE_WAITING,    /* for people or an outside system */
    FW_STATE_CANCELLED,
    FW_STATE_SKIPPED, /* something it depends on failed */
    FW_STATE_HELD,    /* something it depends on is waiting */
    FW_STATES
};

const char *fw_state_name(enum fw_state s); /* "done", "dependency failed" for SKIPPED, ... */
bool fw_state_is_end(enum fw_state s);
bool fw_state_is_success(enum fw_state s); /* DONE or CACHED */
bool fw_state_is_failure(enum fw_state s); /* FAILED, KILLED, TIMEOUT, OOM, BAD_OUTPUT */

struct fw_sched_node {
    size_t n_needs;
    const int *needs; /* indices smaller or larger than its own; acyclic */
    double cpus;
    uint64_t memory;
    const double *named; /* one amount per named resource of the limits; NULL = none */
    int retries;
    int64_t backoff_ms; /* wait before try i (1-based retry) is backoff · 2^(i−1) */
};

struct fw_sched_limits {
    double cpus;
    uint64_t memory;
    size_t n_named;
    const double *named;
    int jobs; /* at most this many at once; 0 = no limit */
};

enum fw_action_type { FW_ACT_START, FW_ACT_WAKE, FW_ACT_IDLE, FW_ACT_FINISHED };

struct fw_action {
    enum fw_action_type type;
    int node;      /* START */
    int attempt;   /* START: 1 for the first */
    int64_t at_ms; /* WAKE: call fw_sched_next again at this time */
};

struct fw_sched;

/* Copies what it needs. A node that asks for more than a limit is FW_EINVAL, with its index in
 * *bad. */
int fw_sched_new(const struct fw_sched_node *nodes, size_t n, const struct fw_sched_limits *limits,
                 struct fw_sched **out, int *bad, struct fw_err *err);
void fw_sched_free(struct fw_sched *s);
/* The next thing to do: START (the node is then RUNNING and holds its slots), WAKE (nothing can
 * start before at_ms), IDLE (something runs; nothing can start now), FINISHED (every node has
 * ended). */
struct fw_action fw_sched_next(struct fw_sched *s, int64_t now_ms);
/* The node has ended with `state` (DONE, CACHED, FAILED, …). Failures with tries left go to
 * BACKOFF. */
void fw_sched_finish(struct fw_sched *s, int node, enum fw_state state, int64_t now_ms);
/* Nothing new starts; what has not begun becomes CANCELLED. Running nodes are for the caller to
 * stop. */
void fw_sched_cancel(struct fw_sched *s);
enum fw_state fw_sched_state(const struct fw_sched *s, int node);
int fw_sched_attempts(const struct fw_sched *s, int node);

#endif
