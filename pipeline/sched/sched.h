/*
 * The scheduler: a pure state machine. Events in (start, finished, time), actions out (start this
 * node, wake me then). No I/O, no clock, no libuv. Counts down blocked inputs, keeps what is ready
 * in graph order, and honours slots: cpus, memory and named resources.
 *
 * Order: the lowest index that fits starts first. A node that does not fit may be passed by later
 * ones, but the first in line at most FW_SCHED_PASSES times: then nothing starts before it does, so
 * a big node waits a bounded time. An event costs O(log n + kinds of demand), not O(n).
 *
 *     fw_sched_new(...)
 *     loop: switch (fw_sched_next(s, now).type)
 *         START     begin it; when it has ended call fw_sched_finish() and come back
 *         WAKE      come back at at_ms, or after the next fw_sched_finish()
 *         IDLE      come back after the next fw_sched_finish()
 *         FINISHED  read fw_sched_state() of each node
 *
 * FAILED, KILLED and TIMEOUT are tried again while tries are left; OOM and BAD_OUTPUT are not: they
 * would end the same way. A failure makes everything behind it SKIPPED, a WAITING node makes it
 * HELD (SKIPPED when a failure is behind it as well, in whichever order they come).
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
    int64_t backoff_ms; /* wait before retry i (1-based) is backoff · 2^(i−1), at most an hour or
                           backoff_ms itself where that is longer */
};

struct fw_sched_limits {
    double cpus;
    uint64_t memory;
    size_t n_named;
    const double *named;
    int jobs; /* at most this many at once; 0 = no limit */
};

enum { FW_SCHED_PASSES = 32 };

enum fw_action_type { FW_ACT_START, FW_ACT_WAKE, FW_ACT_IDLE, FW_ACT_FINISHED };

struct fw_action {
    enum fw_action_type type;
    int node;      /* START */
    int attempt;   /* START: 1 for the first */
    int64_t at_ms; /* WAKE: call fw_sched_next again at this time */
};

struct fw_sched;

/* Copies what it needs. FW_EINVAL with the node's index in *bad (may be NULL) when a node asks for
 * more than a limit, for a negative amount, or needs itself by some way. A limit of 0 cpus or
 * memory means that nothing of it may be asked for. */
int fw_sched_new(const struct fw_sched_node *nodes, size_t n, const struct fw_sched_limits *limits,
                 struct fw_sched **out, int *bad, struct fw_err *err);
void fw_sched_free(struct fw_sched *s);
/* The next thing to do: START (the node is then RUNNING and holds its slots), WAKE (nothing can
 * start before at_ms), IDLE (something runs; nothing can start now), FINISHED (every node has
 * ended). */
struct fw_action fw_sched_next(struct fw_sched *s, int64_t now_ms);
/* The node has ended with `state` (DONE, CACHED, FAILED, …). Failures with tries left go to
 * BACKOFF. A node that is not RUNNING is left as it is; a state that is no end counts as FAILED. */
void fw_sched_finish(struct fw_sched *s, int node, enum fw_state state, int64_t now_ms);
/* Nothing new starts; what has not begun becomes CANCELLED. Running nodes are for the caller to
 * stop. */
void fw_sched_cancel(struct fw_sched *s);
enum fw_state fw_sched_state(const struct fw_sched *s, int node);
int fw_sched_attempts(const struct fw_sched *s, int node);

#endif
