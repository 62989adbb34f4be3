/* What `flywheel agree` found, for the tables and for JSON. */
#ifndef FW_CMD_AGREE_H
#define FW_CMD_AGREE_H

#include <jansson.h>

#include "stages/relabel/agreement.h"
#include "stages/relabel/choose.h"
#include "stages/relabel/guidelines.h"

struct agree_labeller { /* worst first */
    size_t labeller;
    bool guesses; /* no better than always answering the commonest class */
    bool below;   /* the whole interval is below the mean of all labellers */
    double gold;  /* share of their answers that are the gold class; NaN without */
    size_t n_gold;
};

struct agree {
    struct fw_annotations *a;
    struct fw_agreement agreement;
    struct fw_choice choice;
    bool forced; /* the method was named by the user */
    struct fw_aggregate result;
    struct fw_guideline *guidelines;
    size_t n_guidelines;
    struct fw_labeller_pair
        *pairs; /* of labellers with at least min_common tasks in common, lowest kappa first */
    size_t n_pairs, min_common;
    double mean_kappa; /* of these pairs, weighed by tasks; NaN without */
    struct agree_labeller *labellers;
    double mean_quality, guess;
    size_t unpredicted; /* tasks without a prediction, when there are predictions */
    bool predicted;
};

void agree_print(const struct agree *g, size_t top);
json_t *agree_json(const struct agree *g);

#endif
