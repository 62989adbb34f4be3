#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "stages/examine/require.h"

static void test_good(void **state)
{
    (void)state;
    struct fw_require r;
    assert_int_equal(fw_require_parse("macro_f1>=0.9", &r, NULL), FW_OK);
    assert_string_equal(r.name, "macro_f1");
    assert_string_equal(r.slice, "");
    assert_int_equal(r.op, FW_AT_LEAST);
    assert_true(r.bound == 0.9);
    assert_int_equal(fw_require_parse("  label_issues  <=  2 % ", &r, NULL), FW_OK);
    assert_string_equal(r.name, "label_issues");
    assert_true(fabs(r.bound - 0.02) < 1e-15);
    assert_int_equal(
        fw_require_parse("recall:not spam where width < 900 and a >= 'b' > -1e-1", &r, NULL),
        FW_OK);
    assert_string_equal(r.name, "recall:not spam");
    assert_string_equal(r.slice, "width < 900 and a >= 'b'");
    assert_int_equal(r.op, FW_MORE_THAN);
    assert_true(r.bound == -0.1);
}

static void test_bad(void **state)
{
    (void)state;
    struct fw_require r;
    struct fw_err err;
    const char *const cases[][2] = {
        {"macro_f1", "'macro_f1': there is no >=, <=, > or <"},
        {">= 1", "'>= 1': it names no figure"},
        {"a >= b", "'a >= b': it ends in no number"},
        {"a >=", "'a >=': it ends in no number"},
        {"a >= 1 x", "'a >= 1 x': it ends in no number"},
        {"a >= inf", "'a >= inf': it ends in no number"},
        {"a where >= 1", "'a where >= 1': there is no condition behind 'where'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(fw_require_parse(cases[i][0], &r, &err), FW_EINVAL);
        assert_string_equal(err.msg, cases[i][1]);
    }
}

static void test_holds(void **state)
{
    (void)state;
    struct fw_require r = {.op = FW_AT_LEAST, .bound = 1};
    assert_true(fw_require_holds(&r, 1) && !fw_require_holds(&r, 0.99) &&
                !fw_require_holds(&r, NAN));
    r.op = FW_AT_MOST;
    assert_true(fw_require_holds(&r, 1) && !fw_require_holds(&r, 1.01) &&
                !fw_require_holds(&r, NAN));
    r.op = FW_MORE_THAN;
    assert_true(!fw_require_holds(&r, 1) && fw_require_holds(&r, 1.01));
    r.op = FW_LESS_THAN;
    assert_true(!fw_require_holds(&r, 1) && fw_require_holds(&r, 0.99) &&
                !fw_require_holds(&r, NAN));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_good), cmocka_unit_test(test_bad),
                                       cmocka_unit_test(test_holds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
