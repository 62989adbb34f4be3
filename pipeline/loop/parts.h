/*
 * The parts of a candidate: the fixes of one proposing node, or, where its fixes name parts, one for
 * each name ("augment:noise"; the 15 with the most fixes, and "augment:others"), with which of them
 * are taken, what they cost, and what they gained alone. A rejected candidate of one part is split
 * by class, so that it can be tried apart as well. Each part that is measured alone is a training.
 */
#ifndef FW_LOOP_PARTS_H
#define FW_LOOP_PARTS_H

#include <jansson.h>

#include "pipeline/loop/history.h"
#include "pipeline/loop/runner.h"
#include "stages/evaluate/compare.h"

struct fw_measured;

struct fw_part {
    const struct fw_stage *stage;
    const char *node;       /* "relabel", "augment[size=2]" */
    char label[160];        /* folder and ref name of its own measurement */
    char name[160];         /* for the report: the node, "augment:noise", or "relabel: pitted" */
    struct fw_patch *patch; /* of the node; the parts of one node share it */
    bool owns_patch;
    bool *take;         /* per fix */
    bool *aside;        /* per fix: set aside when the patch was applied */
    size_t n_taken;     /* fixes taken */
    size_t n_effective; /* of those, the ones that change the dataset */
    size_t n_set_aside;
    double labels, money; /* of all its fixes, also those that were set aside */
    struct fw_apply_counts counts;
    char oid[FW_OID_HEX];      /* head + this part alone; "" until made */
    struct fw_measured *alone; /* owned */
    struct fw_comparison gain; /* over the head */
    bool has_gain, kept;
};

struct fw_parts {
    size_t n;
    struct fw_part *list;
};

/* Reads the patch of every proposing node and splits it by "part"; fixes that history refuses go to `aside`
 * ({"stage","fix", "reason"}). */
int fw_parts_load(struct fw_parts *parts, const struct fw_job *job,
                  const struct fw_history *history, json_t *aside, struct fw_err *err);
void fw_parts_release(struct fw_parts *parts, void (*free_measured)(struct fw_measured *));
size_t fw_parts_fixes(const struct fw_parts *parts);     /* taken, of all parts */
size_t fw_parts_effective(const struct fw_parts *parts); /* parts that change the dataset */
bool fw_part_effective(const struct fw_part *part);
/* After the fixes were applied: those that were set aside are no longer taken, and all are
 * remembered. */
int fw_parts_settle(struct fw_parts *parts, const json_t *aside, struct fw_history *history,
                    const char *run, int iteration, struct fw_err *err);
/* Splits one part by class into `out` (at most eight; the rarest share the last). out->n is 0 when
 * there is only one class. */
int fw_parts_split(const struct fw_part *part, struct fw_parts *out, struct fw_err *err);
struct fw_apply_part fw_part_apply(const struct fw_part *part, int iteration);
/* [op, id, to] of the taken fixes. New reference. */
json_t *fw_part_taken(const struct fw_part *part);
/* For the journal: {"stage","kind","taken","aside","counts","labels","money"}. New reference.
 */
json_t *fw_part_record(const struct fw_part *part);
/* {"part","fixes","gain","low","high","verdict","kept"}; gains null when not measured. New reference. */
json_t *fw_part_gain_record(const struct fw_part *part);

#endif
