/* How long each strategy of targeted collection takes as the pool grows: rows of 100 numbers in 50
 * heaps, 1 000 known, a budget of 100. Time should grow with the pool, not with its square. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "pipeline/base/rng.h"
#include "stages/targeted_collection/select.h"
#include "tests/bench/usage.h"

enum { DIM = 100, HEAPS = 50, KNOWN = 1000, BUDGET = 100, CLASSES = 10, MEMBERS = 3 };

/* Each heap 3 away on two columns of its own, with noise of -1 to 1 in all. */
static int make(struct fw_matrix *m, size_t n, uint64_t seed)
{
    struct fw_rng rng;
    fw_rng_seed(&rng, seed);
    if (fw_matrix_dense(m, n, DIM, NULL) != FW_OK)
        return -1;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < DIM; k++)
            m->val[i * DIM + k] =
                (float)(2 * fw_rng_double(&rng) - 1 + 3 * (double)(i % HEAPS == k / 2));
    return 0;
}

static int measure(size_t n)
{
    static const char *const names[] = {"mixed",    "uncertainty", "density",
                                        "k-centre", "typical",     "random"};
    struct fw_matrix pool = {0}, known = {0};
    float *probs = malloc(n * CLASSES * MEMBERS * sizeof *probs);
    double *score = malloc(n * sizeof *score);
    struct fw_choice *out = malloc(BUDGET * sizeof *out);
    const float *members[MEMBERS];
    struct fw_rng rng;
    if (!probs || !score || !out || make(&pool, n, 1) || make(&known, KNOWN, 2))
        return -1;
    fw_rng_seed(&rng, 3);
    for (size_t i = 0; i < n * MEMBERS; i++) {
        double sum = 0, p[CLASSES];
        for (int c = 0; c < CLASSES; c++)
            sum += p[c] = fw_rng_double(&rng) + 0.01;
        for (int c = 0; c < CLASSES; c++)
            probs[i * CLASSES + (size_t)c] = (float)(p[c] / sum);
    }
    for (size_t a = 0; a < MEMBERS; a++)
        members[a] = probs + a * n * CLASSES;
    double t = now();
    if (fw_uncertainties(FW_MUTUAL_INFORMATION, members, MEMBERS, n, CLASSES, score, NULL) != FW_OK)
        return -1;
    printf("| %9zu | %-18s | %8.2f |\n", n, "mutual-information", now() - t);
    for (size_t s = 0; s < sizeof names / sizeof *names; s++) {
        struct fw_select_params p = {
            .budget = BUDGET, .near_share = 0.2, .density_weight = 1, .seed = 1};
        const struct fw_candidates c = {&pool, &known, score, probs, CLASSES};
        size_t n_out = 0;
        t = now();
        if (fw_strategy_parse(names[s], &p.strategy, NULL) != FW_OK ||
            fw_select(&p, &c, NULL, 0, out, &n_out, NULL) != FW_OK || n_out != BUDGET)
            return -1;
        printf("| %9zu | %-18s | %8.2f |\n", n, names[s], now() - t);
        fflush(stdout);
    }
    fw_matrix_release(&pool);
    fw_matrix_release(&known);
    free(probs);
    free(score);
    free(out);
    return 0;
}

int main(int argc, char **argv)
{
    size_t most = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000;
    struct rusage used;
    printf("| pool      | strategy           | seconds  "
           "|\n|-----------|--------------------|----------|\n");
    for (size_t n = 10000; n <= most; n *= 10)
        if (measure(n) != 0) {
            fprintf(stderr, "select: failed at %zu\n", n);
            return 1;
        }
    getrusage(RUSAGE_SELF, &used);
    printf("\nPeak memory: %.0f MB, of which the pool is %.0f.\n", (double)used.ru_maxrss / 1024,
           (double)most * DIM * sizeof(float) / 1e6);
    return 0;
}
