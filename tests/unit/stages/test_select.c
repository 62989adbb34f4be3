/* Choosing from a pool: what is preferred, what is passed over, and that it can be repeated. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "pipeline/base/rng.h"
#include "stages/targeted_collection/aims.h"
#include "stages/targeted_collection/known.h"

static void uncertainties_are_what_the_formulas_say(void **state)
{
    (void)state;
    const float sure[] = {1, 0, 0}, even[] = {1 / 3.f, 1 / 3.f, 1 / 3.f}, p[] = {0.2f, 0.5f, 0.3f};
    for (int how = 0; how < 3; how++) {
        assert_float_equal(fw_uncertainty((enum fw_uncertainty)how, sure, 3), 0, 1e-6);
        assert_float_equal(fw_uncertainty((enum fw_uncertainty)how, even, 3), 1, 1e-6);
        assert_float_equal(fw_uncertainty((enum fw_uncertainty)how, sure, 1), 0, 0);
    }
    assert_float_equal(fw_uncertainty(FW_MARGIN, p, 3), 0.8, 1e-6);
    assert_float_equal(fw_uncertainty(FW_LEAST_CONFIDENT, p, 3), 0.75, 1e-6);
    assert_float_equal(fw_uncertainty(FW_ENTROPY, p, 3),
                       -(0.2 * log(0.2) + 0.5 * log(0.5) + 0.3 * log(0.3)) / log(3), 1e-6);
}

static void quotas_sum_to_the_budget(void **state)
{
    (void)state;
    size_t q[4];
    fw_quotas((const double[]){1, 1, 1}, 3, 10, q);
    assert_int_equal(q[0] + q[1] + q[2], 10);
    assert_int_equal(q[0], 4); /* the remainder goes to the first of equals */
    fw_quotas((const double[]){0.12, 0.06, 0, -1}, 4, 9, q);
    assert_int_equal(q[0], 6);
    assert_int_equal(q[1], 3);
    assert_int_equal(q[2] + q[3], 0);
    fw_quotas((const double[]){0, 0}, 2, 9, q);
    assert_int_equal(q[0] + q[1], 0);
}

/* A pool of 6 on a line at 0, 1, 1.001, 5, 9, 20; two classes; the middle is unsure. */
enum { N = 6 };
static float at[N] = {0, 1, 1.001f, 5, 9, 20}, known_at[1] = {3};
static float probs[N * 2] = {0.9f,  0.1f,  0.55f, 0.45f, 0.54f, 0.46f,
                             0.62f, 0.38f, 0.2f,  0.8f,  0,     1};
static const struct fw_matrix pool = {.n = N, .dim = 1, .val = at};
static const struct fw_matrix train = {.n = 1, .dim = 1, .val = known_at};

static size_t choose(enum fw_strategy s, size_t budget, const struct fw_aim *aims, size_t n_aims,
                     uint64_t seed, struct fw_choice *out)
{
    struct fw_select_params p = {.strategy = s,
                                 .budget = budget,
                                 .quota_share = 1,
                                 .near_share = 0.2,
                                 .density_weight = 1,
                                 .seed = seed};
    struct fw_err err = {0};
    double score[N];
    size_t n = 0;
    const float *one[] = {probs};
    assert_int_equal(fw_uncertainties(FW_MARGIN, one, 1, N, 2, score, NULL), FW_OK);
    const struct fw_candidates of = {&pool, &train, score, probs, 2};
    if (fw_select(&p, &of, aims, n_aims, out, &n, &err) != FW_OK)
        fail_msg("%s", err.msg);
    return n;
}

static void uncertainty_takes_the_least_sure(void **state)
{
    (void)state;
    struct fw_choice c[N];
    assert_int_equal(choose(FW_UNCERTAINTY, 3, NULL, 0, 1, c), 3);
    assert_int_equal(c[0].candidate, 2);
    assert_int_equal(c[1].candidate, 1);
    assert_int_equal(c[2].candidate, 3);
    assert_float_equal(c[0].score, 0.92, 1e-5);
    assert_int_equal(c[0].aim, -1);
}

