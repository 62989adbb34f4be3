/* What follows from a verdict: the champion, the head, the branch and the fate of each fix. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/loop/turn.h"

int fw_turn_decide(struct fw_turn *t, const struct fw_measured *candidate, bool second,
                   struct fw_decision *d, struct fw_err *err)
{
    struct fw_loop *l = t->l;
    free(d->guards);
    d->n_guards = fw_evalset_guards(l->dev);
    d->guards = calloc(d->n_guards + 1, sizeof *d->guards);
    int rc =
        d->guards ? fw_turn_compare(l, l->champion, candidate, &d->cmp, err) : fw_err_nomem(err);
    if (rc == FW_OK)
        rc = fw_scores_permute(l->dev, &l->metric, l->champion->scores, candidate->scores,
                               l->plan->seed, &d->permutation_p, err);
    if (rc == FW_OK)
        rc = fw_scores_guards(l->dev, l->champion->scores, candidate->scores, d->guards, err);
    if (rc == FW_OK) {
        fw_gate_decide(&l->rules, second, &d->cmp, d->guards, d->n_guards, &d->gate);
        l->looks++;
    }
    return rc;
}

/* A move that the journal knows is done was followed by others; one that was cut off before its record
 * finds the branch where it belongs. */
static int move_branch(const struct fw_turn *t, const char *from, const char *to,
                       struct fw_err *err)
{
    char ref[512];
    if (fw_loop_find(t->l, "gate", t->k))
        return FW_OK;
    snprintf(ref, sizeof ref, "refs/heads/flywheel/%s", t->l->plan->name);
    return fw_repo_move(t->l->repo, ref, from, to, "flywheel: new champion", err);
}

/* The snapshot with its score in the trailers, as it stays in the history of the branch. */
static int seal(struct fw_turn *t, struct fw_measured *m, enum fw_verdict verdict,
                struct fw_err *err)
{
    const json_t *s = json_object_get(m->report, "score");
    double value = json_number_value(json_object_get(s, "value"));
    double half = (json_number_value(json_object_get(s, "high")) -
                   json_number_value(json_object_get(s, "low"))) /
                  2;
    char trailers[512], oid[FW_OID_HEX];
    snprintf(trailers, sizeof trailers, "Flywheel-Metric: %s=%.4f±%.4f\nFlywheel-Verdict: %s\n",
             t->l->plan->metric.name, value, half, fw_verdict_name(verdict));
    int rc = fw_snap_reword(t->l->repo, m->oid, trailers, t->when, oid, err);
    if (rc == FW_OK)
        rc = fw_turn_keep_ref(t, "kept", oid, err);
    if (rc == FW_OK)
        snprintf(m->oid, sizeof m->oid, "%s", oid);
    return rc;
}

/* Remembers what became of fixes: now, and in the journal's gate record. fixes: stolen; NULL = all.
 */
static int set_fate(struct fw_turn *t, int from, int to, json_t *fixes, const char *fate,
                    struct fw_err *err)
{
    struct fw_history *h = t->l->history;
    size_t i;
    json_t *fix;
    int rc = fixes ? FW_OK : fw_history_fate(h, t->l->run, from, to, NULL, fate, err);
    json_array_foreach (fixes, i, fix) {
        if (rc == FW_OK)
            rc = fw_history_fate(h, t->l->run, from, to, fix, fate, err);
    }
    json_array_append_new(t->fates, json_pack("{s:i, s:i, s:s, s:o?}", "from", from, "to", to,
                                              "fate", fate, "fixes", fixes));
    return rc;
}

/* The provisional fixes of earlier runs, which this run's head was built on. */
static int set_inherited_fate(struct fw_turn *t, const char *fate, struct fw_err *err)
{
    if (!t->l->inherited)
        return FW_OK;
    t->l->inherited = false;
    json_array_append_new(t->fates, json_pack("{s:b, s:s}", "inherited", 1, "fate", fate));
    return fw_history_fate(t->l->history, NULL, 0, 0, NULL, fate, err);
}

