/*
 * MACE: Hovy, Berg-Kirkpatrick, Vaswani and Hovy 2013, "Learning whom to trust with MACE", NAACL. A
 * labeller knows the class with probability θ_w and says it; else they spam: they answer l with
 * probability ξ_wl whatever the task is. All classes are equally likely beforehand.
 *
 *   E  P(answer l | class c) = θ [l = c] + (1 − θ) ξ_l
 *   M  variational Bayes (their section 3.2; Johnson 2007): exp ψ(count + prior) / exp ψ(all + …)
 *      with Beta(0.5, 0.5) over θ and Dirichlet(0.5) over ξ
 *
 * from several random starts, of which the one with the best log likelihood stands. Few parameters
 * (K for each labeller), so it is fit for many classes and few answers.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/parallel.h"
#include "pipeline/base/rng.h"
#include "stages/relabel/aggregate_parts.h"

enum { ITERATIONS = 50, STARTS = 10 };
static const double prior = 0.5;

struct em {
    const struct fw_annotations *a;
    float *p;
    /* labellers × K: log of the spam part, what knowing adds to it, and the chance that an answer
     * which is right was known */
    double *spam, *gain, *known;
    double *part;
};

/* ψ(x), x > 0: the recurrence up to 6, then the asymptotic series (Abramowitz and Stegun 6.3.5,
 * 6.3.18); absolute error below 1e-10. */
static double digamma(double x)
{
    double sum = 0;
    while (x < 6)
        sum -= 1 / x++;
    double i = 1 / (x * x);
    return sum + log(x) - 0.5 / x -
           i * (1.0 / 12 - i * (1.0 / 120 - i * (1.0 / 252 - i * (1.0 / 240 - i / 132))));
}

static void set_labeller(const struct em *e, size_t w, double knows, double spams,
                         const double *how)
{
    size_t k = e->a->classes;
    for (size_t l = 0; l < k; l++) {
        double b = spams * how[l];
        b = b > 1e-300 ? b : 1e-300;
        e->spam[w * k + l] = log(b);
        e->gain[w * k + l] = log(b + knows) - e->spam[w * k + l];
        e->known[w * k + l] = knows / (b + knows);
    }
}

static int m_work(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    const struct em *e = ctx;
    const struct fw_annotations *a = e->a;
    size_t k = a->classes;
    double *how = malloc(k * sizeof *how);
    if (!how)
        return fw_err_nomem(err);
    for (size_t w = chunk->from; w < chunk->to; w++) {
        double known = 0, all = (double)(a->labeller_at[w + 1] - a->labeller_at[w]);
        memset(how, 0, k * sizeof *how);
        for (size_t i = a->labeller_at[w]; i < a->labeller_at[w + 1]; i++) {
            size_t l = (size_t)a->answer[i];
            double q = (double)e->p[(size_t)a->task[i] * k + l] * e->known[w * k + l];
            known += q;
            how[l] += 1 - q;
        }
        double scale = digamma(all + 2 * prior), spam_all = all - known;
        double spam_scale = digamma(spam_all + prior * (double)k);
        for (size_t l = 0; l < k; l++)
            how[l] = exp(digamma(how[l] + prior) - spam_scale);
        set_labeller(e, w, exp(digamma(known + prior) - scale),
                     exp(digamma(spam_all + prior) - scale), how);
    }
    free(how);
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
        double base = -log((double)k);
        memset(score, 0, k * sizeof *score);
        for (size_t i = a->task_at[t]; i < a->task_at[t + 1]; i++) {
            size_t at = (size_t)a->labeller[i] * k + (size_t)a->klass[i];
            base += e->spam[at];
            score[a->klass[i]] += e->gain[at];
        }
        sum += base + fw_softmax_row(score, k, e->p + t * k);
    }
    e->part[chunk->index] = sum;
    free(score);
    return FW_OK;
}

static int start(const struct em *e, uint64_t seed, size_t number, struct fw_err *err)
{
    size_t k = e->a->classes;
    struct fw_rng rng;
    double *how = malloc(k * sizeof *how);
    if (!how)
        return fw_err_nomem(err);
    fw_rng_seed(&rng, seed + number * 0x9e3779b97f4a7c15u);
    for (size_t w = 0; w < e->a->labellers; w++) {
        double knows = fw_rng_double(&rng), all = 0;
        for (size_t l = 0; l < k; l++)
            all += how[l] = fw_rng_double(&rng) + 1e-3;
        for (size_t l = 0; l < k; l++)
            how[l] /= all;
        set_labeller(e, w, knows, 1 - knows, how);
    }
    free(how);
    return FW_OK;
}

static int run(const struct em *e, const struct fw_aggregate_options *o, struct fw_aggregate *g,
               struct fw_err *err)
{
    const struct fw_annotations *a = e->a;
    size_t most = o->max_iterations < ITERATIONS ? o->max_iterations : ITERATIONS;
    double last = -INFINITY;
    int rc = FW_OK;
    g->converged = false;
    g->log_likelihood = -INFINITY;
    for (g->iterations = 0; rc == FW_OK && !g->converged && g->iterations < most;) {
        if (g->iterations)
            rc = fw_parallel(a->labellers, FW_LABELLER_GRAIN, m_work, (void *)e, err);
        if (rc == FW_OK)
            rc = fw_parallel(a->tasks, FW_TASK_GRAIN, e_work, (void *)e, err);
        if (rc != FW_OK)
            break;
        g->log_likelihood = 0;
        for (size_t i = 0; i < fw_parallel_chunks(a->tasks, FW_TASK_GRAIN); i++)
            g->log_likelihood += e->part[i];
        g->iterations++;
        g->converged = fabs(g->log_likelihood - last) < o->tolerance * (double)a->n;
        last = g->log_likelihood;
    }
    return rc;
}

int fw_mace(const struct fw_annotations *a, const struct fw_aggregate_options *o,
            struct fw_aggregate *g, struct fw_err *err)
{
    size_t cells, n = a->tasks * a->classes;
    if (__builtin_mul_overflow(a->labellers, a->classes, &cells) || cells > SIZE_MAX / 32)
        return fw_err_nomem(err);
    struct em e = {.a = a, .p = malloc((n + 1) * sizeof *e.p)};
    struct fw_aggregate one = {0}, best = {.log_likelihood = -INFINITY};
    e.spam = malloc((3 * cells + 1) * sizeof *e.spam);
    e.gain = e.spam ? e.spam + cells : NULL;
    e.known = e.spam ? e.gain + cells : NULL;
    e.part = malloc((fw_parallel_chunks(a->tasks, FW_TASK_GRAIN) + 1) * sizeof *e.part);
    int rc = e.p && e.spam && e.part ? FW_OK : fw_err_nomem(err);
    for (size_t i = 0; rc == FW_OK && i < STARTS; i++) {
        rc = start(&e, o->seed, i, err);
        if (rc == FW_OK)
            rc = run(&e, o, &one, err);
        if (rc == FW_OK && (i == 0 || one.log_likelihood > best.log_likelihood)) {
            memcpy(g->posterior, e.p, n * sizeof *e.p);
            best = one;
        }
    }
    g->iterations = best.iterations;
    g->converged = best.converged;
    g->log_likelihood = best.log_likelihood;
    free(e.p);
    free(e.spam);
    free(e.part);
    return rc;
}
