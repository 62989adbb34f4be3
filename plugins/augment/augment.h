/* The parts of the augment plugin: main.c finds parents and shares out the budget, copy.c makes
 * copies, check.c asks the three questions about each. */
#ifndef FW_PLUGIN_AUGMENT_H
#define FW_PLUGIN_AUGMENT_H

#include "stages/augment/checklist.h"
#include "stages/augment/numbers.h"
#include "stages/augment/pixels.h"
#include "stages/augment/text.h"
#include "stages/data/patch.h"
#include "stages/data/request.h"
#include "stages/targeted_collection/aims.h"
#include "stages/targeted_collection/known.h"
#include "stages/train/fit.h"

enum { KINDS = FW_TEXT_CHANGES + FW_IMAGE_CHANGES + FW_NUMBERS_CHANGES, FOLDS = 3 };

/* What became of the copies of one kind of change. */
struct kind {
    const char *name;
    size_t made, proposed, unrealistic, unclear, well;
};

struct kinds { /* the wanted changes of one kind of content */
    int how[KINDS];
    int n;
};

struct job {
    const struct fw_request *r;
    struct fw_dataset *ds;
    struct fw_known *known, *suspects;
    struct fw_aims aims;
    size_t n;
    size_t *rows; /* parents, shuffled */
    int *used;    /* n: copies made */
    struct kinds texts, images, numbers;
    struct kind kind[KINDS]; /* texts, then images, then numbers */
    struct fw_patch_writer *w;
    size_t written, broken;
    char why[600]; /* the first broken file */

    /* check.c: the parents in feature space, and what models say of them */
    struct fw_extract_params extract;
    struct fw_extractor *ex;
    struct fw_matrix x; /* n × D */
    int *klass;         /* n; NULL for regression */
    struct fw_checklist *checklist;
    struct fw_columns columns;      /* of tables */
    struct fw_linear *model[FOLDS]; /* each without its fold; NULL when it cannot be fitted */
    int *fold;                      /* n */
    double quick_loss; /* mean of these models on the parents; NaN when there are none */
    double *loss;      /* n: of the champion's folds, else of these models; NaN unknown */
    bool *wrong;       /* n: the same give the parent another class than its label */
    double mean_loss;  /* of loss */
    double slice_loss; /* of the slice that is worked on now, over mean_loss; NaN unknown */
};

/* Prepares all that the questions need from the parents; parents that cannot be read are dropped. */
int check_open(struct job *j, struct fw_err *err);
void check_close(struct job *j);
/* Sets slice_loss: of the parents in the aim (NULL: all). */
void check_slice(struct job *j, const struct fw_aim *aim);
/* Features of a copy, one row: of an image, or of a text or numbers as a sample. */
int check_image(const struct job *j, const struct fw_image *im, struct fw_matrix *x,
                struct fw_err *err);
int check_sample(const struct job *j, const struct fw_sample *s, struct fw_matrix *x,
                 struct fw_err *err);
/* Asks the three questions of a copy of parent i; *ok: none failed. Counts for the kind. */
int check_copy(struct job *j, size_t i, struct kind *kind, const struct fw_matrix *x,
               struct fw_answers *out, bool *ok, struct fw_err *err);

/* One copy of parent i by a change drawn at random, its random numbers its own: the same whatever
 * else is copied. Proposed when it is new and passes the checklist. */
int copy_one(struct job *j, size_t i, const char *slice, struct fw_err *err);

bool in_aim(const struct job *j, const struct fw_aim *aim, size_t i);

#endif
