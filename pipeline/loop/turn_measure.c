/* Candidates and their parts: made, measured, compared. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/loop/turn.h"

int fw_turn_keep_ref(const struct fw_turn *t, const char *label, const char *oid,
                     struct fw_err *err)
{
    char ref[512];
    snprintf(ref, sizeof ref, "refs/flywheel/candidates/%s/%d%s%s", t->l->run, t->k,
             *label ? "-" : "", label);
    return fw_repo_set_ref(t->l->repo, ref, oid, err);
}

int fw_turn_apply(struct fw_turn *t, struct fw_parts *parts, const bool *chosen, const char *label,
                  char oid[FW_OID_HEX], json_t **aside, struct fw_err *err)
{
    struct fw_loop *l = t->l;
    struct fw_apply_part *list = calloc(parts->n + 1, sizeof *list);
    struct fw_apply_counts *counts = calloc(parts->n + 1, sizeof *counts);
    json_t *refused = NULL;
    char trailers[512];
    size_t n = 0;
    if (!list || !counts) {
        free(list);
        free(counts);
        return fw_err_nomem(err);
    }
    for (size_t i = 0; i < parts->n; i++)
        if (!chosen || chosen[i])
            list[n++] = fw_part_apply(&parts->list[i], t->k);
    snprintf(trailers, sizeof trailers, "Flywheel-Run: %s\nFlywheel-Iteration: %d\n", l->run, t->k);
    struct fw_apply_options o = {.run = l->run,
                                 .near_copies = l->plan->dataset.near_copies,
                                 .trailers = trailers,
                                 .when = t->when};
    int rc = fw_snap_apply(l->repo, l->head->oid, list, n, &o, oid, counts, &refused, err);
    for (size_t i = 0; rc == FW_OK && !chosen && i < parts->n; i++)
        parts->list[i].counts = counts[i];
    if (rc == FW_OK && strcmp(oid, l->head->oid))
        rc = fw_turn_keep_ref(t, label, oid, err);
    if (rc == FW_OK && aside)
        *aside = json_incref(refused);
    json_decref(refused);
    free(list);
    free(counts);
    return rc;
}

int fw_turn_measure(struct fw_turn *t, struct fw_parts *parts, bool whole, bool alone,
                    struct fw_err *err)
{
    struct fw_loop *l = t->l;
    size_t n = 0, max = parts->n + 2;
    const char **oids = calloc(max, sizeof *oids), **labels = calloc(max, sizeof *labels);
    struct fw_measured **out = calloc(max, sizeof *out);
    bool *one = calloc(max, sizeof *one);
    int rc = oids && labels && out && one ? FW_OK : fw_err_nomem(err);
    if (rc == FW_OK && whole) {
        oids[n] = t->candidate;
        labels[n++] = "";
    }
    for (size_t i = 0; rc == FW_OK && alone && i < parts->n; i++) {
        struct fw_part *p = &parts->list[i];
        if (!fw_part_effective(p) || p->alone)
            continue;
        memset(one, 0, max * sizeof *one);
        one[i] = true;
        rc = fw_turn_apply(t, parts, one, p->label, p->oid, NULL, err);
        oids[n] = p->oid;
        labels[n++] = p->label;
    }
    fw_observe(&l->o->observer, "{s:s, s:s}", "event", "phase", "phase",
               whole ? "measure" : "ablation");
    if (rc == FW_OK && n)
        rc = fw_measure(l, t->k, oids, labels, n, out, err);
    if (rc == FW_OK) {
        size_t j = 0;
        if (whole)
            t->measured = out[j++];
        for (size_t i = 0; i < parts->n && j < n; i++)
            if (parts->list[i].oid[0] && !parts->list[i].alone)
                parts->list[i].alone = out[j++];
    }
    free(oids);
    free(labels);
    free(out);
    free(one);
    return rc;
}

int fw_turn_compare(struct fw_loop *l, const struct fw_measured *before,
                    const struct fw_measured *after, struct fw_comparison *out, struct fw_err *err)
{
    return fw_scores_compare(l->dev, &l->metric, before->scores, after->scores,
                             l->plan->loop.confidence, fw_gate_resamples(&l->rules), l->plan->seed,
                             out, err);
}

int fw_turn_part_gains(struct fw_turn *t, struct fw_parts *parts, struct fw_err *err)
{
    for (size_t i = 0; i < parts->n; i++) {
        struct fw_part *p = &parts->list[i];
        const struct fw_measured *m = p->alone;
        if (!m && fw_part_effective(p) && fw_parts_effective(parts) == 1)
            m = t->measured;
        if (!m)
            continue;
        int rc = fw_turn_compare(t->l, t->l->head, m, &p->gain, err);
        if (rc != FW_OK)
            return rc;
        p->has_gain = true;
    }
    return FW_OK;
}
