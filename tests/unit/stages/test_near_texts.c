#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/base/rng.h"
#include "stages/quality/near_texts.h"

/* Python: sets of t[i:i + 5] of the text in lower case, without string.punctuation, white space
 * squeezed. */
static void test_similarity(void **state)
{
    (void)state;
    const struct {
        const char *a, *b;
        double want;
    } cases[] = {
        {"The quick brown fox jumps over the lazy dog",
         "the quick brown  FOX, jumped over the lazy dog!", 0.7555555555555555},
        {"Hello, World", "hello world", 1},
        {"abc", "abd", 0},
        {"abc", "ABC!", 1},
        {"Größe der Straße", "größe der strasse", 0.6666666666666666},
        {"", "x", 0},
        {"...", "...", 0},
        {"aaaaaaaaaa", "aaaaa", 1},
        {"\xff\xfe\x80", "\x80", 0}, /* no UTF-8: bytes all the same */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double got = -1;
        assert_int_equal(fw_text_similarity(cases[i].a, cases[i].b, &got, NULL), 0);
        if (!(fabs(got - cases[i].want) < 1e-12))
            fail_msg("case %zu: got %.17g", i, got);
    }
}

static void test_bands(void **state)
{
    (void)state;
    for (double t = 0.1; t <= 1; t += 0.01) {
        size_t b = 0, r = 0;
        assert_int_equal(fw_minhash_bands(t, &b, &r, NULL), 0);
        assert_true(b * r <= FW_MINHASH_MAX);
        assert_true(pow(1 - pow(t, (double)r), (double)b) <= 1e-3 + 1e-12);
    }
    size_t b = 0, r = 0;
    assert_int_equal(fw_minhash_bands(0.8, &b, &r, NULL), 0);
    assert_int_equal(b, 23);
    assert_int_equal(r, 6);
    struct fw_err err = {0};
    assert_int_equal(fw_minhash_bands(0.05, &b, &r, &err), FW_EINVAL);
    assert_int_equal(fw_minhash_bands(NAN, &b, &r, &err), FW_EINVAL);
    assert_int_equal(fw_minhash_bands(1.1, &b, &r, &err), FW_EINVAL);
}

enum { LONG = 160 };

static void write_text(struct fw_rng *rng, char *out)
{
    for (int i = 0; i < LONG; i++)
        out[i] = (char)('a' + fw_rng_below(rng, 26));
    out[LONG] = '\0';
}

static void change(struct fw_rng *rng, char *text, int letters)
{
    for (int i = 0; i < letters; i++)
        text[fw_rng_below(rng, LONG)] = (char)('a' + fw_rng_below(rng, 26));
}

/* The sets agree with comparing all pairs, whatever the number of threads. */
static void test_against_all_pairs(void **state)
{
    (void)state;
    enum { N = 400 };
    static char text[N][LONG + 1];
    const char *texts[N];
    struct fw_rng rng;
    fw_rng_seed(&rng, 7);
    for (int i = 0; i < N; i++) { /* families whose members drift apart */
        if (i % 8 == 0) {
            write_text(&rng, text[i]);
        } else {
            memcpy(text[i], text[i - 1], sizeof text[i]);
            change(&rng, text[i], (int)fw_rng_below(&rng, 6));
        }
        texts[i] = text[i];
    }
    texts[5] = NULL;
    struct fw_sets want;
    assert_int_equal(fw_sets_new(N, &want, NULL), 0);
    for (uint32_t i = 0; i < N; i++)
        for (uint32_t j = 0; j < i; j++) {
            double same = 0;
            if (texts[i] && texts[j])
                assert_int_equal(fw_text_similarity(texts[i], texts[j], &same, NULL), 0);
            if (same >= 0.8)
                fw_sets_join(&want, i, j);
        }
    struct fw_links first = {0};
    for (int t = 1; t <= 3; t++) {
        char threads[2] = {(char)('0' + t), '\0'};
        struct fw_sets sets;
        struct fw_links links = {0};
        setenv("FLYWHEEL_THREADS", threads, 1);
        assert_int_equal(fw_sets_new(N, &sets, NULL), 0);
        assert_int_equal(fw_near_texts(texts, N, 0.8, 3, &sets, &links, NULL), 0);
        assert_true(links.n > 100 && links.n < N - 8);
        for (uint32_t i = 0; i < N; i++)
            for (uint32_t j = 0; j < i; j++)
                assert_int_equal(fw_sets_find(&sets, i) == fw_sets_find(&sets, j),
                                 fw_sets_find(&want, i) == fw_sets_find(&want, j));
        for (size_t i = 0; i < links.n; i++) {
            double same = 0;
            fw_text_similarity(texts[links.v[i].a], texts[links.v[i].b], &same, NULL);
            assert_true(same >= 0.8 && fabs(same - (double)links.v[i].similarity) < 1e-6);
        }
        if (t == 1)
            first = links;
        else {
            assert_int_equal(links.n, first.n);
            for (size_t i = 0; i < links.n; i++)
                assert_true(links.v[i].a == first.v[i].a && links.v[i].b == first.v[i].b);
            fw_links_release(&links);
        }
        fw_sets_release(&sets);
    }
    unsetenv("FLYWHEEL_THREADS");
    fw_links_release(&first);
    fw_sets_release(&want);
}

