#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stages/evaluate/bootstrap.h"
#include "stages/evaluate/compare.h"

enum { N = 600, K = 4, S = 2, B = 800 };

static int truth[N], pred[2 * S][N];
static float probs[2 * S][N * K];
static double y[N], guess[2 * S][N];

static void make(void)
{
    struct fw_rng rng;
    fw_rng_seed(&rng, 5);
    for (int i = 0; i < N; i++) {
        truth[i] = (int)fw_rng_below(&rng, K) * (i % 3 != 0); /* class 0 is the most frequent */
        y[i] = fw_rng_normal(&rng);
        bool hard = fw_rng_double(&rng) < .4;
        for (int j = 0; j < 2 * S; j++) {
            double right = (hard ? .3 : .98) + (j >= S ? .05 : 0);
            pred[j][i] = fw_rng_double(&rng) < right ? truth[i] : (int)fw_rng_below(&rng, K);
            guess[j][i] = y[i] + (j >= S ? .5 : .6) * fw_rng_normal(&rng);
            double sure = .3 + .3 * fw_rng_double(&rng), rest = 0;
            for (int c = 0; c < K; c++)
                rest += probs[j][i * K + c] = (float)fw_rng_double(&rng);
            for (int c = 0; c < K; c++)
                probs[j][i * K + c] =
                    (float)((1 - sure) * probs[j][i * K + c] / rest + sure * (c == pred[j][i]));
        }
    }
}

static const int *const p_before[] = {pred[0], pred[1]}, *const p_after[] = {pred[2], pred[3]};
static const float *const q_before[] = {probs[0], probs[1]}, *const q_after[] = {probs[2],
                                                                                 probs[3]};
static const double *const g_before[] = {guess[0], guess[1]}, *const g_after[] = {guess[2],
                                                                                  guess[3]};

static const double *weights; /* of the N samples, or NULL */

static double sum_of(const struct fw_metric *m, const size_t *index, bool regression)
{
    static double w[N];
    static int t[N], p[N];
    static float q[N * K];
    static double v[N], g[N];
    double value = 0;
    for (int j = 0; j < 2 * S; j++) {
        for (int i = 0; i < N; i++) {
            t[i] = truth[index[i]];
            p[i] = pred[j][index[i]];
            memcpy(q + i * K, probs[j] + index[i] * K, K * sizeof *q);
            v[i] = y[index[i]];
            g[i] = guess[j][index[i]];
        }
        for (int i = 0; i < N && weights; i++)
            w[i] = weights[index[i]];
        struct fw_metric_data in = {N, regression ? 0 : K, regression ? NULL : t, p, q, v,
                                    g, weights ? w : NULL};
        double one = NAN;
        assert_int_equal(fw_metric_measure(m, &in, &one, NULL), FW_OK);
        value += (j >= S ? 1. : -1.) / S * one;
    }
    return fw_metric_higher_is_better(m) ? value : -value;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, z = *(const double *)b;
    return x < z ? -1 : x > z;
}

static bool of_class(enum fw_metric_id id)
{
    return id == FW_F1 || id == FW_PRECISION || id == FW_RECALL || id == FW_F_BETA ||
           id == FW_ROC_AUC || id == FW_AVERAGE_PRECISION;
}

/* The plain way: draw indices, measure. */
static void plainly(const struct fw_metric *m, bool regression, double *sd, double *low,
                    double *high)
{
    static double gain[B];
    static size_t index[N], member[K][N], count[K];
    struct fw_rng rng;
    double mean = 0, square = 0;
    fw_rng_seed(&rng, 99);
    memset(count, 0, sizeof count);
    for (size_t i = 0; i < N; i++) {
        int t = regression ? 0 : truth[i];
        member[t][count[t]++] = i;
    }
    for (int b = 0; b < B; b++) {
        size_t at = 0;
        for (int c = 0; c < K; c++)
            for (size_t i = 0; i < count[c]; i++)
                index[at++] = member[c][fw_rng_below(&rng, count[c])];
        gain[b] = sum_of(m, index, regression);
        mean += gain[b] / B;
    }
    for (int b = 0; b < B; b++)
        square += (gain[b] - mean) * (gain[b] - mean);
    qsort(gain, B, sizeof *gain, ascending);
    *sd = sqrt(square / (B - 1));
    *low = gain[B / 40];
    *high = gain[B - B / 40];
}

