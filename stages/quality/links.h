/*
 * Pairs of samples that are the same or nearly so, and what they join. Pure.
 */
#ifndef FW_QUALITY_LINKS_H
#define FW_QUALITY_LINKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/base/err.h"

enum fw_dup_how {
    FW_DUP_EXACT,     /* equal content */
    FW_DUP_TEXT,      /* similarity: Jaccard of the shingles */
    FW_DUP_IMAGE,     /* similarity: share of equal bits of the perceptual hash */
    FW_DUP_EMBEDDING, /* similarity: 1 − distance / typical distance, at least 0 */
    FW_DUP_HOWS
};
const char *fw_dup_how_name(enum fw_dup_how how); /* "exact", "text", "image", "embedding" */

struct fw_link {
    uint32_t a, b; /* a < b */
    enum fw_dup_how how;
    float similarity; /* 0..1; 1 for equal content */
};

struct fw_links { /* zero-initialise */
    size_t n, cap;
    struct fw_link *v;
};
int fw_links_add(struct fw_links *l, struct fw_link link, struct fw_err *err);
void fw_links_release(struct fw_links *l);

/* Disjoint sets of n items, joined by size (Tarjan 1975). */
struct fw_sets {
    size_t n;
    uint32_t *parent, *size;
};
int fw_sets_new(size_t n, struct fw_sets *out, struct fw_err *err); /* n below 2^32 */
void fw_sets_release(struct fw_sets *s);
uint32_t fw_sets_find(const struct fw_sets *s, uint32_t i);   /* changes nothing: any thread */
bool fw_sets_join(struct fw_sets *s, uint32_t a, uint32_t b); /* false when joined before */

/* Joins, and keeps the link when it was needed: links stay a forest. Order of a and b is free. */
int fw_links_join(struct fw_links *l, struct fw_sets *s, uint32_t a, uint32_t b,
                  enum fw_dup_how how, double similarity, struct fw_err *err);

#endif
