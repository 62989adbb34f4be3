/* Agreement and aggregators, against reference/crowd.json (made by reference/crowd.py). */
#include <jansson.h>
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
#include "stages/relabel/agreement.h"
#include "stages/relabel/choose.h"
#include "stages/relabel/consensus.h"
#include "stages/relabel/guidelines.h"

static json_t *reference;

static void near_to(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("%.9g is not %.9g", got, want);
}

static void add(struct fw_annotations *a, size_t t, size_t w, int klass)
{
    char task[32], labeller[32], name[32];
    snprintf(task, sizeof task, "t%zu", t);
    snprintf(labeller, sizeof labeller, "w%zu", w);
    snprintf(name, sizeof name, "%d", klass);
    assert_int_equal(fw_annotations_add(a, task, labeller, name, 1, NULL), FW_OK);
}

static struct fw_annotations *of_case(const json_t *c)
{
    struct fw_annotations *a = fw_annotations_new();
    json_t *one;
    size_t i;
    json_array_foreach (json_object_get(c, "answers"), i, one)
        add(a, (size_t)json_integer_value(json_array_get(one, 0)),
            (size_t)json_integer_value(json_array_get(one, 1)),
            (int)json_integer_value(json_array_get(one, 2)));
    assert_int_equal(fw_annotations_index(a, NULL), FW_OK);
    return a;
}

static double num(const json_t *o, const char *key)
{
    return json_number_value(json_object_get(o, key));
}

/* Tasks are in the order of reading, which is that of the reference. */
static void same_posterior(const json_t *c, const char *key, const struct fw_aggregate *g)
{
    const json_t *want = json_object_get(c, key);
    assert_int_equal(json_array_size(want), g->n * g->k);
    for (size_t i = 0; i < g->n * g->k; i++)
        near_to((double)g->posterior[i], json_number_value(json_array_get(want, i)), 2e-5);
}

static void test_reference(void **state)
{
    (void)state;
    json_t *c;
    size_t i;
    json_array_foreach (json_object_get(reference, "cases"), i, c) {
        struct fw_annotations *a = of_case(c);
        struct fw_agreement g;
        struct fw_aggregate r;
        struct fw_aggregate_options o;
        for (int scale = 0; scale < 3; scale++) {
            struct fw_agreement_options how = {(enum fw_scale)scale, 0.95, 0.8, 50, 1};
            assert_int_equal(fw_agreement(a, &how, &g, NULL), FW_OK);
            near_to(g.alpha.value,
                    json_number_value(json_array_get(json_object_get(c, "alpha"), (size_t)scale)),
                    1e-9);
            near_to(g.percent.value, num(c, "percent"), 1e-12);
            near_to(g.fleiss.value, num(c, "fleiss"), 1e-12);
            assert_true(g.alpha.low < g.alpha.value && g.alpha.value < g.alpha.high);
            fw_agreement_release(&g);
        }
        fw_aggregate_defaults(&o);
        o.smoothing = 0.5;
        o.max_iterations = 15;
        o.tolerance = o.restarts = 0;
        assert_int_equal(fw_aggregate(a, FW_DAWID_SKENE, &o, &r, NULL), FW_OK);
        same_posterior(c, "dawid_skene", &r);
        near_to(r.log_likelihood, num(c, "dawid_skene_likelihood"), 1e-4);
        assert_int_equal(r.iterations, 15);
        fw_aggregate_release(&r);
        assert_int_equal(fw_aggregate(a, FW_ONE_COIN, &o, &r, NULL), FW_OK);
        same_posterior(c, "one_coin", &r);
        near_to(r.log_likelihood, num(c, "one_coin_likelihood"), 1e-4);
        fw_aggregate_release(&r);
        float *probs = malloc(a->tasks * a->classes * sizeof *probs);
        for (size_t j = 0; j < a->tasks * a->classes; j++)
            probs[j] = (float)json_number_value(json_array_get(json_object_get(c, "probs"), j));
        o.probs = probs;
        assert_int_equal(fw_aggregate(a, FW_CROWDLAB, &o, &r, NULL), FW_OK);
        same_posterior(c, "crowdlab", &r);
        near_to(r.model_weight, num(c, "model_weight"), 1e-6);
        fw_aggregate_release(&r);
        free(probs);
        fw_annotations_free(a);
    }
    const json_t *k = json_object_get(reference, "kappa");
    int x[50], y[50];
    for (size_t j = 0; j < 50; j++) {
        x[j] = (int)json_integer_value(json_array_get(json_object_get(k, "a"), j));
        y[j] = (int)json_integer_value(json_array_get(json_object_get(k, "b"), j));
    }
    for (int w = 0; w < 3; w++)
        near_to(fw_weighted_kappa(x, y, 50, 4, (enum fw_kappa_weight)w),
                json_number_value(json_array_get(json_object_get(k, "values"), (size_t)w)), 1e-12);
}

/* Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", example C: 4 observers, 12 units,
 * missing data; he gives .743 (nominal), .815 (ordinal), .849 (interval). */
static void test_krippendorff(void **state)
{
    (void)state;
    static const int data[4][12] = {{1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0},
                                    {1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3},
                                    {0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0},
                                    {1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0}};
    static const double want[3] = {.743, .815, .849};
    struct fw_annotations *a = fw_annotations_new();
    for (size_t w = 0; w < 4; w++)
        for (size_t t = 0; t < 12; t++)
            if (data[w][t])
                add(a, t, w, data[w][t]);
    assert_int_equal(fw_annotations_index(a, NULL), FW_OK);
    double *o = calloc(25, sizeof *o);
    fw_coincidences(a, o);
    for (int s = 0; s < 3; s++)
        near_to(fw_krippendorff_alpha(o, 5, (enum fw_scale)s, a->class_values), want[s], 5e-4);
    near_to(o[0], 7, 1e-12); /* his matrix: seven coincidences of 1 and 1, 4/3 of 1 and 2 */
    near_to(o[1], 4.0 / 3, 1e-12);
    free(o);
    fw_annotations_free(a);
}

/* A crowd with a known truth: some good, some spammers who always say 0. */
static struct fw_annotations *crowd(size_t tasks, size_t labellers, int k, size_t per_task,
                                    size_t spammers, bool gold)
{
    struct fw_annotations *a = fw_annotations_new();
    struct fw_rng rng;
    fw_rng_seed(&rng, 11);
    for (size_t t = 0; t < tasks; t++) {
        int truth = (int)fw_rng_below(&rng, (uint64_t)k);
        for (size_t i = 0; i < per_task; i++) {
            size_t w = (t * 7 + i * 13 + (size_t)fw_rng_below(&rng, 3)) % labellers;
            int says = fw_rng_double(&rng) < 0.75 ? truth : (int)fw_rng_below(&rng, (uint64_t)k);
            add(a, t, w, w < spammers ? 0 : says);
        }
        char task[32], name[32];
        snprintf(task, sizeof task, "t%zu", t);
        snprintf(name, sizeof name, "%d", truth);
        if (gold)
            assert_int_equal(fw_annotations_gold(a, task, name, NULL), FW_OK);
    }
    assert_int_equal(fw_annotations_index(a, NULL), FW_OK);
    return a;
}

static void test_threads(void **state)
{
    (void)state;
    struct fw_annotations *a = crowd(5000, 40, 3, 5, 10, false);
    for (int m = 0; m < FW_CROWDLAB; m++) {
        struct fw_aggregate one, more;
        struct fw_agreement g1, g3;
        struct fw_agreement_options how = {FW_ORDINAL, 0.95, 0.8, 40, 3};
        setenv("FLYWHEEL_THREADS", "1", 1);
        assert_int_equal(fw_aggregate(a, (enum fw_method)m, NULL, &one, NULL), FW_OK);
        assert_int_equal(fw_agreement(a, &how, &g1, NULL), FW_OK);
        setenv("FLYWHEEL_THREADS", "3", 1);
        assert_int_equal(fw_aggregate(a, (enum fw_method)m, NULL, &more, NULL), FW_OK);
        assert_int_equal(fw_agreement(a, &how, &g3, NULL), FW_OK);
        unsetenv("FLYWHEEL_THREADS");
        assert_memory_equal(one.posterior, more.posterior, one.n * one.k * sizeof(float));
        assert_true(one.iterations == more.iterations);
        assert_memory_equal(one.quality, more.quality, one.labellers * sizeof(double));
        assert_memory_equal(&g1.alpha, &g3.alpha, sizeof g1.alpha);
        fw_aggregate_release(&one);
        fw_aggregate_release(&more);
        fw_agreement_release(&g1);
        fw_agreement_release(&g3);
    }
    fw_annotations_free(a);
}

