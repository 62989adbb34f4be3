/* The choosing at work: what the strategies share. Internal to select*.c. */
#ifndef FW_TARGETED_COLLECTION_PICK_H
#define FW_TARGETED_COLLECTION_PICK_H

#include "stages/targeted_collection/select.h"

/* Finding near-duplicates compares pairs; beyond these sizes a seeded sample has to do, so that a
 * large pool costs time in proportion to its size. */
enum { FW_PICK_KNOWN = 2000, FW_PICK_PROBES = 500 };

struct fw_pick {
    const struct fw_select_params *params;
    const struct fw_candidates *c;
    size_t n;       /* candidates */
    double *score;  /* n */
    double *jitter; /* n: seeded, decides between equals */
    bool *taken;    /* n */
    bool *near;     /* n: found to be a near-duplicate */
    double near2;   /* squared distance under which it is the same thing again; < 0: never */
    struct fw_choice *out;
    size_t n_out;
};

/* Candidates from best to worst, handed out once each. */
struct fw_queue {
    uint32_t *order;
    size_t n, at, near_at;
};

/* Ranks the candidates by value (n; greater is better, negative is never). */
int fw_queue_fill(struct fw_queue *q, const struct fw_pick *p, const double *value,
                  struct fw_err *err);
void fw_queue_release(struct fw_queue *q);
/* The best free candidate; a near-duplicate only when nothing else is left. Only candidates that
 * come up are compared with what is there. -1: none. */
long fw_queue_next(struct fw_queue *q, struct fw_pick *p);

void fw_pick_take(struct fw_pick *p, size_t i, long aim, double score);
/* Sets near2: a share of the median distance to the nearest neighbour within the pool. */
int fw_pick_measure_near(struct fw_pick *p, struct fw_err *err);
/* A seeded permutation of 0..n-1; malloc'd. */
int fw_pick_order(const struct fw_pick *p, const char *name, size_t n, size_t **order,
                  struct fw_err *err);
double fw_pick_median(double *v, size_t n); /* sorts v; n > 0 */

int fw_pick_mixed(struct fw_pick *p, const struct fw_aim *aims, size_t n_aims, struct fw_err *err);
int fw_pick_by_score(struct fw_pick *p, struct fw_err *err);
int fw_pick_dense(struct fw_pick *p, struct fw_err *err);
int fw_pick_k_centre(struct fw_pick *p, struct fw_err *err);
int fw_pick_typical(struct fw_pick *p, struct fw_err *err);

#endif
