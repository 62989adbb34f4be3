/* The slices of an analysis as they are written: judged, tested, weighed and sorted. */
#ifndef FW_STAGES_ENTRIES_H
#define FW_STAGES_ENTRIES_H

#include "stages/error_analysis/priority.h"
#include "stages/error_analysis/slicing.h"

/* Sets root's "slices" (analysis.h). worth: the run's metric over all judged samples, and over the half
 * that was not explored. FW_ENOMEM. */
int fw_analysis_slices(const struct fw_analysis_input *in, const struct fw_judged *j,
                       const struct fw_slicing *s, struct fw_worth_base worth[2], json_t *root,
                       struct fw_err *err);
/* How many more train samples the slice needs (fw_analysis_build() says when); 0 when it is covered. */
double fw_slice_missing(const struct fw_analysis_input *in, const struct fw_slicing *s,
                        const struct fw_slice_count *c);

#endif