/* What is another metric once more is left out; with weights one metric of each way to resample stays. */
static bool takes_part(enum fw_metric_id id)
{
    static const enum fw_metric_id some[] = {
        FW_ACCURACY, FW_MACRO_F1, FW_MCC,     FW_TOP_K,
        FW_LOG_LOSS, FW_ECE,      FW_ROC_AUC, FW_WEIGHTED_AVERAGE_PRECISION,
        FW_MAE,      FW_RMSE,     FW_R2};
    if (!weights)
        return id != FW_MICRO_PRECISION && id != FW_MICRO_RECALL && id != FW_MICRO_F_BETA &&
               id != FW_WEIGHTED_RECALL;
    for (size_t i = 0; i < sizeof some / sizeof *some; i++)
        if (some[i] == id)
            return true;
    return false;
}

static void check_every_metric(void)
{
    make();
    for (int id = 0; id < FW_METRICS; id++) {
        if (!takes_part((enum fw_metric_id)id))
            continue;
        bool regression = id >= FW_MAE;
        struct fw_metric m = {(enum fw_metric_id)id, of_class((enum fw_metric_id)id) ? 1 : -1, 2};
        struct fw_truth t = {N, regression ? 0 : K, regression ? NULL : truth, y, weights};
        struct fw_scored before = {S, p_before, q_before, g_before},
                         after = {S, p_after, q_after, g_after};
        struct fw_comparison c;
        size_t all[N];
        double sd, low, high;
        for (size_t i = 0; i < N; i++)
            all[i] = i;
        plainly(&m, regression, &sd, &low, &high);
        assert_int_equal(fw_compare(&m, &t, &before, &after, B, .95, 3, &c, NULL), FW_OK);
        assert_true(fabs(c.gain - sum_of(&m, all, regression)) < 1e-9);
        /* B resamples know sd to about 2.5 % and the ends to about 10 % of it, each way */
        if (fabs(c.sd / sd - 1) > .12 || fabs(c.low - low) > .4 * sd ||
            fabs(c.high - high) > .4 * sd)
            fail_msg("metric %d: sd %g [%g, %g], plainly %g [%g, %g]", id, c.sd, c.low, c.high, sd,
                     low, high);
        assert_true(c.low < c.gain && c.gain < c.high);
        assert_true(isnan(c.mcnemar_p) == regression);
    }
}

static void test_every_metric_as_plain_bootstrap(void **state)
{
    (void)state;
    weights = NULL;
    check_every_metric();
}

static void test_weighted_as_plain_bootstrap(void **state)
{
    (void)state;
    static double w[N];
    for (int i = 0; i < N; i++)
        w[i] = i % 50 ? .2 + i % 7 : 0;
    weights = w;
    check_every_metric();
    weights = NULL;
}

/* Weights that are all the same change nothing; a sample of weight 0 is no sample. */
static void test_weights_of_one(void **state)
{
    (void)state;
    make();
    static double same[N], some[N];
    static int left_out[N];
    for (int i = 0; i < N; i++) {
        same[i] = 2.5;
        some[i] = i % 3 != 0;
        left_out[i] = i % 3 ? truth[i] : -1;
    }
    struct fw_truth plain = {N, K, truth, NULL, NULL}, weighted = {N, K, truth, NULL, same},
                    fewer = {N, K, left_out, NULL, NULL}, zeros = {N, K, truth, NULL, some};
    struct fw_scored before = {S, p_before, q_before, NULL}, after = {S, p_after, q_after, NULL};
    for (int id = 0; id < FW_MAE; id++) {
        struct fw_metric m = {(enum fw_metric_id)id, of_class((enum fw_metric_id)id) ? 1 : -1, 2};
        struct fw_comparison a, b;
        assert_int_equal(fw_compare(&m, &plain, &before, &after, 300, .9, 3, &a, NULL), FW_OK);
        assert_int_equal(fw_compare(&m, &weighted, &before, &after, 300, .9, 3, &b, NULL), FW_OK);
        assert_true(fabs(a.gain - b.gain) < 1e-12 && fabs(a.sd / b.sd - 1) < .25);
        assert_int_equal(fw_compare(&m, &fewer, &before, &after, 300, .9, 3, &a, NULL), FW_OK);
        assert_int_equal(fw_compare(&m, &zeros, &before, &after, 300, .9, 3, &b, NULL), FW_OK);
        assert_true(fabs(a.gain - b.gain) < 1e-12 && fabs(a.sd / b.sd - 1) < .25);
    }
}

