/* Extraction, training, predicting, and the model's file. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/base/hash.h"
#include "pipeline/base/rng.h"
#include "stages/train/fit.h"

static const char *const abc[] = {"a", "b", "c"};
static const struct fw_task_info three = {FW_CLASSIFICATION, abc, 3};
static const struct fw_task_info number = {FW_REGRESSION, NULL, 0};
static const struct fw_linear_params usual = {.C = 1, .tolerance = 0.01, .seed = 1};

enum { N = 90 };
static float data[N][2];
static struct fw_sample samples[N];
static char ids[N][8];
static struct fw_dataset ds = {.n = N, .samples = samples};
static size_t rows[N];

/* Three clouds; class c around (3 cos, 3 sin)(120° c); value = 2 x − y + 1. */
static int setup(void **state)
{
    (void)state;
    struct fw_rng rng;
    fw_rng_seed(&rng, 4);
    for (int i = 0; i < N; i++) {
        int c = i % 3;
        data[i][0] = (float)(3 * cos(2.0944 * c) + 0.5 * fw_rng_normal(&rng));
        data[i][1] = (float)(3 * sin(2.0944 * c) + 0.5 * fw_rng_normal(&rng));
        snprintf(ids[i], sizeof ids[i], "s%d", i);
        samples[i] = (struct fw_sample){.id = ids[i],
                                        .split = "train",
                                        .features = data[i],
                                        .n_features = 2,
                                        .label = abc[c],
                                        .klass = c,
                                        .value = 2.0 * data[i][0] - data[i][1] + 1};
        rows[i] = (size_t)i;
    }
    return 0;
}

static struct fw_linear *fit(size_t n, const struct fw_task_info *task, bool binned, uint64_t seed)
{
    struct fw_extract_params extract;
    struct fw_linear_params p = usual;
    struct fw_linear *m = NULL;
    struct fw_err err = {0};
    fw_extract_defaults(&extract);
    extract.binned = binned;
    p.seed = seed;
    if (fw_linear_fit(&ds, rows, n, task, &extract, &p, NULL, &m, &err) != FW_OK)
        fail_msg("%s", err.msg);
    return m;
}

static int fit_fails(size_t n, const struct fw_task_info *task, struct fw_err *err)
{
    struct fw_extract_params extract;
    struct fw_linear *m = NULL;
    fw_extract_defaults(&extract);
    int rc = fw_linear_fit(&ds, rows, n, task, &extract, &usual, NULL, &m, err);
    assert_null(m);
    return rc;
}

static void learns_three_clouds(void **state)
{
    (void)state;
    for (int binned = 0; binned < 2; binned++) {
        struct fw_linear *m = fit(N, &three, binned, 1);
        struct fw_guess g = {0};
        assert_int_equal(fw_linear_guess(m, &ds, NULL, &g, NULL), FW_OK);
        for (int i = 0; i < N; i++) {
            assert_int_equal(g.pred[i], samples[i].klass);
            assert_float_equal(g.probs[i * 3] + g.probs[i * 3 + 1] + g.probs[i * 3 + 2], 1, 1e-5);
        }
        fw_guess_release(&g);
        fw_linear_free(m);
    }
}

static void two_classes_of_three_leave_the_third_at_zero(void **state)
{
    (void)state;
    for (int i = 0; i < N; i++)
        if (samples[i].klass == 1) {
            samples[i].klass = 0;
            data[i][0] = 3; /* onto cloud a */
            data[i][1] = 0;
        }
    struct fw_linear *m = fit(N, &three, false, 1);
    struct fw_guess g = {0};
    assert_int_equal(m->rows, 1);
    assert_int_equal(fw_linear_guess(m, &ds, NULL, &g, NULL), FW_OK);
    for (int i = 0; i < N; i++) {
        assert_int_equal(g.pred[i], samples[i].klass);
        assert_float_equal(g.probs[i * 3 + 1], 0, 0);
        assert_float_equal(g.probs[i * 3] + g.probs[i * 3 + 2], 1, 1e-5);
    }
    fw_guess_release(&g);
    fw_linear_free(m);
}

