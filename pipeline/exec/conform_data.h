/*
 * The tiny flywheel that `plugin test` runs a plugin on: two classes that any model can tell apart,
 * as numbers, as text and as images, with what stages read beside the dataset. Made in a folder.
 */
#ifndef FW_EXEC_CONFORM_DATA_H
#define FW_EXEC_CONFORM_DATA_H

#include <jansson.h>

#include "stages/contract.h"

enum fw_content { FW_CONTENT_FEATURES, FW_CONTENT_TEXT, FW_CONTENT_IMAGES, FW_CONTENTS };

const char *fw_content_name(enum fw_content c); /* "features", "text", "images" */
extern const struct fw_task_info fw_conform_task;

/* Makes root/<content>/{train,dev,all,production}/, predictions/, out_of_fold/, analysis.json,
 * GUIDELINES.md and history.jsonl. Two labels of train are wrong, and the analysis suspects them.
 */
int fw_conform_data(const char *root, enum fw_content content, struct fw_err *err);
/* Makes the folder of a project: pool/ with samples that are not in the dataset, and truth.jsonl
 * with the true label of each sample of train. */
int fw_conform_project(const char *root, enum fw_content content, struct fw_err *err);

/* The ids of the dev split, and how many. Static. */
const char *const *fw_conform_dev_ids(size_t *n);

#endif
