/* Image features on images whose answer is known. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stages/train/hog.h"

enum { SIDE = 32 };

/* Brightness grows along the direction `degrees`. */
static void ramp(float *g, double degrees)
{
    double a = degrees * 3.14159265358979 / 180;
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++)
            g[y * SIDE + x] = (float)(0.5 + 0.01 * (cos(a) * (x - 16) + sin(a) * (y - 16)));
}

static int strongest(const float *hog)
{
    float sum[FW_HOG_BINS] = {0};
    int best = 0;
    for (int i = 0; i < FW_HOG_DIM; i++)
        sum[i % FW_HOG_BINS] += hog[i];
    for (int b = 1; b < FW_HOG_BINS; b++)
        if (sum[b] > sum[best])
            best = b;
    return best;
}

static void orientation_lands_in_its_bin(void **state)
{
    (void)state;
    float g[SIDE * SIDE], hog[FW_HOG_DIM];
    for (int b = 0; b < FW_HOG_BINS; b++) {
        ramp(g, 20 * b + 10); /* the bin's centre */
        assert_int_equal(fw_hog(g, SIDE, SIDE, hog, NULL), FW_OK);
        assert_int_equal(strongest(hog), b);
        ramp(g, 20 * b + 190); /* light-dark counts as dark-light */
        assert_int_equal(fw_hog(g, SIDE, SIDE, hog, NULL), FW_OK);
        assert_int_equal(strongest(hog), b);
    }
}

static void blocks_have_length_one_and_ignore_contrast(void **state)
{
    (void)state;
    float g[SIDE * SIDE], weak[SIDE * SIDE], a[FW_HOG_DIM], b[FW_HOG_DIM];
    for (int i = 0; i < SIDE * SIDE; i++) {
        g[i] = (float)((i * 7919 + i / SIDE * 104729) % 251) / 251;
        weak[i] = 0.3f * g[i] + 0.2f;
    }
    assert_int_equal(fw_hog(g, SIDE, SIDE, a, NULL), FW_OK);
    assert_int_equal(fw_hog(weak, SIDE, SIDE, b, NULL), FW_OK);
    const int block = 4 * FW_HOG_BINS;
    for (int k = 0; k < FW_HOG_DIM / block; k++) {
        double length = 0;
        for (int i = 0; i < block; i++)
            length += (double)a[k * block + i] * a[k * block + i];
        assert_float_equal(length, 1, 1e-3);
    }
    for (int i = 0; i < FW_HOG_DIM; i++)
        assert_float_equal(a[i], b[i], 1e-3);
}

static void a_flat_image_gives_numbers(void **state)
{
    (void)state;
    float g[SIDE * SIDE], out[FW_LOOK_DIM];
    for (int i = 0; i < SIDE * SIDE; i++)
        g[i] = 0.5f;
    assert_int_equal(fw_look(g, SIDE, SIDE, out, NULL), FW_OK);
    for (int i = 0; i < FW_HOG_DIM; i++)
        assert_float_equal(out[i], 0, 0);
    /* All neighbours are >= the centre: pattern 255, the last uniform one, everywhere. */
    assert_float_equal(out[FW_HOG_DIM + 57], 1, 1e-6);
    const float *tones = out + FW_HOG_DIM + FW_LBP_DIM;
    assert_float_equal(tones[8], 1, 1e-6);                /* 0.5 is in bin 8 of 16 */
    assert_float_equal(tones[FW_TONE_BINS], 0.5, 1e-5);   /* mean */
    assert_float_equal(tones[FW_TONE_BINS + 1], 0, 1e-3); /* deviation */
    assert_float_equal(tones[FW_TONE_BINS + 2], 0, 1e-6); /* roughness */
}

static void lbp_regions_are_frequencies(void **state)
{
    (void)state;
    float g[SIDE * SIDE], out[FW_LBP_DIM];
    for (int i = 0; i < SIDE * SIDE; i++)
        g[i] = (float)((i * 7919 + i / SIDE * 104729) % 251) / 251;
    assert_int_equal(fw_lbp(g, SIDE, SIDE, out, NULL), FW_OK);
    for (int r = 0; r < FW_LBP_SCALES * FW_LBP_REGIONS; r++) {
        double sum = 0; /* roots of frequencies */
        for (int p = 0; p < FW_LBP_PATTERNS; p++)
            sum += (double)out[r * FW_LBP_PATTERNS + p] * out[r * FW_LBP_PATTERNS + p];
        assert_float_equal(sum, 1, 1e-4);
    }
}

static void too_small_an_image_is_refused(void **state)
{
    (void)state;
    float g[FW_LOOK_MIN_SIDE * FW_LOOK_MIN_SIDE] = {0}, out[FW_LOOK_DIM];
    struct fw_err err = {0};
    assert_int_equal(fw_look(g, FW_LOOK_MIN_SIDE, FW_LOOK_MIN_SIDE - 1, out, &err), FW_EINVAL);
    assert_non_null(strstr(err.msg, "too small"));
    assert_int_equal(fw_look(g, FW_LOOK_MIN_SIDE, FW_LOOK_MIN_SIDE, out, NULL), FW_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(orientation_lands_in_its_bin),
        cmocka_unit_test(blocks_have_length_one_and_ignore_contrast),
        cmocka_unit_test(a_flat_image_gives_numbers),
        cmocka_unit_test(lbp_regions_are_frequencies),
        cmocka_unit_test(too_small_an_image_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
