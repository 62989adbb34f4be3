/*
 * CROWDLAB: Goh, Tkachenko and Mueller 2022, "CROWDLAB: supervised learning to infer consensus
 * labels and quality scores for data with multiple annotators", arXiv:2210.06812, section 3. The
 * model's out-of-fold probabilities p_M are one labeller more; the posterior of a task is a
 * weighted mean of distributions:
 *
 *   p(c) ∝ w_M p_M(c) + Σ_j w_j (P if j says c, else (1 − P)/(K − 1))
 *
 *   P    how often answers agree with the majority, a mean over tasks
 *   A_1  how often the most common class is the majority's: what guessing it would reach
 *   s_j  how often j agrees with the others who answered the same tasks
 *   w_j  = 1 − (1 − s_j)/(1 − A_1);   w_M = (1 − (1 − A_M)/(1 − A_1)) √(mean answers a task), A_M
 *        the model's accuracy against the majority; weights are at least 1e-6
 *
 * over tasks with at least two answers; ties of the majority go to the class the model finds
 * likelier. When no task has two answers, P and the weights are unknown and the model and the
 * labellers count alike, each labeller's answer with P = 0.9. A labeller whom nobody can be
 * compared with has the mean s of the others.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/parallel.h"
#include "stages/relabel/aggregate_parts.h"

static const double least = 1e-6;

struct crowd {
    const struct fw_annotations *a;
    const float *probs;
    float *posterior;
    const double *weight;
    double model_weight, agree; /* P */
};

static bool has_probs(const float *row)
{
    return !isnan(row[0]);
}

static int check_probs(const struct fw_annotations *a, const float *probs, struct fw_err *err)
{
    size_t k = a->classes;
    if (!probs) {
        fw_err_set(err, FW_EINVAL, "CROWDLAB needs a model's probabilities");
        return fw_err_hint(err, "give out-of-fold predictions of the tasks");
    }
    for (size_t t = 0; t < a->tasks; t++) {
        double sum = 0;
        for (size_t c = 0; c < k && has_probs(probs + t * k); c++) {
            double p = (double)probs[t * k + c];
            if (!(p >= 0 && p <= 1 + 1e-6))
                return fw_err_set(err, FW_EINVAL, "task '%.200s': probability %g is not in [0, 1]",
                                  a->task_names[t], p);
            sum += p;
        }
        if (has_probs(probs + t * k) && fabs(sum - 1) > 1e-3)
            return fw_err_set(err, FW_EINVAL, "task '%.200s': the probabilities sum to %.6g, not 1",
                              a->task_names[t], sum);
    }
    return FW_OK;
}

/* The majority's class, ties by the model, then as everywhere. */
static int32_t majority(const struct crowd *x, size_t t, const size_t *order)
{
    size_t k = x->a->classes;
    const float *votes = x->posterior + t * k, *p = x->probs + t * k;
    int32_t best = fw_pick(votes, k, order);
    for (size_t c = 0; has_probs(p) && c < k; c++)
        if (votes[c] == votes[best] && p[c] > p[best])
            best = (int32_t)c;
    return best;
}

/* s_j of every labeller, NaN where nobody else answered. */
static void agreement_with_others(const struct fw_annotations *a, double *s)
{
    double mean = 0, n = 0;
    for (size_t w = 0; w < a->labellers; w++) {
        double same = 0, pairs = 0;
        for (size_t i = a->labeller_at[w]; i < a->labeller_at[w + 1]; i++) {
            size_t t = a->task[i];
            for (size_t j = a->task_at[t]; j < a->task_at[t + 1]; j++)
                same += a->klass[j] == a->answer[i];
            same--; /* their own */
            pairs += (double)(a->task_at[t + 1] - a->task_at[t] - 1);
        }
        s[w] = pairs > 0 ? same / pairs : NAN;
        if (pairs > 0) {
            mean += s[w];
            n++;
        }
    }
    for (size_t w = 0; w < a->labellers; w++)
        if (isnan(s[w]))
            s[w] = n > 0 ? mean / n : NAN;
}