static void test_choice(void **state)
{
    (void)state;
    struct fw_annotations *a = crowd(1500, 30, 3, 5, 14, true);
    struct fw_choice c;
    struct fw_aggregate r;
    assert_int_equal(fw_choose(a, NULL, 1, &c, &r, NULL), FW_OK);
    assert_true(c.by_gold && c.n_gold == 1500);
    assert_false(c.methods[FW_CROWDLAB].tried);
    /* Half of the crowd says 0: the vote is lost, who models the labellers wins. */
    assert_true(c.methods[FW_MAJORITY].accuracy < 0.8);
    assert_true(c.accuracy > c.methods[FW_MAJORITY].accuracy + 0.05);
    assert_true(c.chosen == FW_MACE || c.chosen == FW_DAWID_SKENE);
    assert_true(c.methods[c.chosen].behind <= c.methods[c.chosen].behind_se);
    near_to(c.accuracy, c.methods[c.chosen].accuracy, 1e-12);
    assert_true(fabs(c.cv_accuracy - c.accuracy) < 0.02);
    for (size_t t = 0; t < r.n; t++) { /* rows sum to one */
        double sum = 0;
        for (size_t k = 0; k < r.k; k++)
            sum += (double)r.posterior[t * r.k + k];
        near_to(sum, 1, 1e-5);
    }
    for (size_t w = 0; w < 30; w++) /* intervals hold their value; spammers are seen */
        assert_true(r.low[w] <= r.quality[w] && r.quality[w] <= r.high[w]);
    long spammer = -1, good = -1;
    for (size_t w = 0; w < 30; w++) {
        if (!strcmp(a->labeller_names[w], "w3"))
            spammer = (long)w;
        if (!strcmp(a->labeller_names[w], "w20"))
            good = (long)w;
    }
    assert_true(r.high[spammer] < r.low[good]);
    double m[9];
    fw_labeller_confusion(a, r.posterior, (size_t)spammer, m);
    near_to(m[1] + m[2] + m[4] + m[5] + m[7] + m[8], 0, 1e-9); /* every answer was 0 */
    fw_aggregate_release(&r);
    fw_annotations_free(a);
    /* Without gold a default, and why. */
    a = crowd(1500, 30, 3, 5, 0, false);
    assert_int_equal(fw_choose(a, NULL, 1, &c, &r, NULL), FW_OK);
    assert_true(!c.by_gold && c.chosen == FW_DAWID_SKENE && isnan(c.accuracy));
    assert_non_null(strstr(c.why, "at least 5 answers for each parameter"));
    fw_aggregate_release(&r);
    fw_annotations_free(a);
}

/* Nobody spams: a method that is best by a few items of luck is not worth its parameters. */
static void test_one_standard_error(void **state)
{
    (void)state;
    struct fw_annotations *a = crowd(400, 20, 3, 5, 0, true);
    struct fw_choice c;
    struct fw_aggregate r;
    assert_int_equal(fw_choose(a, NULL, 1, &c, &r, NULL), FW_OK);
    assert_true(c.chosen < c.best);
    assert_true(c.methods[c.chosen].behind > 0);
    assert_true(c.methods[c.chosen].behind <= c.methods[c.chosen].behind_se);
    for (int m = 0; m < (int)c.chosen; m++)
        assert_true(c.methods[m].behind > c.methods[m].behind_se);
    fw_aggregate_release(&r);
    fw_annotations_free(a);
}

