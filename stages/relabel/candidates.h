/*
 * What a relabel stage starts from and ends with: the suspects that are still worth asking about,
 * and the fix that labellers' answers make.
 */
#ifndef FW_STAGES_CANDIDATES_H
#define FW_STAGES_CANDIDATES_H

#include <jansson.h>

#include "stages/data/dataset.h"
#include "stages/data/ids.h"

/* The samples of a dataset that people have answered about before. Zero-initialise. The ids are
 * borrowed from the dataset. */
struct fw_asked {
    struct fw_ids closed; /* not to be asked about again */
    struct fw_ids right;  /* of these, those whose present label is the answer */
};

/*
 * The history input: JSON lines {"op", "id", "to", "verdict", ...}; path may be NULL. Of fixes that
 * look at labels (relabel, confirm, remove):
 *
 * - when the sample has the label `to`, that answer is in the data: closed, and right;
 * - else, with the verdict "rejected", "confirmed", "aside" or "kept": closed, but the present
 *   label is not what the answer said, so nothing is known to be right;
 * - else ("provisional") the answer was rolled back or lost with its run: it may be asked for again.
 */
int fw_asked_load(const char *path, const struct fw_dataset *data, struct fw_asked *out,
                  struct fw_err *err);
void fw_asked_release(struct fw_asked *asked);

struct fw_candidate {
    const struct fw_sample *sample; /* borrowed from the dataset */
    const char *suggested;          /* borrowed from the analysis; NULL when nothing is */
    double score;
};

/* The suspects of an analysis, in its order: train samples that are in the dataset, have a label
 * and are not closed; at most max (0 = all). *out: malloc'd. */
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
