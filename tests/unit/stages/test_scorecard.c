#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/base/rng.h"
#include "stages/evaluate/compare.h"
#include "stages/evaluate/scorecard.h"

enum { N = 300, K = 6 };
static int truth[N], pred[N];
static float probs[N * K];
static double weight[N];

static void make(void)
{
    struct fw_rng rng;
    fw_rng_seed(&rng, 3);
    for (int i = 0; i < N; i++) {
        truth[i] = i % 10 ? (int)fw_rng_below(&rng, K) : -1;
        double sum = 0;
        for (int c = 0; c < K; c++)
            sum += probs[i * K + c] = (float)(fw_rng_double(&rng) + .5 * (c == truth[i]));
        pred[i] = 0;
        for (int c = 0; c < K; c++) {
            probs[i * K + c] /= (float)sum;
            pred[i] = probs[i * K + c] > probs[i * K + pred[i]] ? c : pred[i];
        }
        weight[i] = 1 + i % 3;
    }
}

static const struct fw_score_line *line_of(const struct fw_scorecard *card, size_t group,
                                           enum fw_metric_id id, int klass)
{
    for (size_t i = 0; i < card->n_lines; i++) {
        const struct fw_score_line *line = &card->groups[group].lines[i];
        if (line->metric.id == id && line->metric.klass == klass)
            return line;
    }
    fail_msg("no line of metric %d, class %d", (int)id, klass);
    return NULL;
}

static void near_to(double got, double want)
{
    if (!(fabs(got - want) < 1e-12))
        fail_msg("got %.17g, want %.17g", got, want);
}

static void test_all_and_slices(void **state)
{
    (void)state;
    make();
    bool in[N];
    size_t index[N / 2], unlabelled[] = {0, 10};
    for (int i = 0; i < N; i++)
        in[i] = i % 2;
    for (int i = 0; i < N / 2; i++)
        index[i] = (size_t)(2 * i + 1);
    const struct fw_subset slices[] = {
        {"odd", in, NULL, 0}, {"again", NULL, index, N / 2}, {"none", NULL, unlabelled, 2}};
    struct fw_scorecard_in s = {.data = {N, K, truth, pred, probs, NULL, NULL, NULL},
                                .slices = slices,
                                .n_slices = 3,
                                .level = .95,
                                .resamples = 400,
                                .seed = 1,
                                .per_class = true};
    struct fw_scorecard card;
    assert_int_equal(fw_scorecard(&s, &card, NULL), FW_OK);
    assert_true(card.n_groups == 4 && card.n_lines == 8 + 8 + 5 * K);
    assert_true(card.groups[0].n == 270 && card.groups[1].n == 150 && card.groups[3].n == 0);
    assert_true(!card.groups[0].name && !strcmp(card.groups[2].name, "again"));
    for (size_t i = 0; i < card.n_lines; i++) {
        const struct fw_score_line *all = &card.groups[0].lines[i], *odd = &card.groups[1].lines[i],
                                   *again = &card.groups[2].lines[i],
                                   *none = &card.groups[3].lines[i];
        double value;
        assert_int_equal(fw_metric_measure(&all->metric, &s.data, &value, NULL), FW_OK);
        near_to(all->value, value);
        assert_memory_equal(odd, again, sizeof *odd);
        assert_true(isnan(none->value) && isnan(none->low) && none->by == FW_NO_INTERVAL);
        bool has = all->by != FW_NO_INTERVAL;
        assert_true(has == (all->metric.klass < 0 || all->metric.id <= FW_RECALL));
        if (has) /* the bootstrap's calibration error lies above its value: it is biased upwards */
            if (!((all->metric.id == FW_ECE || all->low < value) && value < all->high))
                fail_msg("line %zu (metric %d): %g in [%g, %g]", i, (int)all->metric.id, value,
                         all->low, all->high);
    }
    /* by hand: recall and precision of class 2 */
    double hits = 0, is = 0, said = 0, low, high;
    for (int i = 0; i < N; i++) {
        hits += truth[i] == 2 && pred[i] == 2;
        is += truth[i] == 2;
        said += truth[i] >= 0 && pred[i] == 2;
    }
    const struct fw_score_line *recall = line_of(&card, 0, FW_RECALL, 2),
                               *precision = line_of(&card, 0, FW_PRECISION, 2),
                               *f1 = line_of(&card, 0, FW_F1, 2);
    fw_wilson(hits, is, .95, &low, &high);
    near_to(recall->low, low);
    near_to(recall->high, high);
    near_to(recall->support, is);
    fw_wilson(hits, said, .95, &low, &high);
    near_to(precision->low, low);
    fw_wilson(hits, is + said - hits, .95, &low, &high);
    near_to(f1->high, 2 * high / (1 + high));
    near_to(f1->value, 2 * hits / (is + said));
    fw_scorecard_release(&card);
    assert_null(card.groups);
}

