#include "stages/targeted_collection/committee.h"

#include <math.h>
#include <string.h>

/* The most that m members can disagree about k classes. */
static double most(size_t m, size_t k)
{
    return log((double)(m < k ? m : k));
}

static double within(double v)
{
    return v < 0 ? 0 : v > 1 ? 1 : v;
}

double fw_vote_entropy(const float *const *p, size_t m, size_t k, double *votes)
{
    double h = 0;

    if (m < 2 || k < 2)
        return 0;
    memset(votes, 0, k * sizeof *votes);
    for (size_t a = 0; a < m; a++) {
        size_t best = 0;
        for (size_t c = 1; c < k; c++)
            if (p[a][c] > p[a][best])
                best = c;
        votes[best] += 1.0 / (double)m;
    }
    for (size_t c = 0; c < k; c++)
        if (votes[c] > 0)
            h -= votes[c] * log(votes[c]);
    return within(h / most(m, k));
}

double fw_mutual_information(const float *const *p, size_t m, size_t k)
{
    double of_mean = 0, mean_of = 0;

    if (m < 2 || k < 2)
        return 0;
    for (size_t c = 0; c < k; c++) {
        double q = 0;
        for (size_t a = 0; a < m; a++) {
            double v = p[a][c];
            q += v / (double)m;
            if (v > 0)
                mean_of -= v * log(v) / (double)m;
        }
        if (q > 0)
            of_mean -= q * log(q);
    }
    return within((of_mean - mean_of) / most(m, k));
}

void fw_committee_mean(const float *const *p, size_t m, size_t k, float *mean)
{
    for (size_t c = 0; c < k; c++) {
        double sum = 0;
        for (size_t a = 0; a < m; a++)
            sum += p[a][c];
        mean[c] = (float)(sum / (double)m);
    }
}