static void one_class_alone_is_always_the_answer(void **state)
{
    (void)state;
    for (int i = 0; i < N; i++)
        samples[i].klass = 1;
    struct fw_linear *m = fit(N, &three, false, 1);
    struct fw_guess g = {0};
    assert_int_equal(fw_linear_guess(m, &ds, NULL, &g, NULL), FW_OK);
    assert_int_equal(g.pred[7], 1);
    assert_float_equal(g.probs[7 * 3 + 1], 1, 0);
    assert_float_equal(g.probs[7 * 3], 0, 0);
    fw_guess_release(&g);
    fw_linear_free(m);
}

static void regression_finds_the_plane(void **state)
{
    (void)state;
    struct fw_linear *m = fit(N, &number, false, 1);
    struct fw_guess g = {0};
    assert_int_equal(fw_linear_guess(m, &ds, NULL, &g, NULL), FW_OK);
    for (int i = 0; i < N; i++)
        assert_float_equal(g.value[i], samples[i].value, 0.2);
    fw_guess_release(&g);
    fw_linear_free(m);
}

static void constant_targets_are_predicted_as_they_are(void **state)
{
    (void)state;
    for (int i = 0; i < N; i++)
        samples[i].value = 42;
    struct fw_linear *m = fit(N, &number, false, 1);
    struct fw_guess g = {0};
    assert_int_equal(fw_linear_guess(m, &ds, NULL, &g, NULL), FW_OK);
    assert_float_equal(g.value[3], 42, 1e-9);
    fw_guess_release(&g);
    fw_linear_free(m);
}

static void encode(const struct fw_linear *m, struct fw_buf *b)
{
    assert_int_equal(fw_linear_encode(m, b, NULL), FW_OK);
}

static void the_same_seed_gives_the_same_bytes_another_does_not(void **state)
{
    (void)state;
    struct fw_buf a = {0}, b = {0}, c = {0};
    struct fw_linear *m1 = fit(N, &three, true, 1), *m2 = fit(N, &three, true, 1);
    struct fw_linear *m3 = fit(N, &three, true, 2);
    encode(m1, &a);
    encode(m2, &b);
    encode(m3, &c);
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.p, b.p, a.len);
    assert_int_equal(a.len, c.len);
    assert_true(memcmp(a.p, c.p, a.len) != 0);
    fw_buf_release(&a);
    fw_buf_release(&b);
    fw_buf_release(&c);
    fw_linear_free(m1);
    fw_linear_free(m2);
    fw_linear_free(m3);
}

static void a_model_comes_back_from_its_file(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        struct fw_linear *m = fit(N, kind == 2 ? &number : &three, kind == 1, 1), *back = NULL;
        struct fw_guess g = {0}, h = {0};
        struct fw_buf file = {0};
        struct fw_err err = {0};
        encode(m, &file);
        if (fw_linear_decode(file.p, file.len, &back, &err) != FW_OK)
            fail_msg("%s", err.msg);
        assert_int_equal(fw_linear_check_task(back, kind == 2 ? &number : &three, NULL), FW_OK);
        assert_int_equal(fw_linear_guess(m, &ds, NULL, &g, NULL), FW_OK);
        assert_int_equal(fw_linear_guess(back, &ds, NULL, &h, NULL), FW_OK);
        if (kind == 2)
            assert_memory_equal(g.value, h.value, N * sizeof *g.value);
        else
            assert_memory_equal(g.probs, h.probs, 3 * N * sizeof *g.probs);
        fw_guess_release(&g);
        fw_guess_release(&h);
        fw_buf_release(&file);
        fw_linear_free(m);
        fw_linear_free(back);
    }
}

