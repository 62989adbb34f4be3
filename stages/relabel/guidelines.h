/*
 * Which labelling instructions to rewrite: the pairs of classes that labellers confuse beyond what
 * is tolerable, with tasks to write about. Pure.
 *
 * A pair's excess (agreement.h) is how many of its disagreeing answers would have to go until
 * Krippendorff's alpha of the pair reaches the target: chance is taken off, and a pair with many
 * answers ranks before one with few.
 */
#ifndef FW_STAGES_GUIDELINES_H
#define FW_STAGES_GUIDELINES_H

#include "stages/relabel/agreement.h"

enum { FW_GUIDELINE_EXAMPLES = 5 };

struct fw_guideline {
    const struct fw_pair_agreement *pair; /* borrowed from the agreement */
    bool sure;                            /* alpha's whole interval is below the target */
    size_t n_examples;
    struct {
        size_t task;
        uint32_t a, b, answers;       /* how many said class a, class b, and anything */
    } example[FW_GUIDELINE_EXAMPLES]; /* the most contested first */
};

/* The pairs with an excess above 0 and at least min_tasks tasks that hold both, largest excess
 * first, at most max. A task is the more contested the more people are in the smaller of the two
 * camps, then the larger their share of its answers, then the earlier it was read. *out: malloc'd.
 * FW_ENOMEM. */
int fw_guidelines(const struct fw_annotations *a, const struct fw_agreement *agreement,
                  size_t min_tasks, size_t max, struct fw_guideline **out, size_t *n,
                  struct fw_err *err);

#endif
