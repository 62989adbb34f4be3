#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "stages/error_analysis/priority.h"

#define NEAR(a, b) assert_true(fabs((a) - (b)) < 1e-9)

static void test_by_hand(void **state)
{
    (void)state;
    NEAR(100 * fw_worth(0.04, 0.04), 0.16); /* car noise */
    NEAR(100 * fw_worth(0.01, 0.60), 0.6);  /* clean speech */
    NEAR(100 * fw_priority(0.04, 0.04, 2, 0.5), 0.16);
    NEAR(100 * fw_priority(0.01, 0.60, 3, 0.5), 0.9);
}

/* 10 samples of 3 classes. The slice: rows 0..5, of which 1, 2 and 4 are wrong. */
static const int truth[] = {0, 0, 0, 1, 1, 2, 2, 2, 1, 0};
static const int pred[] = {0, 1, 2, 1, 0, 2, 0, 2, 1, 0};
static const double loss[] = {0, 1, 1, 0, 1, 0, 1, 0, 0, 0};
static const uint32_t wrong[] = {1, 2, 4};

/* The metric of the confusion matrix after the move, made cell by cell. */
static double by_cells(const struct fw_metric *m, double f)
{
    double c[9] = {0};
    for (size_t i = 0; i < 10; i++)
        c[truth[i] * 3 + pred[i]]++;
    for (size_t i = 0; i < 3; i++) {
        c[truth[wrong[i]] * 3 + pred[wrong[i]]] -= f;
        c[truth[wrong[i]] * 3 + truth[wrong[i]]] += f;
    }
    return fw_metric_of_confusion(m, c, 3);
}

static void test_confusion_metrics(void **state)
{
    (void)state;
    struct fw_worth_rows rows = {.n = 10, .k = 3, .truth = truth, .pred = pred, .loss = loss};
    for (int id = FW_ACCURACY; id <= FW_RECALL; id++) {
        struct fw_metric m = {(enum fw_metric_id)id, id >= FW_F1 && id <= FW_RECALL ? 1 : -1, 0};
        struct fw_worth_base b;
        assert_int_equal(fw_worth_open(&m, &rows, &b, NULL), 0);
        for (double f = 0; f <= 1; f += 0.25)
            NEAR(fw_worth_metric(&b, wrong, 3, f), by_cells(&m, f) - by_cells(&m, 0));
        fw_worth_close(&b);
    }
    /* accuracy: the same as gap × share */
    struct fw_metric accuracy = {FW_ACCURACY, -1, 0};
    struct fw_worth_base b;
    fw_worth_open(&accuracy, &rows, &b, NULL);
    NEAR(fw_worth_metric(&b, wrong, 3, 0.4 / 0.5),
         fw_worth(0.4, 0.6)); /* 50 % to 90 % on 6 of 10 */
    fw_worth_close(&b);
}

static void test_probabilities(void **state)
{
    (void)state;
    static const int t[] = {0, 0, 1, 1}, p[] = {0, 1, 1, 0};
    static const float probs[] = {0.8f, 0.2f, 0.25f, 0.75f, 0.4f, 0.6f, 0.9f, 0.1f};
    static const double l[] = {0, 1, 0, 1};
    static const uint32_t at[] = {0, 1, 2, 3}, slice[] = {1};
    struct fw_worth_rows rows = {
        .n = 4, .k = 2, .truth = t, .pred = p, .loss = l, .probs = probs, .at = at};
    struct fw_metric m = {FW_LOG_LOSS, -1, 0};
    struct fw_worth_base b;
    fw_worth_open(&m, &rows, &b, NULL);
    double right = -(log(0.8f) + log(0.6f)) / 2;
    assert_true(fabs(fw_worth_metric(&b, slice, 1, 0.5) - 0.5 * (-log(0.25) - right) / 4) < 1e-6);
    fw_worth_close(&b);
}

static void test_regression(void **state)
{
    (void)state;
    static const double l[] = {1, 2, 0.5, 3}, value[] = {1, 2, 3, 4};
    static const uint32_t slice[] = {1, 3};
    struct fw_worth_rows rows = {.n = 4, .loss = l, .value = value};
    double before = 1 + 4 + 0.25 + 9, after = 1 + 1 + 0.25 + 2.25;
    static const enum fw_metric_id ids[] = {FW_MAE, FW_RMSE, FW_R2};
    double want[] = {2.5 / 4, sqrt(before / 4) - sqrt(after / 4), (before - after) / 5};
    for (size_t i = 0; i < 3; i++) {
        struct fw_metric m = {ids[i], -1, 0};
        struct fw_worth_base b;
        fw_worth_open(&m, &rows, &b, NULL);
        NEAR(fw_worth_metric(&b, slice, 2, 0.5), want[i]);
        fw_worth_close(&b);
    }
    struct fw_worth_rows none = {.n = 0};
    struct fw_metric m = {FW_MAE, -1, 0};
    struct fw_worth_base b;
    fw_worth_open(&m, &none, &b, NULL);
    assert_true(isnan(fw_worth_metric(&b, NULL, 0, 0.5)));
    fw_worth_close(&b);
}

/* a: rows 0..3 all wrong; b: the same rows and 4; c: row 5. After b nothing of a is left. */
static void test_order(void **state)
{
    (void)state;
    static const double l[] = {1, 1, 1, 1, 1, 1, 0, 0, 0, 0};
    static const uint32_t rows[] = {0, 1, 2, 3, 4, 5};
    struct fw_priority_slice v[] = {
        {.row = rows, .n_rows = 4, .n = 4, .worth = 0.4, .weight = 1},
        {.row = rows, .n_rows = 5, .n = 5, .worth = 0.5, .weight = 1},
        {.row = rows + 5, .n_rows = 1, .n = 2, .worth = 0.1, .weight = 1},
        {.row = rows + 2, .n_rows = 4, .n = 4, .worth = 0.3, .weight = 1, .human_loss = 0.25},
    };
    size_t order[4], n;
    double next[4];
    assert_int_equal(fw_priority_order(v, 4, l, 10, 4, order, next, &n, NULL), 0);
    assert_int_equal(n, 2);
    assert_int_equal(order[0], 1);
    NEAR(next[0], 0.5); /* the first is worth what it is worth alone */
    assert_int_equal(order[1], 2);
    NEAR(next[1], 0.1);
    v[3].weight = 10; /* 2..5 to 25 %: a keeps 2 + 2 × 0.25 of 4 */
    assert_int_equal(fw_priority_order(v, 4, l, 10, 4, order, next, &n, NULL), 0);
    assert_int_equal(order[0], 3);
    assert_int_equal(order[1], 1);
    NEAR(next[1], 0.5 * (2 + 3 * 0.25) / 5);
    assert_int_equal(fw_priority_order(v, 0, l, 10, 4, order, next, &n, NULL), 0);
    assert_int_equal(n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),       cmocka_unit_test(test_confusion_metrics),
        cmocka_unit_test(test_probabilities), cmocka_unit_test(test_regression),
        cmocka_unit_test(test_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