static void mixed_passes_over_near_duplicates(void **state)
{
    (void)state;
    struct fw_choice c[N];
    assert_int_equal(choose(FW_MIXED, 3, NULL, 0, 1, c), 3);
    assert_int_equal(c[0].candidate, 2);
    assert_int_equal(c[1].candidate, 3); /* 1 lies next to 2 */
    assert_int_equal(c[2].candidate, 4);
    assert_int_equal(choose(FW_MIXED, 100, NULL, 0, 1, c),
                     N); /* when nothing else is left it goes */
    assert_int_equal(c[N - 1].candidate, 1);
}

static void quotas_go_to_the_weak_slice(void **state)
{
    (void)state;
    struct fw_choice c[N];
    const struct fw_aim second = {.weight = 1, .klass = 1};
    assert_int_equal(choose(FW_MIXED, 2, &second, 1, 1, c), 2);
    assert_int_equal(c[0].candidate, 2); /* 0.92 * 0.46 */
    assert_int_equal(c[0].aim, 0);
    assert_int_equal(c[1].candidate, 4); /* 0.4 * 0.8; 1 is near 2, and 5 is sure: 0 * 1 */
    const bool member[N] = {true, false, false, false, false, true};
    const struct fw_aim slice = {.weight = 2, .klass = -1, .member = member};
    assert_int_equal(choose(FW_MIXED, 2, &slice, 1, 1, c), 2);
    assert_int_equal(c[0].candidate, 0);
    assert_int_equal(c[1].candidate, 5);
}

static void diversity_takes_the_farthest_first(void **state)
{
    (void)state;
    struct fw_choice c[N];
    assert_int_equal(choose(FW_K_CENTRE, 3, NULL, 0, 1, c), 3);
    assert_int_equal(c[0].candidate, 5); /* 17 from train */
    assert_float_equal(c[0].score, 17, 1e-4);
    assert_int_equal(c[1].candidate, 4); /* 6 from train, 11 from the first */
    assert_int_equal(c[2].candidate, 0); /* 3 from train; candidate 3 has 2 */
    assert_float_equal(c[2].score, 3, 1e-4);
}

static void random_repeats_with_its_seed_alone(void **state)
{
    (void)state;
    struct fw_choice a[N], b[N];
    bool differs = false;
    for (uint64_t seed = 1; seed < 20; seed++) {
        assert_int_equal(choose(FW_RANDOM, N, NULL, 0, seed, a), N);
        assert_int_equal(choose(FW_RANDOM, N, NULL, 0, seed, b), N);
        for (int i = 0; i < N; i++)
            assert_int_equal(a[i].candidate, b[i].candidate);
        choose(FW_RANDOM, N, NULL, 0, seed + 1, b);
        for (int i = 0; i < N; i++)
            differs |= a[i].candidate != b[i].candidate;
    }
    assert_true(differs);
}

static void an_empty_pool_and_bad_shapes(void **state)
{
    (void)state;
    const struct fw_matrix none = {.n = 0, .dim = 1, .val = at},
                           wide = {.n = 1, .dim = 2, .val = at};
    struct fw_select_params p = {.budget = 3, .quota_share = 0.3};
    double score[N] = {0.5};
    struct fw_choice c[N];
    size_t n = 9;
    for (int how = FW_MIXED; how <= FW_TYPICAL; how++) {
        p.strategy = (enum fw_strategy)how;
        const struct fw_candidates empty = {&none, &train, score, probs, 2};
        n = 9;
        assert_int_equal(fw_select(&p, &empty, NULL, 0, c, &n, NULL), FW_OK);
        assert_int_equal(n, 0);
        const struct fw_candidates all = {&pool, &none, score, probs, 2};
        assert_int_equal(fw_select(&p, &all, NULL, 0, c, &n, NULL), FW_OK);
        assert_int_equal(n, 3); /* nothing is known yet */
    }
    p.strategy = FW_MIXED;
    struct fw_candidates bad = {&pool, &wide, score, probs, 2};
    assert_int_equal(fw_select(&p, &bad, NULL, 0, c, &n, NULL), FW_EINVAL);
    bad = (struct fw_candidates){&pool, &train, NULL, probs, 2};
    assert_int_equal(fw_select(&p, &bad, NULL, 0, c, &n, NULL), FW_EINVAL);
    bad.score = score;
    const struct fw_aim beyond = {.weight = 1, .klass = 2};
    assert_int_equal(fw_select(&p, &bad, &beyond, 1, c, &n, NULL), FW_EINVAL);
    score[2] = NAN;
    assert_int_equal(fw_select(&p, &bad, NULL, 0, c, &n, NULL), FW_EINVAL);
    score[2] = 0;
    p.quota_share = 2;
    assert_int_equal(fw_select(&p, &bad, NULL, 0, c, &n, NULL), FW_EINVAL);
}

