/* Decoding, resizing and refusing images. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/base/fs.h"
#include "stages/train/image.h"

static void reads_a_pgm_to_exact_luminances(void **state)
{
    (void)state;
    static const char pgm[] = "P5 2 2 255\n\x00\xff\x33\x66";
    float *gray = NULL;
    assert_int_equal(fw_image_load(pgm, sizeof pgm - 1, 2, 2, &gray, NULL), FW_OK);
    assert_float_equal(gray[0], 0, 1e-6);
    assert_float_equal(gray[1], 1, 1e-6);
    assert_float_equal(gray[2], 0x33 / 255.0, 1e-6);
    assert_float_equal(gray[3], 0x66 / 255.0, 1e-6);
    free(gray);
}

static void shrinking_averages_and_keeps_the_mean(void **state)
{
    (void)state;
    unsigned char px[16 * 16];
    for (int i = 0; i < 256; i++)
        px[i] = (i + i / 16) % 2 ? 255 : 0; /* a chess board */
    struct fw_image im = {.w = 16, .h = 16, .channels = 1, .px = px};
    float out[16];
    assert_int_equal(fw_image_gray(&im, 4, 4, out, NULL), FW_OK);
    for (int i = 0; i < 16; i++)
        assert_float_equal(out[i], 0.5, 0.02);
}

static void enlarging_interpolates_without_overshoot(void **state)
{
    (void)state;
    unsigned char px[2] = {0, 255};
    struct fw_image im = {.w = 2, .h = 1, .channels = 1, .px = px};
    float out[4];
    assert_int_equal(fw_image_gray(&im, 4, 1, out, NULL), FW_OK);
    const float want[4] = {0, 0.25f, 0.75f, 1};
    for (int i = 0; i < 4; i++)
        assert_float_equal(out[i], want[i], 1e-5);
}

static void colour_becomes_luminance_and_png_comes_back(void **state)
{
    (void)state;
    unsigned char px[6] = {255, 0, 0, 0, 255, 0};
    struct fw_image im = {.w = 2, .h = 1, .channels = 3, .px = px}, back = {0};
    struct fw_buf png = {0};
    float *gray = NULL;
    assert_int_equal(fw_image_png(&im, &png, NULL), FW_OK);
    assert_int_equal(fw_image_decode(png.p, png.len, &back, NULL), FW_OK);
    assert_int_equal(back.w, 2);
    assert_int_equal(back.h, 1);
    assert_int_equal(back.channels, 3);
    assert_memory_equal(back.px, px, sizeof px);
    assert_int_equal(fw_image_load(png.p, png.len, 2, 1, &gray, NULL), FW_OK);
    assert_float_equal(gray[0], 0.299, 0.01);
    assert_float_equal(gray[1], 0.587, 0.01);
    free(gray);
    fw_image_release(&back);
    fw_buf_release(&png);
}

static void refuse(const void *bytes, size_t n, const char *says)
{
    struct fw_err err = {0};
    float *gray = NULL;
    assert_int_equal(fw_image_load(bytes, n, 32, 32, &gray, &err), FW_EINVAL);
    assert_null(gray);
    if (!strstr(err.msg, says))
        fail_msg("'%s' does not say '%s'", err.msg, says);
}

static void bad_files_are_refused_with_a_reason(void **state)
{
    (void)state;
    static const unsigned char jpeg[] = {0xff, 0xd8, 0xff, 0xe0, 0, 16, 'J', 'F', 'I', 'F', 0, 1};
    refuse("", 0, "empty");
    refuse("hello, world", 12, "not a readable image");
    refuse(jpeg, sizeof jpeg, "not a readable image");
    refuse("P5 0 0 255\n", 11, "");
    refuse("P5 9999999 2 255\nxx", 19, "");
    refuse("P5 16000 16000 255\nxx", 21, "the image is too large");
    refuse("P5 8000 8000 255\nxx", 19, "more than 19 bytes can hold");
}

static void a_png_with_a_huge_header_allocates_nothing(void **state)
{
    (void)state;
    struct fw_buf png = {0};
    unsigned char px = 7;
    struct fw_image im = {.w = 1, .h = 1, .channels = 1, .px = &px};
    assert_int_equal(fw_image_png(&im, &png, NULL), FW_OK);
    memcpy(png.p + 16, "\0\0\x20\0\0\0\x20\0", 8); /* 8192 x 8192 */
    refuse(png.p, png.len, "");
    fw_buf_release(&png);
}

/* Huffman tables with more codes than there are symbols, and a picture cut in the middle. */
static void broken_jpegs_are_refused(void **state)
{
    (void)state;
    unsigned char jpeg[] = {
        0xff, 0xd8, 0xff, 0xc0, 0,    11, 8, 0, 9, 0,    9, 1,    1, 0x11, 0,    0xff, 0xc4, 0,
        22,   0,    1,    1,    4,    99, 0, 0, 0, 0,    0, 0,    0, 0,    0,    0,    0,    255,
        7,    7,    7,    0xff, 0xda, 0,  8, 1, 1, 0x00, 0, 0x3f, 0, 0x16, 0x63, 0xa1, 0xff, 0xd9};
    refuse(jpeg, sizeof jpeg, "JPEG");
    struct fw_buf file = {0};
    float *gray = NULL;
    assert_int_equal(fw_fs_read(FW_TEST_DIR "/fuzz/corpus/image/gray.jpg", 0, &file, NULL), FW_OK);
    assert_int_equal(fw_image_load(file.p, file.len, 9, 9, &gray, NULL), FW_OK);
    assert_true(gray[0] < 0.05f && gray[80] > 0.95f); /* black at the top, white at the bottom */
    free(gray);
    refuse(file.p, file.len - 6, "JPEG");
    fw_buf_release(&file);
}

static void odd_sizes_wanted_are_refused(void **state)
{
    (void)state;
    float *gray = NULL;
    assert_int_equal(fw_image_load("P5 1 1 255\nx", 12, 0, 4, &gray, NULL), FW_EINVAL);
    assert_int_equal(fw_image_load("P5 1 1 255\nx", 12, 4, 20000, &gray, NULL), FW_EINVAL);
    assert_int_equal(fw_image_load("P5 1 1 255\nx", 12, 4, 4, &gray, NULL), FW_OK);
    assert_float_equal(gray[15], 'x' / 255.0, 1e-5);
    free(gray);
}

static void files_are_read_below_the_root_only(void **state)
{
    (void)state;
    struct fw_buf b = {0};
    assert_int_equal(fw_image_read_file("/", "../etc/passwd", &b, NULL), FW_EINVAL);
    assert_true(fw_image_read_file("/", "no/such/file", &b, NULL) < 0);
    fw_buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_pgm_to_exact_luminances),
        cmocka_unit_test(shrinking_averages_and_keeps_the_mean),
        cmocka_unit_test(enlarging_interpolates_without_overshoot),
        cmocka_unit_test(colour_becomes_luminance_and_png_comes_back),
        cmocka_unit_test(bad_files_are_refused_with_a_reason),
        cmocka_unit_test(a_png_with_a_huge_header_allocates_nothing),
        cmocka_unit_test(broken_jpegs_are_refused),
        cmocka_unit_test(odd_sizes_wanted_are_refused),
        cmocka_unit_test(files_are_read_below_the_root_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
