/*
 * Dawid and Skene 1979, "Maximum likelihood estimation of observer error-rates using the EM
 * algorithm", Applied Statistics 28(1). Each labeller w has a confusion matrix, P(answer l | class
 * c); the classes have a prior. Starting from the shares of the votes (their section 4):
 *
 *   M  P_w(l | c) = (Σ_t p_tc [w says l] + s) / (Σ_t p_tc [w says anything] + s K)
 *      prior_c = mean p_tc
 *   E  log p_tc = log prior_c + Σ_w log P_w(answer | c), normalised
 *
 * in log space, so any number of answers to a task is fine. s is the smoothing: the objective that
 * rises is the log likelihood plus s Σ log P, a Dirichlet(1 + s) prior. Damping keeps a share of
 * the old parameters at each M step. A probability is at least 1e-10.
 *
 * The restart rule: a class that had at least one task's worth of votes and keeps less than 1 % of
 * it has collapsed into others (each labeller's matrix then describes one class by another's name),
 * and an objective that falls means numerical trouble. EM then begins anew with ten times the
 * smoothing (at least 0.1) and half the parameters damped; when all restarts end so, the first
 * result stands.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/parallel.h"
#include "stages/relabel/aggregate_parts.h"

struct em {
    const struct fw_annotations *a;
    size_t k;
    float *p;          /* tasks × K */
    double *log_prior; /* K */
    double *table;     /* labellers × K (answer) × K (class): log P_w(l | c) */
    double *part;      /* a sum for each chunk */
    double smoothing, damping;
    bool first;
};

/* Inlined for each common K, so that the compiler knows the length of the rows. */
static inline __attribute__((always_inline)) void add_row(double *to, const float *row, size_t k)
{
    for (size_t c = 0; c < k; c++)
        to[c] += (double)row[c];
}

static inline __attribute__((always_inline)) void
count_answers(const struct fw_annotations *a, const float *p, size_t w, double *count, size_t k)
{
    for (size_t i = a->labeller_at[w]; i < a->labeller_at[w + 1]; i++)
        add_row(count + (size_t)a->answer[i] * k, p + (size_t)a->task[i] * k, k);
}

static int m_work(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    const struct em *e = ctx;
    size_t k = e->k;
    double penalty = 0, *count = malloc((k * k + k) * sizeof *count), *total = count + k * k;
    if (!count)
        return fw_err_nomem(err);
    for (size_t w = chunk->from; w < chunk->to; w++) {
        double *table = e->table + w * k * k;
        memset(count, 0, (k * k + k) * sizeof *count);
        switch (k) {
        case 2:
            count_answers(e->a, e->p, w, count, 2);
            break;
        case 3:
            count_answers(e->a, e->p, w, count, 3);
            break;
        case 4:
            count_answers(e->a, e->p, w, count, 4);
            break;
        case 5:
            count_answers(e->a, e->p, w, count, 5);
            break;
        default:
            count_answers(e->a, e->p, w, count, k);
        }
        for (size_t l = 0; l < k; l++)
            for (size_t c = 0; c < k; c++)
                total[c] += count[l * k + c];
        for (size_t i = 0; i < k * k; i++) {
            double all = total[i % k] + e->smoothing * (double)k;
            double share = all > 0 ? (count[i] + e->smoothing) / all : 1.0 / (double)k;
            if (e->damping > 0 && !e->first)
                share = (1 - e->damping) * share + e->damping * exp(table[i]);
            table[i] = log(share > 1e-10 ? share : 1e-10);
            penalty += table[i];
        }
    }
    e->part[chunk->index] = e->smoothing * penalty;
    free(count);
    return FW_OK;
}

static inline __attribute__((always_inline)) double classify(const struct em *e, size_t t,
                                                             double *score, size_t k)
{
    const struct fw_annotations *a = e->a;
    for (size_t c = 0; c < k; c++)
        score[c] = e->log_prior[c];
    for (size_t i = a->task_at[t]; i < a->task_at[t + 1]; i++) {
        const double *row = e->table + ((size_t)a->labeller[i] * k + (size_t)a->klass[i]) * k;
        for (size_t c = 0; c < k; c++)
            score[c] += row[c];
    }
    return fw_softmax_row(score, k, e->p + t * k);
}

static int e_work(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    const struct em *e = ctx;
    double sum = 0, few[8], *score = e->k > 8 ? malloc(e->k * sizeof *score) : few;
    if (!score)
        return fw_err_nomem(err);
    for (size_t t = chunk->from; t < chunk->to; t++)
        switch (e->k) {
        case 2:
            sum += classify(e, t, score, 2);
            break;
        case 3:
            sum += classify(e, t, score, 3);
            break;
        case 4:
            sum += classify(e, t, score, 4);
            break;
        case 5:
            sum += classify(e, t, score, 5);
            break;
        default:
            sum += classify(e, t, score, e->k);
        }
    e->part[chunk->index] = sum;
    if (e->k > 8)
        free(score);
    return FW_OK;
}

