#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "files.h"

#include "stages/error_analysis/analysis.h"
#include "stages/error_analysis/exchange.h"

enum { N = 600 };

static int truth[N], preds[4][N];
static double number[N], values[3][N];

/* Sample i is right when frac(i × golden ratio) lies below the accuracy, else one class further. */
static void make_preds(void)
{
    static const double accuracy[] = {.70, .76, .80, .85}, error[] = {2.0, 1.5, 1.2};
    for (int i = 0; i < N; i++) {
        double u = fmod(i * 0.6180339887498949, 1);
        truth[i] = i % 3;
        number[i] = sin(i * 0.7) + 0.3 * cos(i * 1.3);
        for (int j = 0; j < 4; j++)
            preds[j][i] = u < accuracy[j] ? truth[i] : (truth[i] + 1) % 3;
        for (int j = 0; j < 3; j++)
            values[j][i] = number[i] + error[j] * (u - .5);
    }
}

static struct fw_exchange_point points[3], trusted;

static struct fw_exchange_input base(void)
{
    make_preds();
    for (int j = 0; j < 3; j++)
        points[j] = (struct fw_exchange_point){.n = 100 << j, .pred = preds[j]};
    trusted = (struct fw_exchange_point){.n = 340, .pred = preds[3]};
    return (struct fw_exchange_input){.metric = {FW_ACCURACY, -1},
                                      .truth = {N, 3, truth, NULL},
                                      .n_points = 3,
                                      .points = points,
                                      .trusted = &trusted,
                                      .wrong = 50,
                                      .cost_label = 2,
                                      .cost_sample = 3,
                                      .seed = 1};
}

static struct fw_exchange run(const struct fw_exchange_input *in)
{
    struct fw_exchange x;
    struct fw_estimate e[3];
    struct fw_err err = {0};
    if (fw_exchange(in, &x, e, &err) != FW_OK)
        fail_msg("%s", err.msg);
    return x;
}

static void near(double a, double b, double share)
{
    if (!(fabs(a - b) <= share * fabs(b)))
        fail_msg("%.10g is not near %.10g", a, b);
}

static void near_estimate(const struct fw_estimate *e, double value, double low, double high)
{
    near(e->value, value, 1e-8);
    near(e->low, low, .03);
    near(e->high, high, .03);
}

/* Values by numpy: numpy.polyfit's formula with weights n, and 40 000 resamples of the indices of
 * each class by default_rng(0).choice, percentiles 2.5 and 97.5 by numpy.percentile. */
static void test_against_reference(void **state)
{
    (void)state;
    struct fw_exchange_input in = base();
    struct fw_exchange x;
    struct fw_estimate e[3];
    in.resamples = 20000;
    assert_int_equal(fw_exchange(&in, &x, e, NULL), FW_OK);
    near(e[0].value, .7, 1e-9);
    near(e[1].value, .7616666666666667, 1e-9);
    near(e[2].value, .8, 1e-9);
    near(x.trusted_score.value, .85, 1e-9);
    near_estimate(&x.slope, 6.82505731e-02, 5.17890527e-02, 8.54519370e-02);
    near_estimate(&x.sample, 1.70626433e-04, 1.29472632e-04, 2.13629843e-04);
    near_estimate(&x.cleaning, 6.10920101e-02, 4.44387294e-02, 7.95155224e-02);
    near_estimate(&x.label, 1.01820017e-03, 7.40645491e-04, 1.32525871e-03);
    near_estimate(&x.corrected, 1.22184020e-03, 8.88774589e-04, 1.59031045e-03);
    near_estimate(&x.rate, 8.95113511, 6.20026671, 12.9260047);
    assert_int_equal(x.advice, FW_ADVISE_CLEAN);
    assert_true(x.share_to_clean == 1 && x.suspects == 60 && x.wrong == 50);
    /* A point's interval is that of its accuracy. */
    double low, high;
    fw_wilson(.8 * N, N, .95, &low, &high);
    near(e[2].low, low, .01);
    near(e[2].high, high, .01);
}

