#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/base/rng.h"
#include "pipeline/sched/sched.h"

static struct fw_sched *make(const struct fw_sched_node *nodes, size_t n,
                             const struct fw_sched_limits *limits)
{
    struct fw_sched *s = NULL;
    struct fw_err err = {0};
    if (fw_sched_new(nodes, n, limits, &s, NULL, &err) != FW_OK)
        fail_msg("%s", err.msg);
    return s;
}

static void expect_start(struct fw_sched *s, int64_t now, int node, int attempt)
{
    struct fw_action a = fw_sched_next(s, now);
    assert_int_equal(a.type, FW_ACT_START);
    assert_int_equal(a.node, node);
    assert_int_equal(a.attempt, attempt);
    assert_int_equal(fw_sched_state(s, node), FW_STATE_RUNNING);
}

static const struct fw_sched_limits two_cpus = {.cpus = 2, .memory = 1000};

static void test_order_and_slots(void **state)
{
    (void)state;
    int needs_3[] = {0, 1};
    struct fw_sched_node nodes[] = {
        {.cpus = 1}, {.cpus = 1}, {.cpus = 1}, {.cpus = 1, .n_needs = 2, .needs = needs_3}};
    struct fw_sched *s = make(nodes, 4, &two_cpus);
    expect_start(s, 0, 0, 1);
    expect_start(s, 0, 1, 1);
    assert_int_equal(fw_sched_next(s, 0).type, FW_ACT_IDLE);
    fw_sched_finish(s, 1, FW_STATE_DONE, 0);
    expect_start(s, 0, 2, 1);
    assert_int_equal(fw_sched_state(s, 3), FW_STATE_BLOCKED);
    fw_sched_finish(s, 0, FW_STATE_CACHED, 0);
    expect_start(s, 0, 3, 1);
    fw_sched_finish(s, 2, FW_STATE_DONE, 0);
    assert_int_equal(fw_sched_next(s, 0).type, FW_ACT_IDLE);
    fw_sched_finish(s, 3, FW_STATE_DONE, 0);
    assert_int_equal(fw_sched_next(s, 0).type, FW_ACT_FINISHED);
    assert_int_equal(fw_sched_state(s, 0), FW_STATE_CACHED);
    fw_sched_free(s);
}

static void test_a_need_with_a_larger_index(void **state)
{
    (void)state;
    int needs_0[] = {1};
    struct fw_sched_node nodes[] = {{.cpus = 1, .n_needs = 1, .needs = needs_0}, {.cpus = 1}};
    struct fw_sched *s = make(nodes, 2, &two_cpus);
    expect_start(s, 0, 1, 1);
    assert_int_equal(fw_sched_next(s, 0).type, FW_ACT_IDLE);
    fw_sched_finish(s, 1, FW_STATE_DONE, 0);
    expect_start(s, 0, 0, 1);
    fw_sched_free(s);
}

static void test_jobs_memory_and_named(void **state)
{
    (void)state;
    double one_gpu = 1, half = 0.5;
    struct fw_sched_node nodes[] = {{.cpus = 0.5, .memory = 600, .named = &one_gpu},
                                    {.cpus = 0.5, .named = &half},
                                    {.cpus = 0.5, .memory = 600},
                                    {.cpus = 0.5},
                                    {.cpus = 0.5}};
    struct fw_sched_limits limits = {
        .cpus = 2, .memory = 1000, .n_named = 1, .named = &one_gpu, .jobs = 2};
    struct fw_sched *s = make(nodes, 5, &limits);
    expect_start(s, 0, 0, 1);
    expect_start(s, 0, 3, 1); /* 1 lacks the gpu, 2 the memory: they are passed */
    assert_int_equal(fw_sched_next(s, 0).type, FW_ACT_IDLE); /* two jobs */
    fw_sched_finish(s, 0, FW_STATE_DONE, 0);
    expect_start(s, 0, 1, 1);
    fw_sched_finish(s, 3, FW_STATE_DONE, 0);
    expect_start(s, 0, 2, 1);
    fw_sched_free(s);
}

