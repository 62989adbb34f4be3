/*
 * Object detection: mean average precision by COCO's definition (Lin et al., ECCV 2014, and the rules of its
 * evaluation: ten intersection-over-union thresholds .50:.05:.95, precision at 101 recalls, at most 100
 * detections a class and image, the most confident first; regions marked as crowd match any number of
 * detections, count for none, and are measured by the share of the detection inside them). Pure; on all
 * cores, the same result for any number of threads.
 */
#ifndef FW_STAGES_DETECTION_H
#define FW_STAGES_DETECTION_H

#include "pipeline/base/err.h"
#include "stages/data/boxes.h"

/* Intersection over union of two boxes, 0 when the union is empty; against a crowd: over the area of a. */
double fw_box_iou(const struct fw_box *a, const struct fw_box *b, bool crowd);

/* Means over the classes with a given box; NaN when there is none. small: area ≤ 32², medium: 32² to 96²,
 * large: ≥ 96² pixels. ar: the recall reached, averaged over the thresholds. */
struct fw_detection_scores {
    double ap, ap50, ap75, ap_small, ap_medium, ap_large;
    double ar1, ar10, ar100, ar_small, ar_medium, ar_large;
};

/* given and predicted: the same images in the same order; classes below k. by_class: K APs (NaN for a class
 * without a given box), or NULL. FW_EINVAL: numbers of images differ, a class out of range, a box or score
 * that is not finite; FW_ENOMEM. */
int fw_detection_score(const struct fw_boxes *given, const struct fw_boxes *predicted, size_t k,
                       struct fw_detection_scores *out, double *by_class, struct fw_err *err);

#endif
