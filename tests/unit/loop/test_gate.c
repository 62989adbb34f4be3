#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/loop/gate.h"
#include "pipeline/loop/stop.h"

static const struct fw_gate_rules spend = {
    .rule = FW_RULE_SPEND, .confidence = 0.95, .max_iterations = 10, .ablate = false};

static enum fw_verdict verdict(const struct fw_gate_rules *rules, struct fw_comparison cmp)
{
    struct fw_gate_result r;
    fw_gate_decide(rules, false, &cmp, NULL, 0, &r);
    assert_true(strlen(r.reason) > 0);
    return r.verdict;
}

static void test_spend(void **state)
{
    (void)state;
    assert_true(fabs(fw_gate_alpha(&spend, false) - 0.005) < 1e-12);
    struct fw_comparison c = {.gain = 0.02, .p_improved = 0.005, .p_worse = 0.99};
    assert_int_equal(verdict(&spend, c), FW_VERDICT_IMPROVED);
    c.p_improved = 0.0051; /* good enough for one look, not for one of ten */
    assert_int_equal(verdict(&spend, c), FW_VERDICT_UNDECIDED);
    c = (struct fw_comparison){.gain = -0.02, .p_improved = 0.99, .p_worse = 0.05};
    assert_int_equal(verdict(&spend, c), FW_VERDICT_WORSE);
    c.p_worse = 0.06;
    assert_int_equal(verdict(&spend, c), FW_VERDICT_UNDECIDED);
    c = (struct fw_comparison){.gain = 0, .p_improved = 1e-4, .p_worse = 1e-4};
    assert_int_equal(verdict(&spend, c), FW_VERDICT_UNDECIDED);
}

static void test_levels_sum_to_alpha(void **state)
{
    (void)state;
    struct fw_gate_rules r = spend;
    r.ablate = true;
    double sum = 10 * (fw_gate_alpha(&r, false) + fw_gate_alpha(&r, true));
    assert_true(fabs(sum - 0.05) < 1e-12);
    r.rule = FW_RULE_LADDER;
    assert_true(isnan(fw_gate_alpha(&r, false)));
}

static void test_ladder_and_threshold(void **state)
{
    (void)state;
    struct fw_gate_rules r = spend;
    r.rule = FW_RULE_LADDER;
    assert_int_equal(verdict(&r, (struct fw_comparison){.gain = 0.011, .sd = 0.01}),
                     FW_VERDICT_IMPROVED);
    assert_int_equal(verdict(&r, (struct fw_comparison){.gain = 0.01, .sd = 0.01}),
                     FW_VERDICT_UNDECIDED);
    assert_int_equal(verdict(&r, (struct fw_comparison){.gain = -0.011, .sd = 0.01}),
                     FW_VERDICT_WORSE);
    r.rule = FW_RULE_THRESHOLD;
    r.min_gain = 0.005;
    assert_int_equal(verdict(&r, (struct fw_comparison){.gain = 0.005}), FW_VERDICT_IMPROVED);
    assert_int_equal(verdict(&r, (struct fw_comparison){.gain = 0.004}), FW_VERDICT_UNDECIDED);
    assert_int_equal(verdict(&r, (struct fw_comparison){.gain = -0.005}), FW_VERDICT_WORSE);
    r.min_gain = 0; /* a gain of nothing is never an improvement */
    assert_int_equal(verdict(&r, (struct fw_comparison){.gain = 0}), FW_VERDICT_UNDECIDED);
}

static void test_guard_beats_gain(void **state)
{
    (void)state;
    struct fw_comparison c = {.gain = 0.1, .p_improved = 1e-4};
    struct fw_guard g[] = {{"a", "f1:a", 0.90, 0.88, 0.02, false},
                           {"spam", "f1:spam", 0.90, 0.8699, 0.03, false}};
    struct fw_gate_result r;
    assert_false(fw_guard_broken(&g[0])); /* by just the allowance */
    assert_true(fw_guard_broken(&g[1]));
    fw_gate_decide(&spend, false, &c, g, 1, &r);
    assert_int_equal(r.verdict, FW_VERDICT_IMPROVED);
    fw_gate_decide(&spend, false, &c, g, 2, &r);
    assert_int_equal(r.verdict, FW_VERDICT_WORSE);
    assert_non_null(strstr(r.reason, "'spam'"));
}

