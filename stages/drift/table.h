/*
 * The fields of two sets of rows, gathered for comparison as the rows stream by.
 *
 *     struct fw_drift_table *t = fw_drift_table_new(&options);
 *     fw_drift_table_read(t, FW_REFERENCE, "train/samples.jsonl", &err);
 *     fw_drift_table_read(t, FW_PRODUCTION, "live.csv", &err);
 *
 * Memory: 8 bytes for each number of each row (bought in doubling steps), and each different text
 * once; texts and rows themselves are not kept. A field is
 *   number    numbers alone
 *   category  texts, true and false; also a mix of these and numbers, whose numbers are then names
 *   text      texts whose first FW_DRIFT_LOOK have at least three spaces on average, or `text`
 *             itself; kept as words and lengths
 * `features`, a list of numbers, becomes the fields features[0], features[1], ... Other lists and
 * objects are not compared and are counted in `other`.
 *
 * Not thread-safe. The reference is read first.
 */
#ifndef FW_DRIFT_TABLE_H
#define FW_DRIFT_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "pipeline/base/arena.h"
#include "pipeline/base/rows.h"
#include "stages/data/ids.h"
#include "stages/drift/vocabulary.h"

enum {
    FW_DRIFT_LOOK = 256,          /* texts that decide between category and text */
    FW_DRIFT_CATEGORIES = 200000, /* different texts of one field; with more it is not compared */
    FW_DRIFT_FEATURES = 4096      /* width of `features`; a wider one belongs into embeddings */
};

struct fw_numbers {
    size_t n, cap;
    double *v; /* in order of arrival */
};

struct fw_category {
    size_t n[FW_SIDES];
};

enum fw_text_use { FW_TEXT_UNDECIDED, FW_TEXT_CATEGORY, FW_TEXT_WORDS };

struct fw_column {
    const char *name;
    int feature;              /* index in `features`, or −1 */
    size_t present[FW_SIDES]; /* rows that have it, not null */
    size_t other[FW_SIDES];   /* of these: lists and objects */
    size_t bools[FW_SIDES], texts[FW_SIDES];
    struct fw_numbers numbers[FW_SIDES];
    enum fw_text_use use;
    size_t looked, spaces;
    bool too_many; /* more than FW_DRIFT_CATEGORIES */
    struct fw_ids names;
    struct fw_category *categories; /* names.n of them */
    size_t cap;
    struct fw_vocabulary *words;
    struct fw_numbers lengths[FW_SIDES]; /* of texts, in characters */
};

struct fw_drift_options {
    /* Fields to compare; NULL: all but id, split, file_name, provenance,
     * and what `ignore` names. `label` is
     * compared when both sides have it. */
    const char *const *fields;
    size_t n_fields;
    const char *const *ignore;
    size_t n_ignore;
    /* Rows of the reference in another split are left out; NULL: all are taken. Rows without a
     * split count. */
    const char *split;
};

struct fw_drift_table {
    struct fw_drift_options options;
    struct fw_arena arena;
    size_t rows[FW_SIDES];
    size_t n, cap, guess;
    struct fw_column *columns;
    struct fw_ids names;
    size_t wide[FW_SIDES]; /* rows whose `features` are wider than FW_DRIFT_FEATURES */
};

/* options and what they point to are borrowed. NULL when memory is out. */
struct fw_drift_table *fw_drift_table_new(const struct fw_drift_options *options);
void fw_drift_table_free(struct fw_drift_table *t);
/* Adds the rows of a file: .csv or .tsv with a header row, else JSON lines. In CSV an empty cell
 * without quotes is absent, and an unquoted cell that reads as a number is one. FW_EINVAL with file
 * and line for what is not a row; FW_EIO. */
int fw_drift_table_read(struct fw_drift_table *t, int side, const char *path, struct fw_err *err);
int fw_drift_table_row(struct fw_drift_table *t, int side, const struct fw_row *row,
                       struct fw_err *err);
/* Settles what each field is, for both sides together; call once, after reading. */
int fw_drift_table_settle(struct fw_drift_table *t, struct fw_err *err);

#endif