/* The score of each times its mean similarity: by hand at h² = the median of the 15 squared
 * distances (0, 1, 1.001, 5, 9, 20 on a line), that of 1.001 and 9. */
static void density_weighs_by_the_neighbours(void **state)
{
    (void)state;
    static const double x[N] = {0, 1, 1.001, 5, 9, 20};
    double want[N];
    struct fw_choice c[N];
    for (int i = 0; i < N; i++) {
        double sum = 0;
        for (int j = 0; j < N; j++)
            sum += exp(-(x[i] - x[j]) * (x[i] - x[j]) / (2 * 7.999 * 7.999));
        want[i] = (1 - fabs((double)probs[2 * i] - (double)probs[2 * i + 1])) * sum / N;
    }
    assert_int_equal(choose(FW_DENSITY, N, NULL, 0, 1, c), N);
    for (int i = 0; i < N; i++)
        assert_float_equal(c[i].score, want[c[i].candidate], 1e-6);
    assert_int_equal(c[0].candidate, 2);
    assert_int_equal(c[1].candidate, 3); /* 1 lies next to 2 */
    assert_int_equal(c[N - 1].candidate, 1);
    assert_int_equal(c[N - 2].candidate, 5); /* sure, and far from all */
}

enum { MANY = 3000, WIDE = 7, TAKEN = 40 };

/* Each strategy on a pool of three heaps, with 1, 2 and 3 threads. */
static void threads_change_nothing(void **state)
{
    (void)state;
    static float values[MANY * WIDE], p[MANY * 3];
    static double score[MANY];
    struct fw_rng rng;
    fw_rng_seed(&rng, 5);
    for (size_t i = 0; i < MANY; i++) {
        for (size_t k = 0; k < WIDE; k++)
            values[i * WIDE + k] = (float)(fw_rng_normal(&rng) + 6 * (double)(i % 3 == k));
        double a = fw_rng_double(&rng) + 0.01, b = fw_rng_double(&rng), sum = a + b + 1;
        p[i * 3] = (float)(a / sum);
        p[i * 3 + 1] = (float)(b / sum);
        p[i * 3 + 2] = (float)(1 / sum);
    }
    const struct fw_matrix all = {.n = MANY - 50, .dim = WIDE, .val = values};
    const struct fw_matrix known = {.n = 50, .dim = WIDE, .val = values + (MANY - 50) * WIDE};
    const float *members[] = {p, p + 3, p + 6};
    for (int how = FW_MIXED; how <= FW_TYPICAL; how++) {
        struct fw_choice first[TAKEN], c[TAKEN];
        struct fw_select_params params = {.strategy = (enum fw_strategy)how,
                                          .budget = TAKEN,
                                          .near_share = 0.2,
                                          .density_weight = 1,
                                          .seed = 11};
        for (int threads = 1; threads <= 3; threads++) {
            char text[] = {(char)('0' + threads), '\0'};
            size_t n = 0;
            setenv("FLYWHEEL_THREADS", text, 1);
            assert_int_equal(
                fw_uncertainties(FW_MUTUAL_INFORMATION, members, 3, MANY - 50, 3, score, NULL),
                FW_OK);
            const struct fw_candidates of = {&all, &known, score, p, 3};
            assert_int_equal(fw_select(&params, &of, NULL, 0, threads == 1 ? first : c, &n, NULL),
                             FW_OK);
            assert_int_equal(n, TAKEN);
            for (int i = 0; threads > 1 && i < TAKEN; i++) {
                assert_int_equal(c[i].candidate, first[i].candidate);
                assert_memory_equal(&c[i].score, &first[i].score, sizeof(double));
            }
        }
        unsetenv("FLYWHEEL_THREADS");
    }
}

