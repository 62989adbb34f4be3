/*
 * Boxes on images: what object detection predicts and is told. Image i has the boxes
 * v[start[i] .. start[i + 1]).
 */
#ifndef FW_STAGES_BOXES_H
#define FW_STAGES_BOXES_H

#include <stdbool.h>
#include <stddef.h>

#include "pipeline/base/err.h"

struct fw_box {
    float x0, y0, x1, y1; /* pixels; x0 ≤ x1, y0 ≤ y1 */
    int klass;            /* index into classes */
    float score;          /* of a prediction: confidence in 0..1; of a given box: 1 */
    float area;           /* of a given box as annotated (COCO), else width × height */
    bool crowd;           /* given only: COCO's iscrowd, matched by many and never missed */
};

struct fw_boxes {
    size_t n;      /* images */
    size_t *start; /* n + 1 */
    struct fw_box *v;
};

/* Given and predicted boxes of the same images, and what they are called. */
struct fw_box_sets {
    size_t n, k; /* images, classes */
    const char *const *ids, *const *classes;
    struct fw_boxes given, predicted; /* n images each */
    struct fw_box_sets_priv *priv;
};

/*
 * Reads given boxes and, unless it is NULL, predicted ones (of the same images; an image without any has
 * none). Each file is either JSON lines, an image a line,
 *
 *   {"id": "a.jpg", "boxes": [{"box": [x, y, width, height], "class": "car", "score": 0.9, "crowd": false,
 *                              "area": 812.5}]}          in pixels; crowd and area may be left out
 *
 * or COCO's own JSON (.json): an object with images, annotations and categories, and for the predictions a
 * list of {"image_id", "category_id", "bbox", "score"}. The classes are the categories, or those found in the
 * given file in order of their bytes. Whole files are held in memory while they are read.
 * FW_EINVAL with file and line: what is no box, a score outside 0..1, an unknown image or class, an image
 * twice.
 */
int fw_box_sets_load(const char *given, const char *predicted, struct fw_box_sets *out,
                     struct fw_err *err);
void fw_box_sets_release(struct fw_box_sets *sets);

#endif
