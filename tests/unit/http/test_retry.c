/* The retry policy: waits grow, are jittered, heed the server, and end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pipeline/http/retry.h"

static const struct fw_retry policy = {
    .tries = 5, .base_ms = 100, .cap_ms = 1000, .budget_ms = 10000};

static void test_doubles_up_to_the_cap(void **state)
{
    (void)state;
    assert_int_equal(fw_retry_wait(&policy, 1, 0, 0, 0.0), 50);
    assert_int_equal(fw_retry_wait(&policy, 2, 0, 0, 0.0), 100);
    assert_int_equal(fw_retry_wait(&policy, 4, 0, 0, 0.0), 400);
    struct fw_retry many = policy;
    many.tries = 1000;
    assert_int_equal(fw_retry_wait(&many, 999, 0, 0, 0.0), 500);
}

static void test_jitter_stays_below_the_delay(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        int64_t wait = fw_retry_wait(&policy, 1, 0, 0, i / 100.0);
        assert_in_range(wait, 50, 99);
    }
    assert_true(fw_retry_wait(&policy, 1, 0, 0, 0.9) > fw_retry_wait(&policy, 1, 0, 0, 0.1));
}

static void test_retry_after_is_a_lower_bound(void **state)
{
    (void)state;
    assert_int_equal(fw_retry_wait(&policy, 1, 0, 3000, 0.5), 3000);
    assert_int_equal(fw_retry_wait(&policy, 4, 0, 10, 0.0), 400);
}

static void test_gives_up(void **state)
{
    (void)state;
    assert_int_equal(fw_retry_wait(&policy, 5, 0, 0, 0.0), -1);     /* tries */
    assert_int_equal(fw_retry_wait(&policy, 1, 10001, 0, 0.0), -1); /* budget spent */
    assert_int_equal(fw_retry_wait(&policy, 1, 9000, 3000, 0.0), -1);
    assert_int_equal(fw_retry_wait(&policy, 1, 0, INT64_MAX, 0.0), -1);
    assert_int_equal(fw_retry_wait(&policy, 1, 9950, 0, 0.0), 50);
}

static void test_which_answers_are_worth_another_try(void **state)
{
    (void)state;
    assert_true(fw_retry_status(429));
    assert_true(fw_retry_status(500));
    assert_true(fw_retry_status(503));
    assert_false(fw_retry_status(200));
    assert_false(fw_retry_status(400));
    assert_false(fw_retry_status(404));
    assert_false(fw_retry_status(501));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_doubles_up_to_the_cap),
        cmocka_unit_test(test_jitter_stays_below_the_delay),
        cmocka_unit_test(test_retry_after_is_a_lower_bound),
        cmocka_unit_test(test_gives_up),
        cmocka_unit_test(test_which_answers_are_worth_another_try),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
