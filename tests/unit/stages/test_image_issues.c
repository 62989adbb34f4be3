#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pictures.h"
#include "stages/augment/pixels.h"
#include "stages/quality/image_issues.h"

static void close_to(double got, double want)
{
    if (!(fabs(got - want) <= 2e-6 * fmax(1, fabs(want))))
        fail_msg("got %.9g, want %.9g", got, want);
}

/* NumPy 1.24 and SciPy 1.10 of the same picture: entropy(bincount, base=2) / 8, the variance of
 * f[1:-1,:-2] + f[1:-1,2:] + f[:-2,1:-1] + f[2:,1:-1] - 4 f[1:-1,1:-1], sorted values. */
static void test_reference(void **state)
{
    (void)state;
    enum { W = 40, H = 30 };
    struct fw_image im = {.w = W, .h = H, .channels = 1, .px = malloc(W * H)};
    struct fw_image_measure m;
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            im.px[y * W + x] = (unsigned char)((x * 7 + y * 13 + (x * y) % 11 * 9) % 200 + 30);
    assert_int_equal(fw_image_measure_of(&im, &m, NULL), 0);
    close_to((double)m.score[FW_IMAGE_LOW_INFORMATION], 0.9417937821662195);
    close_to(m.laplacian, 52806.79412964978);
    close_to((double)m.score[FW_IMAGE_BLURRY], 0.9981098835859352);
    close_to((double)m.score[FW_IMAGE_DARK], 0.8941176470588236);
    close_to((double)m.score[FW_IMAGE_LIGHT], 0.8431372549019608);
    close_to((double)m.score[FW_IMAGE_ODD_ASPECT], 0.75);
    assert_true(m.score[FW_IMAGE_GRAY] == 0 && m.score[FW_IMAGE_EMPTY] == 1);
    memset(im.px, 77, W * H);
    im.px[5] = 79;
    assert_int_equal(fw_image_measure_of(&im, &m, NULL), 0);
    assert_true(m.score[FW_IMAGE_EMPTY] == 0);
    assert_true(isnan(m.laplacian));
    im.w = 2; /* too narrow for a Laplacian */
    im.px[5] = 200;
    assert_int_equal(fw_image_measure_of(&im, &m, NULL), 0);
    assert_true(isnan(m.laplacian) && m.score[FW_IMAGE_BLURRY] == 1);
    im.w = 0;
    assert_int_equal(fw_image_measure_of(&im, &m, NULL), FW_EINVAL);
    fw_image_release(&im);
}

static struct fw_image map(struct fw_image im, double gain, double shift)
{
    for (int i = 0; i < im.w * im.h * im.channels; i++) {
        double v = im.px[i] * gain + shift;
        im.px[i] = (unsigned char)(v < 0 ? 0 : v > 255 ? 255 : v);
    }
    return im;
}

static struct fw_image blurred(struct fw_image im)
{
    struct fw_rng rng;
    fw_rng_seed(&rng, 1);
    for (int i = 0; i < 60; i++) {
        struct fw_image next = {0};
        assert_int_equal(fw_image_change(FW_IMAGE_BLUR, &im, &rng, &next, NULL), 0);
        fw_image_release(&im);
        im = next;
    }
    return im;
}

static struct fw_dataset *load(size_t n, bool one_without)
{
    struct fw_task_info task = {.task = FW_REGRESSION};
    struct fw_dataset *ds = NULL;
    struct fw_buf rows = {0};
    struct fw_err err = {0};
    for (size_t i = 0; i < n; i++)
        fw_buf_printf(&rows, "{\"id\":\"%zu\",\"file_name\":\"%zu.png\"}\n", i, i);
    if (one_without)
        fw_buf_puts(&rows, "{\"id\":\"x\",\"text\":\"no file\"}\n");
    put("samples.jsonl", rows.p ? rows.p : "");
    fw_buf_release(&rows);
    if (fw_dataset_load(test_dir, &task, &ds, &err) != 0)
        fail_msg("%s", said(&err));
    return ds;
}

static void number(size_t i, struct fw_image im)
{
    char name[32];
    snprintf(name, sizeof name, "%zu.png", i);
    put_picture(name, im);
}

enum { GOOD = 12, ALL = 21 };