/* All agree: the simplest wins the tie. */
static void test_simplest(void **state)
{
    (void)state;
    struct fw_annotations *a = fw_annotations_new();
    struct fw_choice c;
    struct fw_aggregate r;
    for (size_t t = 0; t < 40; t++) {
        char task[32], name[8];
        snprintf(task, sizeof task, "t%zu", t);
        snprintf(name, sizeof name, "%zu", t % 2);
        for (size_t w = 0; w < 3; w++)
            add(a, t, w, (int)(t % 2));
        assert_int_equal(fw_annotations_gold(a, task, name, NULL), FW_OK);
    }
    assert_int_equal(fw_annotations_index(a, NULL), FW_OK);
    assert_int_equal(fw_choose(a, NULL, 1, &c, &r, NULL), FW_OK);
    assert_int_equal(c.chosen, FW_MAJORITY);
    near_to(c.accuracy, 1, 0);
    near_to(c.cv_accuracy, 1, 0);
    fw_aggregate_release(&r);
    fw_annotations_free(a);
}

static void test_ties(void **state)
{
    (void)state;
    struct fw_annotations *a = fw_annotations_new();
    struct fw_aggregate r;
    add(a, 0, 0, 0);
    add(a, 0, 1, 1); /* a tie: 1 is more common in the table */
    add(a, 1, 0, 1);
    add(a, 2, 0, 1);
    add(a, 2, 1, 2);
    add(a, 3, 0, 0);
    add(a, 3, 1, 2); /* a tie of equally common ones: the lower */
    assert_int_equal(fw_annotations_index(a, NULL), FW_OK);
    assert_int_equal(fw_aggregate(a, FW_MAJORITY, NULL, &r, NULL), FW_OK);
    assert_int_equal(r.klass[0], 1);
    assert_int_equal(r.klass[3], 0);
    near_to((double)r.confidence[0], 0.5, 0);
    near_to((double)r.confidence[1], 1, 0);
    assert_int_equal(r.shared[0], 3); /* task 1 has one answer */
    fw_aggregate_release(&r);
    fw_annotations_free(a);
}

/* One class, one labeller, one answer: defined answers, no crash. */
static void test_little(void **state)
{
    (void)state;
    struct fw_agreement_options how = {FW_NOMINAL, 0.95, 0.8, 20, 1};
    struct fw_agreement g;
    struct fw_aggregate r;
    struct fw_labeller_pair *pairs;
    size_t n;
    for (size_t labellers = 1; labellers < 4; labellers++) {
        struct fw_annotations *a = fw_annotations_new();
        for (size_t w = 0; w < labellers; w++)
            add(a, 0, w, 4);
        assert_int_equal(fw_annotations_index(a, NULL), FW_OK);
        assert_int_equal(fw_agreement(a, &how, &g, NULL), FW_OK);
        assert_true(isnan(g.alpha.value) && isnan(g.fleiss.value) && isnan(g.alpha.low));
        assert_int_equal(g.tasks, labellers > 1);
        assert_true(labellers > 1 ? g.percent.value == 1 : isnan(g.percent.value));
        assert_int_equal(g.n_pairs, 0);
        fw_agreement_release(&g);
        for (int m = 0; m < FW_CROWDLAB; m++) {
            assert_int_equal(fw_aggregate(a, (enum fw_method)m, NULL, &r, NULL), FW_OK);
            assert_int_equal(r.klass[0], 0);
            near_to((double)r.confidence[0], 1, 1e-6);
            assert_true(labellers > 1 ? r.quality[0] > 0.99 : isnan(r.quality[0]));
            fw_aggregate_release(&r);
        }
        assert_int_equal(fw_labeller_pairs(a, 1, FW_KAPPA_PLAIN, &pairs, &n, NULL), FW_OK);
        assert_int_equal(n, labellers * (labellers - 1) / 2);
        assert_true(n == 0 || isnan(pairs[0].kappa));
        free(pairs);
        fw_annotations_free(a);
    }
}