static void damaged_files_are_refused(void **state)
{
    (void)state;
    struct fw_linear *m = fit(N, &three, true, 1), *back = NULL;
    struct fw_buf file = {0};
    struct fw_err err = {0};
    encode(m, &file);
    for (size_t n = 0; n < file.len; n += 13)
        assert_int_equal(fw_linear_decode(file.p, n, &back, &err), FW_EINVAL);
    for (size_t i = 0; i < file.len; i += 7) {
        if (i >= 12 && i < 16)
            continue; /* unused bytes of the header */
        file.p[i] ^= 4;
        assert_int_equal(fw_linear_decode(file.p, file.len, &back, &err), FW_EINVAL);
        file.p[i] ^= 4;
    }
    file.p[8] = 2;
    assert_int_equal(fw_linear_decode(file.p, file.len, &back, &err), FW_EINVAL);
    assert_non_null(strstr(err.msg, "another version"));
    assert_null(back);
    fw_buf_release(&file);
    fw_linear_free(m);
}

static void another_task_is_refused(void **state)
{
    (void)state;
    static const char *const abd[] = {"a", "b", "d"};
    const struct fw_task_info other = {FW_CLASSIFICATION, abd, 3},
                              two = {FW_CLASSIFICATION, abc, 2};
    struct fw_linear *m = fit(N, &three, false, 1);
    struct fw_err err = {0};
    assert_int_equal(fw_linear_check_task(m, &other, &err), FW_EINVAL);
    assert_non_null(strstr(err.msg, "'c'"));
    assert_int_equal(fw_linear_check_task(m, &two, &err), FW_EINVAL);
    assert_int_equal(fw_linear_check_task(m, &number, &err), FW_EINVAL);
    fw_linear_free(m);
}

static void bad_samples_are_named(void **state)
{
    (void)state;
    struct fw_err err = {0};
    data[5][1] = NAN;
    assert_int_equal(fit_fails(N, &three, &err), FW_EINVAL);
    assert_non_null(strstr(err.msg, "'s5'"));
    assert_non_null(strstr(err.msg, "finite"));
    data[5][1] = 0;
    samples[9].n_features = 1;
    assert_int_equal(fit_fails(N, &three, &err), FW_EINVAL);
    assert_non_null(strstr(err.msg, "'s9'"));
    samples[9].n_features = 2;
    samples[9].features = NULL;
    samples[9].text = "what";
    assert_int_equal(fit_fails(N, &three, &err), FW_EINVAL);
    assert_non_null(strstr(err.msg, "it has text"));
    assert_int_equal(fit_fails(0, &three, &err), FW_EINVAL);
    assert_non_null(strstr(err.msg, "no labelled sample"));
}

static void evaluation_rows_and_unlabelled_ones_are_not_learned_from(void **state)
{
    (void)state;
    size_t *picked = NULL, n = 0;
    samples[0].split = "dev";
    samples[1].split = "test";
    samples[2].klass = -1;
    assert_int_equal(fw_train_rows(&ds, &three, &picked, &n, NULL), FW_OK);
    assert_int_equal(n, N - 3);
    assert_int_equal(picked[0], 3);
    free(picked);
}

static void texts_are_learned_and_empty_ones_do_no_harm(void **state)
{
    (void)state;
    static const char *const texts[] = {"win cash now", "see you at home", ""};
    for (int i = 0; i < N; i++) {
        samples[i].features = NULL;
        samples[i].text = texts[i % 3];
        samples[i].klass = i % 3 == 0 ? 0 : 1;
    }
    struct fw_linear *m = fit(N, &three, false, 1);
    struct fw_guess g = {0};
    assert_int_equal(fw_linear_guess(m, &ds, NULL, &g, NULL), FW_OK);
    assert_int_equal(g.pred[0], 0);
    assert_int_equal(g.pred[1], 1);
    for (int c = 0; c < 3; c++)
        assert_true(isfinite(g.probs[2 * 3 + c]));
    fw_guess_release(&g);
    fw_linear_free(m);
}

