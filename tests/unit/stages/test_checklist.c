/* The three questions about a copy, on cases worked out by hand; and copies of table rows. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stages/augment/checklist.h"
#include "stages/augment/numbers.h"
#include "stages/train/nearest.h"

/* Ten real samples at 0..9 on a line, the first five of class 0; the last stands off at 20. */
enum { N = 10 };
static float at[N] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 20};
static const int klass[N] = {0, 0, 0, 0, 0, 1, 1, 1, 1, 1};
static const struct fw_matrix real = {.n = N, .dim = 1, .val = at};
static const struct fw_checklist_params usual = {
    .realistic = 0.05, .confident = 0.7, .poor = 1, .neighbours = 3, .seed = 1};

static struct fw_answers ask(const struct fw_checklist_params *p, const int *classes, float x,
                             struct fw_copy copy)
{
    struct fw_checklist *c = NULL;
    struct fw_answers a = {0};
    const struct fw_matrix one = {.n = 1, .dim = 1, .val = &x};
    assert_int_equal(fw_checklist_open(&real, classes, 2, p, &c, NULL), FW_OK);
    assert_int_equal(fw_checklist_ask(c, &one, 0, &copy, &a, NULL), FW_OK);
    fw_checklist_free(c);
    return a;
}

/* Mean distances to the three nearest others: 2 at 0 and 8, 4/3 at 1 and 7, and so at 2..6, and
 * (12 + 13 + 14) / 3 = 13 at 20. */
static void realistic_is_the_share_as_far_out(void **state)
{
    (void)state;
    const struct fw_copy copy = {.loss = NAN, .slice_loss = NAN};
    struct fw_answers a = ask(&usual, NULL, 4, copy); /* 0, 1, 1: 2/3 */
    assert_float_equal(a.realistic, 1, 1e-12);
    assert_int_equal(a.failed, 0);
    assert_true(isnan(a.clear) && isnan(a.poor)); /* not known fails nothing */
    a = ask(&usual, NULL, -0.5f, copy);           /* 0.5, 1.5, 2.5: 1.5 */
    assert_float_equal(a.realistic, 0.3, 1e-12);
    a = ask(&usual, NULL, 11, copy); /* 3, 4, 5: 4 */
    assert_float_equal(a.realistic, 0.1, 1e-12);
    a = ask(&usual, NULL, 100, copy);
    assert_float_equal(a.realistic, 0, 1e-12);
    assert_int_equal(a.failed, FW_NOT_REALISTIC);
    struct fw_checklist_params off = usual;
    off.realistic = 0;
    assert_int_equal(ask(&off, NULL, 100, copy).failed, 0);
}

static void clear_is_the_consensus_of_the_votes(void **state)
{
    (void)state;
    const float unsure[] = {0.9f, 0.1f}, against[] = {0.1f, 0.9f};
    struct fw_copy copy = {.parent = 2, .loss = NAN, .slice_loss = NAN};
    struct fw_answers a = ask(&usual, klass, 2, copy); /* 1, 3 and 0 or 4: all of its class */
    assert_float_equal(a.clear, 1, 1e-12);
    a = ask(&usual, klass, 7, copy);
    assert_float_equal(a.clear, 0, 1e-12);
    assert_int_equal(a.failed, FW_NOT_CLEAR);
    copy.probs = unsure; /* (1 + 0.1) / 2 for the other class: not confident enough */
    a = ask(&usual, klass, 7, copy);
    assert_float_equal(a.clear, 0.45, 1e-7);
    assert_int_equal(a.failed, 0);
    copy.probs = against;
    a = ask(&usual, klass, 7, copy);
    assert_float_equal(a.clear, 0.05, 1e-7);
    assert_int_equal(a.failed, FW_NOT_CLEAR);
    copy.parent_wrong = true; /* then the models are no evidence */
    assert_int_equal(ask(&usual, klass, 7, copy).failed, 0);
    copy.parent_wrong = false;
    struct fw_checklist_params off = usual;
    off.confident = 1;
    assert_int_equal(ask(&off, klass, 7, copy).failed, 0);
    /* The parent has no vote on its own copy: of 5's nearest others 4, 6 and 3 or 7. */
    copy = (struct fw_copy){.parent = 5, .loss = NAN, .slice_loss = NAN};
    assert_true(ask(&usual, klass, 5, copy).clear < 0.7);
}

static void poor_is_the_greater_of_the_losses(void **state)
{
    (void)state;
    struct fw_copy copy = {.parent = 2, .loss = 0.5, .slice_loss = 1.2};
    struct fw_answers a = ask(&usual, klass, 2, copy);
    assert_float_equal(a.poor, 1.2, 0);
    assert_int_equal(a.failed, 0);
    copy.slice_loss = NAN;
    a = ask(&usual, klass, 2, copy);
    assert_float_equal(a.poor, 0.5, 0);
    assert_int_equal(a.failed, FW_NOT_POOR);
    copy.loss = 3;
    assert_int_equal(ask(&usual, klass, 2, copy).failed, 0);
    struct fw_checklist_params off = usual;
    off.poor = 0;
    copy.loss = 0;
    assert_int_equal(ask(&off, klass, 2, copy).failed, 0);
}

