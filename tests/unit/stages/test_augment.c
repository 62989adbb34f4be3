/* Changes to texts and images: what they change, what they leave alone, and that they repeat. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "stages/augment/pixels.h"
#include "stages/augment/text.h"

static char *change(enum fw_text_change how, const char *text, uint64_t seed)
{
    struct fw_rng rng;
    struct fw_buf out = {0};
    fw_rng_seed(&rng, seed);
    assert_int_equal(fw_text_change(how, text, strlen(text), &rng, &out, NULL), FW_OK);
    char *s = fw_buf_steal(&out);
    assert_non_null(s);
    return s;
}

static const char text[] = "I will NOT pay, you can't make me pay \xc2\xa3"
                           "1000 for 3.5 days. Ok?";

static void the_same_seed_gives_the_same_text(void **state)
{
    (void)state;
    for (int how = 0; how < FW_TEXT_CHANGES; how++) {
        bool differs = false, changed = false;
        for (uint64_t seed = 0; seed < 20; seed++) {
            char *a = change((enum fw_text_change)how, text, seed);
            char *b = change((enum fw_text_change)how, text, seed);
            char *c = change((enum fw_text_change)how, text, seed + 1);
            assert_string_equal(a, b);
            differs |= strcmp(a, c) != 0;
            changed |= strcmp(a, text) != 0;
            if (how != FW_TEXT_DROP_WORDS) /* bytes beyond ASCII stay whole */
                assert_non_null(strstr(a, "\xc2\xa3"));
            free(a);
            free(b);
            free(c);
        }
        assert_true(differs);
        assert_true(changed);
    }
}

static void case_changes_case_alone(void **state)
{
    (void)state;
    bool upper = false, lower = false, title = false;
    for (uint64_t seed = 0; seed < 30; seed++) {
        char *s = change(FW_TEXT_CASE, "ab Cd", seed);
        assert_int_equal(strcasecmp(s, "ab Cd"), 0);
        upper |= strcmp(s, "AB CD") == 0;
        lower |= strcmp(s, "ab cd") == 0;
        title |= strcmp(s, "Ab Cd") == 0;
        free(s);
    }
    assert_true(upper && lower && title);
}

static void dropping_words_keeps_negations(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        char *s = change(FW_TEXT_DROP_WORDS, text, seed);
        assert_non_null(strstr(s, "NOT"));
        assert_non_null(strstr(s, "can't"));
        size_t words = 1;
        for (const char *p = s; *p; p++)
            words += *p == ' ';
        assert_int_equal(words, 12); /* two of fourteen go */
        free(s);
    }
    char *one = change(FW_TEXT_DROP_WORDS, "alone", 1);
    assert_string_equal(one, "alone");
    free(one);
}

static void typos_touch_few_letters_and_no_digits(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 100; seed++) {
        char *s = change(FW_TEXT_TYPOS, text, seed);
        size_t a = strlen(s), b = strlen(text);
        assert_true(a + 3 > b && b + 3 > a); /* 40 letters: two typos at most a byte each */
        assert_non_null(strstr(s, "1000"));
        assert_non_null(strstr(s, "3.5"));
        free(s);
    }
}

static void punctuation_leaves_numbers_alone(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        char *s = change(FW_TEXT_PUNCTUATION, "wait... 3.5 is it. Ok?", seed);
        assert_non_null(strstr(s, "3.5"));
        assert_non_null(strstr(s, "wait... "));
        free(s);
    }
}

static void empty_texts_survive(void **state)
{
    (void)state;
    for (int how = 0; how < FW_TEXT_CHANGES; how++) {
        char *s = change((enum fw_text_change)how, "", 3);
        assert_string_equal(s, "");
        free(s);
    }
}

static unsigned char px[] = {1, 2, 3, 4, 5, 6};
static const struct fw_image im = {.w = 3, .h = 2, .channels = 1, .px = px};

static struct fw_image changed(enum fw_image_change how, const struct fw_image *in, uint64_t seed)
{
    struct fw_rng rng;
    struct fw_image out = {0};
    fw_rng_seed(&rng, seed);
    assert_int_equal(fw_image_change(how, in, &rng, &out, NULL), FW_OK);
    return out;
}

