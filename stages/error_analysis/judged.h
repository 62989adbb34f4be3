/* The samples that an analysis judges, as arrays: labelled, with a prediction, of the dev split (or all
 * of them). */
#ifndef FW_STAGES_JUDGED_H
#define FW_STAGES_JUDGED_H

#include "stages/error_analysis/analysis.h"

struct fw_judged {
    size_t n;
    uint32_t *row;     /* N: index into data->samples, ascending */
    uint32_t *at;      /* N: row of the prediction */
    int *truth, *pred; /* N class indices; NULL for regression */
    double *loss;      /* N: 1 for a sample predicted otherwise, or the absolute error */
    bool *error;       /* N: predicted otherwise, or off by more than twice the mean error */
    bool *explored;    /* N: in the half that the search for slices may see (by id and seed) */
    size_t unjudged;   /* samples of the split without a label or a prediction */
    double mean_loss;
};

/* FW_ENOMEM. */
int fw_judged_make(const struct fw_analysis_input *in, struct fw_judged *out, struct fw_err *err);
void fw_judged_release(struct fw_judged *j);
/* Is the sample among those judged when it has a label and a prediction; is it one to train on? */
bool fw_analysis_judges(const struct fw_analysis_input *in, const struct fw_sample *s);
bool fw_analysis_trains(const struct fw_analysis_input *in, const struct fw_sample *s);

#endif
