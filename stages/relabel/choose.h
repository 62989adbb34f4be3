/*
 * Which aggregator? None always wins. With gold items the question is answered by measurement: the
 * aggregators never see gold, so every gold item is held out from all of them, and their accuracy
 * on gold compares them fairly. The simplest that is not more than one standard error behind the
 * best is taken (Breiman et al. 1984, section 3.4.3; the standard error of the *paired* difference
 * on gold). That choice itself does look at gold: what it is worth is measured by 10-fold
 * cross-validation of the choice, on gold items that the choice did not see.
 *
 * Without gold (fewer than FW_CHOOSE_MIN_GOLD items) a default is assumed, see fw_default_method().
 */
#ifndef FW_STAGES_CHOOSE_H
#define FW_STAGES_CHOOSE_H

#include "stages/relabel/aggregate.h"

enum { FW_CHOOSE_MIN_GOLD = 20, FW_CHOOSE_FOLDS = 10 };

struct fw_choice {
    bool by_gold; /* else the default */
    size_t n_gold;
    struct {
        bool tried; /* CROWDLAB needs probs, Dawid–Skene an answer for each 20 parameters */
        double accuracy, se;      /* on gold; NaN without */
        double behind, behind_se; /* the best's accuracy less this one's, and its standard error */
    } methods[FW_METHODS];
    enum fw_method best, chosen;
    double accuracy, se;       /* of the chosen method on gold; NaN without gold */
    double cv_accuracy, cv_se; /* of choosing so, by cross-validation; NaN without */
    const char *why;           /* a sentence, static */
};

/* The method assumed without gold, and why (a static sentence):
 *   CROWDLAB when there are a model's probabilities; else
 *   majority with fewer than three labellers, or when fewer than half of the tasks have two answers
 *     (who errs cannot be told apart); else
 *   Dawid–Skene when there are at least 5 answers for each of its parameters, K (K − 1) a labeller;
 *   else MACE when there are 5 for each of its K a labeller; else one-coin. */
enum fw_method fw_default_method(const struct fw_annotations *a, bool probs, const char **why);

/* Runs the aggregators, chooses, and gives the chosen one's result. seed: of the folds. */
int fw_choose(const struct fw_annotations *a, const struct fw_aggregate_options *options,
              uint64_t seed, struct fw_choice *choice, struct fw_aggregate *out,
              struct fw_err *err);

/* Accuracy of a consensus on the gold items and its standard error √(p (1 − p)/n); NaN without. */
double fw_gold_accuracy(const struct fw_annotations *a, const int32_t *klass, double *se);

#endif
