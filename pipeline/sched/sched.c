#include "pipeline/sched/sched.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Amounts are whole millionths: sums of doubles would drift away from the limit. */
#define UNIT 1e6
#define HOUR_MS ((int64_t)3600 * 1000)

/* Nodes that ask for the same share one queue: whether one of them fits is the same question. */
struct demand_class {
    int first;  /* a node of the class: its demand */
    int *heap;  /* ready nodes, lowest index on top */
    size_t len; /* of the heap */
};

struct backoff {
    int64_t at_ms;
    int node;
};

struct fw_sched {
    size_t n, n_named, n_classes, n_backoff, n_ended, n_running;
    int jobs;
    bool cancelled;
    int *behind_at, *behind; /* node i blocks behind[behind_at[i] .. behind_at[i + 1]) */
    int *blocked;            /* needs not done yet */
    int *attempts, *retries, *class_of, *passed;
    int64_t *backoff_ms;
    int64_t *amount; /* n × (2 + n_named): cpus, memory, named */
    int64_t *free;   /* 2 + n_named */
    enum fw_state *state;
    struct demand_class *classes;
    int *heaps; /* backs every class's heap */
    struct backoff *backoff;
    int *stack; /* for walking what stands behind a node */
};

static const char *const names[FW_STATES] = {
    [FW_STATE_BLOCKED] = "blocked",
    [FW_STATE_READY] = "ready",
    [FW_STATE_RUNNING] = "running",
    [FW_STATE_BACKOFF] = "will be retried",
    [FW_STATE_DONE] = "done",
    [FW_STATE_CACHED] = "cached",
    [FW_STATE_FAILED] = "failed",
    [FW_STATE_KILLED] = "killed",
    [FW_STATE_TIMEOUT] = "timeout",
    [FW_STATE_OOM] = "out of memory",
    [FW_STATE_BAD_OUTPUT] = "bad output",
    [FW_STATE_WAITING] = "waiting",
    [FW_STATE_CANCELLED] = "cancelled",
    [FW_STATE_SKIPPED] = "dependency failed",
    [FW_STATE_HELD] = "dependency waiting",
};

const char *fw_state_name(enum fw_state s)
{
    return (unsigned)s < FW_STATES ? names[s] : "unknown";
}

bool fw_state_is_end(enum fw_state s)
{
    return s >= FW_STATE_DONE && s < FW_STATES;
}

bool fw_state_is_success(enum fw_state s)
{
    return s == FW_STATE_DONE || s == FW_STATE_CACHED;
}

bool fw_state_is_failure(enum fw_state s)
{
    return s >= FW_STATE_FAILED && s <= FW_STATE_BAD_OUTPUT;
}

static size_t width(const struct fw_sched *s)
{
    return 2 + s->n_named;
}

static const int64_t *demand(const struct fw_sched *s, int node)
{
    return s->amount + (size_t)node * width(s);
}

/* ---- setting up ---- */

static int to_units(double v, int64_t *out)
{
    if (!(v >= 0) || v > 1e12) /* also NaN */
        return -1;
    *out = llround(v * UNIT);
    return 0;
}

static int set_amounts(struct fw_sched *s, const struct fw_sched_node *nodes,
                       const struct fw_sched_limits *limits, int *bad, struct fw_err *err)
{
    if (to_units(limits->cpus, &s->free[0]) != 0)
        return fw_err_set(err, FW_EINVAL, "the limit of cpus is not a number of cpus");
    s->free[1] = limits->memory > INT64_MAX ? INT64_MAX : (int64_t)limits->memory;
    for (size_t r = 0; r < s->n_named; r++) {
        if (to_units(limits->named[r], &s->free[2 + r]) != 0)
            return fw_err_set(err, FW_EINVAL, "the limit of resource %zu is not an amount", r);
    }
    for (size_t i = 0; i < s->n; i++) {
        int64_t *a = s->amount + i * width(s);
        int rc = to_units(nodes[i].cpus, &a[0]);
        a[1] = nodes[i].memory > INT64_MAX ? INT64_MAX : (int64_t)nodes[i].memory;
        for (size_t r = 0; r < s->n_named && nodes[i].named; r++)
            rc |= to_units(nodes[i].named[r], &a[2 + r]);
        *bad = (int)i;
        if (rc)
            return fw_err_set(err, FW_EINVAL, "it asks for an amount that is not a number >= 0");
        for (size_t k = 0; k < width(s); k++) {
            if (a[k] <= s->free[k])
                continue;
            const char *what = k == 0 ? "cpus" : k == 1 ? "memory" : "a named resource";
            double unit = k == 1 ? 1 : UNIT;
            return fw_err_set(err, FW_EINVAL, "it asks for more %s (%g) than there is (%g)", what,
                              (double)a[k] / unit, (double)s->free[k] / unit);
        }
    }
    return FW_OK;
}