/* Of 2 000 pairs just above the threshold at most 1/1000 may be missed on average: 2 expected. */
static void test_misses(void **state)
{
    (void)state;
    enum { PAIRS = 2000 };
    static char text[2 * PAIRS][LONG + 1];
    static const char *texts[2 * PAIRS];
    struct fw_rng rng;
    struct fw_sets sets;
    struct fw_links links = {0};
    fw_rng_seed(&rng, 11);
    for (int i = 0; i < PAIRS; i++) {
        double same = 0;
        do {
            write_text(&rng, text[2 * i]);
            memcpy(text[2 * i + 1], text[2 * i], sizeof text[0]);
            change(&rng, text[2 * i + 1], 4);
            fw_text_similarity(text[2 * i], text[2 * i + 1], &same, NULL);
        } while (same < 0.8 || same > 0.82);
        texts[2 * i] = text[2 * i];
        texts[2 * i + 1] = text[2 * i + 1];
    }
    assert_int_equal(fw_sets_new(2 * PAIRS, &sets, NULL), 0);
    assert_int_equal(fw_near_texts(texts, 2 * PAIRS, 0.8, 1, &sets, &links, NULL), 0);
    assert_in_range(links.n, PAIRS - 8, PAIRS);
    fw_links_release(&links);
    fw_sets_release(&sets);
}

/* Equal texts cost nothing, and more than a run of nearly equal ones are joined all the same. */
static void test_masses(void **state)
{
    (void)state;
    enum { N = 30000 };
    const char **texts = calloc(N, sizeof *texts);
    char(*text)[64] = calloc(N, sizeof *text);
    struct fw_sets sets;
    struct fw_links links = {0};
    for (int i = 0; i < N; i++) {
        snprintf(text[i], sizeof text[i], "your order %d has been shipped and will arrive soon",
                 i < N / 2 ? 7 : i);
        texts[i] = text[i];
    }
    assert_int_equal(fw_sets_new(N, &sets, NULL), 0);
    assert_int_equal(fw_near_texts(texts, N, 0.6, 1, &sets, &links, NULL), 0);
    assert_int_equal(links.n, N - 1);
    fw_links_release(&links);
    fw_sets_release(&sets);
    free(text);
    free(texts);
}

static void test_empty(void **state)
{
    (void)state;
    const char *texts[] = {"", NULL, "?!", "?!", "x", "X."};
    struct fw_sets sets;
    struct fw_links links = {0};
    struct fw_err err = {0};
    assert_int_equal(fw_sets_new(6, &sets, NULL), 0);
    assert_int_equal(fw_near_texts(texts, 0, 0.8, 1, &sets, &links, &err), 0);
    assert_int_equal(fw_near_texts(texts, 6, 1, 1, &sets, &links, &err), 0);
    assert_int_equal(links.n, 1);
    assert_int_equal(links.v[0].a, 4);
    assert_int_equal(fw_near_texts(texts, 6, 0, 1, &sets, &links, &err), FW_EINVAL);
    fw_links_release(&links);
    fw_sets_release(&sets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_similarity),
        cmocka_unit_test(test_bands),
        cmocka_unit_test(test_against_all_pairs),
        cmocka_unit_test(test_misses),
        cmocka_unit_test(test_masses),
        cmocka_unit_test(test_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