/* The same by numpy for R² and RMSE, resampled without strata. */
static void test_regression(void **state)
{
    (void)state;
    struct fw_exchange_input in = base();
    for (int j = 0; j < 3; j++)
        points[j] = (struct fw_exchange_point){.n = 100 << j, .value = values[j]};
    in.truth = (struct fw_truth){N, 0, NULL, number, NULL};
    in.trusted = NULL;
    in.wrong = NAN;
    in.metric.id = FW_R2;
    struct fw_exchange x = run(&in);
    near(x.slope.value, 0.25924102977022184, 1e-8);
    near(x.slope.low, 0.23529827, .02);
    near(x.slope.high, 0.28641267, .02);
    assert_int_equal(x.advice, FW_ADVISE_NONE);
    assert_true(isnan(x.label.value) && isnan(x.rate.value) && x.share_to_clean == .5);
    in.metric.id = FW_RMSE; /* lower is better: what helps is positive all the same */
    x = run(&in);
    near(x.slope.value, 0.15710118132051804, 1e-8);
    in.metric.id = FW_MAE;
    x = run(&in);
    assert_true(x.slope.value > 0 && x.sample.low > 0);
}

static void test_advice(void **state)
{
    (void)state;
    struct fw_exchange_input in = base();
    in.cost_label = 30; /* labels are dear */
    struct fw_exchange x = run(&in);
    assert_int_equal(x.advice, FW_ADVISE_COLLECT);
    assert_true(x.share_to_clean < .05);
    in.cost_label = 18; /* about as much for its money */
    x = run(&in);
    assert_int_equal(x.advice, FW_ADVISE_EITHER);
    assert_true(x.share_to_clean > .05 && x.share_to_clean < .95);
    assert_true(x.rate.low < 1 && x.rate.high > 1);

    in = base(); /* samples bring nothing: no rate, and labels all the same */
    points[0].pred = points[1].pred = preds[2];
    x = run(&in);
    assert_true(isnan(x.rate.value) && x.advice == FW_ADVISE_CLEAN);
    trusted.pred = preds[2];
    x = run(&in);
    assert_int_equal(x.advice, FW_ADVISE_NEITHER);
    assert_true(x.share_to_clean == .5);

    in = base(); /* cleaning hurts */
    trusted.pred = preds[0];
    x = run(&in);
    assert_true(x.label.high < 0 && x.advice == FW_ADVISE_COLLECT && x.share_to_clean == 0);

    in = base();
    in.wrong = 3; /* hardly any */
    x = run(&in);
    assert_true(x.nothing_to_clean && x.advice == FW_ADVISE_COLLECT && x.share_to_clean == 0);
    assert_true(isnan(x.rate.value));
    trusted.n = 400; /* none at all */
    x = run(&in);
    assert_true(x.nothing_to_clean && isnan(x.label.value));
    assert_string_equal(fw_advice_name(FW_ADVISE_COLLECT), "collect");
    assert_null(fw_advice_name(FW_ADVISE_NONE));
}

/* Points on 0.95 − 2 n^−0.5 (up to 1/600) give it back; a curve that bends up has no such law. */
static void test_power_law(void **state)
{
    (void)state;
    struct fw_exchange_input in = base();
    for (int j = 0; j < 3; j++)
        for (int i = 0; i < N; i++) {
            double u = fmod(i * 0.6180339887498949, 1);
            preds[j][i] = u < .95 - 2 * pow(points[j].n, -.5) ? truth[i] : (truth[i] + 1) % 3;
        }
    struct fw_exchange x = run(&in);
    assert_true(x.has_power_law);
    near(x.limit, .95, .02);
    near(x.exponent, .5, .15);
    near(x.doubled.value, .95 - 2 * pow(800, -.5), .01);
    assert_true(x.doubled.low < x.doubled.value && x.doubled.value < x.doubled.high);
    for (int i = 0; i < N; i++) {
        double u = fmod(i * 0.6180339887498949, 1);
        preds[0][i] = u < .60 ? truth[i] : (truth[i] + 1) % 3;
        preds[1][i] = u < .65 ? truth[i] : (truth[i] + 1) % 3;
        preds[2][i] = u < .80 ? truth[i] : (truth[i] + 1) % 3;
    }
    x = run(&in);
    assert_false(x.has_power_law);
    assert_true(isnan(x.doubled.value));
    in.points = points + 1; /* two points are too few */
    in.n_points = 2;
    x = run(&in);
    assert_false(x.has_power_law);
    near(x.slope.value, .15 / log(2), .02);
}

