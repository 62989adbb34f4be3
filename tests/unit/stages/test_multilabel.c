#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "files.h"
#include "stages/data/labelsets.h"
#include "stages/evaluate/multilabel.h"

enum { N = 6, K = 4 };
static const unsigned char given[N * K] = {1, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0,
                                           1, 1, 1, 0, 0, 0, 1, 0, 1, 1, 1, 1};
static const float probs[N * K] = {.9f, .2f, .4f, .1f, .6f, .7f, .1f, .1f, .2f, .1f, .3f, .1f,
                                   .8f, .6f, .9f, .4f, .6f, .2f, .2f, .7f, .9f, .9f, .9f, .9f};

static void near_to(double got, double want)
{
    if (!(fabs(got - want) < 1e-12))
        fail_msg("got %.17g, want %.17g", got, want);
}

static void prf(struct fw_prf got, double precision, double recall, double f1)
{
    near_to(got.precision, precision);
    near_to(got.recall, recall);
    near_to(got.f1, f1);
}

/* Reference values: scikit-learn 1.2.1 with zero_division=0. */
static void test_reference(void **state)
{
    (void)state;
    unsigned char predicted[N * K];
    const double weight[N] = {1, 2, 1, .5, 3, 1};
    struct fw_multilabel_scores s;
    struct fw_prf by_class[K];
    for (size_t i = 0; i < N * K; i++)
        predicted[i] = probs[i] > 0.5f;
    assert_int_equal(fw_multilabel_score(N, K, given, predicted, probs, NULL, &s, by_class, NULL),
                     FW_OK);
    near_to(s.subset_accuracy, 0.5);
    near_to(s.hamming_loss, 0.20833333333333334);
    near_to(s.jaccard_samples, 0.5);
    near_to(s.jaccard_macro, 0.65);
    prf(s.micro, 0.75, 0.8181818181818182, 0.7826086956521738);
    prf(s.macro, 0.775, 0.875, 0.7708333333333333);
    prf(s.weighted, 0.8454545454545456, 0.8181818181818182, 0.7803030303030302);
    prf(s.samples, 0.5833333333333334, 0.5833333333333334, 0.5555555555555555);
    near_to(s.ranking_average_precision, 0.875);
    prf(by_class[1], 1, 1, 1);
    assert_int_equal(fw_multilabel_score(N, K, given, predicted, probs, weight, &s, NULL, NULL),
                     FW_OK);
    near_to(s.subset_accuracy, 0.29411764705882354);
    near_to(s.hamming_loss, 0.35294117647058826);
    near_to(s.jaccard_samples, 0.35294117647058826);
    near_to(s.jaccard_macro, 0.4640151515151515);
    prf(s.micro, 0.5151515151515151, 0.68, 0.5862068965517241);
    prf(s.macro, 0.6458333333333333, 0.8181818181818181, 0.5821428571428572);
    prf(s.weighted, 0.8066666666666665, 0.68, 0.6005714285714286);
    prf(s.samples, 0.4117647058823529, 0.47058823529411764, 0.4117647058823529);
    near_to(s.ranking_average_precision, 0.7352941176470589);
}

static void test_edges(void **state)
{
    (void)state;
    struct fw_multilabel_scores s;
    assert_int_equal(fw_multilabel_score(0, K, given, given, NULL, NULL, &s, NULL, NULL), FW_OK);
    assert_true(isnan(s.subset_accuracy) && isnan(s.macro.f1) && isnan(s.jaccard_macro));
    assert_int_equal(fw_multilabel_score(1, 0, given, given, NULL, NULL, &s, NULL, NULL),
                     FW_EINVAL);
    const double negative[N] = {1, 1, -1, 1, 1, 1};
    assert_int_equal(fw_multilabel_score(N, K, given, given, NULL, negative, &s, NULL, NULL),
                     FW_EINVAL);
    assert_int_equal(fw_multilabel_score(N, K, given, given, NULL, NULL, &s, NULL, NULL), FW_OK);
    assert_true(s.subset_accuracy == 1 && s.hamming_loss == 0 && s.micro.f1 == 1);
    assert_true(isnan(s.ranking_average_precision));
}

static void test_interval(void **state)
{
    (void)state;
    enum { MANY = 400 };
    unsigned char y[MANY], p[MANY];
    struct fw_multilabel_scores s, low[3], high[3];
    for (size_t i = 0; i < MANY; i++) {
        y[i] = i % 2;
        p[i] = i % 5 ? y[i] : !y[i]; /* right in four of five */
    }
    for (int threads = 1; threads < 4; threads++) {
        char text[4] = {(char)('0' + threads), '\0'};
        setenv("FLYWHEEL_THREADS", text, 1);
        assert_int_equal(fw_multilabel_interval(MANY, 1, y, p, NULL, 2000, 0.95, 7,
                                                &low[threads - 1], &high[threads - 1], NULL),
                         FW_OK);
    }
    assert_int_equal(fw_multilabel_score(MANY, 1, y, p, NULL, NULL, &s, NULL, NULL), FW_OK);
    assert_memory_equal(&low[0].micro, &low[2].micro, sizeof low[0].micro);
    assert_memory_equal(&high[0].micro, &high[1].micro, sizeof high[0].micro);
    near_to(s.subset_accuracy, 0.8);
    /* normal theory: 0.8 ± 1.96 · sqrt(.16 / 400) = 0.8 ± 0.0392 */
    assert_true(fabs(low[0].subset_accuracy - 0.7608) < 0.005);
    assert_true(fabs(high[0].subset_accuracy - 0.8392) < 0.005);
}