static void flips_and_turns_move_whole_pixels(void **state)
{
    (void)state;
    struct fw_image h = changed(FW_IMAGE_FLIP_H, &im, 1), v = changed(FW_IMAGE_FLIP_V, &im, 1);
    assert_memory_equal(h.px, ((unsigned char[]){3, 2, 1, 6, 5, 4}), 6);
    assert_memory_equal(v.px, ((unsigned char[]){4, 5, 6, 1, 2, 3}), 6);
    fw_image_release(&h);
    fw_image_release(&v);
    int seen = 0;
    for (uint64_t seed = 0; seed < 30; seed++) {
        struct fw_image r = changed(FW_IMAGE_ROTATE, &im, seed);
        static const unsigned char turn[3][6] = {
            {4, 1, 5, 2, 6, 3}, {6, 5, 4, 3, 2, 1}, {3, 6, 2, 5, 1, 4}};
        int which = -1;
        for (int t = 0; t < 3; t++)
            if (memcmp(r.px, turn[t], 6) == 0)
                which = t;
        assert_true(which >= 0);
        assert_int_equal(r.w, which == 1 ? 3 : 2);
        assert_int_equal(r.h, which == 1 ? 2 : 3);
        seen |= 1 << which;
        fw_image_release(&r);
    }
    assert_int_equal(seen, 7);
}

static void every_change_repeats_and_keeps_size_and_alpha(void **state)
{
    (void)state;
    unsigned char rgba[24 * 20 * 4];
    struct fw_image in = {.w = 24, .h = 20, .channels = 4, .px = rgba};
    for (size_t i = 0; i < sizeof rgba; i++)
        rgba[i] = i % 4 == 3 ? 200 : (unsigned char)(60 + i * 31 % 130);
    for (int how = 0; how < FW_IMAGE_CHANGES; how++) {
        struct fw_image a = changed((enum fw_image_change)how, &in, 7);
        struct fw_image b = changed((enum fw_image_change)how, &in, 7);
        assert_int_equal(a.w * a.h, in.w * in.h);
        assert_int_equal(a.channels, 4);
        assert_memory_equal(a.px, b.px, sizeof rgba);
        assert_true(memcmp(a.px, rgba, sizeof rgba) != 0);
        for (size_t i = 3; i < sizeof rgba; i += 4)
            assert_int_equal(a.px[i], 200);
        fw_image_release(&a);
        fw_image_release(&b);
    }
}

static void changes_stay_small(void **state)
{
    (void)state;
    unsigned char flat[400];
    struct fw_image in = {.w = 20, .h = 20, .channels = 1, .px = flat};
    memset(flat, 128, sizeof flat);
    for (uint64_t seed = 0; seed < 30; seed++) {
        for (int how = 0; how < FW_IMAGE_CHANGES; how++) {
            struct fw_image a = changed((enum fw_image_change)how, &in, seed);
            double sum = 0;
            for (int i = 0; i < 400; i++)
                sum += fabs(a.px[i] - 128.0);
            bool tone = how == FW_IMAGE_BRIGHTNESS || how == FW_IMAGE_NOISE;
            assert_true(sum / 400 <= (tone ? 39 : 0)); /* what only moves leaves flat flat */
            fw_image_release(&a);
        }
    }
}

static void an_image_without_pixels_is_refused(void **state)
{
    (void)state;
    struct fw_image none = {0}, out = {0};
    struct fw_rng rng;
    struct fw_err err = {0};
    fw_rng_seed(&rng, 1);
    for (int how = 0; how < FW_IMAGE_CHANGES; how++)
        assert_int_equal(fw_image_change((enum fw_image_change)how, &none, &rng, &out, &err),
                         FW_EINVAL);
    unsigned char one = 9;
    struct fw_image dot = {.w = 1, .h = 1, .channels = 1, .px = &one};
    for (int how = 0; how < FW_IMAGE_CHANGES; how++) {
        struct fw_image a = changed((enum fw_image_change)how, &dot, 2);
        assert_int_equal(a.w, 1);
        fw_image_release(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_text),
        cmocka_unit_test(case_changes_case_alone),
        cmocka_unit_test(dropping_words_keeps_negations),
        cmocka_unit_test(typos_touch_few_letters_and_no_digits),
        cmocka_unit_test(punctuation_leaves_numbers_alone),
        cmocka_unit_test(empty_texts_survive),
        cmocka_unit_test(flips_and_turns_move_whole_pixels),
        cmocka_unit_test(every_change_repeats_and_keeps_size_and_alpha),
        cmocka_unit_test(changes_stay_small),
        cmocka_unit_test(an_image_without_pixels_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