static void test_weights_and_no_bootstrap(void **state)
{
    (void)state;
    make();
    struct fw_scorecard_in s = {.data = {N, K, truth, pred, NULL, NULL, NULL, weight}, .level = .9};
    struct fw_scorecard card;
    assert_int_equal(fw_scorecard(&s, &card, NULL), FW_OK);
    assert_int_equal(card.n_lines, 8);
    double w = 0, w2 = 0, hit = 0, low, high;
    for (int i = 0; i < N; i++) {
        double one = truth[i] < 0 ? 0 : weight[i];
        w += one;
        w2 += one * one;
        hit += truth[i] == pred[i] ? one : 0;
    }
    const struct fw_score_line *a = line_of(&card, 0, FW_ACCURACY, -1);
    near_to(a->value, hit / w);
    fw_wilson(hit / w * (w * w / w2), w * w / w2, .9, &low, &high);
    near_to(a->low, low);
    near_to(a->high, high);
    assert_true(line_of(&card, 0, FW_MACRO_F1, -1)->by == FW_NO_INTERVAL);
    fw_scorecard_release(&card);
}

static void test_regression(void **state)
{
    (void)state;
    double y[50], g[50];
    for (int i = 0; i < 50; i++) {
        y[i] = i % 7;
        g[i] = i % 7 + i % 3 * .5;
    }
    struct fw_scorecard_in s = {
        .data = {.n = 50, .value_true = y, .value_pred = g}, .level = .9, .resamples = 200};
    struct fw_scorecard card;
    assert_int_equal(fw_scorecard(&s, &card, NULL), FW_OK);
    assert_int_equal(card.n_lines, 3);
    const struct fw_score_line *mae = line_of(&card, 0, FW_MAE, -1);
    assert_true(mae->by == FW_BY_BOOTSTRAP && mae->low < mae->value && mae->value < mae->high);
    fw_scorecard_release(&card);
}

static void test_refusals(void **state)
{
    (void)state;
    make();
    struct fw_err err = {0};
    const size_t beyond[] = {3, N};
    const struct fw_subset slice = {"far", NULL, beyond, 2};
    struct fw_scorecard card = {.n_lines = 77};
    struct fw_scorecard_in s = {.data = {N, K, truth, pred, NULL, NULL, NULL, NULL}, .level = 1};
    assert_int_equal(fw_scorecard(&s, &card, &err), FW_EINVAL);
    s.level = .95;
    s.slices = &slice;
    s.n_slices = 1;
    assert_int_equal(fw_scorecard(&s, &card, &err), FW_EINVAL);
    assert_non_null(strstr(err.msg, "slice 'far'"));
    s.n_slices = 0;
    s.data.pred = NULL;
    assert_int_equal(fw_scorecard(&s, &card, &err), FW_EINVAL);
    s.data.pred = pred;
    pred[5] = K;
    assert_int_equal(fw_scorecard(&s, &card, &err), FW_EINVAL);
    assert_non_null(strstr(err.msg, "sample 6"));
    assert_int_equal(card.n_lines, 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_and_slices),
        cmocka_unit_test(test_weights_and_no_bootstrap),
        cmocka_unit_test(test_regression),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
