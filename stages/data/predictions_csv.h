/* Inside stages/data: predictions in a CSV file, as the JSON lines that predictions.h describes. */
#ifndef FW_STAGES_PREDICTIONS_CSV_H
#define FW_STAGES_PREDICTIONS_CSV_H

#include "pipeline/base/buf.h"
#include "stages/contract.h"

/* Columns: `id`, `prediction`, and for each class one of its name with its probability (all of the classes
 * or none); others are passed over. Appends one line a record. FW_EINVAL with file and line. */
int fw_predictions_csv(const char *path, const struct fw_task_info *task, struct fw_buf *out,
                       struct fw_err *err);

#endif
