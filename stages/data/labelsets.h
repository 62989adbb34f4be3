/*
 * Samples with any number of labels each (multi-label): what is given and what is predicted, side by side.
 *
 * On disk JSON lines: given {"id": "x", "label": ["a", "b"]}; predicted {"id": "x", "probs": [K independent
 * probabilities in the order of the classes] or {"a": 0.9}} (classes left out have 0), or "prediction": ["a"].
 */
#ifndef FW_STAGES_LABELSETS_H
#define FW_STAGES_LABELSETS_H

#include <stddef.h>

#include "pipeline/base/err.h"

struct fw_labelsets {
    size_t n, k;
    const char *const *ids, *const
                                *classes; /* classes: those found among the given labels, sorted */
    unsigned char *given;                 /* N × K, 0 or 1 */
    unsigned char *predicted;             /* N × K: said, or a probability above 0.5; NULL: none */
    float *probs;                         /* N × K, or NULL */
    size_t unpredicted;                   /* given samples left out because nothing predicts them */
    struct fw_labelsets_priv *priv;
};

/* predictions may be NULL; else only the samples that have one are kept, in the order of the given file.
 * FW_EINVAL with file and line: an id twice or unknown, a label twice in one list, an unknown class, a
 * probability outside 0..1, some lines with probs and some without; no class at all. */
int fw_labelsets_load(const char *given, const char *predictions, struct fw_labelsets *out,
                      struct fw_err *err);
void fw_labelsets_release(struct fw_labelsets *sets);

#endif
