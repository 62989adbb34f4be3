/*
 * One class for each task out of several labellers' answers, with a posterior, and how good each
 * labeller is. Pure, reproducible from the seed, the same result for any number of threads. None looks
 * at gold. Each method is a file of its own with its source:
 *
 *   majority     majority.c      share of the votes
 *   weighted     weighted.c      votes weighed by the labeller's agreement with the majority (Wawa)
 *   one-coin     one_coin.c      Dawid–Skene with one accuracy for each labeller
 *   mace         mace.c          Hovy, Berg-Kirkpatrick, Vaswani and Hovy 2013: who spams, and how
 *   dawid-skene  dawid_skene.c   Dawid and Skene 1979: a confusion matrix for each labeller
 *   crowdlab     crowdlab.c      Goh, Tkachenko and Mueller 2022: the model as one labeller more
 *
 * Ties of the posterior go to the class with more answers in the whole table, then to the lower index.
 * Weights of answers count in majority and weighted; the others take each answer as one.
 */
#ifndef FW_STAGES_AGGREGATE_H
#define FW_STAGES_AGGREGATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stages/relabel/annotations.h"

enum fw_method { /* the simpler first */
                 FW_MAJORITY,
                 FW_WEIGHTED,
                 FW_ONE_COIN,
                 FW_MACE,
                 FW_DAWID_SKENE,
                 FW_CROWDLAB,
                 FW_METHODS
};

const char *fw_method_name(enum fw_method m);               /* "dawid-skene" */
int fw_method_parse(const char *name, enum fw_method *out); /* 0, or FW_ENOTFOUND */

struct fw_aggregate_options {
    size_t max_iterations; /* of EM */
    double tolerance;      /* EM ends when the objective gains less than this for each answer */
    double smoothing;      /* pseudo-answers in each cell of a labeller's parameters (Dawid–Skene,
                              one-coin): a Dirichlet prior */
    double damping; /* share of the old parameters kept at each M step, in [0, 1) (Dawid–Skene) */
    size_t restarts; /* Dawid–Skene: at most so many, see dawid_skene.c */
    double level;    /* of the labellers' intervals */
    uint64_t seed;   /* of MACE's starts */
    const float
        *probs; /* tasks × K, the model's out-of-fold probabilities, for CROWDLAB; a row that
                              begins with NaN is a task without a prediction */
};

/* 100 iterations, tolerance 1e-6, smoothing 0.01, no damping, 3 restarts, level 0.95, seed 1. */
void fw_aggregate_defaults(struct fw_aggregate_options *o);

struct fw_aggregate {
    enum fw_method method;
    size_t n, k, labellers;
    float *posterior;  /* N × K; rows sum to one */
    int32_t *klass;    /* N: the consensus */
    float *confidence; /* N: its posterior */
    double *prior;     /* K: share of the classes, the mean posterior */
    /* How often a labeller agrees with the consensus: the posterior's mean of their own answers, over
     * tasks that others answered too, with Wilson's interval. NaN, [0, 1] when there is none. */
    double *quality, *low, *high; /* labellers */
    size_t *shared;               /* labellers: answers to tasks that others answered too */
    size_t iterations, restarts;
    bool converged;
    double log_likelihood; /* of the answers; NaN for votes and CROWDLAB */
    double
        model_weight; /* CROWDLAB's weight of the model, where a perfect labeller has 1; else NaN */
};

/* FW_EINVAL: CROWDLAB without probs, or probs that are negative or do not sum to one; FW_ENOMEM. */
int fw_aggregate(const struct fw_annotations *a, enum fw_method method,
                 const struct fw_aggregate_options *options, struct fw_aggregate *out,
                 struct fw_err *err);
void fw_aggregate_release(struct fw_aggregate *g);

/* A labeller's confusion matrix under a posterior: out is K × K, out[c * K + l] the expected number
 * of their answers l to tasks of class c. */
void fw_labeller_confusion(const struct fw_annotations *a, const float *posterior, size_t labeller,
                           double *out);

#endif
