#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "pipeline/base/buf.h"
#include "pipeline/base/npy.h"
#include "stages/error_analysis/confident.h"

/* Eight samples, two classes; worked through by hand. Class 0: p(0) .9 .8 .7 .1 → mean .625;
 * class 1: p(1) .9 .8 .3 .2 → mean .55. Sample 3 (given 0) reaches class 1's threshold (.9),
 * samples 6 and 7 (given 1) reach class 0's (.7, .8). Joint [[3, 1], [2, 2]]. */
static const double small[] = {.9, .1, .8, .2, .7, .3, .1, .9, .1, .9, .2, .8, .7, .3, .8, .2};
static const int given[] = {0, 0, 0, 0, 1, 1, 1, 1};

static void test_joint_by_hand(void **state)
{
    (void)state;
    struct fw_probs p = {8, 2, NULL, small};
    double t[2];
    uint64_t joint[4];
    assert_int_equal(fw_cl_thresholds(&p, given, t, NULL), FW_OK);
    assert_true(fabs(t[0] - .625) < 1e-12);
    assert_true(fabs(t[1] - .55) < 1e-12);
    assert_int_equal(fw_cl_joint(&p, given, t, false, joint, NULL), FW_OK);
    const uint64_t want[] = {3, 1, 2, 2};
    assert_memory_equal(joint, want, sizeof want);
    assert_true(fabs(fw_cl_noise_rate(joint, 2) - 3.0 / 8) < 1e-12);
}

static void test_filters_by_hand(void **state)
{
    (void)state;
    struct fw_probs p = {8, 2, NULL, small};
    bool issue[8];
    size_t n;
    for (int f = 0; f < FW_CL_FILTERS; f++) {
        assert_int_equal(fw_cl_issues(&p, given, (enum fw_cl_filter)f, 1, issue, &n, NULL), FW_OK);
        if (n != 3 || !issue[3] || !issue[6] || !issue[7])
            fail_msg("%s flags %zu", fw_cl_filter_name((enum fw_cl_filter)f), n);
    }
}

static void test_scores_by_hand(void **state)
{
    (void)state;
    struct fw_probs p = {8, 2, NULL, small};
    double s[8];
    assert_int_equal(fw_cl_scores(&p, given, FW_CL_SELF_CONFIDENCE, s, NULL), FW_OK);
    assert_true(fabs(s[3] - .1) < 1e-12);
    assert_int_equal(fw_cl_scores(&p, given, FW_CL_NORMALIZED_MARGIN, s, NULL), FW_OK);
    assert_true(fabs(s[3] - .1) < 1e-12); /* (.1 − .9 + 1) / 2 */
    assert_true(fabs(s[0] - .9) < 1e-12);
    assert_int_equal(fw_cl_scores(&p, given, FW_CL_CONFIDENCE_WEIGHTED_ENTROPY, s, NULL), FW_OK);
    /* H(.1) = .4689955935892812 bits, over .1: ln(5.689955935892812) / 4.689955935892812 */
    assert_true(fabs(s[3] - 0.3707289637138022) < 1e-12);
}

static void test_unlabelled_count_nowhere(void **state)
{
    (void)state;
    struct fw_probs p = {8, 2, NULL, small};
    int some[8];
    bool issue[8];
    double s[8];
    size_t n;
    memcpy(some, given, sizeof some);
    some[3] = -1;
    for (int f = 0; f < FW_CL_FILTERS; f++) {
        assert_int_equal(fw_cl_issues(&p, some, (enum fw_cl_filter)f, 1, issue, &n, NULL), FW_OK);
        assert_false(issue[3]);
    }
    assert_int_equal(fw_cl_scores(&p, some, FW_CL_SELF_CONFIDENCE, s, NULL), FW_OK);
    assert_true(isnan(s[3]));
}

static void test_floats_and_empty_class(void **state)
{
    (void)state;
    float f[24];
    for (int i = 0; i < 8; i++) {
        f[i * 3] = (float)small[i * 2];
        f[i * 3 + 1] = (float)small[i * 2 + 1];
        f[i * 3 + 2] = 0;
    }
    struct fw_probs p = {8, 3, f, NULL};
    double t[3];
    bool issue[8];
    size_t n;
    assert_int_equal(fw_cl_thresholds(&p, given, t, NULL), FW_OK);
    assert_true(isinf(t[2]));
    assert_int_equal(fw_cl_issues(&p, given, FW_CL_PRUNE_BY_NOISE_RATE, 1, issue, &n, NULL), FW_OK);
    assert_int_equal(n, 3);
    /* a class keeps at least as many as asked: with 4 of 4, nothing is pruned */
    assert_int_equal(fw_cl_issues(&p, given, FW_CL_PRUNE_BY_CLASS, 4, issue, &n, NULL), FW_OK);
    assert_int_equal(n, 0);
    struct fw_probs none = {0, 3, f, NULL};
    assert_int_equal(fw_cl_issues(&none, given, FW_CL_BOTH, 1, issue, &n, NULL), FW_OK);
    assert_int_equal(n, 0);
}

static void test_names(void **state)
{
    (void)state;
    enum fw_cl_filter f;
    enum fw_cl_score s;
    for (int i = 0; i < FW_CL_FILTERS; i++) {
        assert_int_equal(fw_cl_filter_parse(fw_cl_filter_name((enum fw_cl_filter)i), &f), FW_OK);
        assert_int_equal(f, i);
    }
    assert_int_equal(fw_cl_score_parse("normalized_margin", &s), FW_OK);
    assert_int_equal(s, FW_CL_NORMALIZED_MARGIN);
    assert_int_equal(fw_cl_filter_parse("nonsense", &f), FW_ENOTFOUND);
}