static void test_retry_and_backoff(void **state)
{
    (void)state;
    struct fw_sched_node node = {.cpus = 1, .retries = 2, .backoff_ms = 100};
    struct fw_sched *s = make(&node, 1, &two_cpus);
    expect_start(s, 0, 0, 1);
    fw_sched_finish(s, 0, FW_STATE_FAILED, 1000);
    assert_int_equal(fw_sched_state(s, 0), FW_STATE_BACKOFF);
    struct fw_action a = fw_sched_next(s, 1050);
    assert_int_equal(a.type, FW_ACT_WAKE);
    assert_int_equal(a.at_ms, 1100);
    expect_start(s, 1100, 0, 2);
    fw_sched_finish(s, 0, FW_STATE_TIMEOUT, 2000);
    assert_int_equal(fw_sched_next(s, 2199).type, FW_ACT_WAKE);
    expect_start(s, 2200, 0, 3);
    fw_sched_finish(s, 0, FW_STATE_KILLED, 3000);
    assert_int_equal(fw_sched_next(s, 3000).type, FW_ACT_FINISHED);
    assert_int_equal(fw_sched_state(s, 0), FW_STATE_KILLED);
    assert_int_equal(fw_sched_attempts(s, 0), 3);
    fw_sched_free(s);
}

static void test_what_is_not_tried_again(void **state)
{
    (void)state;
    static const enum fw_state final[] = {FW_STATE_OOM, FW_STATE_BAD_OUTPUT, FW_STATE_WAITING,
                                          FW_STATE_CANCELLED};
    for (size_t i = 0; i < sizeof final / sizeof *final; i++) {
        struct fw_sched_node node = {.cpus = 1, .retries = 2, .backoff_ms = 100};
        struct fw_sched *s = make(&node, 1, &two_cpus);
        expect_start(s, 0, 0, 1);
        fw_sched_finish(s, 0, final[i], 0);
        assert_int_equal(fw_sched_state(s, 0), final[i]);
        assert_int_equal(fw_sched_next(s, 0).type, FW_ACT_FINISHED);
        fw_sched_free(s);
    }
}

static void test_backoff_does_not_overflow(void **state)
{
    (void)state;
    struct fw_sched_node node = {.cpus = 1, .retries = 100, .backoff_ms = 1000};
    struct fw_sched *s = make(&node, 1, &two_cpus);
    int64_t now = 0;
    for (int i = 1; i <= 100; i++) {
        expect_start(s, now, 0, i);
        fw_sched_finish(s, 0, FW_STATE_FAILED, now);
        int64_t at = fw_sched_next(s, now).at_ms;
        assert_true(at > now && at - now <= 3600 * 1000);
        now = at;
    }
    fw_sched_free(s);
}

/* 0 fails; 1 ← 0, 2 ← 1, 3 waits, 4 ← 3, 5 ← 0 and 3, 6 is free */
static void failing_graph(bool fail_first)
{
    int n0[] = {0}, n1[] = {1}, n3[] = {3}, n03[] = {0, 3};
    struct fw_sched_node nodes[] = {{0}, {.n_needs = 1, .needs = n0}, {.n_needs = 1, .needs = n1},
                                    {0}, {.n_needs = 1, .needs = n3}, {.n_needs = 2, .needs = n03},
                                    {0}};
    struct fw_sched *s = make(nodes, 7, &two_cpus);
    expect_start(s, 0, 0, 1);
    expect_start(s, 0, 3, 1);
    expect_start(s, 0, 6, 1);
    if (fail_first)
        fw_sched_finish(s, 0, FW_STATE_FAILED, 0);
    fw_sched_finish(s, 3, FW_STATE_WAITING, 0);
    if (!fail_first)
        fw_sched_finish(s, 0, FW_STATE_FAILED, 0);
    fw_sched_finish(s, 6, FW_STATE_DONE, 0);
    assert_int_equal(fw_sched_next(s, 0).type, FW_ACT_FINISHED);
    static const enum fw_state want[] = {FW_STATE_FAILED,  FW_STATE_SKIPPED, FW_STATE_SKIPPED,
                                         FW_STATE_WAITING, FW_STATE_HELD,    FW_STATE_SKIPPED,
                                         FW_STATE_DONE};
    for (int i = 0; i < 7; i++)
        assert_int_equal(fw_sched_state(s, i), want[i]);
    fw_sched_free(s);
}

static void test_failures_spread(void **state)
{
    (void)state;
    failing_graph(true);
    failing_graph(false);
}

