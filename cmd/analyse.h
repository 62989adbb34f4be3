/* Inside cmd: what `flywheel analyse` prints. */
#ifndef FW_CMD_ANALYSE_H
#define FW_CMD_ANALYSE_H

#include <jansson.h>
#include <stddef.h>

/* The result of fw_examine() as tables of at most `top` rows (0 = all). */
void cmd_analyse_print(const json_t *result, size_t top);

#endif
