#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/base/parallel.h"

enum { N = 100001, GRAIN = 64 };

struct sum {
    double part[N / GRAIN + 1];
    unsigned char seen[N];
};

static int sum_work(void *ctx, const struct fw_chunk *c, struct fw_err *err)
{
    struct sum *s = ctx;
    (void)err;
    assert_true(c->worker < fw_parallel_workers());
    for (size_t i = c->from; i < c->to; i++) {
        s->part[c->index] += 1.0 / (double)(i + 1);
        s->seen[i]++;
    }
    return FW_OK;
}

static double total(const char *threads)
{
    struct sum *s = calloc(1, sizeof *s);
    double sum = 0;
    assert_non_null(s);
    setenv("FLYWHEEL_THREADS", threads, 1);
    assert_int_equal(fw_parallel(N, GRAIN, sum_work, s, NULL), FW_OK);
    for (size_t i = 0; i < N; i++)
        assert_int_equal(s->seen[i], 1);
    for (size_t i = 0; i < fw_parallel_chunks(N, GRAIN); i++)
        sum += s->part[i];
    free(s);
    return sum;
}

static void test_same_for_any_threads(void **state)
{
    (void)state;
    double one = total("1"), three = total("3"), many = total("1000");
    assert_memory_equal(&one, &three, sizeof one);
    assert_memory_equal(&one, &many, sizeof one);
}

static int fail_work(void *ctx, const struct fw_chunk *c, struct fw_err *err)
{
    (void)ctx;
    return c->index >= 3 ? fw_err_set(err, FW_EINVAL, "chunk %zu", c->index) : FW_OK;
}

static void test_first_failure_is_told(void **state)
{
    (void)state;
    for (int threads = 1; threads < 9; threads++) {
        struct fw_err err = {0};
        char n[8];
        snprintf(n, sizeof n, "%d", threads);
        setenv("FLYWHEEL_THREADS", n, 1);
        assert_int_equal(fw_parallel(1000, 1, fail_work, NULL, &err), FW_EINVAL);
        assert_memory_equal(err.msg, "chunk ", 6);
        if (threads == 1)
            assert_string_equal(err.msg, "chunk 3");
    }
}

static void test_nothing_to_do(void **state)
{
    (void)state;
    assert_int_equal(fw_parallel(0, 10, fail_work, NULL, NULL), FW_OK);
    assert_int_equal(fw_parallel_chunks(0, 10), 0);
    assert_int_equal(fw_parallel_chunks(11, 10), 2);
    assert_int_equal(fw_parallel_chunks(3, 0), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_for_any_threads),
        cmocka_unit_test(test_first_failure_is_told),
        cmocka_unit_test(test_nothing_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