static void test_planted(void **state)
{
    (void)state;
    const int flaws[ALL] = {[12] = 1 << FW_IMAGE_DARK,       [13] = 1 << FW_IMAGE_LIGHT,
                            [14] = 1 << FW_IMAGE_BLURRY,     [15] = 1 << FW_IMAGE_GRAY,
                            [16] = 1 << FW_IMAGE_ODD_ASPECT, [17] = 1 << FW_IMAGE_ODD_SIZE,
                            [18] = 1 << FW_IMAGE_EMPTY,      [19] = 1 << FW_IMAGE_UNDECODABLE,
                            [20] = 1 << FW_IMAGE_UNDECODABLE};
    for (size_t i = 0; i < GOOD; i++)
        number(i, picture(i, 100 + 2 * (int)i, 100, 3));
    number(12, map(picture(12, 110, 100, 3), 0.25, 0));
    number(13, map(picture(13, 110, 100, 3), 0.02, 250));
    number(14, blurred(picture(14, 110, 100, 3)));
    number(15, picture(15, 110, 100, 1));
    number(16, picture(16, 200, 52, 3));
    number(17, picture(17, 900, 800, 3));
    number(18, map(picture(18, 110, 100, 3), 0, 120));
    put("19.png", "\x89PNG\r\n\x1a\nbroken");
    struct fw_dataset *ds = load(ALL, true); /* 20.png is not there */
    struct fw_image_issues x, again;
    struct fw_err err = {0};
    assert_int_equal(fw_image_issues_find(ds, NULL, &x, &err), 0);
    assert_int_equal(x.n, ALL + 1);
    assert_int_equal(x.n_images, ALL);
    assert_false(x.v[ALL].looked_at);
    assert_int_equal(x.v[ALL].flags, 0);
    for (size_t i = 0; i < ALL; i++) {
        unsigned flags = x.v[i].flags;
        if (i == 13) /* nearly white is little information too */
            flags &=
                ~(1u << FW_IMAGE_LOW_INFORMATION | 1u << FW_IMAGE_BLURRY | 1u << FW_IMAGE_GRAY);
        if (flags != (unsigned)flaws[i])
            fail_msg("image %zu has flags %x, not %x", i, x.v[i].flags, flaws[i]);
        for (int k = 0; k < FW_IMAGE_ISSUES; k++)
            assert_true(x.v[i].score[k] >= 0 && x.v[i].score[k] <= 1);
    }
    assert_int_equal(x.count[FW_IMAGE_UNDECODABLE], 2);
    setenv("FLYWHEEL_THREADS", "3", 1);
    assert_int_equal(fw_image_issues_find(ds, NULL, &again, &err), 0);
    unsetenv("FLYWHEEL_THREADS");
    for (size_t i = 0; i < x.n; i++) {
        assert_int_equal(x.v[i].flags, again.v[i].flags);
        assert_memory_equal(x.v[i].score, again.v[i].score, sizeof x.v[i].score);
    }
    fw_image_issues_release(&x);
    fw_image_issues_release(&again);
    fw_dataset_free(ds);
}

/* What most images are like is no issue of each. */
static void test_traits(void **state)
{
    (void)state;
    for (size_t i = 0; i < 8; i++)
        number(i, map(picture(i, 60, 60, i < 2 ? 3 : 1), i == 7 ? 1 : 0.2, 0));
    struct fw_dataset *ds = load(8, false);
    struct fw_image_issues x;
    float strict[FW_IMAGE_ISSUES];
    struct fw_err err = {0};
    assert_int_equal(fw_image_issues_find(ds, NULL, &x, &err), 0);
    assert_true(x.trait[FW_IMAGE_GRAY] && x.trait[FW_IMAGE_DARK]);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(x.v[i].flags & (1u << FW_IMAGE_GRAY | 1u << FW_IMAGE_DARK), 0);
    assert_int_equal(x.count[FW_IMAGE_GRAY], 0);
    fw_image_issues_release(&x);
    memcpy(strict, fw_image_thresholds, sizeof strict);
    strict[FW_IMAGE_DARK] = 0.1f;
    assert_int_equal(fw_image_issues_find(ds, strict, &x, &err), 0);
    assert_false(x.trait[FW_IMAGE_DARK]);
    fw_image_issues_release(&x);
    fw_dataset_free(ds);
    ds = load(0, false);
    assert_int_equal(fw_image_issues_find(ds, NULL, &x, &err), 0);
    assert_int_equal(x.n_images, 0);
    fw_image_issues_release(&x);
    fw_dataset_free(ds);
}

/* A class of smooth things is no class of blurred ones: 20 smooth images beside 30 detailed ones.
 */
static void test_smooth_class(void **state)
{
    (void)state;
    enum { SMOOTH = 20, N = 50 };
    struct fw_image_measure v[N];
    struct fw_image_issues x = {.n = N, .v = v};
    for (int i = 0; i < N; i++) {
        v[i] = (struct fw_image_measure){.looked_at = true, .w = 9, .h = 9, .klass = i < SMOOTH};
        for (int k = 0; k < FW_IMAGE_ISSUES; k++)
            v[i].score[k] = 1;
        v[i].laplacian = i == 0 || i == 30 ? 3 : i < SMOOTH ? 60 + i : 2000 - i;
        v[i].score[FW_IMAGE_BLURRY] = (float)(v[i].laplacian / (v[i].laplacian + 100));
    }
    assert_int_equal(fw_image_judge(&x, NULL, NULL), 0);
    for (int i = 0; i < N; i++)
        assert_int_equal(v[i].flags, i == 0 || i == 30 ? 1u << FW_IMAGE_BLURRY : 0);
    for (int i = 0; i < N;
         i++) /* without classes the smooth ones are below a tenth of the median */
        v[i].klass = -1;
    assert_int_equal(fw_image_judge(&x, NULL, NULL), 0);
    assert_int_equal(x.count[FW_IMAGE_BLURRY], SMOOTH + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference),
        cmocka_unit_test(test_smooth_class),
        cmocka_unit_test_setup_teardown(test_planted, make_dir, drop_dir),
        cmocka_unit_test_setup_teardown(test_traits, make_dir, drop_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
