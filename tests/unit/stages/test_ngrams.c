/* Hashed n-grams: which ones there are, and what makes two texts share them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stages/train/ngrams.h"

static const struct fw_ngram_params words1 = {1, 0, 24}, words2 = {2, 0, 24}, chars3 = {0, 3, 24};

static struct fw_ngrams count(const char *text, const struct fw_ngram_params *p)
{
    struct fw_ngrams g = {0};
    assert_int_equal(fw_ngrams_count(text, strlen(text), p, &g, NULL), FW_OK);
    for (size_t i = 1; i < g.n; i++)
        assert_true(g.bucket[i - 1] < g.bucket[i]);
    return g;
}

static void expect_n(const char *text, const struct fw_ngram_params *p, size_t n)
{
    struct fw_ngrams g = count(text, p);
    assert_int_equal(g.n, n);
    fw_ngrams_release(&g);
}

static size_t shared(const char *a, const char *b, const struct fw_ngram_params *p)
{
    struct fw_ngrams x = count(a, p), y = count(b, p);
    size_t n = 0;
    for (size_t i = 0; i < x.n; i++)
        for (size_t j = 0; j < y.n; j++)
            n += x.bucket[i] == y.bucket[j];
    fw_ngrams_release(&x);
    fw_ngrams_release(&y);
    return n;
}

static void words_are_counted(void **state)
{
    (void)state;
    expect_n("one two three", &words1, 3);
    expect_n("one two three", &words2, 5);
    expect_n("don't stop!", &words1, 3); /* don't, stop, ! */
    expect_n("call 0800", &words1, 3);   /* call, 0800, the shape of four digits */
    struct fw_ngrams g = count("Spam spam SPAM", &words1);
    assert_int_equal(g.n, 1);
    assert_float_equal(g.count[0], 3, 0);
    fw_ngrams_release(&g);
}

static void order_matters_from_two_words_on(void **state)
{
    (void)state;
    assert_int_equal(shared("a b", "b a", &words1), 2);
    assert_int_equal(shared("a b", "b a", &words2), 2); /* the pair differs */
    assert_int_equal(shared("a b", "a b", &words2), 3);
}

static void numbers_share_their_shape(void **state)
{
    (void)state;
    assert_int_equal(shared("1000", "2500", &words1), 1);
    assert_int_equal(shared("1000", "25", &words1), 0);
}

static void characters_run_within_pieces(void **state)
{
    (void)state;
    /* " ab ": pairs " a" "ab" "b ", triples " ab" "ab " */
    expect_n("ab", &chars3, 5);
    expect_n("ab  ab\n", &chars3, 5);
    /* one code point of two bytes counts as one character: " é" "é " " é " */
    expect_n("\xc3\xa9", &chars3, 3);
}

static void empty_and_blank_texts_have_none(void **state)
{
    (void)state;
    const struct fw_ngram_params all = {3, 5, 20};
    expect_n("", &all, 0);
    expect_n(" \t\n", &all, 0);
}

static void buckets_stay_in_range(void **state)
{
    (void)state;
    const struct fw_ngram_params small = {2, 5, 8};
    struct fw_ngrams g = count("the quick brown fox jumps over the lazy dog 1234567890", &small);
    assert_true(g.n > 50);
    assert_true(g.bucket[g.n - 1] < 256);
    fw_ngrams_release(&g);
}

static void settings_out_of_range_are_refused(void **state)
{
    (void)state;
    const struct fw_ngram_params bad[] = {
        {-1, 0, 20}, {9, 0, 20}, {1, 9, 20}, {1, 1, 7}, {1, 1, 25}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fw_ngrams g = {0};
        assert_int_equal(fw_ngrams_count("x", 1, &bad[i], &g, NULL), FW_EINVAL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_counted),
        cmocka_unit_test(order_matters_from_two_words_on),
        cmocka_unit_test(numbers_share_their_shape),
        cmocka_unit_test(characters_run_within_pieces),
        cmocka_unit_test(empty_and_blank_texts_have_none),
        cmocka_unit_test(buckets_stay_in_range),
        cmocka_unit_test(settings_out_of_range_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
