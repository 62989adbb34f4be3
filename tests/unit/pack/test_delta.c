/* Deltas: whatever is made gives the target again, edits cost little, nothing damaged is taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/pack/delta.h"

static size_t round_trip(const char *a, size_t na, const char *b, size_t nb)
{
    struct fw_buf d = {0};
    assert_true(fw_delta_make(a, na, b, nb, SIZE_MAX / 2, &d));
    char *out = malloc(nb + 1);
    assert_true(fw_delta_apply((const unsigned char *)d.p, d.len, a, na, out, nb));
    assert_memory_equal(out, b, nb);
    size_t n = d.len;
    free(out);
    fw_buf_release(&d);
    return n;
}

static void rows(struct fw_buf *out, int n, int edit, int drop, int put)
{
    for (int i = 0; i < n; i++) {
        if (i == drop)
            continue;
        if (i == put)
            fw_buf_puts(out, "{\"id\":\"new\",\"text\":\"a row that was put in here\"}\n");
        fw_buf_printf(out,
                      "{\"id\":\"s%06d\",\"text\":\"some words of number %d\",\"label\":\"%s\"}\n",
                      i, i * 7919, i == edit ? "changed" : "one");
    }
}

static void test_edits_are_short(void **state)
{
    (void)state;
    struct fw_buf a = {0}, b = {0};
    rows(&a, 1000, -1, -1, -1);
    rows(&b, 1000, 500, -1, -1);
    assert_in_range(round_trip(a.p, a.len, b.p, b.len), 1, 40);
    fw_buf_clear(&b);
    rows(&b, 1000, 3, 10, 700);
    assert_in_range(round_trip(a.p, a.len, b.p, b.len), 1, 120);
    assert_in_range(round_trip(a.p, a.len, a.p, a.len), 1, 12);
    round_trip(a.p, a.len, "", 0);
    round_trip("", 0, a.p, a.len);
    round_trip("", 0, "", 0);
    fw_buf_release(&a);
    fw_buf_release(&b);
}

static void test_any_two_texts(void **state)
{
    (void)state;
    unsigned seed = 1;
    for (int round = 0; round < 3000; round++) {
        char a[300], b[300];
        size_t na = (size_t)rand_r(&seed) % sizeof a, nb = (size_t)rand_r(&seed) % sizeof b;
        for (size_t i = 0; i < na; i++)
            a[i] = "ab\n"[rand_r(&seed) % 3];
        for (size_t i = 0; i < nb; i++)
            b[i] = "ab\n"[rand_r(&seed) % 3];
        if (round % 2) { /* the one out of the other */
            nb = na;
            memcpy(b, a, na);
            for (int k = 0; k < 3 && nb; k++)
                b[(size_t)rand_r(&seed) % nb] = 'x';
        }
        round_trip(a, na, b, nb);
    }
}

static void test_the_limit_holds(void **state)
{
    (void)state;
    struct fw_buf d = {0};
    fw_buf_puts(&d, "kept");
    assert_false(fw_delta_make("a\nb\n", 4, "some other text altogether\n", 27, 10, &d));
    assert_int_equal(d.len, 4);
    fw_buf_release(&d);
}

static void test_long_copies(void **state)
{
    (void)state;
    size_t n = 300000;
    char *a = malloc(n + 2);
    memset(a, 'x', n);
    a[n - 1] = '\n';
    assert_in_range(round_trip(a, n, a, n), 1, 60);
    free(a);
}

static void test_damage_is_refused(void **state)
{
    (void)state;
    char out[64];
    const unsigned char past[] = {4, 4, 0x90, 5};             /* copies 5 of 4 */
    const unsigned char cut[] = {4, 4, 0x91};                 /* no operands */
    const unsigned char none[] = {4, 4, 0};                   /* the reserved operation */
    const unsigned char few[] = {4, 4, 0x90, 3};              /* one byte short */
    const unsigned char size[] = {5, 4, 0x90, 4};             /* another source */
    const unsigned char endless[] = {0x80, 0x80, 0x80, 0x80}; /* a size without an end */
    assert_false(fw_delta_apply(past, sizeof past, "abcd", 4, out, 4));
    assert_false(fw_delta_apply(cut, sizeof cut, "abcd", 4, out, 4));
    assert_false(fw_delta_apply(none, sizeof none, "abcd", 4, out, 4));
    assert_false(fw_delta_apply(few, sizeof few, "abcd", 4, out, 4));
    assert_false(fw_delta_apply(size, sizeof size, "abcd", 4, out, 4));
    assert_false(fw_delta_apply(endless, sizeof endless, "abcd", 4, out, 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edits_are_short),   cmocka_unit_test(test_any_two_texts),
        cmocka_unit_test(test_the_limit_holds),   cmocka_unit_test(test_long_copies),
        cmocka_unit_test(test_damage_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
