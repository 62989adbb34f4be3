#include "stages/relabel/consensus.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

int fw_consensus(const int *answers, size_t n)
{
    size_t given = 0, most = 0, ties = 0;
    int best = -1;
    for (size_t i = 0; i < n; i++) {
        size_t votes = 0;
        bool first = true;
        if (answers[i] < 0)
            continue;
        given++;
        for (size_t j = 0; j < n; j++) {
            votes += answers[j] == answers[i];
            first = first && !(j < i && answers[j] == answers[i]);
        }
        if (!first)
            continue;
        ties = votes == most ? ties + 1 : votes > most ? 1 : ties;
        if (votes > most) {
            most = votes;
            best = answers[i];
        }
    }
    if (given == 1)
        return best;
    return most >= 2 && ties == 1 ? best : -1;
}

double fw_percent_agreement(const int *a, const int *b, size_t n)
{
    double both = 0, same = 0;
    for (size_t i = 0; i < n; i++) {
        both += a[i] >= 0 && b[i] >= 0;
        same += a[i] >= 0 && a[i] == b[i];
    }
    return both > 0 ? same / both : NAN;
}

double fw_fleiss_kappa(const int *counts, size_t n, size_t k)
{
    double *share = calloc(k + 1, sizeof *share), observed = 0, chance = 0, items = 0, all = 0;
    if (!share)
        return NAN;
    for (size_t i = 0; i < n; i++) {
        double m = 0, pairs = 0;
        for (size_t j = 0; j < k; j++) {
            double c = counts[i * k + j];
            m += c;
            pairs += c * (c - 1);
        }
        if (m < 2)
            continue;
        items++;
        all += m;
        observed += pairs / (m * (m - 1));
        for (size_t j = 0; j < k; j++)
            share[j] += counts[i * k + j];
    }
    for (size_t j = 0; j < k && all > 0; j++)
        chance += share[j] / all * (share[j] / all);
    free(share);
    if (items == 0 || 1 - chance < 1e-15)
        return NAN;
    return (observed / items - chance) / (1 - chance);
}
