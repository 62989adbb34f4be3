/* Inside cmd: what `flywheel analyse` prints. */
#ifndef FW_CMD_ANALYSE_H
#define FW_CMD_ANALYSE_H

#include <jansson.h>
#include <stddef.h>

/* The result of fw_examine(), or of one of other_tasks.h, as tables of at most `top` rows (0 = all). */
void cmd_analyse_print(const json_t *result, size_t top);
void cmd_analyse_boxes(const json_t *result, size_t top);
void cmd_analyse_sets(const json_t *result, size_t top);
/* The parts that are about the data themselves: copies, outliers, balance, order, images. */
void cmd_analyse_quality(const json_t *result, size_t top);

/* Cells; each returns out. */
const char *cmd_part_share(const json_t *o, const char *key, char *out, size_t size); /* "12.3 %" */
const char *cmd_part_count(const json_t *o, const char *key, char *out, size_t size);
const char *cmd_part_number(const json_t *o, const char *key, char *out, size_t size); /* "0.123" */
const json_t *cmd_part_get(const json_t *o, const char *key);
/* How many rows of a list are shown; "and N more" below them. */
size_t cmd_part_shown(const json_t *list, size_t top);
void cmd_part_more(size_t n, size_t top);
/* A table of [{"metric", "value", "low", "high"}]. */
void cmd_part_intervals(const json_t *list);

#endif
