/*
 * What a relabel stage starts from and ends with: the suspects that are still worth asking about,
 * and the fix that labellers' answers make.
 */
#ifndef FW_STAGES_CANDIDATES_H
#define FW_STAGES_CANDIDATES_H

#include <jansson.h>

#include "pipeline/base/arena.h"
#include "stages/data/dataset.h"
#include "stages/data/ids.h"

/* Ids of the samples that were asked about before, whatever became of it. Zero-initialise. */
struct fw_asked {
    struct fw_arena arena;
    struct fw_ids ids;
};

/* The history input: JSON lines {"op", "id", ...}; path may be NULL. Samples of fixes that look at
 * labels (relabel, confirm, remove) are kept. */
int fw_asked_load(const char *path, struct fw_asked *out, struct fw_err *err);
void fw_asked_release(struct fw_asked *asked);

struct fw_candidate {
    const struct fw_sample *sample; /* borrowed from the dataset */
    const char *suggested;          /* borrowed from the analysis; NULL when nothing is */
    double score;
};

/* The suspects of an analysis, in its order: train samples that are in the dataset, have a label
 * and were not asked about before; at most max (0 = all). *out: malloc'd. */
int fw_candidates(const json_t *analysis, const struct fw_dataset *data,
                  const struct fw_asked *asked, size_t max, struct fw_candidate **out, size_t *n,
                  struct fw_err *err);

struct fw_answer {
    const char *by;
    int klass; /* -1: none */
};

/* A "relabel" fix when the decided class is not the sample's label, "confirm" when it is; with the
 * answers, the labellers, a reason and the cost in labels. A new reference, or NULL when memory is
 * out. */
json_t *fw_relabel_fix(const struct fw_candidate *c, const struct fw_task_info *task,
                       const struct fw_answer *answers, size_t n, int decided);

#endif
