#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/base/suggest.h"
#include "pipeline/config/plan.h"
#include "pipeline/config/units.h"

static void test_durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"500ms", 500},    {"90s", 90000},    {"30m", 1800000}, {"8h", 28800000},
                {"2d", 172800000}, {"1.5h", 5400000}, {"0s", 0}};
    static const char *const bad[] = {"",   "90",   "s",      "90 s", "-1s",   "90S",
                                      "1w", "0x1s", "1e400s", "nans", "1m30s", "99999999999d"};
    int64_t ms = 0;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(fw_duration_parse(good[i].text, &ms));
        assert_int_equal(ms, good[i].ms);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (fw_duration_parse(bad[i], &ms))
            fail_msg("'%s' was taken", bad[i]);
}

static void test_sizes_and_numbers(void **state)
{
    (void)state;
    uint64_t bytes;
    int64_t integer;
    double value;
    assert_true(fw_size_parse("1K", &bytes) && bytes == 1024);
    assert_true(fw_size_parse("512M", &bytes) && bytes == 512ull << 20);
    assert_true(fw_size_parse("1.5G", &bytes) && bytes == 3ull << 29);
    assert_true(fw_size_parse("2T", &bytes) && bytes == 2ull << 40);
    assert_false(fw_size_parse("2", &bytes) || fw_size_parse("2g", &bytes) ||
                 fw_size_parse("2GB", &bytes) || fw_size_parse("99999999T", &bytes));
    assert_true(fw_share_parse("5%", &value) && value == 0.05);
    assert_true(fw_share_parse("-0.5", &value) && value == -0.5);
    assert_true(fw_number_parse("1e-3", &value) && value == 0.001);
    assert_true(fw_number_parse(".5", &value) && value == 0.5);
    assert_false(fw_number_parse("5%", &value) || fw_number_parse("0x10", &value) ||
                 fw_number_parse("inf", &value) || fw_number_parse(" 1", &value) ||
                 fw_number_parse("1 ", &value) || fw_number_parse("1e999", &value) ||
                 fw_number_parse("-", &value) || fw_number_parse("e5", &value));
    assert_true(fw_integer_parse("-42", &integer) && integer == -42);
    assert_false(fw_integer_parse("1.0", &integer) || fw_integer_parse("", &integer) ||
                 fw_integer_parse("99999999999999999999", &integer));
}

static void test_suggestions(void **state)
{
    (void)state;
    static const char *const names[] = {"patience", "max_iterations", "gate", "C", "kappa"};
    static const struct {
        const char *word, *meant;
    } cases[] = {{"patiance", "patience"},
                 {"maxiterations", "max_iterations"},
                 {"gaet", "gate"},
                 {"c", "C"},
                 {"Gate", "gate"},
                 {"kapa", "kappa"},
                 {"x", NULL},
                 {"", NULL},
                 {"sanity", NULL},
                 {"gates_of_heaven", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *found = fw_suggest(cases[i].word, names, 5);
        if (cases[i].meant ? !found || strcmp(found, cases[i].meant) != 0 : found != NULL)
            fail_msg("'%s' gave '%s'", cases[i].word, found ? found : "nothing");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_sizes_and_numbers),
        cmocka_unit_test(test_suggestions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
