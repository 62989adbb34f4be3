/* Drift from files: what the plugin and the command share. Blocking. */
#ifndef FW_DRIFT_RUN_H
#define FW_DRIFT_RUN_H

#include "stages/drift/drift.h"

struct fw_drift_files { /* everything is borrowed; NULL where there is none */
    /* A .csv, .tsv or .jsonl file, or a folder with samples.jsonl (or samples.csv). */
    const char *reference, *production;
    /* Labelled rows that reference_predictions are about; NULL: the reference. */
    const char *labelled;
    const char *reference_predictions, *predictions; /* as predictions.h; both or none */
    const char *reference_embeddings, *embeddings; /* .npy, N × D; NULL: those in the predictions'
                                                        folders when both have them */
    const struct fw_task_info *task; /* NULL: classes are the labels of the labelled rows, sorted */
    struct fw_drift_options options;
    /* From fw_drift_defaults(): thresholds, confidence, bins, seed. The rest is filled in here. */
    struct fw_drift_input input;
};

/* FW_EINVAL names the file. */
int fw_drift_run(const struct fw_drift_files *files, json_t **out, struct fw_err *err);

/* Splits "a, b" in place at commas, without the spaces around and without empty names. Returns how many
 * there are; names has room for `most`. */
size_t fw_drift_names(char *text, const char **names, size_t most);

#endif
