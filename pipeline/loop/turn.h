/* One turn's own state, shared by turn.c (the steps), turn_measure.c and turn_act.c. Not for others. */
#ifndef FW_LOOP_TURN_H
#define FW_LOOP_TURN_H

#include "pipeline/loop/loop_state.h"
#include "pipeline/loop/parts.h"

struct fw_turn {
    struct fw_loop *l;
    int k;
    int64_t when;
    struct fw_graph *graph; /* improve */
    struct fw_job job;
    struct fw_parts parts;
    struct fw_parts split; /* of a rejected candidate with one part */
    json_t *aside;
    json_t *fates; /* for the journal */
    char candidate[FW_OID_HEX];
    struct fw_measured *measured; /* of the candidate */
    json_t *ablation;
};

struct fw_decision {
    struct fw_comparison cmp;
    double permutation_p; /* NaN: not for this metric */
    struct fw_guard *guards;
    size_t n_guards;
    struct fw_gate_result gate;
};

/* turn_measure.c */
/* Applies the chosen parts (NULL: all) to the head, and keeps the commit under a ref. aside may be NULL. */
int fw_turn_apply(struct fw_turn *t, struct fw_parts *parts, const bool *chosen, const char *label,
                  char oid[FW_OID_HEX], json_t **aside, struct fw_err *err);
/* Keeps a commit of this iteration from git's garbage collection. */
int fw_turn_keep_ref(const struct fw_turn *t, const char *label, const char *oid,
                     struct fw_err *err);
/* Measures the candidate (when `whole`) and each effective part of `parts` alone (when `alone`), at once. */
int fw_turn_measure(struct fw_turn *t, struct fw_parts *parts, bool whole, bool alone,
                    struct fw_err *err);
int fw_turn_compare(struct fw_loop *l, const struct fw_measured *before,
                    const struct fw_measured *after, struct fw_comparison *out, struct fw_err *err);
/* Gains of the parts over the head: measured alone, or the candidate's own when it has one part. */
int fw_turn_part_gains(struct fw_turn *t, struct fw_parts *parts, struct fw_err *err);

/* turn_act.c */
int fw_turn_decide(struct fw_turn *t, const struct fw_measured *candidate, bool second,
                   struct fw_decision *d, struct fw_err *err);
/* The candidate (or what an ablation kept of it) stays: as champion, or provisionally. */
int fw_turn_accept(struct fw_turn *t, struct fw_measured *m, enum fw_verdict verdict,
                   struct fw_err *err);
/* Back to the head before; or to the champion, when the provisional fixes had already cost something. */
int fw_turn_roll_back(struct fw_turn *t, struct fw_err *err);
/* Tries the parts of a rejected candidate apart and keeps those that do not hurt. *kept stays NULL when there
 * is nothing to keep, or nothing to leave out. */
int fw_turn_ablate(struct fw_turn *t, struct fw_measured **kept, struct fw_decision *d,
                   struct fw_err *err);

#endif
