/* Simulated grey-scale pictures of a rolled steel surface with one kind of defect each. */
#ifndef EXAMPLE_STEEL_TEXTURE_H
#define EXAMPLE_STEEL_TEXTURE_H

#include "pipeline/base/rng.h"

enum { TEXTURE_SIZE = 64 };

enum defect { CRAZING, INCLUSION, PATCHES, PITTED, ROLLED_IN, SCRATCHES, DEFECTS };

struct surface {
    double brightness; /* 0..1, mean grey of the sheet */
    double contrast;   /* how much the defect stands out; 1 = clearly */
    double noise;      /* standard deviation of the camera's noise, in grey levels of 0..1 */
};

/* Draws TEXTURE_SIZE × TEXTURE_SIZE bytes, row-major. The same rng state gives the same picture. */
void texture_draw(struct fw_rng *rng, enum defect defect, const struct surface *surface,
                  unsigned char *pixels);

#endif