static int set_edges(struct fw_sched *s, const struct fw_sched_node *nodes, int *bad,
                     struct fw_err *err)
{
    size_t edges = 0;
    for (size_t i = 0; i < s->n; i++)
        edges += nodes[i].n_needs;
    s->behind = calloc(edges + 1, sizeof *s->behind);
    if (!s->behind)
        return fw_err_nomem(err);
    for (size_t i = 0; i < s->n; i++) {
        for (size_t k = 0; k < nodes[i].n_needs; k++) {
            int need = nodes[i].needs[k];
            *bad = (int)i;
            if (need < 0 || (size_t)need >= s->n)
                return fw_err_set(err, FW_EINVAL, "it needs node %d, which does not exist", need);
            s->behind_at[need + 1]++;
        }
        s->blocked[i] = (int)nodes[i].n_needs;
    }
    for (size_t i = 0; i < s->n; i++)
        s->behind_at[i + 1] += s->behind_at[i];
    for (size_t i = 0; i < s->n; i++)
        for (size_t k = 0; k < nodes[i].n_needs; k++)
            s->behind[s->behind_at[nodes[i].needs[k]] + s->stack[nodes[i].needs[k]]++] = (int)i;
    return FW_OK;
}

/* Kahn's algorithm; passed[] serves as the countdown and is zeroed again. */
static int check_acyclic(struct fw_sched *s, int *bad, struct fw_err *err)
{
    size_t top = 0, seen = 0;
    memcpy(s->passed, s->blocked, s->n * sizeof *s->passed);
    for (size_t i = 0; i < s->n; i++)
        if (!s->passed[i])
            s->stack[top++] = (int)i;
    while (top) {
        int node = s->stack[--top];
        seen++;
        for (int k = s->behind_at[node]; k < s->behind_at[node + 1]; k++)
            if (--s->passed[s->behind[k]] == 0)
                s->stack[top++] = s->behind[k];
    }
    for (size_t i = 0; seen < s->n && i < s->n; i++) {
        if (s->passed[i] > 0) {
            *bad = (int)i;
            return fw_err_set(err, FW_EINVAL, "it stands in or behind a circle of needs");
        }
    }
    memset(s->passed, 0, s->n * sizeof *s->passed);
    return FW_OK;
}

struct sort_key {
    const int64_t *amount;
    size_t width;
    int node;
};

static int by_demand(const void *a, const void *b)
{
    const struct sort_key *x = a, *y = b;
    for (size_t k = 0; k < x->width; k++)
        if (x->amount[k] != y->amount[k])
            return x->amount[k] < y->amount[k] ? -1 : 1;
    return x->node < y->node ? -1 : x->node > y->node;
}

static int set_classes(struct fw_sched *s, struct fw_err *err)
{
    struct sort_key *keys = calloc(s->n + 1, sizeof *keys);
    if (!keys)
        return fw_err_nomem(err);
    for (size_t i = 0; i < s->n; i++)
        keys[i] = (struct sort_key){demand(s, (int)i), width(s), (int)i};
    qsort(keys, s->n, sizeof *keys, by_demand);
    for (size_t i = 0; i < s->n; i++) {
        if (i == 0 || memcmp(keys[i].amount, keys[i - 1].amount, width(s) * sizeof(int64_t)) != 0)
            s->classes[s->n_classes++] =
                (struct demand_class){.first = keys[i].node, .heap = s->heaps + i};
        s->class_of[keys[i].node] = (int)s->n_classes - 1;
    }
    free(keys);
    return FW_OK;
}

/* ---- the ready queues ---- */

