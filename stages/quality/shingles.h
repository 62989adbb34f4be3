/* Inside stages/quality: the set of shingles of a text (near_texts.h). */
#ifndef FW_QUALITY_SHINGLES_H
#define FW_QUALITY_SHINGLES_H

#include <stdint.h>

#include "pipeline/base/buf.h"

struct fw_shingles {    /* zero-initialise; reused between texts */
    struct fw_buf text; /* normalised */
    uint64_t *v;
    size_t n, cap;
};

/* Hashes of all shingles in the order of the text, with repetitions. Empty for a text without
 * letters or digits. */
int fw_shingles_list(const char *text, struct fw_shingles *s, struct fw_err *err);
/* The same as a set: ascending, each once. */
int fw_shingles_set(const char *text, struct fw_shingles *s, struct fw_err *err);
void fw_shingles_release(struct fw_shingles *s);
/* |A ∩ B| / |A ∪ B| of ascending sets; 0 when both are empty. */
double fw_jaccard(const uint64_t *a, size_t na, const uint64_t *b, size_t nb);

#endif