/* Parity with the reference implementation, on data that is not part of the source tree. */
static void same_indices(const char *set, const char *what, const json_t *want, const bool *issue,
                         size_t n)
{
    size_t at = 0, size = json_array_size(want), wrong = 0, have = 0;
    for (size_t i = 0; i < n; i++) {
        have += issue[i];
        bool flagged = at < size && (size_t)json_integer_value(json_array_get(want, at)) == i;
        at += flagged;
        wrong += flagged != issue[i];
    }
    assert_int_equal(at, size);
    if (wrong)
        fail_msg("%s, %s: %zu flagged, %zu in the reference, %zu differ", set, what, have, size,
                 wrong);
}

static void check_lowest(const char *set, enum fw_cl_score kind, const json_t *of, const double *s,
                         size_t n)
{
    char key[80];
    snprintf(key, sizeof key, "%s_mean", fw_cl_score_name(kind));
    double mean = 0, want = json_real_value(json_object_get(of, key));
    for (size_t i = 0; i < n; i++)
        mean += s[i] / (double)n;
    if (fabs(mean - want) > 1e-9)
        fail_msg("%s: %s is %.12f, the reference says %.12f", set, key, mean, want);
    snprintf(key, sizeof key, "%s_lowest100", fw_cl_score_name(kind));
    const json_t *lowest = json_object_get(of, key), *v;
    size_t i;
    double last = 0;
    bool *in = calloc(n, sizeof *in);
    json_array_foreach (lowest, i, v) {
        size_t at = (size_t)json_integer_value(v);
        assert_true(s[at] >= last - 1e-12); /* ascending in our scores as well */
        last = s[at];
        in[at] = true;
    }
    for (size_t at = 0; at < n; at++)
        if (!in[at] && s[at] < last - 1e-12)
            fail_msg("%s: sample %zu should be among the lowest %s", set, at,
                     fw_cl_score_name(kind));
    free(in);
}

static void check_set(const char *data, const char *set, const json_t *of)
{
    struct fw_buf path = {0};
    struct fw_npy probs = {0}, labels = {0};
    struct fw_err err = {0};
    fw_buf_printf(&path, "%s/label-errors/%s_pyx.npy", data, set);
    if (fw_npy_open(path.p, &probs, &err) != FW_OK)
        fail_msg("%s", err.msg);
    fw_buf_clear(&path);
    fw_buf_printf(&path, "%s/label-errors/%s_original_labels.npy", data, set);
    if (fw_npy_open(path.p, &labels, &err) != FW_OK)
        fail_msg("%s", err.msg);
    size_t n = probs.shape[0], k = probs.shape[1], count;
    double *d = malloc(probs.n * sizeof *d), *t = malloc(k * sizeof *t), *s = malloc(n * sizeof *s);
    int *y = malloc(n * sizeof *y);
    bool *issue = malloc(n * sizeof *issue);
    uint64_t *joint = malloc(k * k * sizeof *joint);
    for (size_t i = 0; i < probs.n; i++)
        d[i] = fw_npy_at(&probs, i);
    for (size_t i = 0; i < n; i++)
        y[i] = (int)fw_npy_at(&labels, i);
    struct fw_probs p = {n, k, NULL, d};
    assert_int_equal(fw_cl_thresholds(&p, y, t, NULL), FW_OK);
    assert_int_equal(fw_cl_joint(&p, y, t, true, joint, NULL), FW_OK);
    for (size_t i = 0; i < k; i++) {
        double want = json_real_value(json_array_get(json_object_get(of, "thresholds"), i));
        assert_true(fabs(t[i] - want) < 1e-9);
        const json_t *row = json_array_get(json_object_get(of, "confident_joint"), i);
        for (size_t j = 0; j < k; j++)
            if ((json_int_t)joint[i * k + j] != json_integer_value(json_array_get(row, j)))
                fail_msg("%s: joint[%zu][%zu] is %llu", set, i, j,
                         (unsigned long long)joint[i * k + j]);
    }
    for (int f = 0; f < FW_CL_FILTERS; f++) {
        const char *name = fw_cl_filter_name((enum fw_cl_filter)f);
        assert_int_equal(fw_cl_issues(&p, y, (enum fw_cl_filter)f, 1, issue, &count, NULL), FW_OK);
        same_indices(set, name, json_object_get(of, name), issue, n);
    }
    for (int c = 0; c < FW_CL_SCORES; c++) {
        assert_int_equal(fw_cl_scores(&p, y, (enum fw_cl_score)c, s, NULL), FW_OK);
        check_lowest(set, (enum fw_cl_score)c, of, s, n);
    }
    printf("%s: %zu samples as the reference\n", set, n);
    free(d);
    free(t);
    free(s);
    free(y);
    free(issue);
    free(joint);
    fw_npy_close(&probs);
    fw_npy_close(&labels);
    fw_buf_release(&path);
}

static void test_reference_sets(void **state)
{
    (void)state;
    const char *data = getenv("FLYWHEEL_DATA"), *set;
    if (!data) {
        printf("skipped: FLYWHEEL_DATA does not name a data folder\n");
        skip();
    }
    struct fw_buf path = {0};
    fw_buf_printf(&path, "%s/reference/label_issues.json", data);
    json_t *all = json_load_file(path.p, 0, NULL), *of;
    assert_non_null(all);
    json_object_foreach (all, set, of)
        check_set(data, set, of);
    json_decref(all);
    fw_buf_release(&path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_joint_by_hand),
        cmocka_unit_test(test_filters_by_hand),
        cmocka_unit_test(test_scores_by_hand),
        cmocka_unit_test(test_unlabelled_count_nowhere),
        cmocka_unit_test(test_floats_and_empty_class),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_reference_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