static void ready_push(struct fw_sched *s, int node)
{
    struct demand_class *c = &s->classes[s->class_of[node]];
    size_t i = c->len++;
    while (i && c->heap[(i - 1) / 2] > node) {
        c->heap[i] = c->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    c->heap[i] = node;
    s->state[node] = FW_STATE_READY;
}

static int ready_pop(struct demand_class *c)
{
    int top = c->heap[0], last = c->heap[--c->len];
    size_t i = 0;
    for (;;) {
        size_t kid = 2 * i + 1;
        if (kid + 1 < c->len && c->heap[kid + 1] < c->heap[kid])
            kid++;
        if (kid >= c->len || c->heap[kid] >= last)
            break;
        c->heap[i] = c->heap[kid];
        i = kid;
    }
    if (c->len)
        c->heap[i] = last;
    return top;
}

static void backoff_push(struct fw_sched *s, int node, int64_t at_ms)
{
    size_t i = s->n_backoff++;
    while (i && s->backoff[(i - 1) / 2].at_ms > at_ms) {
        s->backoff[i] = s->backoff[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    s->backoff[i] = (struct backoff){at_ms, node};
    s->state[node] = FW_STATE_BACKOFF;
}

static int backoff_pop(struct fw_sched *s)
{
    int top = s->backoff[0].node;
    struct backoff last = s->backoff[--s->n_backoff];
    size_t i = 0;
    for (;;) {
        size_t kid = 2 * i + 1;
        if (kid + 1 < s->n_backoff && s->backoff[kid + 1].at_ms < s->backoff[kid].at_ms)
            kid++;
        if (kid >= s->n_backoff || s->backoff[kid].at_ms >= last.at_ms)
            break;
        s->backoff[i] = s->backoff[kid];
        i = kid;
    }
    s->backoff[i] = last;
    return top;
}

int fw_sched_new(const struct fw_sched_node *nodes, size_t n, const struct fw_sched_limits *limits,
                 struct fw_sched **out, int *bad, struct fw_err *err)
{
    int at = -1, rc = FW_OK;
    size_t w = 2 + limits->n_named;
    struct fw_sched *s = n < INT32_MAX / 2 ? calloc(1, sizeof *s) : NULL;
    if (!s)
        return fw_err_nomem(err);
    s->n = n;
    s->n_named = limits->n_named;
    s->jobs = limits->jobs;
    s->behind_at = calloc(n + 2, sizeof *s->behind_at);
    s->blocked = calloc(n + 1, sizeof *s->blocked);
    s->attempts = calloc(n + 1, sizeof *s->attempts);
    s->retries = calloc(n + 1, sizeof *s->retries);
    s->class_of = calloc(n + 1, sizeof *s->class_of);
    s->passed = calloc(n + 1, sizeof *s->passed);
    s->backoff_ms = calloc(n + 1, sizeof *s->backoff_ms);
    s->amount = calloc(n + 1, w * sizeof *s->amount);
    s->free = calloc(w, sizeof *s->free);
    s->state = calloc(n + 1, sizeof *s->state);
    s->classes = calloc(n + 1, sizeof *s->classes);
    s->heaps = calloc(n + 1, sizeof *s->heaps);
    s->backoff = calloc(n + 1, sizeof *s->backoff);
    s->stack = calloc(n + 1, sizeof *s->stack);
    if (!s->behind_at || !s->blocked || !s->attempts || !s->retries || !s->class_of || !s->passed ||
        !s->backoff_ms || !s->amount || !s->free || !s->state || !s->classes || !s->heaps ||
        !s->backoff || !s->stack)
        rc = fw_err_nomem(err);
    if (rc == FW_OK)
        rc = set_amounts(s, nodes, limits, &at, err);
    if (rc == FW_OK)
        rc = set_edges(s, nodes, &at, err);
    if (rc == FW_OK)
        rc = check_acyclic(s, &at, err);
    if (rc == FW_OK)
        rc = set_classes(s, err);
    if (rc != FW_OK) {
        if (bad && rc == FW_EINVAL)
            *bad = at;
        fw_sched_free(s);
        return rc;
    }
    for (size_t i = 0; i < n; i++) {
        s->retries[i] = nodes[i].retries > 0 ? nodes[i].retries : 0;
        s->backoff_ms[i] = nodes[i].backoff_ms > 0 ? nodes[i].backoff_ms : 0;
        if (s->blocked[i] == 0)
            ready_push(s, (int)i);
    }
    *out = s;
    return FW_OK;
}

void fw_sched_free(struct fw_sched *s)
{
    if (!s)
        return;
    free(s->behind_at);
    free(s->behind);
    free(s->blocked);
    free(s->attempts);
    free(s->retries);
    free(s->class_of);
    free(s->passed);
    free(s->backoff_ms);
    free(s->amount);
    free(s->free);
    free(s->state);
    free(s->classes);
    free(s->heaps);
    free(s->backoff);
    free(s->stack);
    free(s);
}

/* ---- events ---- */

static bool fits(const struct fw_sched *s, int node)
{
    const int64_t *a = demand(s, node);
    for (size_t k = 0; k < width(s); k++)
        if (a[k] > s->free[k])
            return false;
    return true;
}

static struct fw_action start(struct fw_sched *s, struct demand_class *c)
{
    int node = ready_pop(c);
    const int64_t *a = demand(s, node);
    for (size_t k = 0; k < width(s); k++)
        s->free[k] -= a[k];
    s->state[node] = FW_STATE_RUNNING;
    s->n_running++;
    s->passed[node] = 0;
    return (struct fw_action){.type = FW_ACT_START, .node = node, .attempt = ++s->attempts[node]};
}

struct fw_action fw_sched_next(struct fw_sched *s, int64_t now_ms)
{
    if (s->n_ended == s->n)
        return (struct fw_action){.type = FW_ACT_FINISHED};
    while (s->n_backoff && s->backoff[0].at_ms <= now_ms)
        ready_push(s, backoff_pop(s));
    struct demand_class *best = NULL;
    int first = -1; /* the first in line, whether it fits or not */
    bool room = s->jobs <= 0 || s->n_running < (size_t)s->jobs;
    for (size_t i = 0; i < s->n_classes && room; i++) {
        struct demand_class *c = &s->classes[i];
        if (!c->len)
            continue;
        if (first < 0 || c->heap[0] < first)
            first = c->heap[0];
        if ((!best || c->heap[0] < best->heap[0]) && fits(s, c->first))
            best = c;
    }
    if (best && best->heap[0] != first && s->passed[first]++ >= FW_SCHED_PASSES) {
        s->passed[first] = FW_SCHED_PASSES;
        best = NULL;
    }
    if (best)
        return start(s, best);
    if (s->n_backoff)
        return (struct fw_action){.type = FW_ACT_WAKE, .at_ms = s->backoff[0].at_ms};
    return (struct fw_action){.type = FW_ACT_IDLE};
}

/* Everything behind a node that has not begun ends with `state`. */
static void end_behind(struct fw_sched *s, int node, enum fw_state state)
{
    size_t top = 0;
    s->stack[top++] = node;
    while (top) {
        int at = s->stack[--top];
        for (int k = s->behind_at[at]; k < s->behind_at[at + 1]; k++) {
            int next = s->behind[k];
            bool held = s->state[next] == FW_STATE_HELD && state == FW_STATE_SKIPPED;
            if (s->state[next] != FW_STATE_BLOCKED && !held)
                continue;
            s->n_ended += !held;
            s->state[next] = state;
            s->stack[top++] = next; /* each node at most once: its state has just changed */
        }
    }
}

static int64_t backoff_wait(int64_t first, int retry)
{
    int64_t cap = first > HOUR_MS ? first : HOUR_MS;
    int64_t wait = first;
    for (int i = 1; i < retry && wait < cap; i++)
        wait *= 2;
    return wait < cap ? wait : cap;
}

static bool try_again(const struct fw_sched *s, int node, enum fw_state state)
{
    return !s->cancelled && s->attempts[node] <= s->retries[node] &&
           (state == FW_STATE_FAILED || state == FW_STATE_KILLED || state == FW_STATE_TIMEOUT);
}

void fw_sched_finish(struct fw_sched *s, int node, enum fw_state state, int64_t now_ms)
{
    if (node < 0 || (size_t)node >= s->n || s->state[node] != FW_STATE_RUNNING)
        return;
    if (!fw_state_is_end(state))
        state = FW_STATE_FAILED;
    const int64_t *a = demand(s, node);
    for (size_t k = 0; k < width(s); k++)
        s->free[k] += a[k];
    s->n_running--;
    if (try_again(s, node, state)) {
        backoff_push(s, node, now_ms + backoff_wait(s->backoff_ms[node], s->attempts[node]));
        return;
    }
    s->state[node] = state;
    s->n_ended++;
    if (!fw_state_is_success(state)) {
        bool held = state == FW_STATE_WAITING || state == FW_STATE_HELD;
        bool cancelled = state == FW_STATE_CANCELLED;
        end_behind(s, node,
                   held        ? FW_STATE_HELD
                   : cancelled ? FW_STATE_CANCELLED
                               : FW_STATE_SKIPPED);
        return;
    }
    for (int k = s->behind_at[node]; k < s->behind_at[node + 1]; k++) {
        int next = s->behind[k];
        if (--s->blocked[next] == 0 && s->state[next] == FW_STATE_BLOCKED)
            ready_push(s, next);
    }
}

void fw_sched_cancel(struct fw_sched *s)
{
    s->cancelled = true;
    s->n_backoff = 0;
    for (size_t i = 0; i < s->n_classes; i++)
        s->classes[i].len = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (fw_state_is_end(s->state[i]) || s->state[i] == FW_STATE_RUNNING)
            continue;
        s->state[i] = FW_STATE_CANCELLED;
        s->n_ended++;
    }
}

enum fw_state fw_sched_state(const struct fw_sched *s, int node)
{
    return s->state[node];
}

int fw_sched_attempts(const struct fw_sched *s, int node)
{
    return s->attempts[node];
}
