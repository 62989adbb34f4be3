/* Inside pipeline/snap: a snapshot opened for reading, shard by shard and row by row. */
#ifndef FW_SNAP_SNAPSHOT_H
#define FW_SNAP_SNAPSHOT_H

#include "pipeline/base/arena.h"
#include "pipeline/base/rows.h"
#include "pipeline/snap/repo.h"

enum { FW_SPLIT_TRAIN, FW_SPLIT_DEV, FW_SPLIT_TEST, FW_SPLITS };

const char *fw_split_name(int split);
/* FW_SPLIT_*, or -1 for a word that names none. "val", "valid" and "validation" are dev. */
int fw_split_parse(const char *word);

struct fw_shard {
    int split;
    unsigned index;
    git_oid oid;
};

struct fw_snapshot {
    struct fw_repo *r;
    struct fw_arena arena;
    git_oid commit, tree, files, guidelines;
    bool has_files, has_guidelines;
    enum fw_task task;
    const char **classes;
    size_t n_classes;
    unsigned shards;    /* a power of two */
    struct fw_shard *v; /* the shards that exist, by split and index */
    size_t n;
};

int fw_snapshot_open(struct fw_repo *r, const char *oid, struct fw_snapshot *out,
                     struct fw_err *err);
void fw_snapshot_release(struct fw_snapshot *s);
bool fw_snapshot_has_class(const struct fw_snapshot *s, const char *name);

unsigned fw_shard_of(const char *id, unsigned shards);
enum { FW_SHARD_PATH = 64 };
void fw_shard_path(int split, unsigned index, unsigned shards, char out[FW_SHARD_PATH]);

/* Calls fn for each row of a split (FW_SPLITS = all) in order; row is borrowed for the call. */
typedef int fw_snapshot_row_fn(void *ctx, int split, const struct fw_row *row, struct fw_err *err);
int fw_snapshot_each(const struct fw_snapshot *s, int split, fw_snapshot_row_fn *fn, void *ctx,
                     struct fw_err *err);
/* The same over the bytes of one shard. */
int fw_shard_each(struct fw_rows *rows, const struct fw_snapshot *s, int split, unsigned index,
                  const char *data, size_t n, fw_snapshot_row_fn *fn, void *ctx,
                  struct fw_err *err);

/* {"version":1,...} of a new dataset. */
int fw_dataset_json(enum fw_task task, const char *const *classes, size_t n_classes,
                    unsigned shards, struct fw_buf *out, struct fw_err *err);

#endif
