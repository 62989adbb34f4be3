/* Disagreement of several models, against NumPy, and what a committee must have. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "stages/targeted_collection/committee.h"
#include "stages/targeted_collection/uncertainty.h"

/* From NumPy 1.24: p drawn by default_rng(3).dirichlet and rounded;
 *   H = lambda q: -(q[q > 0] * np.log(q[q > 0])).sum(); top = np.log(min(M, K)); m = p.mean(0)
 *   vote   H(np.bincount(p.argmax(1), minlength=K) / M) / top
 *   mutual (H(m) - np.mean([H(q) for q in p])) / top
 *   mean   H(m) / np.log(K) */
static const struct {
    size_t m, k;
    float p[5][4];
    double vote, mutual, mean;
} cases[] = {
    {3,
     4,
     {{0.017f, 0.741f, 0.02f, 0.222f},
      {0.383f, 0.106f, 0.124f, 0.387f},
      {0.14f, 0.709f, 0, 0.151f}},
     0.579380164285695,
     0.2088310320157642,
     0.8243263130674253},
    {5,
     3,
     {{0.84f, 0.157f, 0.003f},
      {0.722f, 0.104f, 0.174f},
      {0.292f, 0.455f, 0.253f},
      {0.084f, 0.492f, 0.424f},
      {0.127f, 0.283f, 0.59f}},
     0.9602297178607614,
     0.2325405603701129,
     0.9873674204776165},
    {2, 2, {{0.454f, 0.546f}, {0.077f, 0.923f}}, 0, 0.1422304751193455, 0.8349330463049967},
};

static void the_measures_are_those_of_numpy(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const float *p[5];
        double scratch[4], out;
        size_t m = cases[i].m, k = cases[i].k;
        for (size_t a = 0; a < m; a++)
            p[a] = cases[i].p[a];
        assert_float_equal(fw_vote_entropy(p, m, k, scratch), cases[i].vote, 1e-12);
        assert_float_equal(fw_mutual_information(p, m, k), cases[i].mutual, 1e-6);
        assert_int_equal(fw_uncertainties(FW_VOTE_ENTROPY, p, m, 1, k, &out, NULL), FW_OK);
        assert_float_equal(out, cases[i].vote, 1e-12);
        assert_int_equal(fw_uncertainties(FW_MUTUAL_INFORMATION, p, m, 1, k, &out, NULL), FW_OK);
        assert_float_equal(out, cases[i].mutual, 1e-6);
        assert_int_equal(fw_uncertainties(FW_ENTROPY, p, m, 1, k, &out, NULL), FW_OK);
        assert_float_equal(out, cases[i].mean, 1e-6);
    }
}

/* McCallum and Nigam's measure, written out, is the mutual information. */
static void divergence_to_the_mean_is_mutual_information(void **state)
{
    (void)state;
    const float *p[] = {cases[1].p[0], cases[1].p[1], cases[1].p[2], cases[1].p[3], cases[1].p[4]};
    float mean[3];
    double kl = 0;
    fw_committee_mean(p, 5, 3, mean);
    for (int a = 0; a < 5; a++)
        for (int c = 0; c < 3; c++)
            kl += (double)p[a][c] * log((double)p[a][c] / (double)mean[c]) / 5;
    assert_float_equal(fw_mutual_information(p, 5, 3), kl / log(3), 1e-6);
}

static void agreement_is_0_and_contradiction_is_1(void **state)
{
    (void)state;
    const float yes[] = {1, 0, 0}, no[] = {0, 1, 0}, third[] = {0, 0, 1}, even[] = {.5f, .5f, 0};
    const float *same[] = {yes, yes}, *apart[] = {yes, no, third}, *unsure[] = {even, even};
    double scratch[3];
    assert_float_equal(fw_vote_entropy(same, 2, 3, scratch), 0, 0);
    assert_float_equal(fw_mutual_information(same, 2, 3), 0, 0);
    assert_float_equal(fw_vote_entropy(apart, 3, 3, scratch), 1, 1e-12);
    assert_float_equal(fw_mutual_information(apart, 3, 3), 1, 1e-12);
    /* Two of three classes is the most that two members can say. */
    assert_float_equal(fw_vote_entropy(apart, 2, 3, scratch), 1, 1e-12);
    assert_float_equal(fw_mutual_information(unsure, 2, 3), 0, 1e-12);
    assert_float_equal(fw_vote_entropy(apart, 1, 3, scratch), 0, 0);
    assert_float_equal(fw_mutual_information(apart, 3, 1), 0, 0);
}

static void a_committee_of_one_is_refused(void **state)
{
    (void)state;
    float p[] = {0.5f, 0.5f, 0.9f, 0.1f};
    const float *one[] = {p}, *two[] = {p, p};
    double out[2];
    struct fw_err err = {0};
    assert_int_equal(fw_uncertainties(FW_VOTE_ENTROPY, one, 1, 2, 2, out, &err), FW_EINVAL);
    assert_non_null(strstr(err.msg, "vote-entropy needs the predictions of at least two models"));
    assert_int_equal(fw_uncertainties(FW_MARGIN, one, 0, 2, 2, out, &err), FW_EINVAL);
    assert_int_equal(fw_uncertainties(FW_MARGIN, one, 1, 0, 2, out, &err), FW_OK);
    p[3] = NAN;
    assert_int_equal(fw_uncertainties(FW_MUTUAL_INFORMATION, two, 2, 2, 2, out, &err), FW_EINVAL);
    p[3] = -0.1f;
    assert_int_equal(fw_uncertainties(FW_MARGIN, one, 1, 2, 2, out, &err), FW_EINVAL);
    assert_non_null(strstr(err.msg, "sample 1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_measures_are_those_of_numpy),
        cmocka_unit_test(divergence_to_the_mean_is_mutual_information),
        cmocka_unit_test(agreement_is_0_and_contradiction_is_1),
        cmocka_unit_test(a_committee_of_one_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