static void replace(struct fw_measured **at, struct fw_measured *with)
{
    struct fw_measured *old = *at;
    *at = fw_measured_ref(with);
    fw_measured_free(old);
}

int fw_turn_accept(struct fw_turn *t, struct fw_measured *m, enum fw_verdict verdict,
                   struct fw_err *err)
{
    struct fw_loop *l = t->l;
    int rc = seal(t, m, verdict, err);
    if (rc == FW_OK && verdict == FW_VERDICT_IMPROVED)
        rc = move_branch(t, l->champion->oid, m->oid, err);
    if (rc != FW_OK)
        return rc;
    if (verdict == FW_VERDICT_IMPROVED) {
        rc = set_fate(t, l->head_since ? l->head_since : t->k, t->k, NULL, "kept", err);
        if (rc == FW_OK)
            rc = set_inherited_fate(t, "kept", err);
        replace(&l->champion, m);
        fw_measure_tell_audit(l, m->report);
        l->head_since = 0;
        l->stop.since_improved = 0;
    } else if (!l->head_since) {
        l->head_since = t->k;
    }
    replace(&l->head, m);
    return rc;
}

int fw_turn_roll_back(struct fw_turn *t, struct fw_err *err)
{
    struct fw_loop *l = t->l;
    struct fw_comparison cmp;
    int from = t->k;
    if (l->head != l->champion) {
        int rc = fw_turn_compare(l, l->champion, l->head, &cmp, err);
        if (rc != FW_OK)
            return rc;
        if (cmp.gain < 0) {
            from = l->head_since ? l->head_since : t->k;
            replace(&l->head, l->champion);
            l->head_since = 0;
            rc = set_inherited_fate(t, "rejected", err);
            if (rc != FW_OK)
                return rc;
        }
    }
    return set_fate(t, from, t->k, NULL, "rejected", err);
}

int fw_turn_ablate(struct fw_turn *t, struct fw_measured **kept, struct fw_decision *d,
                   struct fw_err *err)
{
    struct fw_loop *l = t->l;
    struct fw_parts *parts = &t->parts;
    size_t n = 0, all = 0;
    char oid[FW_OID_HEX];
    int rc = FW_OK;
    for (size_t i = 0; fw_parts_effective(&t->parts) == 1 && i < t->parts.n; i++) {
        if (!fw_part_effective(&t->parts.list[i]))
            continue;
        rc = fw_parts_split(&t->parts.list[i], &t->split, err);
        parts = &t->split;
    }
    if (rc != FW_OK || fw_parts_effective(parts) < 2)
        return rc;
    bool *chosen = calloc(parts->n + 1, sizeof *chosen);
    if (!chosen)
        return fw_err_nomem(err);
    rc = fw_turn_measure(t, parts, false, true, err);
    if (rc == FW_OK)
        rc = fw_turn_part_gains(t, parts, err);
    for (size_t i = 0; rc == FW_OK && i < parts->n; i++) {
        struct fw_part *p = &parts->list[i];
        chosen[i] = p->kept = !fw_part_effective(p) || (p->has_gain && p->gain.gain >= 0);
        all += fw_part_effective(p);
        n += fw_part_effective(p) && chosen[i];
    }
    if (rc == FW_OK && n && n < all) {
        rc = fw_turn_apply(t, parts, chosen, "kept-parts", oid, NULL, err);
        const char *oids[] = {oid}, *labels[] = {"kept-parts"};
        if (rc == FW_OK)
            rc = fw_measure(l, t->k, oids, labels, 1, kept, err);
        if (rc == FW_OK)
            rc = fw_turn_decide(t, *kept, true, d, err);
    }
    for (size_t i = 0; rc == FW_OK && i < parts->n; i++) {
        struct fw_part *p = &parts->list[i];
        if (!*kept || d->gate.verdict == FW_VERDICT_WORSE)
            p->kept = false;
        else if (!p->kept)
            rc = set_fate(t, t->k, t->k, fw_part_taken(p), "rejected", err);
        if (fw_part_effective(p))
            json_array_append_new(t->ablation, fw_part_gain_record(p));
    }
    free(chosen);
    return rc;
}