/* Bit for bit, whatever the number of threads. */
static void test_threads(void **state)
{
    (void)state;
    make();
    struct fw_truth t = {N, K, truth, y, NULL};
    struct fw_scored before = {S, p_before, q_before, NULL}, after = {S, p_after, q_after, NULL};
    const char *was = getenv("FLYWHEEL_THREADS");
    for (int id = 0; id < FW_MAE; id++) {
        struct fw_metric m = {(enum fw_metric_id)id, of_class((enum fw_metric_id)id) ? 1 : -1, 2};
        struct fw_comparison c[3];
        memset(c, 0, sizeof c);
        for (int i = 0; i < 3; i++) {
            setenv("FLYWHEEL_THREADS", i == 0 ? "1" : i == 1 ? "2" : "3", 1);
            assert_int_equal(fw_compare(&m, &t, &before, &after, 600, .9, 3, &c[i], NULL), FW_OK);
        }
        assert_memory_equal(&c[0], &c[1], sizeof *c);
        assert_memory_equal(&c[0], &c[2], sizeof *c);
    }
    if (was)
        setenv("FLYWHEEL_THREADS", was, 1);
    else
        unsetenv("FLYWHEEL_THREADS");
}

static void test_same_models_gain_nothing(void **state)
{
    (void)state;
    make();
    struct fw_truth t = {N, K, truth, NULL, NULL};
    struct fw_scored one = {S, p_before, q_before, NULL};
    for (int id = 0; id < FW_MAE; id++) {
        struct fw_metric m = {(enum fw_metric_id)id, of_class((enum fw_metric_id)id) ? 1 : -1, 2};
        struct fw_comparison c;
        assert_int_equal(fw_compare(&m, &t, &one, &one, 500, .95, 3, &c, NULL), FW_OK);
        assert_true(c.gain == 0 && c.low == 0 && c.high == 0 && c.sd == 0);
        assert_true(c.p_improved == 1 && c.p_worse == 1 && c.mcnemar_p == 1);
    }
}

static void test_seed_and_direction(void **state)
{
    (void)state;
    make();
    struct fw_truth t = {N, K, truth, NULL, NULL};
    struct fw_scored before = {S, p_before, NULL, NULL}, after = {1, p_after, NULL, NULL};
    struct fw_metric m = {FW_MACRO_F1, -1, 0};
    struct fw_comparison a, b, c, back;
    assert_int_equal(fw_compare(&m, &t, &before, &after, 2000, .9, 3, &a, NULL), FW_OK);
    assert_int_equal(fw_compare(&m, &t, &before, &after, 2000, .9, 3, &b, NULL), FW_OK);
    assert_int_equal(fw_compare(&m, &t, &before, &after, 2000, .9, 4, &c, NULL), FW_OK);
    assert_int_equal(fw_compare(&m, &t, &after, &before, 2000, .9, 3, &back, NULL), FW_OK);
    assert_memory_equal(&a, &b, sizeof a);
    assert_true(a.low != c.low && a.gain == c.gain);
    assert_true(fabs(a.gain + back.gain) < 1e-12 && fabs(a.low + back.high) < 1e-9);
    assert_true(a.p_improved < .5 && a.p_worse > .5);
}

/* Five samples of 600 got better, by the vote of three seeds: luck does that once in 32. */
static void test_few_changes(void **state)
{
    (void)state;
    static int was[N], is[3][N];
    for (int i = 0; i < N; i++) {
        truth[i] = i % 2;
        was[i] = is[0][i] = is[1][i] = truth[i];
        is[2][i] = i < 40 ? 1 - truth[i] : truth[i]; /* outvoted */
    }
    for (int i = 100; i < 105; i++)
        was[i] = 1 - truth[i];
    const int *const old[] = {was}, *const one[] = {is[0]}, *const new[] = {is[0], is[1], is[2]};
    struct fw_truth t = {N, 2, truth, NULL, NULL};
    struct fw_scored before = {1, old, NULL, NULL}, after = {1, one, NULL, NULL},
                     seeds = {3, new, NULL, NULL};
    struct fw_metric m = {FW_ACCURACY, -1, 0}, f1 = {FW_MACRO_F1, -1, 0};
    struct fw_comparison c;
    assert_int_equal(fw_compare(&m, &t, &before, &after, 5000, .95, 3, &c, NULL), FW_OK);
    assert_true(fabs(c.p_improved - 1. / 32) < 1e-12 && c.p_worse == 1);
    assert_true(fabs(c.mcnemar_p - 1. / 16) < 1e-12);
    assert_int_equal(fw_compare(&m, &t, &after, &before, 5000, .95, 3, &c, NULL), FW_OK);
    assert_true(fabs(c.p_worse - 1. / 32) < 1e-12 && c.p_improved == 1);
    assert_int_equal(fw_compare(&f1, &t, &before, &after, 5000, .95, 3, &c, NULL), FW_OK);
    assert_true(c.p_improved < .02); /* the bootstrap alone */
    assert_int_equal(fw_compare(&m, &t, &after, &seeds, 5000, .95, 3, &c, NULL), FW_OK);
    assert_true(c.gain < 0 && c.p_worse == 1); /* no vote changed */
}

