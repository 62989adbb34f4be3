/*
 * Datasets and snapshots: the only folder that includes libgit2 (opened on first use with dlopen).
 *
 * A snapshot is a commit on refs/heads/flywheel/<name>. Its tree:
 *   dataset.json                        {"version":1, "task", "classes", "shards"}
 *   samples/<split>/<hex>.jsonl         rows, sharded by hash of the id; in a shard, order of arrival
 *   files/<file_name>                   contents named by rows
 *   GUIDELINES.md                       labelling instructions, one "## class" section each
 *   patches/<iteration>-<stage>.jsonl   the fixes that made this snapshot from its parent, and those
 *                                       set aside
 * The user's index and work tree are never touched. Refs move last, when all objects are on disk, and
 * by compare-and-swap: a branch that someone else moved is FW_EREFUSED and names both commits.
 * Blocking; one thread per fw_repo.
 */
#ifndef FW_SNAP_SNAP_H
#define FW_SNAP_SNAP_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "pipeline/base/buf.h"
#include "stages/contract.h"
#include "stages/data/patch.h"

enum { FW_OID_HEX = 41 };

struct fw_repo;

/* The repository that holds `root` (or the one at `repo` when not NULL, which may be bare). Absent,
 * or found from root but bare: FW_EINVAL with what to do. state_dir is .flywheel, for views. */
int fw_repo_open(const char *root, const char *repo, const char *state_dir, struct fw_repo **out,
                 struct fw_err *err);
void fw_repo_close(struct fw_repo *r);
/* Makes a git repository in root when it is not in one; *made says whether. */
int fw_repo_init(const char *root, bool *made, struct fw_err *err);
/* The current commit of a snapshot branch; FW_ENOTFOUND when there is none. */
int fw_repo_branch(struct fw_repo *r, const char *name, char oid[FW_OID_HEX], struct fw_err *err);
/* Resolves what a user types: a full or short id, a branch, "flywheel/<name>", "run:<id>", a tag,
 * HEAD~1 forms relative to the branch of `name`, "@<iteration>" of the newest run. FW_ENOTFOUND. */
int fw_repo_resolve(struct fw_repo *r, const char *name, const char *text, char oid[FW_OID_HEX],
                    struct fw_err *err);
/* Moves refs/heads/flywheel/<name> (or any full ref name) from `expected` ("" = must not exist) to
 * oid; `why` goes to the reflog. A ref that is at oid already is left there and fine, so a move
 * that was cut off may be repeated. FW_EREFUSED: someone else moved it, or it is checked out. */
int fw_repo_move(struct fw_repo *r, const char *ref, const char *expected, const char *oid,
                 const char *why, struct fw_err *err);
/* The commit of a full ref name; FW_ENOTFOUND. */
int fw_repo_ref(struct fw_repo *r, const char *ref, char oid[FW_OID_HEX], struct fw_err *err);
/* Does oid have `ancestor` among its first parents, or is it that commit? */
int fw_repo_descends(struct fw_repo *r, const char *oid, const char *ancestor, bool *out,
                     struct fw_err *err);
/* Creates or overwrites a ref of our own (refs/flywheel/...). */
int fw_repo_set_ref(struct fw_repo *r, const char *ref, const char *oid, struct fw_err *err);
/* Merges the small packs that snapshots have left, when there are more than `more_than`, into one;
 * *merged: how many. Nothing is left out. Safe beside readers and writers, ours and git's. */
int fw_repo_tidy_packs(struct fw_repo *r, size_t more_than, size_t *merged, struct fw_err *err);
/* Commits a set of small files as one tree (run records) with no parent or one; does not move any
 * ref. */
int fw_repo_commit_files(struct fw_repo *r, const char *const *names, const struct fw_buf *contents,
                         size_t n, const char *parent, const char *message, int64_t when,
                         char oid[FW_OID_HEX], struct fw_err *err);

struct fw_import_options {
    const char *name;   /* branch flywheel/<name> */
    const char *source; /* folder or file, absolute */
    enum fw_task task;
    const char *const *classes; /* may be NULL: found in the data, sorted */
    size_t n_classes;
    double dev, test; /* shares for rows without a split */
    bool near_copies;
    uint64_t seed;
    int64_t when;   /* commit time */
    bool only_read; /* fw_source_load: samples need no content, columns of numbers stay metadata */
};

struct fw_import_report {
    size_t rows, train, dev, test;
    size_t dropped_exact, dropped_near; /* train rows equal to evaluation rows, left out */
    struct fw_buf warnings;             /* one plain line each */
};

/* Imports samples.jsonl, metadata.jsonl or their .csv in a folder, a .jsonl, .csv or .tsv file, or
 * a folder per class (optionally below train/dev/test folders), as one commit on flywheel/<name>
 * whose parent is the branch's commit, if there is one; moves the branch as its last step. A tree
 * that the branch has already gives its commit. Problems: up to 20, all at once, with file:line;
 * nothing is imported half. The caller releases report->warnings, on failure too. */