static void test_cancel(void **state)
{
    (void)state;
    int n0[] = {0};
    struct fw_sched_node nodes[] = {{.cpus = 1, .retries = 3},
                                    {.cpus = 1, .retries = 3},
                                    {.n_needs = 1, .needs = n0},
                                    {.cpus = 2}};
    struct fw_sched *s = make(nodes, 4, &two_cpus);
    expect_start(s, 0, 0, 1);
    expect_start(s, 0, 1, 1);
    fw_sched_finish(s, 1, FW_STATE_FAILED, 0); /* goes to backoff */
    fw_sched_cancel(s);
    assert_int_equal(fw_sched_next(s, 10000).type, FW_ACT_IDLE);
    fw_sched_finish(s, 0, FW_STATE_FAILED, 10000); /* no further try */
    assert_int_equal(fw_sched_next(s, 10000).type, FW_ACT_FINISHED);
    assert_int_equal(fw_sched_state(s, 0), FW_STATE_FAILED);
    for (int i = 1; i < 4; i++)
        assert_int_equal(fw_sched_state(s, i), FW_STATE_CANCELLED);
    fw_sched_free(s);
}

static void test_a_big_node_does_not_starve(void **state)
{
    (void)state;
    enum { N = 500 };
    static struct fw_sched_node nodes[N];
    for (int i = 0; i < N; i++)
        nodes[i] = (struct fw_sched_node){.cpus = i == 1 ? 2 : 1};
    struct fw_sched *s = make(nodes, N, &two_cpus);
    int running[2] = {-1, -1}, started = 0;
    while (fw_sched_state(s, 1) != FW_STATE_RUNNING) {
        struct fw_action a = fw_sched_next(s, 0);
        if (a.type == FW_ACT_START) {
            running[running[0] >= 0] = a.node;
            started++;
            continue;
        }
        fw_sched_finish(s, running[0], FW_STATE_DONE, 0);
        running[0] = running[1];
        running[1] = -1;
    }
    assert_in_range(started, 2, FW_SCHED_PASSES + 2);
    fw_sched_free(s);
}