static void test_same_for_any_threads(void **state)
{
    (void)state;
    struct fw_exchange_input in = base();
    struct fw_exchange x[3];
    static const char *const threads[] = {"1", "2", "3"};
    for (int t = 0; t < 3; t++) {
        setenv("FLYWHEEL_THREADS", threads[t], 1);
        x[t] = run(&in);
    }
    unsetenv("FLYWHEEL_THREADS");
    for (int t = 1; t < 3; t++) {
        assert_memory_equal(&x[0].rate, &x[t].rate, sizeof x[0].rate);
        assert_memory_equal(&x[0].slope, &x[t].slope, sizeof x[0].slope);
    }
    in.seed = 2;
    struct fw_exchange other = run(&in);
    assert_true(other.slope.low != x[0].slope.low && other.slope.value == x[0].slope.value);
}

static void expect(const struct fw_exchange_input *in, const char *text)
{
    struct fw_exchange x;
    struct fw_estimate e[4];
    struct fw_err err = {0};
    assert_int_equal(fw_exchange(in, &x, e, &err), FW_EINVAL);
    assert_non_null(strstr(err.msg, text));
}

static void test_bad_input(void **state)
{
    (void)state;
    struct fw_exchange_input in = base();
    in.n_points = 1;
    expect(&in, "at least two points");
    in = base();
    points[1].n = 100;
    expect(&in, "do not ascend");
    in = base();
    points[2].n = NAN;
    expect(&in, "do not ascend");
    in = base();
    trusted.n = 401;
    expect(&in, "not a part of the train split");
    in = base();
    in.cost_label = 0;
    expect(&in, "must be positive");
    in = base();
    in.cost_sample = NAN;
    expect(&in, "must be positive");
    in = base();
    for (int i = 0; i < N; i++)
        truth[i] = -1;
    expect(&in, "no labelled dev sample");
    in = base();
    in.metric.id = FW_LOG_LOSS;
    expect(&in, "needs probabilities");
    in = base(); /* one sample: no spread, no crash */
    in.truth.n = 1;
    struct fw_exchange x = run(&in);
    assert_true(x.slope.low == x.slope.value && x.slope.high == x.slope.value);
}

