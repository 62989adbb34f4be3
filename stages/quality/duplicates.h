/*
 * Samples that are the same, or nearly so: in one split they count twice, across splits they leak,
 * and with different labels at least one is wrong. Reads the files of the dataset, changes nothing;
 * reproducible from the seed, the same for any number of threads.
 *
 *   exact      the content is equal, of all that a sample has: the bytes of its file, its text in
 *              lower case with white space squeezed, its features (SHA-256, the first 128 bits)
 *   text       samples that are text alone: near_texts.h
 *   image      samples that are an image file alone: near_images.h
 *   embedding  near in the given neighbours: see near_fraction
 *
 * They are looked for in this order; what is joined already is not joined again, so `how` is the
 * strongest kind that was found, and a group of m members has m − 1 links.
 */
#ifndef FW_QUALITY_DUPLICATES_H
#define FW_QUALITY_DUPLICATES_H

#include "stages/data/dataset.h"
#include "stages/quality/links.h"
#include "stages/quality/neighbours.h"

struct fw_dup_params {
    double text_similarity; /* Jaccard from which texts are near: 0.1..1; 0 = do not look */
    bool images;
    /* Neighbours are near below this share of the median distance of a sample to its nearest other
     * one, over the samples for which that is not 0 (0.13, as cleanlab's Datalab, which counts the
     * zeros too), and at distance 0 always. near_distance > 0 is an absolute threshold in its
     * place. */
    double near_fraction, near_distance;
    uint64_t seed;
};
/* 0.8, images, 0.13, seed 0 */
struct fw_dup_params fw_dup_defaults(void);

struct fw_dup_group {
    size_t member, n_members; /* [member, member + n_members) of members, ascending */
    size_t link, n_links;     /* the same of links.v */
    bool crosses;             /* members of more than one split ("" is none) */
    bool disagrees;           /* labels of more than one class */
};

struct fw_duplicates {
    size_t n_groups, n_members, n_crossing, n_disagreeing, unreadable; /* files */
    struct fw_dup_group *groups;                                       /* by their first member */
    uint32_t *members;                                                 /* indices of samples */
    struct fw_links links;
};

/* ds may be NULL (then nb is needed, and nothing crosses); nb may be NULL; otherwise nb->n = ds->n.
 * labels: n class indices, negative = none; NULL: those of ds. A file that cannot be read is
 * counted and equal to nothing. FW_EINVAL: parameters out of range, nothing given, numbers that do
 * not fit. FW_ENOMEM. */
int fw_duplicates_find(const struct fw_dataset *ds, const struct fw_neighbours *nb,
                       const int *labels, const struct fw_dup_params *params,
                       struct fw_duplicates *out, struct fw_err *err);
void fw_duplicates_release(struct fw_duplicates *d);

/* The links of near neighbours alone, as above. threshold (may be NULL): the distance below which
 * they are near. */
int fw_near_neighbours(const struct fw_neighbours *nb, double near_fraction, double near_distance,
                       struct fw_sets *sets, struct fw_links *links, double *threshold,
                       struct fw_err *err);

#endif
