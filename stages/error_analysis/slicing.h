/* The slices of one analysis: classes, declared conditions, and each value of declared fields. */
#ifndef FW_STAGES_SLICING_H
#define FW_STAGES_SLICING_H

#include "stages/error_analysis/found.h"
#include "stages/error_analysis/judged.h"

struct fw_slice_count {
    char *text;        /* the condition; owned */
    const char *klass; /* of a class slice, else NULL */
    const struct fw_found_slice
        *found;        /* NULL: a class, declared, or a value of a declared field */
    bool held_out;     /* n, errors, sum and square: of the half that was not explored */
    size_t n, train_n; /* samples judged; train samples */
    size_t errors;
    double sum, square; /* of the losses */
    size_t suspects;    /* train samples whose label is suspected */
    size_t n_all;       /* samples judged, of both halves */
    uint32_t *row;      /* those of them with a loss; owned */
    size_t n_rows, cap;
};

struct fw_slice_base { /* what a slice is a share of */
    size_t n, errors;
    double sum, square; /* of the losses */
};

struct fw_slicing {
    size_t n, cap;
    struct fw_slice_count *v; /* classes first, in their order; then declared, found, values */
    struct fw_ids texts;      /* of the slices after the classes */
    struct fw_slice_base all, half; /* the judged samples; those that were not explored */
    size_t train_n;
};

/* Counts every slice over the dataset; plain sentences about what was left out go to notes. suspects:
 * ids of train samples, or NULL. found stays borrowed. */
int fw_slicing_count(const struct fw_analysis_input *in, const struct fw_judged *j,
                     const struct fw_found *found, const struct fw_ids *suspects,
                     struct fw_slicing *out, json_t *notes, struct fw_err *err);
void fw_slicing_release(struct fw_slicing *s);
/* The text of a condition "field == value" with the quotes that the value allows; NULL when it
 * holds both kinds (or when memory is out: *err then says so). malloc'd. */
char *fw_slice_equals(const char *field, const char *value);

#endif