static void test_bad_probs(void **state)
{
    (void)state;
    struct fw_annotations *a = fw_annotations_new();
    struct fw_aggregate_options o;
    struct fw_aggregate r;
    struct fw_err err = {0};
    add(a, 0, 0, 0);
    add(a, 0, 1, 1);
    assert_int_equal(fw_annotations_index(a, NULL), FW_OK);
    fw_aggregate_defaults(&o);
    assert_int_equal(fw_aggregate(a, FW_CROWDLAB, &o, &r, &err), FW_EINVAL);
    const float wrong[][2] = {{0.5f, 0.6f}, {-0.5f, 1.5f}, {0.5f, NAN}};
    for (size_t i = 0; i < 3; i++) {
        o.probs = wrong[i];
        assert_int_equal(fw_aggregate(a, FW_CROWDLAB, &o, &r, &err), FW_EINVAL);
    }
    o.probs = (const float[]){NAN, 0}; /* no prediction: the answers alone, a tie */
    assert_int_equal(fw_aggregate(a, FW_CROWDLAB, &o, &r, &err), FW_OK);
    near_to((double)r.posterior[0], 0.5, 1e-6);
    fw_aggregate_release(&r);
    o.damping = 1;
    assert_int_equal(fw_aggregate(a, FW_DAWID_SKENE, &o, &r, &err), FW_EINVAL);
    fw_annotations_free(a);
}

/* Damping walks more slowly to the same place. */
static void test_damping(void **state)
{
    (void)state;
    struct fw_annotations *a = crowd(800, 20, 3, 5, 4, false);
    struct fw_aggregate_options o;
    struct fw_aggregate plain, damped;
    fw_aggregate_defaults(&o);
    o.max_iterations = 500;
    o.tolerance = 1e-9;
    assert_int_equal(fw_aggregate(a, FW_DAWID_SKENE, &o, &plain, NULL), FW_OK);
    o.damping = 0.6;
    assert_int_equal(fw_aggregate(a, FW_DAWID_SKENE, &o, &damped, NULL), FW_OK);
    assert_true(plain.converged && damped.converged && damped.iterations > plain.iterations);
    near_to(damped.log_likelihood, plain.log_likelihood, 0.05);
    fw_aggregate_release(&plain);
    fw_aggregate_release(&damped);
    fw_annotations_free(a);
}

/* Class 2 is nothing but slips of the pen: EM explains it away, each restart too, and the first result
 * stands, as without restarts. */
static void test_restarts(void **state)
{
    (void)state;
    struct fw_annotations *a = fw_annotations_new();
    struct fw_aggregate_options o;
    struct fw_aggregate plain, again;
    struct fw_rng rng;
    fw_rng_seed(&rng, 2);
    for (size_t t = 0; t < 400; t++) {
        int truth = (int)fw_rng_below(&rng, 2);
        for (size_t w = 0; w < 6; w++)
            add(a, t, w, fw_rng_double(&rng) < 0.06 ? 2 : truth);
    }
    assert_int_equal(fw_annotations_index(a, NULL), FW_OK);
    fw_aggregate_defaults(&o);
    assert_int_equal(fw_aggregate(a, FW_DAWID_SKENE, &o, &again, NULL), FW_OK);
    o.restarts = 0;
    assert_int_equal(fw_aggregate(a, FW_DAWID_SKENE, &o, &plain, NULL), FW_OK);
    assert_true(plain.prior[2] < 0.001);
    assert_int_equal(plain.restarts, 0);
    assert_int_equal(again.restarts, 3);
    assert_memory_equal(plain.posterior, again.posterior, plain.n * plain.k * sizeof(float));
    assert_true(plain.log_likelihood == again.log_likelihood);
    fw_aggregate_release(&plain);
    fw_aggregate_release(&again);
    fw_annotations_free(a);
}

