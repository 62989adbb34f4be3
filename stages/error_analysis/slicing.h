/* The slices of one analysis: classes, declared conditions, and each value of declared fields. */
#ifndef FW_STAGES_SLICING_H
#define FW_STAGES_SLICING_H

#include "stages/error_analysis/analysis.h"

struct fw_slice_count {
    char *text;        /* the condition; owned */
    const char *klass; /* of a class slice, else NULL */
    size_t n, train_n; /* dev samples judged; train samples */
    size_t errors;
    double sum, square; /* of the hits (0 or 1), or of the absolute errors */
};

struct fw_slicing {
    size_t n, cap;
    struct fw_slice_count *v;                /* classes first, in their order */
    struct fw_ids texts;                     /* of the slices after the classes */
    size_t dev_n, train_n, errors, unjudged; /* of the whole */
    double mean_error;                       /* regression: mean absolute error on dev */
};

/* Counts every slice over the dataset; plain sentences about what was left out go to notes. */
int fw_slicing_count(const struct fw_analysis_input *in, struct fw_slicing *out, json_t *notes,
                     struct fw_err *err);
void fw_slicing_release(struct fw_slicing *s);
/* The text of a condition "field == value" with the quotes that the value allows; NULL when it
 * holds both kinds (or when memory is out: *err then says so). malloc'd. */
char *fw_slice_equals(const char *field, const char *value);

#endif