static void rare_classes_are_aimed_at(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "b", "c", "d"};
    const struct fw_task_info task = {FW_CLASSIFICATION, names, 4};
    struct fw_aims a = {0};
    assert_int_equal(fw_aims_rare(&task, (const size_t[]){50, 25, 20, 5}, &a, NULL), FW_OK);
    assert_int_equal(a.n, 2); /* 25 of 100 is an equal share */
    assert_int_equal(a.v[0].klass, 2);
    assert_float_equal(a.v[0].weight, 0.2, 1e-12);
    assert_float_equal(a.v[1].weight, 0.8, 1e-12);
    assert_string_equal(a.names[1], "class == 'd'");
    fw_aims_release(&a);
    assert_int_equal(fw_aims_rare(&task, (const size_t[]){0, 0, 0, 0}, &a, NULL), FW_OK);
    assert_int_equal(a.n, 4);
    fw_aims_release(&a);
}

static void names_are_parsed_and_wrong_ones_listed(void **state)
{
    (void)state;
    enum fw_strategy s;
    enum fw_uncertainty u;
    struct fw_err err = {0};
    assert_int_equal(fw_strategy_parse("diversity", &s, &err), FW_OK);
    assert_int_equal(s, FW_K_CENTRE);
    assert_int_equal(fw_strategy_parse("k-centre", &s, &err), FW_OK);
    assert_int_equal(s, FW_K_CENTRE);
    assert_int_equal(fw_uncertainty_parse("entropy", &u, &err), FW_OK);
    assert_int_equal(u, FW_ENTROPY);
    assert_int_equal(fw_strategy_parse("best", &s, &err), FW_EINVAL);
    assert_non_null(strstr(err.msg, "mixed, uncertainty"));
}

static const char *const ab[] = {"a", "b"};
static const struct fw_task_info two = {FW_CLASSIFICATION, ab, 2};
static struct fw_sample rows_of[2];
static struct fw_dataset ds = {.n = 2, .samples = rows_of};
static const size_t rows[2] = {0, 1};

static struct fw_aims aims_of(const char *metric, const char *coverage)
{
    char text[1200];
    struct fw_aims a = {0};
    static const char r0[] = "{\"id\":\"x\",\"label\":\"a\",\"shift\":\"night\"}";
    static const char r1[] = "{\"id\":\"y\",\"label\":\"b\",\"shift\":\"day\"}";
    rows_of[0] = (struct fw_sample){.id = "x", .klass = 0, .raw = r0, .raw_len = sizeof r0 - 1};
    rows_of[1] = (struct fw_sample){.id = "y", .klass = 1, .raw = r1, .raw_len = sizeof r1 - 1};
    snprintf(text, sizeof text,
             "{\"metric\":{\"name\":\"%s\"},\"slices\":["
             "{\"slice\":\"class == 'a'\",\"class\":\"a\",\"gap\":0.1,\"importance\":1,\"ease\":1,"
             "\"priority\":0.06},"
             "{\"slice\":\"class == 'b'\",\"class\":\"b\",\"gap\":0.4,\"importance\":1,\"ease\":1,"
             "\"priority\":0.02},"
             "{\"slice\":\"shift == 'night'\",\"class\":null,\"gap\":0.2,\"importance\":2,"
             "\"ease\":0.5,\"priority\":0.01},"
             "{\"slice\":\"label == 'a'\",\"class\":null,\"gap\":0.2,\"priority\":0.01},"
             "{\"slice\":\"((\",\"class\":null,\"gap\":0.2,\"priority\":0.01},"
             "{\"slice\":\"shift == 'day'\",\"class\":null,\"gap\":0,\"priority\":0}],"
             "\"coverage\":[%s]}",
             metric, coverage);
    json_t *analysis = json_loads(text, 0, NULL);
    assert_non_null(analysis);
    assert_int_equal(fw_aims_read(analysis, &two, &ds, rows, 2, &a, NULL), FW_OK);
    json_decref(analysis);
    return a;
}

