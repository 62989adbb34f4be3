/*
 * What a dataset and the history of a project hold already, so that nothing is proposed twice.
 */
#ifndef FW_TARGETED_COLLECTION_KNOWN_H
#define FW_TARGETED_COLLECTION_KNOWN_H

#include <stdbool.h>

#include "pipeline/base/hash.h"
#include "stages/data/dataset.h"

struct fw_known;

/* Empty; NULL when memory is out. */
struct fw_known *fw_known_new(void);
void fw_known_free(struct fw_known *k);
/* Digest of a sample's content: its file's bytes, or its text, or its numbers. FW_EINVAL names the
 * sample when it has none of them; FW_EIO when the file cannot be read. */
int fw_content_key(const struct fw_dataset *ds, const struct fw_sample *s, char key[FW_SHA256_HEX],
                   struct fw_err *err);
/* Remembers one text (an id or a content key); *fresh (may be NULL) says whether it was new. */
int fw_known_add(struct fw_known *k, const char *text, bool *fresh, struct fw_err *err);
bool fw_known_has(const struct fw_known *k, const char *text);
/* The ids of the samples whose addition the history (JSON lines) calls "rejected" or "aside". One
 * that was "kept" or is "provisional" is known by being in the dataset; when it is not, it was lost
 * with its run, and may be proposed again. */
int fw_known_add_history(struct fw_known *k, const char *path, struct fw_err *err);

#endif
