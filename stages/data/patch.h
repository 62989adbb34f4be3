/*
 * A patch: the fixes one stage proposes in one iteration, in order.
 *
 * On disk: a file of JSON lines, or a folder with patch.jsonl and files/ (the content of added
 * samples, at the path their file_name says). One fix a line:
 *
 *   {"op":"relabel","id":I,"from":L,"to":L, ...}     the label becomes `to`; refused unless it is
 *                                                    `from` now
 *   {"op":"remove","id":I,"from":L?, ...}            the row goes
 *   {"op":"add","sample":{row without split}, ...}   a new train sample; "parent":I for augmentations
 *   {"op":"confirm","id":I,"label":L, ...}           looked at and found right: no change, not asked
 *                                                    again
 *   {"op":"guideline","class":C,"text":T, ...}       replaces the section of C in GUIDELINES.md
 *
 * and on any of them: "reason" (text), "by" ([annotator]), "labels" ([{"by","label"}]), "cost"
 * ({"labels":n,"money":x}), "slice" (text: what it was aimed at), "score" (number), "part" (the
 * kind of change it is, up to 60 letters, digits, '.', '_' and '-': the fixes of one part are
 * measured, kept and dropped together and apart from those of others), "checklist" (an
 * augmentation's answers, stages/augment/checklist.h). Unknown fields are kept. Labels are JSON
 * values, compared by value.
 */
#ifndef FW_STAGES_PATCH_H
#define FW_STAGES_PATCH_H

#include <jansson.h>
#include <stddef.h>

#include "pipeline/base/err.h"

enum fw_op { FW_OP_RELABEL, FW_OP_REMOVE, FW_OP_ADD, FW_OP_CONFIRM, FW_OP_GUIDELINE, FW_OPS };

struct fw_fix {
    enum fw_op op;
    const char
        *id; /* relabel, remove, confirm; for add the sample's id or NULL; borrowed from json */
    json_t *json; /* the whole object, owned by the patch */
    int line;     /* in the patch file, 1-based */
};

struct fw_patch {
    size_t n;
    struct fw_fix *fixes;
    char *dir; /* folder with files/, or NULL when the patch is a single file */
};

const char *fw_op_name(enum fw_op op);
/* Reads and checks the shape of each fix; FW_EINVAL with file:line. An empty patch is valid. */
int fw_patch_load(const char *path, struct fw_patch **out, struct fw_err *err);
void fw_patch_free(struct fw_patch *patch);
/* What one fix costs: cost.labels and cost.money, 0 when absent. */
double fw_fix_labels(const struct fw_fix *fix);
double fw_fix_money(const struct fw_fix *fix);

/* Writing, for plugins: opens dir (created) and its patch.jsonl; each fix is one line. */
struct fw_patch_writer;
int fw_patch_writer_open(const char *dir, struct fw_patch_writer **out, struct fw_err *err);
int fw_patch_writer_add(struct fw_patch_writer *w, json_t *fix /* stolen */, struct fw_err *err);
/* Copies a file to files/<file_name>, making folders. */
int fw_patch_writer_file(struct fw_patch_writer *w, const char *from, const char *file_name,
                         struct fw_err *err);
int fw_patch_writer_bytes(struct fw_patch_writer *w, const void *data, size_t n,
                          const char *file_name, struct fw_err *err);
int fw_patch_writer_close(struct fw_patch_writer *w,
                          struct fw_err *err); /* frees w in every case */

#endif