static void test_refusals(void **state)
{
    (void)state;
    struct fw_sched *s = NULL;
    int n0[] = {0}, n1[] = {1}, far[] = {7}, bad = -1;
    double minus = -1;
    struct fw_sched_limits limits = {.cpus = 2, .memory = 10, .n_named = 1, .named = &(double){1}};
    const struct {
        struct fw_sched_node nodes[2];
        int bad;
        const char *says;
    } cases[] = {
        {{{0}, {.cpus = 2.5}}, 1, "more cpus (2.5) than there is (2)"},
        {{{.memory = 11}, {0}}, 0, "more memory (11) than there is (10)"},
        {{{0}, {.cpus = -1}}, 1, "not a number"},
        {{{0}, {.named = &minus}}, 1, "not a number"},
        {{{.n_needs = 1, .needs = n1}, {.n_needs = 1, .needs = n0}}, 0, "circle"},
        {{{.n_needs = 1, .needs = n0}, {0}}, 0, "circle"},
        {{{0}, {.n_needs = 1, .needs = far}}, 1, "does not exist"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fw_err err = {0};
        assert_int_equal(fw_sched_new(cases[i].nodes, 2, &limits, &s, &bad, &err), FW_EINVAL);
        assert_int_equal(bad, cases[i].bad);
        if (!strstr(err.msg, cases[i].says))
            fail_msg("case %zu said '%s'", i, err.msg);
        assert_null(s);
    }
}

static void test_nothing_to_do(void **state)
{
    (void)state;
    struct fw_sched *s = make(NULL, 0, &two_cpus);
    assert_int_equal(fw_sched_next(s, 0).type, FW_ACT_FINISHED);
    fw_sched_free(s);
}

/* ---- random graphs, random outcomes: the promises hold at every step ---- */

enum { MAX = 60 };

struct world {
    size_t n;
    struct fw_sched_node nodes[MAX];
    int needs[MAX][4];
    double named[MAX];
    struct fw_sched_limits limits;
    double gpu;
    int running[MAX];
    size_t n_running;
    double cpus, gpus;
    uint64_t memory;
};

static void world_make(struct world *w, struct fw_rng *rng)
{
    memset(w, 0, sizeof *w);
    w->n = 1 + fw_rng_below(rng, MAX);
    w->gpu = 2;
    w->limits = (struct fw_sched_limits){.cpus = 4,
                                         .memory = 100,
                                         .n_named = 1,
                                         .named = &w->gpu,
                                         .jobs = (int)fw_rng_below(rng, 4)};
    for (size_t i = 0; i < w->n; i++) {
        struct fw_sched_node *nd = &w->nodes[i];
        w->named[i] = (double)fw_rng_below(rng, 3);
        *nd = (struct fw_sched_node){.cpus = 0.25 * (double)fw_rng_below(rng, 17),
                                     .memory = fw_rng_below(rng, 101),
                                     .named = &w->named[i],
                                     .needs = w->needs[i],
                                     .retries = (int)fw_rng_below(rng, 3),
                                     .backoff_ms = (int64_t)fw_rng_below(rng, 50)};
        for (; i && nd->n_needs < 4 && fw_rng_below(rng, 2); nd->n_needs++)
            w->needs[i][nd->n_needs] = (int)fw_rng_below(rng, i);
    }
}

static void world_start(struct world *w, const struct fw_sched *s, const struct fw_action *a)
{
    const struct fw_sched_node *nd = &w->nodes[a->node];
    for (size_t k = 0; k < nd->n_needs; k++)
        assert_true(fw_state_is_success(fw_sched_state(s, nd->needs[k])));
    assert_in_range(a->attempt, 1, nd->retries + 1);
    w->running[w->n_running++] = a->node;
    w->cpus += nd->cpus;
    w->memory += nd->memory;
    w->gpus += w->named[a->node];
    assert_true(w->cpus <= w->limits.cpus && w->memory <= w->limits.memory && w->gpus <= w->gpu);
    assert_true(!w->limits.jobs || w->n_running <= (size_t)w->limits.jobs);
}

static void world_finish(struct world *w, struct fw_sched *s, struct fw_rng *rng, int64_t now)
{
    size_t i = fw_rng_below(rng, w->n_running);
    int node = w->running[i];
    static const enum fw_state outcome[] = {FW_STATE_DONE,    FW_STATE_DONE,    FW_STATE_DONE,
                                            FW_STATE_DONE,    FW_STATE_CACHED,  FW_STATE_FAILED,
                                            FW_STATE_KILLED,  FW_STATE_OOM,     FW_STATE_BAD_OUTPUT,
                                            FW_STATE_TIMEOUT, FW_STATE_WAITING, FW_STATE_CANCELLED};
    w->running[i] = w->running[--w->n_running];
    w->cpus -= w->nodes[node].cpus;
    w->memory -= w->nodes[node].memory;
    w->gpus -= w->named[node];
    fw_sched_finish(s, node, outcome[fw_rng_below(rng, sizeof outcome / sizeof *outcome)], now);
}

static void world_check_end(const struct world *w, const struct fw_sched *s)
{
    for (size_t i = 0; i < w->n; i++) {
        enum fw_state st = fw_sched_state(s, (int)i);
        bool all_done = true;
        assert_true(fw_state_is_end(st));
        for (size_t k = 0; k < w->nodes[i].n_needs; k++)
            all_done &= fw_state_is_success(fw_sched_state(s, w->needs[i][k]));
        /* what could run has run, and only that */
        assert_int_equal(all_done, fw_sched_attempts(s, (int)i) > 0);
    }
}

static void test_random_graphs(void **state)
{
    (void)state;
    static struct world w;
    for (uint64_t seed = 0; seed < 2000; seed++) {
        struct fw_rng rng;
        fw_rng_seed(&rng, seed);
        world_make(&w, &rng);
        struct fw_sched *s = make(w.nodes, w.n, &w.limits);
        int64_t now = 0;
        for (int steps = 0;; steps++) {
            assert_true(steps < 10000);
            struct fw_action a = fw_sched_next(s, now);
            if (a.type == FW_ACT_FINISHED)
                break;
            if (a.type == FW_ACT_START)
                world_start(&w, s, &a);
            else if (w.n_running)
                world_finish(&w, s, &rng, now);
            else {
                assert_int_equal(a.type, FW_ACT_WAKE); /* never stuck */
                assert_true(a.at_ms > now);
                now = a.at_ms;
            }
        }
        assert_int_equal(w.n_running, 0);
        world_check_end(&w, s);
        fw_sched_free(s);
    }
}

static void test_names(void **state)
{
    (void)state;
    for (int i = 0; i < FW_STATES; i++)
        assert_true(strlen(fw_state_name((enum fw_state)i)) > 0);
    assert_string_equal(fw_state_name(FW_STATE_SKIPPED), "dependency failed");
    assert_true(fw_state_is_failure(FW_STATE_OOM) && !fw_state_is_failure(FW_STATE_WAITING));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_slots),
        cmocka_unit_test(test_a_need_with_a_larger_index),
        cmocka_unit_test(test_jobs_memory_and_named),
        cmocka_unit_test(test_retry_and_backoff),
        cmocka_unit_test(test_what_is_not_tried_again),
        cmocka_unit_test(test_backoff_does_not_overflow),
        cmocka_unit_test(test_failures_spread),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_a_big_node_does_not_starve),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_nothing_to_do),
        cmocka_unit_test(test_random_graphs),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
