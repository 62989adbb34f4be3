/*
 * Boxes that are probably annotated wrongly: left out, badly placed, or called by another class's name.
 *
 * ObjectLab (Tkachenko, Thyagarajan, Mueller 2023, arXiv:2309.00832, section 3), from given boxes and the
 * boxes of a model that has not learned from these images. Two boxes are as similar as
 *   s = α · IoU + (1 − α) · e^(−0.1 d),   d the distance of their centres in pixels.
 * Scores lie in [0, 1], low = suspicious:
 *   missing       of a prediction surer than `high`: its similarity to the nearest given box of its class;
 *                 without one, the least similarity anywhere in the data times (1 − its score)
 *   badly placed  of a given box: its similarity to the nearest prediction of its class surer than `low`; 1
 *                 without one
 *   swapped       of a given box: 1 − its similarity to the nearest prediction of another class surer than
 *                 `high`, at least the least similarity; 1 without one
 * A crowd region is not suspected; a prediction inside one is not missing, nor one that covers (IoU above
 * 0.5) a given box of another class: that one is swapped. Pure; on all cores.
 */
#ifndef FW_STAGES_BOX_SUSPECTS_H
#define FW_STAGES_BOX_SUSPECTS_H

#include "pipeline/base/err.h"
#include "stages/data/boxes.h"

enum fw_box_error { FW_BOX_MISSING, FW_BOX_BADLY_PLACED, FW_BOX_SWAPPED, FW_BOX_ERRORS };

struct fw_box_params {
    double alpha, low, high;
    double threshold;   /* a box with a lower score is a suspect */
    double temperature; /* of the soft minimum that makes an image's score; > 0 */
};

struct fw_box_suspect {
    enum fw_box_error error;
    size_t image;
    size_t box; /* in given.v; for a missing one in predicted.v */
    double score;
};

const char *fw_box_error_name(enum fw_box_error e); /* "missing", "badly placed", "swapped" */
/* α 0.9, low 0.5, high 0.95, threshold 0.3, temperature 0.1: the authors' choices. */
void fw_box_defaults(struct fw_box_params *p);

/* The suspects, most suspicious first (ties: by image, then box); *out malloc'd (free()). image_score: one
 * number an image or NULL: the geometric mean of the soft minima of the three kinds of scores. FW_EINVAL:
 * numbers of images differ; FW_ENOMEM. */
int fw_box_suspects(const struct fw_boxes *given, const struct fw_boxes *predicted,
                    const struct fw_box_params *params, struct fw_box_suspect **out, size_t *n,
                    double *image_score, struct fw_err *err);

#endif