static void little_data_and_bad_parameters(void **state)
{
    (void)state;
    struct fw_checklist *c = NULL;
    struct fw_answers a;
    const struct fw_copy copy = {.loss = NAN, .slice_loss = NAN};
    const struct fw_matrix one = {.n = 1, .dim = 1, .val = at},
                           none = {.n = 0, .dim = 1, .val = at};
    const struct fw_matrix wide = {.n = 1, .dim = 2, .val = at};
    assert_int_equal(fw_checklist_open(&one, klass, 2, &usual, &c, NULL), FW_OK);
    assert_int_equal(fw_checklist_ask(c, &one, 0, &copy, &a, NULL), FW_OK);
    assert_true(isnan(a.realistic) && isnan(a.clear)); /* nothing to compare with, nobody to ask */
    assert_int_equal(a.failed, 0);
    assert_int_equal(fw_checklist_ask(c, &wide, 0, &copy, &a, NULL), FW_EINVAL);
    assert_int_equal(fw_checklist_ask(c, &one, 1, &copy, &a, NULL), FW_EINVAL);
    fw_checklist_free(c);
    assert_int_equal(fw_checklist_open(&none, NULL, 0, &usual, &c, NULL), FW_OK);
    assert_int_equal(fw_checklist_ask(c, &one, 0, &copy, &a, NULL), FW_EINVAL);
    fw_checklist_free(c);
    struct fw_checklist_params bad = usual;
    bad.neighbours = 0;
    assert_int_equal(fw_checklist_open(&real, klass, 2, &bad, &c, NULL), FW_EINVAL);
    bad = usual;
    bad.poor = NAN;
    assert_int_equal(fw_checklist_open(&real, klass, 2, &bad, &c, NULL), FW_EINVAL);
}

static void the_nearest_come_in_order(void **state)
{
    (void)state;
    size_t index[4];
    double d2[4];
    const uint32_t some[] = {9, 0, 8, 3};
    assert_int_equal(fw_nearest(&real, 2, &real, NULL, N, 2, 3, index, d2), 3);
    assert_int_equal(index[0], 1); /* 1 and 3 are as near: the first */
    assert_int_equal(index[1], 3);
    assert_int_equal(index[2], 0);
    assert_float_equal(d2[2], 4, 1e-12);
    assert_int_equal(fw_nearest(&real, 2, &real, some, 4, SIZE_MAX, 4, index, d2), 4);
    assert_int_equal(index[0], 3);
    assert_int_equal(index[3], 9);
    assert_int_equal(fw_nearest(&real, 2, &real, NULL, 1, 0, 3, index, d2), 0);
    assert_int_equal(fw_nearest(&real, 2, &real, NULL, N, 2, 0, index, d2), 0);
}

/* Columns: any number, whole numbers, a flag, a constant. */
static float table[] = {0.5f, 10, 0, 7, 1.5f, 20, 1, 7, 4, 30, 0, 7};
static const struct fw_matrix rows = {.n = 3, .dim = 4, .val = table};

static void columns_are_measured(void **state)
{
    (void)state;
    struct fw_columns c = {0};
    assert_int_equal(fw_columns_measure(&rows, &c, NULL), FW_OK);
    /* np.std([0.5, 1.5, 4]), np.std([10, 20, 30]) */
    assert_float_equal(c.sd[0], 1.4719601443879744, 1e-12);
    assert_float_equal(c.sd[1], 8.16496580927726, 1e-12);
    assert_float_equal(c.sd[3], 0, 0);
    assert_false(c.whole[0]);
    assert_true(c.whole[1] && c.whole[2] && c.whole[3]);
    fw_columns_release(&c);
    size_t start[] = {0, 0};
    const struct fw_matrix sparse = {.n = 1, .dim = 4, .start = start, .val = table};
    assert_int_equal(fw_columns_measure(&sparse, &c, NULL), FW_EINVAL);
}

static void copies_lie_between_or_near_and_keep_whole_numbers(void **state)
{
    (void)state;
    struct fw_columns c = {0};
    double sum2 = 0;
    enum { TIMES = 2000 };
    assert_int_equal(fw_columns_measure(&rows, &c, NULL), FW_OK);
    for (uint64_t seed = 0; seed < TIMES; seed++) {
        struct fw_rng rng;
        float out[4], again[4];
        fw_rng_seed(&rng, seed);
        fw_numbers_interpolate(&c, table, table + 4, &rng, out);
        fw_rng_seed(&rng, seed);
        fw_numbers_interpolate(&c, table, table + 4, &rng, again);
        assert_memory_equal(out, again, sizeof out);
        double u = (double)out[0] - 0.5; /* one u for all columns */
        assert_true(u >= 0 && u < 1);
        assert_float_equal(out[1], rint(10 + 10 * u), 0);
        assert_float_equal(out[2], rint(u), 0);
        assert_float_equal(out[3], 7, 0);
        fw_numbers_jitter(&c, table, &rng, out);
        sum2 += ((double)out[0] - 0.5) * ((double)out[0] - 0.5);
        assert_float_equal(out[1], rint((double)out[1]), 0);
        assert_true(fabs((double)out[1] - 10) < 6);
        assert_float_equal(out[3], 7, 0);
    }
    assert_float_equal(sqrt(sum2 / TIMES), 0.14719601443879744, 0.01);
    fw_columns_release(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(realistic_is_the_share_as_far_out),
        cmocka_unit_test(clear_is_the_consensus_of_the_votes),
        cmocka_unit_test(poor_is_the_greater_of_the_losses),
        cmocka_unit_test(little_data_and_bad_parameters),
        cmocka_unit_test(the_nearest_come_in_order),
        cmocka_unit_test(columns_are_measured),
        cmocka_unit_test(copies_lie_between_or_near_and_keep_whole_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