static void balancing_lifts_the_rare_class(void **state)
{
    (void)state;
    float x[100];
    int y[100];
    struct fw_matrix m = {.n = 100, .dim = 1, .val = x};
    struct fw_linear_params p = usual;
    float rare[2];
    for (int i = 0; i < 100; i++) {
        y[i] = i % 10 == 0; /* one in ten, and x says little */
        x[i] = y[i] ? 0.3f : (float)(i % 7) / 10 - 0.3f;
    }
    for (int balanced = 0; balanced < 2; balanced++) {
        struct fw_extractor *ex = calloc(1, sizeof *ex);
        struct fw_linear *model = NULL;
        float probs[3], at = 0.3f;
        struct fw_matrix one = {.n = 1, .dim = 1, .val = &at};
        ex->dim = ex->raw_dim = 1;
        p.balanced = balanced;
        assert_int_equal(fw_linear_train(&m, y, NULL, &three, &p, ex, &model, NULL), FW_OK);
        assert_int_equal(fw_linear_probs(model, &one, probs, NULL), FW_OK);
        rare[balanced] = probs[1];
        fw_linear_free(model);
    }
    assert_true(rare[1] > rare[0] + 0.2f);
}

static void idf_and_scales_are_what_the_formulas_say(void **state)
{
    (void)state;
    struct fw_extract_params params;
    struct fw_extractor *ex = NULL;
    float v[] = {0, 5, 2, 5, 4, 5};
    struct fw_matrix raw = {.n = 3, .dim = 2, .val = v}, x = {0};
    fw_extract_defaults(&params);
    params.input = FW_INPUT_FEATURES;
    params.binned = false;
    assert_int_equal(fw_extractor_fit(&raw, &params, &ex, NULL), FW_OK);
    assert_float_equal(ex->mean[0], 2, 1e-6);
    assert_float_equal(ex->scale[0], 1 / sqrt(8.0 / 3), 1e-6);
    assert_float_equal(ex->scale[1], 0, 0); /* constant: left out */
    assert_int_equal(fw_extractor_apply(ex, &raw, &x, NULL), FW_OK);
    assert_float_equal(x.val[2], 0, 1e-6);
    assert_float_equal(x.val[0], -x.val[4], 1e-6);
    fw_matrix_release(&x);
    raw.dim = 1;
    assert_int_equal(fw_extractor_apply(ex, &raw, &x, NULL), FW_EINVAL);
    fw_extractor_free(ex);

    size_t start[] = {0, 2, 3};
    uint32_t col[] = {3, 9, 3};
    float tf[] = {1, 1, 2};
    struct fw_matrix text = {.n = 2, .dim = 16, .start = start, .col = col, .val = tf};
    params.input = FW_INPUT_TEXT;
    assert_int_equal(fw_extractor_fit(&text, &params, &ex, NULL), FW_OK);
    assert_int_equal(ex->dim, 2);
    assert_float_equal(ex->idf[0], 1, 1e-6);                /* in both */
    assert_float_equal(ex->idf[1], log(3.0 / 2) + 1, 1e-6); /* in one of two */
    fw_extractor_free(ex);
}

#define EACH(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(learns_three_clouds),
        EACH(two_classes_of_three_leave_the_third_at_zero),
        EACH(one_class_alone_is_always_the_answer),
        EACH(regression_finds_the_plane),
        EACH(constant_targets_are_predicted_as_they_are),
        EACH(the_same_seed_gives_the_same_bytes_another_does_not),
        EACH(a_model_comes_back_from_its_file),
        EACH(damaged_files_are_refused),
        EACH(another_task_is_refused),
        EACH(bad_samples_are_named),
        EACH(evaluation_rows_and_unlabelled_ones_are_not_learned_from),
        EACH(texts_are_learned_and_empty_ones_do_no_harm),
        EACH(balancing_lifts_the_rare_class),
        EACH(idf_and_scales_are_what_the_formulas_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