static void aims_follow_the_analysis_and_never_see_a_label(void **state)
{
    (void)state;
    struct fw_aims a = aims_of("accuracy", "");
    assert_int_equal(a.n, 4); /* the unreadable condition and the one without a gap are left out */
    assert_int_equal(a.v[0].klass, 0);
    assert_float_equal(a.v[0].weight, 0.06, 1e-9);
    assert_int_equal(a.v[2].klass, -1);
    assert_true(a.v[2].member[0]);
    assert_false(a.v[2].member[1]);
    assert_false(a.v[3].member[0]); /* label == 'a' matches nothing: the label was taken out */
    assert_string_equal(a.names[2], "shift == 'night'");
    fw_aims_release(&a);

    a = aims_of("macro_f1", "{\"slice\":\"class == 'b'\",\"dev_share\":0.2,\"train_share\":0.1}");
    assert_float_equal(a.v[0].weight, 0.1, 1e-9);
    assert_float_equal(a.v[1].weight, 0.4 * 1.5, 1e-9); /* train has half of what dev has */
    assert_float_equal(a.v[2].weight, 0.2, 1e-9);
    fw_aims_release(&a);
}

static void known_things_are_remembered(void **state)
{
    (void)state;
    struct fw_known *k = fw_known_new();
    bool fresh = false;
    char path[] = "/tmp/fw-history-XXXXXX", key[FW_SHA256_HEX], other[FW_SHA256_HEX];
    static const char lines[] = "{\"op\":\"add\",\"id\":\"p1\",\"verdict\":\"rejected\"}\n"
                                "{\"op\":\"add\",\"id\":\"p3\",\"verdict\":\"aside\"}\n"
                                "{\"op\":\"add\",\"id\":\"p4\",\"verdict\":\"provisional\"}\n"
                                "{\"op\":\"add\",\"id\":\"p5\",\"verdict\":\"kept\"}\n"
                                "{\"op\":\"relabel\",\"id\":\"p2\",\"to\":\"b\"}\n";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, lines, sizeof lines - 1), sizeof lines - 1);
    close(fd);
    assert_int_equal(fw_known_add(k, "x", &fresh, NULL), FW_OK);
    assert_true(fresh);
    assert_int_equal(fw_known_add(k, "x", &fresh, NULL), FW_OK);
    assert_false(fresh);
    assert_int_equal(fw_known_add_history(k, path, NULL), FW_OK);
    assert_true(fw_known_has(k, "p1"));
    assert_false(fw_known_has(k, "p2"));
    assert_true(fw_known_has(k, "p3"));
    assert_false(fw_known_has(k, "p4")); /* in the dataset, or lost: then it may come again */
    assert_false(fw_known_has(k, "p5"));
    struct fw_sample t = {.id = "t", .text = "same"}, u = {.id = "u", .text = "same"};
    assert_int_equal(fw_content_key(&ds, &t, key, NULL), FW_OK);
    assert_int_equal(fw_content_key(&ds, &u, other, NULL), FW_OK);
    assert_string_equal(key, other);
    u.text = NULL;
    assert_int_equal(fw_content_key(&ds, &u, other, NULL), FW_EINVAL);
    unlink(path);
    fw_known_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uncertainties_are_what_the_formulas_say),
        cmocka_unit_test(quotas_sum_to_the_budget),
        cmocka_unit_test(uncertainty_takes_the_least_sure),
        cmocka_unit_test(mixed_passes_over_near_duplicates),
        cmocka_unit_test(quotas_go_to_the_weak_slice),
        cmocka_unit_test(diversity_takes_the_farthest_first),
        cmocka_unit_test(random_repeats_with_its_seed_alone),
        cmocka_unit_test(an_empty_pool_and_bad_shapes),
        cmocka_unit_test(density_weighs_by_the_neighbours),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(rare_classes_are_aimed_at),
        cmocka_unit_test(names_are_parsed_and_wrong_ones_listed),
        cmocka_unit_test(aims_follow_the_analysis_and_never_see_a_label),
        cmocka_unit_test(known_things_are_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
