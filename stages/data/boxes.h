/*
 * Boxes on images: what object detection predicts and is told. Image i has the boxes
 * v[start[i] .. start[i + 1]).
 */
#ifndef FW_STAGES_BOXES_H
#define FW_STAGES_BOXES_H

#include <stdbool.h>
#include <stddef.h>

struct fw_box {
    float x0, y0, x1, y1; /* pixels; x0 ≤ x1, y0 ≤ y1 */
    int klass;            /* index into classes */
    float score;          /* of a prediction: confidence in 0..1; of a given box: 1 */
    float area;           /* of a given box: its area as annotated (COCO), or the box's own */
    bool crowd;           /* given only: COCO's iscrowd, matched by many and never missed */
};

struct fw_boxes {
    size_t n;      /* images */
    size_t *start; /* n + 1 */
    struct fw_box *v;
};

#endif
