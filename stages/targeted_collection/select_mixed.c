/* Quotas for the weak slices, then the highest scores; and by score alone. */
#include <math.h>
#include <stdlib.h>

#include "stages/targeted_collection/pick.h"

void fw_quotas(const double *weight, size_t n, size_t budget, size_t *quota)
{
    double sum = 0;
    size_t given = 0;

    for (size_t i = 0; i < n; i++) {
        quota[i] = 0;
        sum += weight[i] > 0 ? weight[i] : 0;
    }
    if (!(sum > 0))
        return;
    for (size_t i = 0; i < n; i++) {
        quota[i] = weight[i] > 0 ? (size_t)((double)budget * weight[i] / sum) : 0;
        given += quota[i];
    }
    for (; given < budget; given++) {
        size_t best = n;
        double most = -HUGE_VAL;
        for (size_t i = 0; i < n; i++) {
            double left = (double)budget * weight[i] / sum - (double)quota[i];
            if (weight[i] > 0 && left > most) {
                most = left;
                best = i;
            }
        }
        quota[best]++;
    }
}

struct quotas {
    const struct fw_aim *aims;
    size_t n;
    size_t *quota;
    double *got;
    struct fw_queue *queue; /* filled when an aim's turn comes first */
};

static double belongs(const struct fw_pick *p, const struct fw_aim *aim, size_t i)
{
    return aim->klass >= 0 ? (double)p->c->probs[i * p->c->k + (size_t)aim->klass]
                           : (double)aim->member[i];
}

/* Unsure, and likely one of those that are wanted; not at all for a candidate that cannot be one.
 */
static int fill(const struct fw_pick *p, const struct fw_aim *aim, struct fw_queue *q,
                struct fw_err *err)
{
    double *value = malloc((p->n ? p->n : 1) * sizeof *value);
    if (!value)
        return fw_err_nomem(err);
    for (size_t i = 0; i < p->n; i++) {
        double m = belongs(p, aim, i);
        value[i] = m > 0 ? p->score[i] * m : -1;
    }
    int rc = fw_queue_fill(q, p, value, err);
    free(value);
    return rc;
}

/* The aim that is furthest behind its share, or -1. */
static long furthest_behind(const struct quotas *q)
{
    long aim = -1;
    for (size_t a = 0; a < q->n; a++)
        if (q->quota[a] && q->got[a] < HUGE_VAL &&
            (aim < 0 || (double)q->quota[a] - q->got[a] > (double)q->quota[aim] - q->got[aim]))
            aim = (long)a;
    return aim;
}

/* The quotas' part of the budget goes, each time, to the aim that is furthest behind its share;
 * what the others expect of a chosen candidate counts for them too. */
static int pick_quotas(struct fw_pick *p, struct quotas *q, struct fw_err *err)
{
    size_t end = 0;
    for (size_t a = 0; a < q->n; a++)
        end += q->quota[a];
    while (p->n_out < end) {
        long aim = furthest_behind(q);
        if (aim < 0)
            return FW_OK;
        if (!q->queue[aim].order) {
            int rc = fill(p, &q->aims[aim], &q->queue[aim], err);
            if (rc != FW_OK)
                return rc;
        }
        long i = fw_queue_next(&q->queue[aim], p);
        if (i < 0) {
            q->got[aim] = HUGE_VAL; /* nothing in the pool for this one */
            continue;
        }
        fw_pick_take(p, (size_t)i, aim, p->score[i]);
        for (size_t a = 0; a < q->n; a++)
            q->got[a] += belongs(p, &q->aims[a], (size_t)i);
    }
    return FW_OK;
}

int fw_pick_by_score(struct fw_pick *p, struct fw_err *err)
{
    struct fw_queue q = {0};
    int rc = fw_queue_fill(&q, p, p->score, err);
    while (rc == FW_OK && p->n_out < p->params->budget) {
        long i = fw_queue_next(&q, p);
        if (i < 0)
            break;
        fw_pick_take(p, (size_t)i, -1, p->score[i]);
    }
    fw_queue_release(&q);
    return rc;
}

int fw_pick_mixed(struct fw_pick *p, const struct fw_aim *aims, size_t n_aims, struct fw_err *err)
{
    size_t room = n_aims ? n_aims : 1;
    struct quotas q = {.aims = aims,
                       .n = n_aims,
                       .quota = calloc(room, sizeof *q.quota),
                       .got = calloc(room, sizeof *q.got),
                       .queue = calloc(room, sizeof *q.queue)};
    double *weight = calloc(room, sizeof *weight);
    int rc = q.quota && q.got && q.queue && weight ? FW_OK : fw_err_nomem(err);

    for (size_t a = 0; rc == FW_OK && a < n_aims; a++)
        weight[a] = aims[a].weight;
    if (rc == FW_OK) {
        fw_quotas(weight, n_aims, (size_t)((double)p->params->budget * p->params->quota_share),
                  q.quota);
        rc = pick_quotas(p, &q, err);
    }
    for (size_t a = 0; q.queue && a < n_aims; a++)
        fw_queue_release(&q.queue[a]);
    free(q.quota);
    free(q.got);
    free(q.queue);
    free(weight);
    return rc == FW_OK ? fw_pick_by_score(p, err) : rc;
}
