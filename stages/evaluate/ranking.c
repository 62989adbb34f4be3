#include "stages/evaluate/ranking.h"

#include <math.h>
#include <string.h>

/* Sorts upwards as an unsigned number what the score sorts downwards; −0 and 0 are equal. */
static uint32_t key_of(float score)
{
    uint32_t bits;
    score += 0.0f;
    memcpy(&bits, &score, sizeof bits);
    return bits >> 31 ? bits : ~bits & 0x7fffffffu;
}

/* Radix sort (least significant digit first, 11 bits a pass) of key << 32 | item: stable. */
void fw_rank_sort(const float *score, size_t stride, size_t n, uint32_t *order, uint64_t *scratch)
{
    enum { BITS = 11, BUCKETS = 1 << BITS, PASSES = 3 };
    uint64_t *from = scratch, *to = scratch + n;
    size_t count[PASSES][BUCKETS] = {{0}};
    for (size_t i = 0; i < n; i++) {
        uint32_t key = key_of(score[i * stride]);
        from[i] = (uint64_t)key << 32 | i;
        for (int p = 0; p < PASSES; p++)
            count[p][key >> (p * BITS) & (BUCKETS - 1)]++;
    }
    for (int p = 0; p < PASSES; p++) {
        size_t at = 0;
        for (int b = 0; b < BUCKETS; b++) {
            size_t here = count[p][b];
            count[p][b] = at;
            at += here;
        }
        for (size_t i = 0; i < n; i++)
            to[count[p][from[i] >> (32 + p * BITS) & (BUCKETS - 1)]++] = from[i];
        uint64_t *swap = from;
        from = to;
        to = swap;
    }
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)from[i] |
                   (i + 1 == n || from[i] >> 32 != from[i + 1] >> 32 ? 0x80000000u : 0);
}

double fw_rank_roc_auc(const uint32_t *order, size_t n, const int *klass, int c,
                       const double *weight)
{
    double before = 0, all = 0, won = 0, step[2] = {0, 0};
    for (size_t r = 0; r < n; r++) {
        uint32_t i = order[r] & FW_RANK_MAX;
        if (klass[i] >= 0)
            step[klass[i] == c] += weight ? weight[i] : 1;
        if (order[r] >> 31) {
            won += step[0] * (before + step[1] / 2);
            before += step[1];
            all += step[0];
            step[0] = step[1] = 0;
        }
    }
    return before > 0 && all > 0 ? won / (before * all) : NAN;
}

double fw_rank_average_precision(const uint32_t *order, size_t n, const int *klass, int c,
                                 const double *weight)
{
    double hits = 0, all = 0, sum = 0, step[2] = {0, 0};
    for (size_t r = 0; r < n; r++) {
        uint32_t i = order[r] & FW_RANK_MAX;
        if (klass[i] >= 0)
            step[klass[i] == c] += weight ? weight[i] : 1;
        if (order[r] >> 31) {
            hits += step[1];
            all += step[0] + step[1];
            if (step[1] > 0)
                sum += step[1] * (hits / all);
            step[0] = step[1] = 0;
        }
    }
    return hits > 0 ? sum / hits : NAN;
}
