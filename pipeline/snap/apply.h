/* Inside pipeline/snap: patches on their way into a snapshot. State and look-ups (apply_state.c),
 * one function a kind of fix (apply_fix.c, apply_add.c), and the commit (apply.c). */
#ifndef FW_SNAP_APPLY_H
#define FW_SNAP_APPLY_H

#include "pipeline/snap/content.h"
#include "pipeline/snap/map.h"
#include "pipeline/snap/pack.h"
#include "pipeline/snap/phash.h"
#include "pipeline/snap/snapshot.h"
#include "pipeline/snap/tree.h"

struct fw_arow { /* one row; texts are borrowed from its shard or the arena */
    const char *line;
    size_t len;
    const char *id;
    int split;
    const char *by; /* the stage that changed it in this patch, or NULL */
    bool removed;
};

struct fw_ashard {
    const struct fw_shard *source; /* NULL: not in the parent */
    git_odb_object *blob;          /* set once loaded */
    struct fw_arow **v;
    size_t n, cap;
    bool loaded, dirty;
};

struct fw_known { /* contents there are, by key */
    unsigned char key[FW_KEY];
    const struct fw_arow *row;
    UT_hash_handle hh;
};

struct fw_class_count {
    const char *name;
    size_t in_train;
    UT_hash_handle hh;
};

struct fw_path { /* a file: new in this patch, or named by a row that was removed */
    const char *path;
    git_oid oid;
    UT_hash_handle hh;
};

struct fw_refused { /* a file that was read for a sample that was then set aside */
    git_oid oid;
    struct fw_refused *next;
};

struct fw_applying {
    struct fw_repo *r;
    const struct fw_apply_options *o;
    const struct fw_apply_part *part; /* the one applied now */
    struct fw_snapshot s;
    struct fw_arena arena;
    struct fw_rows *rows;
    struct fw_pack *pack;
    struct fw_ashard *shards; /* FW_SPLITS × s.shards */
    struct fw_class_count *classes;
    struct fw_files files;
    struct fw_path *added, *loose;
    struct fw_refused *refused;
    bool indexed; /* the following four are filled */
    struct fw_known *known, *near_texts;
    struct fw_phashes *phashes;
    struct fw_near *near_images;
    unsigned contents;
    size_t n_features;
    struct fw_buf guidelines, bytes;
    bool guidelines_loaded, guidelines_dirty;
    char why[600]; /* the reason when a fix is set aside */
};

int fw_applying_open(struct fw_applying *a, struct fw_repo *r, const char *parent,
                     const struct fw_apply_options *o, struct fw_err *err);
void fw_applying_release(struct fw_applying *a);
/* The row with this id in any split, or NULL; FW_OK unless reading fails. */
int fw_applying_find(struct fw_applying *a, const char *id, struct fw_arow **out,
                     struct fw_err *err);
int fw_applying_load_all(struct fw_applying *a, struct fw_err *err);
/* Fills what additions are compared with: all contents, and near copies' look-ups. */
int fw_applying_index(struct fw_applying *a, struct fw_err *err);
int fw_applying_append(struct fw_applying *a, const char *line, size_t len, const char *id,
                       struct fw_arow **out, struct fw_err *err);
struct fw_ashard *fw_applying_shard(struct fw_applying *a, int split, const char *id);
/* Remembers a content; the first row that has it is kept. */
int fw_known_add(struct fw_applying *a, struct fw_known **map, const unsigned char key[FW_KEY],
                 const struct fw_arow *row, struct fw_err *err);
struct fw_class_count *fw_class_find(const struct fw_applying *a, const char *name);

/* Each: FW_OK and *ok says whether the fix was applied; when not, a->why holds the reason. Another
 * code ends the whole apply. */
int fw_fix_relabel(struct fw_applying *a, const struct fw_fix *fix, bool *ok, struct fw_err *err);
int fw_fix_remove(struct fw_applying *a, const struct fw_fix *fix, bool *ok, struct fw_err *err);
int fw_fix_confirm(struct fw_applying *a, const struct fw_fix *fix, bool *ok, struct fw_err *err);
int fw_fix_add(struct fw_applying *a, const struct fw_fix *fix, bool *ok, struct fw_err *err);
int fw_fix_guideline(struct fw_applying *a, const struct fw_fix *fix, bool *ok, struct fw_err *err);

/* Writes the reason; always returns false. */
bool fw_set_aside(struct fw_applying *a, const char *fmt, ...) FW_PRINTF(2, 3);
/* Is the JSON value a label of the task? Else set aside, naming it `what`. */
bool fw_label_valid(struct fw_applying *a, const json_t *label, const char *what);
/* "labels" of a fix merged into those there are (may be NULL); a new reference, NULL when there are
 * none at all. */
json_t *fw_labels_merged(const json_t *old, const json_t *fix);

#endif