struct fw_import_problems {
    size_t n, more;
    struct fw_err list[20];
};
int fw_snap_import(struct fw_repo *r, const struct fw_import_options *o, char oid[FW_OID_HEX],
                   struct fw_import_report *report, struct fw_import_problems *problems,
                   struct fw_err *err);

/* What a snapshot holds:
 * {"task","classes":[...],"rows":{"train":n,...},"commit","tree","parent","message"}. */
int fw_snap_info(struct fw_repo *r, const char *oid, json_t **out, struct fw_err *err);
/* SHA-256 over the rows of a split and the ids of the blobs they name, in order. */
int fw_snap_split_digest(struct fw_repo *r, const char *oid, const char *split, char hex[65],
                         struct fw_err *err);
/* GUIDELINES.md of a snapshot, appended; nothing when it has none. */
int fw_snap_guidelines(struct fw_repo *r, const char *oid, struct fw_buf *out, struct fw_err *err);
/* Calls fn for each row of one split ("all" = train and dev) in order; line has no line end. */
typedef int fw_snap_row_fn(void *ctx, const char *line, size_t len, struct fw_err *err);
int fw_snap_rows(struct fw_repo *r, const char *oid, const char *split, fw_snap_row_fn *fn,
                 void *ctx, struct fw_err *err);

/* Which rows a view holds. */
struct fw_view_spec {
    const char *split; /* "train", "dev", "test", or "all" = train and dev */
    int fold, folds; /* folds = 0: no folding. Else train rows whose content's fold is (part) or is
                        not (rest) `fold` */
    bool part;
    int one_of; /* 0 = all; else one in `one_of`: the contents whose hash lies in the first part,
                   and of each class at least one. A subset of the same with a smaller number;
                   does not move when rows are added */
    size_t limit; /* 0 = all; else the first `limit` rows in a stable stratified order (sanity
                     check) */
};
/* A read-only folder with samples.jsonl and the files its rows name (hard links into a shared pool
 * of unpacked contents), made or reused. path: absolute, malloc'd; digest: SHA-256 of rows and
 * contents. Rows keep their bytes. Copies of one content, and augmentations of one parent, fall
 * into one fold. */
int fw_snap_view(struct fw_repo *r, const char *oid, const struct fw_view_spec *spec, char **path,
                 char digest[65], struct fw_err *err);
/* A plain writable copy for a user: samples.jsonl (with "split"), files, GUIDELINES.md. dir must
 * not exist or be empty. */
int fw_snap_checkout(struct fw_repo *r, const char *oid, const char *dir, struct fw_err *err);

/* Applies patches to a snapshot, each fix checked on its own: the sample exists and is a train
 * sample, the old label is what the fix says, the class is known, the file is inside the patch and
 * readable, the content is not that of an evaluation sample (exact, and near when asked) nor a copy
 * of a train sample. A fix that fails is set aside with its reason; the others go on. */
struct fw_apply_part {
    const char *name;  /* in the commit's message, "augment:noise"; NULL: the stage */
    const char *stage; /* "relabel" */
    const char *plugin, *plugin_version;
    int iteration;
    const struct fw_patch *patch;
    const bool *take; /* per fix; NULL = all */
};
struct fw_apply_counts {
    size_t relabel, remove, add, confirm, guideline, set_aside;
};
struct fw_apply_options {
    const char *run;
    bool near_copies;
    const char *message;  /* the commit message, first line and body, without trailers; NULL = made
                             from the counts */
    const char *trailers; /* lines "Key: value\n"; may be NULL */
    int64_t when;
};
/* aside: array of {"stage","fix":…,"reason"} (new reference); counts: one per part. When nothing at
 * all changes the dataset, oid is the parent's. Does not move any ref. */
int fw_snap_apply(struct fw_repo *r, const char *parent, const struct fw_apply_part *parts,
                  size_t n, const struct fw_apply_options *o, char oid[FW_OID_HEX],
                  struct fw_apply_counts *counts, json_t **aside, struct fw_err *err);

/* The same snapshot with trailers ("Key: value\n" lines) added to its message: another commit of the
 * same tree and parent. Does not move any ref. */
int fw_snap_reword(struct fw_repo *r, const char *oid, const char *trailers, int64_t when,
                   char out[FW_OID_HEX], struct fw_err *err);

/* Differences in samples: {"added":n,"removed":n,"relabelled":n,"changed":n,"splits":{...},
 * "relabels":[{"from","to","n"}], "by_class":[{"class","added","removed","in","out"}],
 * "samples":[{"id","change","from","to"}]} (samples capped at max; "more" says how many were left
 * out). */
int fw_snap_diff(struct fw_repo *r, const char *a, const char *b, size_t max, json_t **out,
                 struct fw_err *err);
/* Snapshots of a branch, newest first: [{"commit","when","subject","trailers":{...}}]. */
int fw_snap_list(struct fw_repo *r, const char *name, json_t **out, struct fw_err *err);

#endif
