/*
 * What has been tried: every fix of every run of this project with its fate, so that no stage asks
 * again. Handed to stages as "history", and used by the engine to set aside what was rejected or
 * confirmed before. JSON lines:
 *
 *   {"op","id","to","iteration","stage","run","verdict"}
 *
 * Fates: "kept" (in the champion's data), "provisional", "rejected", "confirmed", "aside".
 */
#ifndef FW_LOOP_HISTORY_H
#define FW_LOOP_HISTORY_H

#include <jansson.h>
#include <stdbool.h>

#include "pipeline/base/buf.h"
#include "stages/data/patch.h"

struct fw_history;

struct fw_history *fw_history_new(void); /* NULL when memory is out */
void fw_history_free(struct fw_history *h);
/* Adds the fixes that a run's journal records, with their final fates. */
int fw_history_add_journal(struct fw_history *h, const json_t *journal, struct fw_err *err);
int fw_history_add(struct fw_history *h, const char *run, int iteration, const char *stage,
                   const struct fw_fix *fix, const char *fate, struct fw_err *err);
/* Sets the fate of the provisional fixes of iterations from..to of a run; of one fix when `packed`
 * ([op, id, to]) is not NULL. run NULL: of every run (and iteration). Confirmed fixes and those set aside keep theirs. */
int fw_history_fate(struct fw_history *h, const char *run, int from, int to, const json_t *packed,
                    const char *fate, struct fw_err *err);
/* NULL when the fix may be proposed; else why not ("rejected in iteration 2"). */
const char *fw_history_refuses(const struct fw_history *h, const struct fw_fix *fix, char *why,
                               size_t size);
/* The JSON lines for stages, in order of time. */
int fw_history_write(const struct fw_history *h, struct fw_buf *out, struct fw_err *err);
/* The compact form kept in the journal: [op, id, to] per fix. */
json_t *fw_history_pack(const struct fw_fix *fix);

#endif
