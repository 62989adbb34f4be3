/*
 * The run's record: runs/<id>/journal.jsonl, append-only, one JSON object a line, each with "sum"
 * (fw_hash64 of the line without it, 16 hex digits) as its last field. A torn last line is what a
 * crash leaves and is cut off on opening; a bad line before the last is FW_ECORRUPT. Blocking; one
 * writer.
 */
#ifndef FW_JOURNAL_JOURNAL_H
#define FW_JOURNAL_JOURNAL_H

#include <jansson.h>
#include <stdbool.h>

#include "pipeline/base/buf.h"
#include "pipeline/base/err.h"

struct fw_journal;

/* Opens (creating with its folder when `create`) and gives every record so far as a JSON array (new
 * reference) without their sums; records may be NULL. */
int fw_journal_open(const char *path, bool create, struct fw_journal **out, json_t **records,
                    struct fw_err *err);
/* Reads without opening for writing: for status and show while a run goes on. */
int fw_journal_read(const char *path, json_t **records, struct fw_err *err);
/* Appends one record; sync: fsync before returning (step boundaries; covers all records before it).
 * On failure nothing of the record stays in the file. `record` is borrowed and has no "sum". */
int fw_journal_append(struct fw_journal *j, const json_t *record, bool sync, struct fw_err *err);
void fw_journal_close(struct fw_journal *j);

/* The line format, for other files that must notice damage. Encode appends one line with its '\n';
 * decode takes a line without it: a new reference, or NULL when it does not verify. Pure. */
int fw_sum_encode(const json_t *object, struct fw_buf *out, struct fw_err *err);
json_t *fw_sum_decode(const char *line, size_t n);
/* All lines of a text. *good: the length of the part that verifies, which ends before a torn last
 * line. FW_ECORRUPT: with the line number. */
int fw_sum_decode_all(const char *text, size_t n, json_t **records, size_t *good,
                      struct fw_err *err);

/* One run at a time: an OS lock (flock) on <state>/lock, whose content says who holds it. FW_EBUSY
 * names the holder: pid, host, command, since when. wait: blocks until free (polling; a signal with
 * a handler ends it with FW_ECANCELLED). A dead process never leaves it behind. */
struct fw_lock;
int fw_lock_take(const char *state_dir, const char *command, bool wait, struct fw_lock **out,
                 struct fw_err *err);
void fw_lock_release(struct fw_lock *lock);
/* Does somebody hold it now? A look only: the holder's name stays as it is. */
bool fw_lock_held(const char *state_dir);

#endif
