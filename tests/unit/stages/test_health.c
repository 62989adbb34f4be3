#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "stages/error_analysis/health.h"

/* Given a: 8 truly a, 2 b. Given b: 1 a, 9 b. Given c: 4 a, 4 b, 2 c. Nothing is given d, nor of it. */
static const uint64_t joint[] = {8, 2, 0, 0, 1, 9, 0, 0, 4, 4, 2, 0, 0, 0, 0, 0};

static void test_classes(void **state)
{
    (void)state;
    struct fw_class_health h[4];
    fw_class_health(joint, 4, h);
    assert_int_equal(h[0].klass, 2);
    assert_int_equal(h[0].given, 10);
    assert_int_equal(h[0].truly, 2);
    assert_int_equal(h[0].wrong, 8);
    assert_int_equal(h[0].missing, 0);
    assert_true(h[0].noise == 0.8 && h[0].inverse_noise == 0);
    assert_int_equal(h[1].klass, 0);
    assert_true(h[1].noise == 0.2);
    assert_int_equal(h[1].missing, 5);
    assert_true(fabs(h[1].inverse_noise - 5.0 / 13) < 1e-15);
    assert_int_equal(h[2].klass, 1);
    assert_int_equal(h[3].klass, 3);
    assert_true(isnan(h[3].noise) && isnan(h[3].inverse_noise));
}

static void test_overlaps(void **state)
{
    (void)state;
    struct fw_class_overlap *o;
    size_t n;
    assert_int_equal(fw_class_overlaps(joint, 4, &o, &n, NULL), FW_OK);
    assert_int_equal(n, 3);
    assert_true(o[0].a == 0 && o[0].b == 2 && o[0].n == 4);
    assert_true(o[1].a == 1 && o[1].b == 2 && o[1].n == 4);
    assert_true(o[2].a == 0 && o[2].b == 1 && o[2].n == 3);
    assert_true(fabs(o[2].share - 0.1) < 1e-15);
    free(o);
}

static void test_matrices(void **state)
{
    (void)state;
    double noise[16], inverse[16];
    fw_noise_matrices(joint, 4, noise, inverse);
    assert_true(fabs(noise[1 * 4 + 0] - 1.0 / 13) < 1e-15); /* given b, truly a */
    assert_true(fabs(inverse[2 * 4 + 1] - 0.4) < 1e-15);    /* truly b, given c */
    assert_true(isnan(noise[3]) && isnan(inverse[12]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_classes),
                                       cmocka_unit_test(test_overlaps),
                                       cmocka_unit_test(test_matrices)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
