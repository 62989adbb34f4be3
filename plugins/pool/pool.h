/* The parts of the pool plugin: main.c chooses and writes, score.c looks at the candidates. */
#ifndef FW_PLUGIN_POOL_H
#define FW_PLUGIN_POOL_H

#include "stages/data/request.h"
#include "stages/targeted_collection/aims.h"
#include "stages/targeted_collection/known.h"
#include "stages/train/fit.h"

struct job {
    const struct fw_request *r;
    struct fw_dataset *train, *pool;
    struct fw_known *known;
    struct fw_extract_params extract;
    enum fw_strategy strategy;
    enum fw_uncertainty uncertainty;
    size_t n;     /* candidates */
    size_t *rows; /* of the pool */
    struct fw_matrix x, x_train;
    float **members; /* n_members models' n × K */
    size_t n_members;
    float *probs;  /* n × K: their mean; NULL where no strategy or aim asks for it */
    double *score; /* n: uncertainty, or NULL */
    struct fw_aims aims;
    struct fw_choice *choices;
    size_t n_choices;
};

struct skipped {
    size_t unlabelled, known, unreadable;
    char why[600]; /* the first unreadable one */
};

/* Features of the candidates (those that cannot be read are dropped and counted) and of train, and,
 * for strategies that ask for it, how unsure the models are about each. */
int pool_score(struct job *j, struct skipped *skip, struct fw_err *err);

#endif