static void test_load(void **state)
{
    (void)state;
    struct fw_labelsets s;
    struct fw_err err = {0};
    put("g.jsonl", "{\"id\":\"x\",\"label\":[\"b\",\"a\"]}\n{\"id\":\"y\",\"label\":[]}\n"
                   "{\"id\":\"z\",\"label\":[\"c\"]}\n");
    put("p.jsonl",
        "{\"id\":\"z\",\"probs\":[0.1,0.6,0.5]}\n{\"id\":\"x\",\"probs\":{\"b\":0.9}}\n");
    assert_int_equal(fw_labelsets_load(in_dir("g.jsonl"), in_dir("p.jsonl"), &s, &err), FW_OK);
    assert_int_equal(s.n, 2);
    assert_int_equal(s.k, 3);
    assert_int_equal(s.unpredicted, 1);
    assert_string_equal(s.ids[1], "z");
    const unsigned char want[] = {1, 1, 0, 0, 0, 1}, said_[] = {0, 1, 0, 0, 1, 0};
    assert_memory_equal(s.given, want, 6);
    assert_memory_equal(s.predicted, said_, 6);
    assert_true(s.probs[1] == 0.9f && s.probs[4] == 0.6f);
    fw_labelsets_release(&s);
    put("p.jsonl", "{\"id\":\"y\",\"prediction\":[\"c\"]}\n");
    assert_int_equal(fw_labelsets_load(in_dir("g.jsonl"), in_dir("p.jsonl"), &s, &err), FW_OK);
    assert_null(s.probs);
    assert_int_equal(s.predicted[2], 1);
    fw_labelsets_release(&s);
    assert_int_equal(fw_labelsets_load(in_dir("g.jsonl"), NULL, &s, &err), FW_OK);
    assert_null(s.predicted);
    assert_int_equal(s.n, 3);
    fw_labelsets_release(&s);
}

static void test_refusals(void **state)
{
    (void)state;
    struct fw_labelsets s;
    struct fw_err err = {0};
    const char *const cases[][3] = {
        {"{\"id\":\"x\",\"label\":\"a\"}\n", NULL, "g.jsonl:1: 'label' is not a list of classes"},
        {"{\"id\":\"x\",\"label\":[\"a\",\"a\"]}\n", NULL, "g.jsonl:1: label 'a' is there twice"},
        {"{\"id\":\"x\",\"label\":[]}\n", NULL, "g.jsonl:0: no sample has a label"},
        {"{\"id\":\"x\",\"label\":[\"a\"]}\n{\"id\":\"x\",\"label\":[]}\n", NULL,
         "g.jsonl:2: id 'x' appears twice"},
        {"{\"id\":\"x\",\"label\":[\"a\"]}\n", "{\"id\":\"y\",\"probs\":[1]}\n",
         "p.jsonl:1: id 'y' is not among the given samples"},
        {"{\"id\":\"x\",\"label\":[\"a\"]}\n", "{\"id\":\"x\",\"probs\":[1.5]}\n",
         "p.jsonl:1: the probability of 'a' is not from 0 to 1"},
        {"{\"id\":\"x\",\"label\":[\"a\"]}\n", "{\"id\":\"x\",\"probs\":[1,0]}\n",
         "p.jsonl:1: 'probs' has 2 numbers for 1 classes"},
        {"{\"id\":\"x\",\"label\":[\"a\"]}\n", "{\"id\":\"x\",\"prediction\":[\"b\"]}\n",
         "p.jsonl:1: 'prediction' names an unknown class 'b'"},
        {"{\"id\":\"x\",\"label\":[\"a\"]}\n", "{\"id\":\"x\"}\n",
         "p.jsonl:1: neither 'probs' nor a list 'prediction' is given"},
        {"{\"id\":\"x\",\"label\":[\"a\"]}\n", "\n", "p.jsonl:0: there are no predictions"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put("g.jsonl", cases[i][0]);
        if (cases[i][1])
            put("p.jsonl", cases[i][1]);
        assert_int_equal(
            fw_labelsets_load(in_dir("g.jsonl"), cases[i][1] ? in_dir("p.jsonl") : NULL, &s, &err),
            FW_EINVAL);
        assert_string_equal(said(&err), cases[i][2]);
        err = (struct fw_err){0};
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference), cmocka_unit_test(test_edges),
        cmocka_unit_test(test_interval),  cmocka_unit_test(test_load),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
