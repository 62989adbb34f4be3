#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/loop/modellock.h"

static json_t *lock(double c, const char *dev)
{
    return json_pack("{s:i, s:s, s:{s:f, s:s}, s:{s:s, s:s}}", "version", 1, "fingerprint", "x",
                     "model", "train.with.C", c, "train.plugin", "linear 0.1.0", "evaluation",
                     "dev", dev, "test", "t");
}

static void test_same(void **state)
{
    (void)state;
    json_t *a = lock(1, "d"), *b = lock(1, "d");
    assert_int_equal(fw_modellock_check(a, b, true, true, NULL), FW_OK);
    json_decref(a);
    json_decref(b);
}

static void test_exact_difference(void **state)
{
    (void)state;
    struct fw_err err = {0};
    json_t *a = lock(1, "d"), *b = lock(2, "d");
    json_object_set_new(json_object_get(b, "model"), "train.seeds", json_pack("[i]", 1));
    assert_int_equal(fw_modellock_check(a, b, true, true, &err), FW_EREFUSED);
    assert_non_null(strstr(err.msg, "train.with.C: 1.0 → 2.0"));
    assert_non_null(strstr(err.msg, "train.seeds: (absent) → [1]"));
    assert_non_null(strstr(err.hint, "--new-model"));
    assert_int_equal(fw_modellock_check(a, b, false, true, &err), FW_OK);
    json_decref(a);
    json_decref(b);
}

static void test_evaluation_sets(void **state)
{
    (void)state;
    struct fw_err err = {0};
    json_t *a = lock(1, "d"), *b = lock(1, "other");
    assert_int_equal(fw_modellock_check(a, b, true, true, &err), FW_EREFUSED);
    assert_non_null(strstr(err.msg, "dev"));
    assert_non_null(strstr(err.hint, "--new-benchmark"));
    assert_int_equal(fw_modellock_check(a, b, true, false, &err), FW_OK);
    json_decref(a);
    json_decref(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same),
        cmocka_unit_test(test_exact_difference),
        cmocka_unit_test(test_evaluation_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