static double above_guessing(double wrong, double guess_wrong)
{
    double w = 1 - wrong / (guess_wrong > least ? guess_wrong : least);
    return w > least ? w : least;
}

static void weigh(struct crowd *x, double *weight, double *mass, const size_t *order)
{
    const struct fw_annotations *a = x->a;
    size_t k = a->classes;
    double tasks = 0, agree = 0, predicted = 0, model_wrong = 0, most = 0;
    memset(mass, 0, k * sizeof *mass);
    for (size_t t = 0; t < a->tasks; t++) {
        if (a->task_at[t + 1] - a->task_at[t] < 2)
            continue;
        int32_t c = majority(x, t, order);
        tasks++;
        agree += (double)x->posterior[t * k + (size_t)c];
        mass[c]++;
        if (has_probs(x->probs + t * k)) {
            predicted++;
            model_wrong += fw_pick(x->probs + t * k, k, order) != c;
        }
    }
    for (size_t c = 0; c < k; c++)
        most = mass[c] > most ? mass[c] : most;
    double guess_wrong = tasks > 0 ? 1 - most / tasks : 1;
    x->agree = tasks > 0 ? agree / tasks : 0.9;
    agreement_with_others(a, weight);
    for (size_t w = 0; w < a->labellers; w++)
        weight[w] = isnan(weight[w]) ? 1 : above_guessing(1 - weight[w], guess_wrong);
    x->model_weight = predicted > 0 ? above_guessing(model_wrong / predicted, guess_wrong) : 1;
    x->model_weight *= sqrt((double)a->n / (double)a->tasks);
}

static int mix_work(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    const struct crowd *x = ctx;
    const struct fw_annotations *a = x->a;
    size_t k = a->classes;
    double other = k > 1 ? (1 - x->agree) / (double)(k - 1) : 0, *sum = malloc(k * sizeof *sum);
    if (!sum)
        return fw_err_nomem(err);
    for (size_t t = chunk->from; t < chunk->to; t++) {
        const float *p = x->probs + t * k;
        double all = 0;
        for (size_t c = 0; c < k; c++)
            sum[c] = has_probs(p) ? x->model_weight * (double)p[c] : 0;
        for (size_t i = a->task_at[t]; i < a->task_at[t + 1]; i++) {
            double w = x->weight[a->labeller[i]];
            for (size_t c = 0; c < k; c++)
                sum[c] += w * ((size_t)a->klass[i] == c ? x->agree : other);
        }
        for (size_t c = 0; c < k; c++)
            all += sum[c];
        for (size_t c = 0; c < k; c++)
            x->posterior[t * k + c] = (float)(all > 0 ? sum[c] / all : 1.0 / (double)k);
    }
    free(sum);
    return FW_OK;
}

int fw_crowdlab(const struct fw_annotations *a, const struct fw_aggregate_options *o,
                struct fw_aggregate *g, struct fw_err *err)
{
    size_t k = a->classes, *order = malloc((k + 1) * sizeof *order);
    double *weight = malloc((a->labellers + 1) * sizeof *weight);
    double *mass = malloc((k + 1) * sizeof *mass);
    struct crowd x = {.a = a, .probs = o->probs, .posterior = g->posterior, .weight = weight};
    int rc = order && weight && mass ? check_probs(a, o->probs, err) : fw_err_nomem(err);
    if (rc == FW_OK)
        rc = fw_vote_shares(a, NULL, g->posterior, err);
    if (rc == FW_OK) {
        fw_tie_order(a, order);
        weigh(&x, weight, mass, order);
        rc = fw_parallel(a->tasks, FW_TASK_GRAIN, mix_work, &x, err);
        g->model_weight = x.model_weight;
    }
    free(order);
    free(weight);
    free(mass);
    return rc;
}