static void test_guidelines(void **state)
{
    (void)state;
    struct fw_annotations *a = fw_annotations_new();
    struct fw_agreement_options how = {FW_NOMINAL, 0.95, 0.8, 200, 1};
    struct fw_agreement g;
    struct fw_guideline *l;
    size_t n;
    /* 0 and 1 are a coin toss, 2 is clear. */
    for (size_t t = 0; t < 60; t++)
        for (size_t w = 0; w < 4; w++)
            add(a, t, w, t % 3 == 2 ? 2 : t == 6 ? (w < 2) : (int)((t + w) % 4 == 0));
    assert_int_equal(fw_annotations_index(a, NULL), FW_OK);
    assert_int_equal(fw_agreement(a, &how, &g, NULL), FW_OK);
    assert_int_equal(g.n_pairs, 1);
    assert_true(g.pairs[0].a == 0 && g.pairs[0].b == 1 && g.pairs[0].excess > 0);
    near_to(g.pairs[0].share, 1, 1e-12);
    near_to(g.classes[2].alpha.value, 1, 1e-12);
    assert_true(g.classes[0].alpha.value < 0.8);
    assert_int_equal(fw_guidelines(a, &g, 2, 10, &l, &n, NULL), FW_OK);
    assert_int_equal(n, 1);
    assert_true(l[0].sure && l[0].n_examples == FW_GUIDELINE_EXAMPLES);
    assert_true(l[0].example[0].a == 2 && l[0].example[0].b == 2); /* the others are 3 to 1 */
    assert_string_equal(a->task_names[l[0].example[0].task], "t6");
    assert_true(l[0].example[1].a + l[0].example[1].b == 4 && l[0].example[1].task == 0);
    free(l);
    assert_int_equal(fw_guidelines(a, &g, 1000, 10, &l, &n, NULL), FW_OK);
    assert_int_equal(n, 0);
    free(l);
    fw_agreement_release(&g);
    how.scale = FW_INTERVAL;
    assert_int_equal(fw_agreement(a, &how, &g, NULL), FW_OK);
    fw_agreement_release(&g);
    fw_annotations_free(a);
    a = fw_annotations_new();
    assert_int_equal(fw_annotations_add(a, "t", "w", "cat", 1, NULL), FW_OK);
    assert_int_equal(fw_annotations_index(a, NULL), FW_OK);
    assert_int_equal(fw_agreement(a, &how, &g, NULL), FW_EINVAL);
    fw_annotations_free(a);
}

static void test_pairs(void **state)
{
    (void)state;
    struct fw_annotations *a = crowd(300, 6, 3, 4, 1, false);
    struct fw_labeller_pair *pairs;
    size_t n;
    int x[300], y[300];
    assert_int_equal(fw_labeller_pairs(a, 1, FW_KAPPA_LINEAR, &pairs, &n, NULL), FW_OK);
    assert_true(n > 5);
    for (size_t i = 0; i < n; i++) {
        for (size_t t = 0; t < 300; t++) {
            x[t] = y[t] = -1;
            for (size_t j = a->task_at[t]; j < a->task_at[t + 1]; j++) {
                x[t] = a->labeller[j] == pairs[i].a ? a->klass[j] : x[t];
                y[t] = a->labeller[j] == pairs[i].b ? a->klass[j] : y[t];
            }
        }
        near_to(pairs[i].agree, fw_percent_agreement(x, y, 300), 1e-12);
        double k = fw_weighted_kappa(x, y, 300, 3, FW_KAPPA_LINEAR);
        assert_true(isnan(k) ? isnan(pairs[i].kappa) : fabs(k - pairs[i].kappa) < 1e-12);
    }
    free(pairs);
    fw_annotations_free(a);
}

static int load(void **state)
{
    (void)state;
    reference = json_load_file(FW_TEST_DIR "/unit/stages/reference/crowd.json", 0, NULL);
    return reference ? 0 : -1;
}

static int unload(void **state)
{
    (void)state;
    json_decref(reference);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference), cmocka_unit_test(test_krippendorff),
        cmocka_unit_test(test_threads),   cmocka_unit_test(test_choice),
        cmocka_unit_test(test_simplest),  cmocka_unit_test(test_ties),
        cmocka_unit_test(test_little),    cmocka_unit_test(test_bad_probs),
        cmocka_unit_test(test_damping),   cmocka_unit_test(test_guidelines),
        cmocka_unit_test(test_pairs),     cmocka_unit_test(test_one_standard_error),
        cmocka_unit_test(test_restarts),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
