/*
 * Dawid–Skene with one parameter for each labeller: accuracy a_w, errors spread evenly over the
 * other classes (the homogeneous model, e.g. Zhang, Chen, Zhou and Jordan 2016, "Spectral methods
 * meet EM", JMLR 17, section 2: the one-coin model). EM in log space from the shares of the votes:
 *
 *   M  a_w = (Σ p_t,answer + s) / (n_w + 2 s);  prior_c = mean p_tc
 *   E  log p_tc = log prior_c + Σ_w log((1 − a_w)/(K − 1))
 *        + Σ_{w says c} log(a_w (K − 1)/(1 − a_w))
 *
 * For few answers a labeller, or many classes, where a matrix for each labeller is too much.
 */
#include <math.h>
#include <stdlib.h>

#include "pipeline/base/parallel.h"
#include "stages/relabel/aggregate_parts.h"

struct em {
    const struct fw_annotations *a;
    float *p;
    double *log_prior, *wrong, *odds; /* K, labellers, labellers */
    double *part, *penalty;
    double smoothing;
};

static int m_work(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    const struct em *e = ctx;
    const struct fw_annotations *a = e->a;
    size_t k = a->classes;
    double sum = 0;
    (void)err;
    for (size_t w = chunk->from; w < chunk->to; w++) {
        double right = 0, n = (double)(a->labeller_at[w + 1] - a->labeller_at[w]);
        for (size_t i = a->labeller_at[w]; i < a->labeller_at[w + 1]; i++)
            right += (double)e->p[(size_t)a->task[i] * k + (size_t)a->answer[i]];
        double all = n + 2 * e->smoothing, x = all > 0 ? (right + e->smoothing) / all : 0.5;
        x = x < 1e-10 ? 1e-10 : x > 1 - 1e-10 ? 1 - 1e-10 : x;
        e->wrong[w] = log((1 - x) / (double)(k > 1 ? k - 1 : 1));
        e->odds[w] = log(x) - e->wrong[w];
        sum += e->smoothing * (log(x) + log(1 - x));
    }
    e->penalty[chunk->index] = sum;
    return FW_OK;
}

static int e_work(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    const struct em *e = ctx;
    const struct fw_annotations *a = e->a;
    size_t k = a->classes;
    double sum = 0, *score = malloc(k * sizeof *score);
    if (!score)
        return fw_err_nomem(err);
    for (size_t t = chunk->from; t < chunk->to; t++) {
        double base = 0;
        for (size_t c = 0; c < k; c++)
            score[c] = e->log_prior[c];
        for (size_t i = a->task_at[t]; i < a->task_at[t + 1]; i++) {
            base += e->wrong[a->labeller[i]];
            score[a->klass[i]] += e->odds[a->labeller[i]];
        }
        sum += base + fw_softmax_row(score, k, e->p + t * k);
    }
    e->part[chunk->index] = sum;
    free(score);
    return FW_OK;
}

static int run(struct em *e, const struct fw_aggregate_options *o, struct fw_aggregate *g,
               struct fw_err *err)
{
    const struct fw_annotations *a = e->a;
    double last = -INFINITY;
    int rc = fw_vote_shares(a, NULL, e->p, err);
    g->converged = false;
    while (rc == FW_OK && !g->converged && g->iterations < o->max_iterations) {
        double objective = 0;
        rc = fw_class_mass(e->p, a->tasks, a->classes, e->log_prior, err);
        for (size_t c = 0; rc == FW_OK && c < a->classes; c++) {
            double share = e->log_prior[c] / (double)a->tasks;
            e->log_prior[c] = log(share > 1e-10 ? share : 1e-10);
        }
        if (rc == FW_OK)
            rc = fw_parallel(a->labellers, FW_LABELLER_GRAIN, m_work, e, err);
        if (rc == FW_OK)
            rc = fw_parallel(a->tasks, FW_TASK_GRAIN, e_work, e, err);
        if (rc != FW_OK)
            break;
        g->log_likelihood = 0;
        for (size_t i = 0; i < fw_parallel_chunks(a->tasks, FW_TASK_GRAIN); i++)
            g->log_likelihood += e->part[i];
        for (size_t i = 0; i < fw_parallel_chunks(a->labellers, FW_LABELLER_GRAIN); i++)
            objective += e->penalty[i];
        objective += g->log_likelihood;
        g->iterations++;
        g->converged = fabs(objective - last) < o->tolerance * (double)a->n;
        last = objective;
    }
    return rc;
}

int fw_one_coin(const struct fw_annotations *a, const struct fw_aggregate_options *o,
                struct fw_aggregate *g, struct fw_err *err)
{
    struct em e = {.a = a, .p = g->posterior, .smoothing = o->smoothing};
    e.log_prior = malloc((a->classes + 1) * sizeof *e.log_prior);
    e.wrong = malloc((a->labellers + 1) * sizeof *e.wrong);
    e.odds = malloc((a->labellers + 1) * sizeof *e.odds);
    e.part = malloc((fw_parallel_chunks(a->tasks, FW_TASK_GRAIN) + 1) * sizeof *e.part);
    e.penalty =
        malloc((fw_parallel_chunks(a->labellers, FW_LABELLER_GRAIN) + 1) * sizeof *e.penalty);
    int rc = e.log_prior && e.wrong && e.odds && e.part && e.penalty ? FW_OK : fw_err_nomem(err);
    if (rc == FW_OK)
        rc = run(&e, o, g, err);
    free(e.log_prior);
    free(e.wrong);
    free(e.odds);
    free(e.part);
    free(e.penalty);
    return rc;
}
