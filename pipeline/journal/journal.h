/*
 * The run's record: runs/<id>/journal.jsonl, append-only, one JSON object a line, each with "sum"
 * (xxh64 of the line without it, 16 hex digits) as its last field. A torn last line is what a crash
 * leaves and is cut off on opening; a bad line before the last is FW_ECORRUPT. Blocking; one
 * writer.
 */
#ifndef FW_JOURNAL_JOURNAL_H
#define FW_JOURNAL_JOURNAL_H

#include <jansson.h>
#include <stdbool.h>

#include "pipeline/base/err.h"

struct fw_journal;

/* Opens (creating with its folder when `create`) and gives every record so far as a JSON array (new
 * reference) without their sums. */
int fw_journal_open(const char *path, bool create, struct fw_journal **out, json_t **records,
                    struct fw_err *err);
/* Reads without opening for writing: for status and show while a run goes on. */
int fw_journal_read(const char *path, json_t **records, struct fw_err *err);
/* Appends one record; sync: fsync before returning (step boundaries). On failure nothing of the
 * record stays in the file. `record` is borrowed. */
int fw_journal_append(struct fw_journal *j, const json_t *record, bool sync, struct fw_err *err);
void fw_journal_close(struct fw_journal *j);

/* One run at a time: an OS lock (flock) on <state>/lock, whose content says who holds it. FW_EBUSY
 * names the holder: pid, host, command, since when. wait: blocks until free (polling, so that
 * signals end it). A dead process never leaves it behind. */
struct fw_lock;
int fw_lock_take(const char *state_dir, const char *command, bool wait, struct fw_lock **out,
                 struct fw_err *err);
void fw_lock_release(struct fw_lock *lock);

#endif
