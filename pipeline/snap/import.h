/* Inside pipeline/snap: the parts of an import. rows (import_rows.c) → splits and the leak guard
 * (import_split.c) → shards and the commit (import.c). */
#ifndef FW_SNAP_IMPORT_H
#define FW_SNAP_IMPORT_H

#include "pipeline/snap/map.h"

#include "pipeline/snap/content.h"
#include "pipeline/snap/pack.h"
#include "pipeline/snap/phash.h"
#include "pipeline/snap/snapshot.h"
#include "pipeline/snap/source.h"

struct fw_item { /* one sample on its way in; texts are in the arena */
    const char *line;
    size_t len;
    const char *file; /* where it came from */
    int line_no;
    const char *id; /* NULL: made from `made_id` */
    char made_id[17];
    const char *file_name, *label;
    int klass;    /* index into classes; -1 for regression */
    int split;    /* -1 until assigned */
    bool given;   /* the source said the split */
    bool dropped; /* by the leak guard */
    git_oid oid;  /* of the file */
    struct fw_content content;
};

struct fw_import {
    struct fw_repo *r;
    const struct fw_import_options *o;
    struct fw_import_report *report;
    struct fw_import_problems *problems;
    struct fw_arena arena;
    struct fw_rows *rows;
    struct fw_pack *pack;
    struct fw_phashes *phashes; /* NULL unless near copies are looked for */
    char *base;
    struct fw_buf bytes; /* of the file read now */
    struct fw_item *v;
    size_t n, cap;
    const char **classes;
    size_t n_classes;
    size_t undecodable, features_n;
    unsigned contents; /* kinds of content met: FW_HAS_* */
    const char *last_place;
};

void fw_import_problem(void *ctx, const struct fw_err *problem);
/* The same at an item's place. */
void fw_import_bad(struct fw_import *m, const struct fw_item *item, const char *hint,
                   const char *fmt, ...) FW_PRINTF(4, 5);

/* A fw_sink row function: checks one row, reads its file, keeps it. ctx: struct fw_import. */
int fw_import_row(void *ctx, const char *text, size_t len, const char *file, int line,
                  struct fw_err *err);
/* Reads a file below the source's folder into m->bytes, following no link out of it. Why not: no
 * such file, a link that leaves, empty, too large, no memory. */
int fw_import_read(struct fw_import *m, const char *name, struct fw_err *why);
/* Ids for rows without one; duplicate ids are problems. */
int fw_import_ids(struct fw_import *m, struct fw_err *err);
/* The classes found (or checks against those given), and each item's. */
int fw_import_classes(struct fw_import *m, struct fw_err *err);
/* Gives every item a split, takes copies of evaluation samples out of train, checks what is left.
 */
int fw_import_splits(struct fw_import *m, struct fw_err *err);

#endif
