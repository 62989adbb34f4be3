/*
 * Inside pipeline/snap: what a row's content is, and when two contents are the same.
 *
 * The key says "equal": the bytes of the file (by its git id), the text in lower case with white
 * space squeezed, the features' values, the outside object's digest; of all that the row has. The
 * near key of a text leaves punctuation out too. Near copies of images: stages/quality/phash.h.
 */
#ifndef FW_SNAP_CONTENT_H
#define FW_SNAP_CONTENT_H

#include <stdbool.h>
#include <stdint.h>

#include "pipeline/base/buf.h"
#include "pipeline/base/rows.h"
#include "pipeline/snap/git2.h"

enum { FW_KEY = 16 };

enum { /* bits: which contents a row has */
       FW_HAS_FILE = 1,
       FW_HAS_TEXT = 2,
       FW_HAS_FEATURES = 4,
       FW_HAS_URI = 8
};

struct fw_content {
    unsigned has;
    size_t n_features;
    unsigned char key[FW_KEY];
    bool has_near; /* a text with letters or digits in it */
    unsigned char near[FW_KEY];
};

/* file: the git id of the named file's bytes; NULL when the row names none. FW_EINVAL: content of a
 * wrong type. */
int fw_content_of(const struct fw_row *row, const git_oid *file, struct fw_content *out,
                  struct fw_err *err);
/* A 64-bit number from a key, for folds. */
uint64_t fw_key_number(const unsigned char key[FW_KEY], uint64_t seed);

/* Changes to a row that leave its other bytes alone. */
struct fw_edit {
    size_t at, del; /* bytes of the line replaced */
};
struct fw_edits { /* zero-initialise */
    struct fw_edit v[8];
    struct fw_buf text[8]; /* what comes in their place */
    size_t n;
};
/* Sets a field to a JSON text: its value's bytes when it has one, else behind the last field; `id`
 * goes before the first. At most 8 edits a row. */
void fw_edits_set(struct fw_edits *e, const struct fw_row *row, const char *key, const char *json,
                  size_t n);
/* Appends the edited line; releases e. false when memory is out. */
bool fw_edits_apply(struct fw_edits *e, const struct fw_row *row, struct fw_buf *out);

#endif