static void test_stop(void **state)
{
    (void)state;
    struct fw_plan p = {0};
    char text[256];
    p.loop.patience = 2;
    p.loop.max_iterations = 5;
    p.loop.budget_labels = 100;
    p.loop.budget_money = NAN;
    struct fw_loop_state s = {.score = 0.9, .higher_is_better = true};
    assert_int_equal(fw_stop_check(&p, &s, text, sizeof text), FW_STOP_NONE);
    p.metric.has_target = true;
    p.metric.target = 0.9;
    assert_int_equal(fw_stop_check(&p, &s, text, sizeof text), FW_STOP_TARGET);
    s.higher_is_better = false;
    s.score = 0.91;
    assert_int_equal(fw_stop_check(&p, &s, text, sizeof text), FW_STOP_NONE);
    s.since_improved = 2;
    assert_int_equal(fw_stop_check(&p, &s, text, sizeof text), FW_STOP_PATIENCE);
    assert_string_equal(text, "no improvement for 2 iterations");
    s.since_improved = 1;
    s.labels = 100;
    assert_int_equal(fw_stop_check(&p, &s, text, sizeof text), FW_STOP_BUDGET);
    s.labels = 99;
    s.nothing_left = true;
    assert_int_equal(fw_stop_check(&p, &s, text, sizeof text), FW_STOP_NOTHING_LEFT);
    s.nothing_left = false;
    s.iteration = 5;
    assert_int_equal(fw_stop_check(&p, &s, text, sizeof text), FW_STOP_MAX_ITERATIONS);
}

static void test_stop_when_stable(void **state)
{
    (void)state;
    struct fw_plan p = {0};
    char text[256];
    p.loop.patience = 9;
    p.loop.max_iterations = 9;
    p.loop.budget_labels = p.loop.budget_money = NAN;
    p.loop.stability_pool = "pool";
    p.loop.stability_kappa = 0.99;
    double kappa[] = {0.5, 0.99, 0.995, 1.0, 0.98};
    struct fw_loop_state s = {.n_kappa = 3, .kappa = kappa};
    assert_int_equal(fw_stop_check(&p, &s, text, sizeof text), FW_STOP_NONE);
    s.n_kappa = 4;
    assert_int_equal(fw_stop_check(&p, &s, text, sizeof text), FW_STOP_STABLE);
    s.n_kappa = 5;
    assert_int_equal(fw_stop_check(&p, &s, text, sizeof text), FW_STOP_NONE);
}

/* Of the audit: minus what is missing before and after. */
static void test_requirement(void **state)
{
    (void)state;
    struct fw_comparison c = {.gain = 0.1, .p_improved = 1e-4};
    struct fw_guard g = {"recall:a at least 0.9", "recall:a at least 0.9", 0, -0.01, 0, true};
    struct fw_gate_result r;
    fw_gate_decide(&spend, false, &c, &g, 1, &r);
    assert_int_equal(r.verdict, FW_VERDICT_WORSE);
    assert_string_equal(r.reason, "the audit is broken: 'recall:a at least 0.9' is missed by 0.01 "
                                  "(by the champion: 0)");
    g.before = -0.02; /* the champion misses it by more */
    fw_gate_decide(&spend, false, &c, &g, 1, &r);
    assert_int_equal(r.verdict, FW_VERDICT_IMPROVED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spend),
        cmocka_unit_test(test_levels_sum_to_alpha),
        cmocka_unit_test(test_ladder_and_threshold),
        cmocka_unit_test(test_guard_beats_gain),
        cmocka_unit_test(test_requirement),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_stop_when_stable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
