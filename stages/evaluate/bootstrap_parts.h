/* The parts of bootstrap.c: one file for each way to resample. */
#ifndef FW_STAGES_BOOTSTRAP_PARTS_H
#define FW_STAGES_BOOTSTRAP_PARTS_H

#include <stdbool.h>
#include <string.h>

#include "stages/evaluate/bootstrap.h"
#include "stages/evaluate/metric_kinds.h"

struct fw_boot_stratum { /* the samples of one class; of regression all */
    size_t n;            /* samples, in the data and in each resample */
    size_t start, end;   /* grouped: patterns, most frequent first; else the first sample */
    size_t rare;         /* from here on patterns are drawn sample by sample */
    size_t tail_start;   /* in tail[]: the pattern of each of these samples */
    size_t tail_n;
};

struct fw_boot {
    const struct fw_metric *m;
    const struct fw_metric_kind *kind;
    const struct fw_truth *truth;
    const struct fw_boot_model *models;
    size_t j, k, n; /* models, classes, samples that count: with a truth and a weight above 0 */
    uint64_t seed;
    size_t *order; /* n sample indices, sorted by class (grouped: by pattern) */
    struct fw_boot_stratum *strata;
    size_t n_strata;
    double *row; /* K: class sizes, by weight */

    /* grouped */
    bool linear;   /* a sum over patterns */
    int *seen;     /* N × J: what the metric sees of each prediction */
    double *value; /* N: linear, per sample */
    struct fw_boot_pattern *patterns;
    size_t n_patterns;
    struct fw_boot_miss *misses;
    size_t *miss_start; /* patterns + 1 */
    uint32_t *tail;

    /* columns, in the order of `order` */
    double *cols; /* n × C */
    size_t c;
    unsigned char *bins; /* n × J: bin of confidence */

    /* ranking */
    uint32_t *ranks;     /* J × classes × n: fw_rank_sort() of positions in `order` */
    size_t ranked;       /* classes */
    int *klass;          /* n */
    double *rank_weight; /* n, or NULL */

    size_t workers;
    struct fw_boot_scratch *scratch; /* one for each worker */
    double *out;
};

struct fw_boot_scratch {
    uint32_t *times;        /* patterns */
    double *missed, *taken; /* J × K: errors by true and by predicted class */
    double *row;            /* K: class sizes of this resample */
    double *sum;            /* C; or J × bins; or n weights */
};

struct fw_draws { /* 32-bit uniform numbers, two from each 64-bit one */
    struct fw_rng rng;
    uint64_t spare;
    bool has;
};

static inline uint32_t fw_draws_next(struct fw_draws *d)
{
    if (d->has) {
        d->has = false;
        return (uint32_t)(d->spare >> 32);
    }
    d->spare = fw_rng_u64(&d->rng);
    d->has = true;
    return (uint32_t)d->spare;
}

/* Uniform in [0, n), n < 2^32, unbiased (Lemire 2019). */
static inline size_t fw_draws_below(struct fw_draws *d, uint32_t n)
{
    uint64_t m = (uint64_t)fw_draws_next(d) * n;
    if ((uint32_t)m < n) {
        uint32_t floor = -n % n;
        while ((uint32_t)m < floor)
            m = (uint64_t)fw_draws_next(d) * n;
    }
    return (size_t)(m >> 32);
}

static inline double fw_boot_weight(const struct fw_boot *b, size_t i)
{
    return b->truth->weight ? b->truth->weight[i] : 1;
}

/* Each way: prepare once, and the value of one resample. */
int fw_boot_group(struct fw_boot *b, struct fw_err *err);
double fw_boot_grouped_value(const struct fw_boot *b, struct fw_draws *d,
                             struct fw_boot_scratch *s);
int fw_boot_fill_columns(struct fw_boot *b, struct fw_err *err);
double fw_boot_columns_value(const struct fw_boot *b, struct fw_draws *d,
                             struct fw_boot_scratch *s);
int fw_boot_rank(struct fw_boot *b, struct fw_err *err);
double fw_boot_ranked_value(const struct fw_boot *b, struct fw_draws *d, struct fw_boot_scratch *s);
/* Strata over `order` sorted by class, ties by sample index. */
void fw_boot_stratify(struct fw_boot *b);

#endif