static double add_parts(const struct em *e, size_t n, size_t grain)
{
    double sum = 0;
    for (size_t i = 0; i < fw_parallel_chunks(n, grain); i++)
        sum += e->part[i];
    return sum;
}

/* One M and one E step. */
static int step(struct em *e, double *likelihood, double *objective, struct fw_err *err)
{
    const struct fw_annotations *a = e->a;
    int rc = fw_class_mass(e->p, a->tasks, e->k, e->log_prior, err);
    if (rc == FW_OK)
        rc = fw_parallel(a->labellers, FW_LABELLER_GRAIN, m_work, e, err);
    if (rc != FW_OK)
        return rc;
    *objective = add_parts(e, a->labellers, FW_LABELLER_GRAIN);
    for (size_t c = 0; c < e->k; c++) {
        double share = e->log_prior[c] / (double)a->tasks;
        e->log_prior[c] = log(share > 1e-10 ? share : 1e-10);
    }
    rc = fw_parallel(a->tasks, FW_TASK_GRAIN, e_work, e, err);
    *likelihood = rc == FW_OK ? add_parts(e, a->tasks, FW_TASK_GRAIN) : NAN;
    *objective += *likelihood;
    e->first = false;
    return rc;
}

/* Runs to convergence; *sound: nothing collapsed and the objective never fell. */
static int run(struct em *e, const struct fw_aggregate_options *o, struct fw_aggregate *g,
               double *mass, bool *sound, struct fw_err *err)
{
    const struct fw_annotations *a = e->a;
    double last = -INFINITY, objective = 0, *now = mass + e->k;
    int rc = fw_vote_shares(a, NULL, e->p, err);
    if (rc == FW_OK)
        rc = fw_class_mass(e->p, a->tasks, e->k, mass, err);
    *sound = true;
    e->first = true;
    g->converged = false;
    for (g->iterations = 0; rc == FW_OK && !g->converged && g->iterations < o->max_iterations;) {
        rc = step(e, &g->log_likelihood, &objective, err);
        g->iterations++;
        double gain = (objective - last) / (double)a->n;
        /* The posterior is kept in single precision: that much it may fall. */
        *sound = *sound && !(gain < -1e-5);
        g->converged = fabs(gain) < o->tolerance;
        last = objective;
    }
    if (rc == FW_OK)
        rc = fw_class_mass(e->p, a->tasks, e->k, now, err);
    for (size_t c = 0; rc == FW_OK && c < e->k; c++)
        *sound = *sound && !(mass[c] >= 1 && now[c] < 0.01 * mass[c]);
    return rc;
}

int fw_dawid_skene(const struct fw_annotations *a, const struct fw_aggregate_options *o,
                   struct fw_aggregate *g, struct fw_err *err)
{
    size_t k = a->classes, cells, chunks;
    chunks = fw_parallel_chunks(a->labellers, FW_LABELLER_GRAIN) +
             fw_parallel_chunks(a->tasks, FW_TASK_GRAIN);
    if (__builtin_mul_overflow(k, k, &cells) ||
        __builtin_mul_overflow(cells, a->labellers, &cells) || cells > SIZE_MAX / 16)
        return fw_err_nomem(err);
    struct em e = {.a = a, .k = k, .p = g->posterior, .smoothing = o->smoothing};
    double *mass = malloc((2 * k + 1) * sizeof *mass);
    float *kept = NULL;
    struct fw_aggregate plain = {0};
    bool sound = false;
    e.damping = o->damping;
    e.log_prior = malloc((k + 1) * sizeof *e.log_prior);
    e.table = malloc((cells + 1) * sizeof *e.table);
    e.part = malloc((chunks + 1) * sizeof *e.part);
    int rc = e.log_prior && e.table && e.part && mass ? FW_OK : fw_err_nomem(err);
    if (rc != FW_OK)
        fw_err_hint(err, "each labeller has a matrix of %zu × %zu; one-coin and mace need less", k,
                    k);
    if (rc == FW_OK)
        rc = run(&e, o, g, mass, &sound, err);
    while (rc == FW_OK && !sound && g->restarts < o->restarts) {
        size_t bytes = a->tasks * k * sizeof *kept;
        if (!kept && !(kept = malloc(bytes + 1))) {
            rc = fw_err_nomem(err);
            break;
        }
        if (!g->restarts) {
            memcpy(kept, g->posterior, bytes);
            plain = *g;
        }
        g->restarts++;
        e.damping = e.damping > 0.5 ? e.damping : 0.5;
        e.smoothing = e.smoothing * 10 > 0.1 ? e.smoothing * 10 : 0.1;
        rc = run(&e, o, g, mass, &sound, err);
        if (rc == FW_OK && !sound && g->restarts == o->restarts) {
            memcpy(g->posterior, kept, bytes);
            g->iterations = plain.iterations;
            g->converged = plain.converged;
            g->log_likelihood = plain.log_likelihood;
        }
    }
    free(kept);
    free(mass);
    free(e.log_prior);
    free(e.table);
    free(e.part);
    return rc;
}