/* Through files: what the engine writes is what the plugin reads, and the object is made. */
static void test_json(void **state)
{
    static const char *const names[] = {"a", "b"};
    static const struct fw_task_info task = {FW_CLASSIFICATION, names, 2};
    static const double accuracy[] = {.5, .7, .9, .95};
    struct fw_buf rows = {0}, sizes[4] = {{0}}, dev[4] = {{0}};
    struct fw_curve_source sources[4];
    char paths[8][64];
    (void)state;
    for (int i = 0; i < 200; i++)
        fw_buf_printf(&rows, "{\"id\":\"d%d\",\"split\":\"dev\",\"label\":\"%s\"}\n", i,
                      names[i % 2]);
    for (int j = 0; j < 4; j++) {
        static const char *const points_of[] = {"subset=1/4", "subset=1/2", "full", "trusted"};
        int n = j < 3 ? 50 << j : 170;
        for (int i = 0; i < n; i++)
            fw_buf_printf(&sizes[j], "{\"id\":\"t%d\",\"label\":\"%s\"}\n", i, names[i % 2]);
        fw_buf_puts(&sizes[j], "{\"id\":\"unlabelled\",\"label\":null}\n{\"id\":\"none\"}\n");
        for (int i = 0; i < 200; i++)
            fw_buf_printf(&dev[j], "{\"id\":\"d%d\",\"prediction\":\"%s\"}\n", i,
                          names[fmod(i * 0.618034, 1) < accuracy[j] ? i % 2 : 1 - i % 2]);
        snprintf(paths[2 * j], sizeof paths[0], "p%d.jsonl", j);
        put(paths[2 * j], dev[j].p);
        snprintf(paths[2 * j + 1], sizeof paths[0], "s%d/samples.jsonl", j);
        put(paths[2 * j + 1], sizes[j].p);
        sources[j].name = points_of[j];
    }
    char full[8][200];
    for (int j = 0; j < 4; j++) {
        snprintf(full[2 * j], sizeof full[0], "%s/p%d.jsonl", test_dir, j);
        snprintf(full[2 * j + 1], sizeof full[0], "%s/s%d", test_dir, j);
        sources[j].predictions = full[2 * j];
        sources[j].dataset = full[2 * j + 1];
    }
    put("d/samples.jsonl", rows.p);
    struct fw_err err = {0};
    assert_int_equal(fw_curve_write(sources, 4, &task, in_dir("curve"), &err), FW_OK);
    struct fw_curve *curve = NULL;
    struct fw_predictions *clean;
    assert_int_equal(fw_curve_load(in_dir("curve"), &task, &curve, &err), FW_OK);
    assert_int_equal(curve->n, 4);
    assert_int_equal(curve->points[0].n, 50);
    assert_int_equal(curve->points[3].kind, FW_CURVE_TRUSTED);

    struct fw_dataset *ds = NULL;
    assert_int_equal(fw_dataset_load(in_dir("d"), &task, &ds, NULL), FW_OK);
    struct fw_analysis_input in = {.task = &task,
                                   .data = ds,
                                   .dev = curve->points[2].dev,
                                   .curve = curve,
                                   .cost_label = 1,
                                   .cost_sample = 1,
                                   .metric = {FW_ACCURACY, -1}};
    json_t *root = NULL;
    if (fw_analysis_build(&in, &root, &err) != FW_OK)
        fail_msg("%s", err.msg);
    const json_t *x = json_object_get(root, "exchange");
    assert_int_equal(json_array_size(json_object_get(x, "points")), 4);
    assert_true(json_number_value(json_object_get(x, "suspects")) == 30);
    assert_non_null(json_string_value(json_object_get(x, "advice")));
    assert_non_null(
        strstr(json_string_value(json_object_get(x, "sentence")), "Checking one suspect label"));
    json_decref(root);
    in.cost_label = 2; /* the sentence is about money then */
    assert_int_equal(fw_analysis_build(&in, &root, NULL), FW_OK);
    x = json_object_get(root, "exchange");
    assert_non_null(strstr(json_string_value(json_object_get(x, "sentence")), "the budget brings"));
    json_decref(root);
    clean = curve->points[3].dev;
    curve->points[3].dev = curve->points[0].dev; /* no numbers below 0 in a sentence */
    assert_int_equal(fw_analysis_build(&in, &root, NULL), FW_OK);
    x = json_object_get(root, "exchange");
    assert_string_equal(json_string_value(json_object_get(x, "sentence")),
                        "Checking suspect labels shows no gain, new samples do: collect first.");
    json_decref(root);
    curve->points[3].dev = clean;
    in.curve = NULL;
    assert_int_equal(fw_analysis_build(&in, &root, NULL), FW_OK);
    assert_true(json_is_null(json_object_get(root, "exchange")));
    json_decref(root);
    fw_curve_free(curve);
    fw_dataset_free(ds);
    fw_buf_release(&rows);
    for (int j = 0; j < 4; j++) {
        fw_buf_release(&sizes[j]);
        fw_buf_release(&dev[j]);
    }
}

static void test_bad_curves(void **state)
{
    static const char *const names[] = {"a", "b"};
    static const struct fw_task_info task = {FW_CLASSIFICATION, names, 2};
    static const struct {
        const char *json, *text;
    } bad[] = {
        {"{", "not valid JSON"},
        {"{}", "'points' is missing"},
        {"{\"points\":[]}", "one point of kind full"},
        {"{\"points\":[{\"kind\":\"half\",\"n\":1,\"predictions\":\"0\"}]}", "a point needs"},
        {"{\"points\":[{\"kind\":\"full\",\"n\":-1,\"predictions\":\"0\"}]}", "a point needs"},
        {"{\"points\":[{\"kind\":\"full\",\"n\":1,\"predictions\":\"../0\"}]}", "a point needs"},
        {"{\"points\":[{\"kind\":\"full\",\"n\":1,\"predictions\":\"nowhere\"}]}", "nowhere"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fw_curve *curve = NULL;
        struct fw_err err = {0};
        put("bad/curve.json", bad[i].json);
        assert_true(fw_curve_load(in_dir("bad"), &task, &curve, &err) < 0);
        if (!strstr(err.msg, bad[i].text))
            fail_msg("'%s' does not say '%s'", err.msg, bad[i].text);
        assert_null(curve);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_reference),
        cmocka_unit_test(test_regression),
        cmocka_unit_test(test_advice),
        cmocka_unit_test(test_power_law),
        cmocka_unit_test(test_same_for_any_threads),
        cmocka_unit_test(test_bad_input),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_bad_curves),
    };
    return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