static void test_interval_of_one(void **state)
{
    (void)state;
    make();
    struct fw_truth t = {N, K, truth, NULL, NULL};
    struct fw_scored one = {1, p_before, NULL, NULL};
    struct fw_metric m = {FW_ACCURACY, -1, 0};
    double value, low, high, want = 0;
    for (int i = 0; i < N; i++)
        want += pred[0][i] == truth[i];
    assert_int_equal(fw_score_interval(&m, &t, &one, 4000, .95, 1, &value, &low, &high, NULL),
                     FW_OK);
    assert_true(fabs(value - want / N) < 1e-12);
    double half = 1.96 * sqrt(value * (1 - value) / N); /* stratified: a little narrower */
    assert_true(high - low < 2.1 * half && high - low > 1.6 * half);
}

/* A model that is always wrong, in frequent and in rare ways, has no hit in any resample. */
static void test_resamples_have_the_size_of_the_data(void **state)
{
    (void)state;
    static int zero[N], wrong[N];
    const int *const one[] = {wrong};
    for (int i = 0; i < N; i++)
        wrong[i] = i < N / 2 ? 1 : i < N - 60 ? 2 : 3 + i % 40;
    struct fw_truth t = {N, 50, zero, NULL, NULL};
    struct fw_scored model = {1, one, NULL, NULL};
    struct fw_metric m = {FW_MACRO_F1, -1, 0};
    double value, low, high;
    assert_int_equal(fw_score_interval(&m, &t, &model, 500, 1, 1, &value, &low, &high, NULL),
                     FW_OK);
    assert_true(value == 0 && low == 0 && high == 0);
    /* and so it is with weights, whose sum differs from resample to resample */
    static double w[N];
    for (int i = 0; i < N; i++)
        w[i] = 1 + i % 4;
    t.weight = w;
    assert_int_equal(fw_score_interval(&m, &t, &model, 500, 1, 1, &value, &low, &high, NULL),
                     FW_OK);
    assert_true(value == 0 && low == 0 && high == 0);
}

static void test_class_without_samples(void **state)
{
    (void)state;
    make();
    struct fw_scored before = {S, p_before, NULL, NULL}, after = {S, p_after, NULL, NULL};
    struct fw_truth t = {N, K, truth, NULL, NULL}, more = {N, K + 3, truth, NULL, NULL};
    struct fw_metric m = {FW_BALANCED_ACCURACY, -1, 0};
    struct fw_comparison a, b;
    assert_int_equal(fw_compare(&m, &t, &before, &after, 500, .95, 3, &a, NULL), FW_OK);
    assert_int_equal(fw_compare(&m, &more, &before, &after, 500, .95, 3, &b, NULL), FW_OK);
    assert_memory_equal(&a, &b, sizeof a);
}

static void test_refusals(void **state)
{
    (void)state;
    make();
    struct fw_err err = {0};
    int none[N];
    for (int i = 0; i < N; i++)
        none[i] = -1;
    struct fw_truth t = {N, K, none, NULL, NULL};
    struct fw_scored one = {S, p_before, NULL, NULL}, empty = {0, NULL, NULL, NULL},
                     ranked = {S, p_before, q_before, NULL};
    struct fw_metric m = {FW_ACCURACY, -1, 0}, loss = {FW_LOG_LOSS, -1, 0};
    struct fw_comparison c = {.gain = 7};
    assert_int_equal(fw_compare(&m, &t, &one, &one, 10, .95, 1, &c, &err), FW_EINVAL);
    assert_non_null(strstr(err.msg, "no labelled sample"));
    t.klass = truth;
    assert_int_equal(fw_compare(&loss, &t, &one, &one, 10, .95, 1, &c, &err), FW_EINVAL);
    assert_non_null(strstr(err.msg, "probabilities"));
    assert_int_equal(fw_compare(&m, &t, &one, &empty, 10, .95, 1, &c, &err), FW_EINVAL);
    /* nobody has class 4: its ROC AUC is not defined, and no comparison says that it got better */
    struct fw_truth more = {N, K, none, NULL, NULL};
    struct fw_metric auc = {FW_ROC_AUC, 3, 0};
    double value = 1, low = 1, high = 1, bad[N];
    for (int i = 0; i < N; i++) {
        none[i] = i % 2;
        bad[i] = i == 7 ? -1 : 1;
    }
    assert_int_equal(fw_compare(&auc, &more, &ranked, &ranked, 10, .95, 1, &c, &err), FW_EINVAL);
    assert_non_null(strstr(err.msg, "not defined"));
    assert_int_equal(fw_score_interval(&auc, &more, &ranked, 10, .95, 1, &value, &low, &high, &err),
                     FW_OK);
    assert_true(isnan(value) && isnan(low) && isnan(high));
    more.weight = bad;
    assert_int_equal(fw_compare(&m, &more, &one, &one, 10, .95, 1, &c, &err), FW_EINVAL);
    assert_non_null(strstr(err.msg, "weight of sample 8"));
    more = (struct fw_truth){N, 1, none, NULL, NULL};
    assert_int_equal(fw_compare(&m, &more, &one, &one, 10, .95, 1, &c, &err), FW_EINVAL);
    assert_non_null(strstr(err.msg, "true class of sample 2"));
    assert_true(c.gain == 7);
}

/* Mean, variance and the chi-squared distance from the exact distribution. */
static void test_binomial(void **state)
{
    (void)state;
    static const struct {
        unsigned n;
        double p;
    } cases[] = {{1, .3}, {20, .1}, {30, .5}, {60, .4}, {500, .9}, {2000, .01}, {100000, .3}};
    enum { DRAWS = 40000 };
    struct fw_rng rng;
    fw_rng_seed(&rng, 11);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double n = cases[i].n, p = cases[i].p, mean = 0, square = 0, sd = sqrt(n * p * (1 - p));
        unsigned *seen = calloc(cases[i].n + 1, sizeof *seen);
        for (int d = 0; d < DRAWS; d++) {
            uint64_t x = fw_binomial(&rng, cases[i].n, p);
            assert_true(x <= cases[i].n);
            seen[x]++;
            mean += (double)x / DRAWS;
            square += ((double)x - n * p) * ((double)x - n * p) / DRAWS;
        }
        assert_true(fabs(mean - n * p) < 5 * sd / sqrt(DRAWS));
        assert_true(fabs(square / (sd * sd) - 1) < .06);
        double chi = 0, cells = 0;
        for (unsigned x = 0; x <= cases[i].n; x++) {
            double expect = DRAWS * exp(lgamma(n + 1) - lgamma(x + 1.) - lgamma(n - x + 1) +
                                        x * log(p) + (n - x) * log(1 - p));
            if (expect < 10)
                continue;
            chi += (seen[x] - expect) * (seen[x] - expect) / expect;
            cells++;
        }
        if (chi > cells + 5 * sqrt(2 * cells))
            fail_msg("n %g p %g: chi-squared %g of %g cells", n, p, chi, cells);
        free(seen);
    }
    assert_int_equal(fw_binomial(&rng, 9, 0), 0);
    assert_int_equal(fw_binomial(&rng, 9, 1), 9);
    assert_int_equal(fw_binomial(&rng, 0, .5), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_metric_as_plain_bootstrap),
        cmocka_unit_test(test_weighted_as_plain_bootstrap),
        cmocka_unit_test(test_weights_of_one),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_same_models_gain_nothing),
        cmocka_unit_test(test_seed_and_direction),
        cmocka_unit_test(test_few_changes),
        cmocka_unit_test(test_interval_of_one),
        cmocka_unit_test(test_resamples_have_the_size_of_the_data),
        cmocka_unit_test(test_class_without_samples),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_binomial),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
