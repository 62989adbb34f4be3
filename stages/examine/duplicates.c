/* Samples that are there twice, or nearly so. */
#include <math.h>
#include <stdlib.h>

#include "stages/examine/examine.h"
#include "stages/quality/duplicates.h"

struct ids {
    const struct fw_labelled *l;
    char buf[24];
};

static const char *id_of(struct ids *x, size_t i)
{
    const struct fw_labelled *l = x->l;
    return l->data ? l->data->samples[i].id : fw_labelled_id(l, i, x->buf);
}

static json_t *group_json(const struct fw_duplicates *d, const struct fw_dup_group *g,
                          struct ids *ids)
{
    json_t *members = json_array();
    double least = 1;
    enum fw_dup_how how = FW_DUP_EXACT;
    for (size_t m = 0; m < g->n_members; m++)
        json_array_append_new(members, json_string(id_of(ids, d->members[g->member + m])));
    for (size_t m = 0; m < g->n_links; m++) {
        const struct fw_link *link = &d->links.v[g->link + m];
        least = fmin(least, (double)link->similarity);
        how = link->how > how ? link->how : how;
    }
    return json_pack("{s:o, s:s, s:f, s:b, s:b}", "members", members, "how", fw_dup_how_name(how),
                     "similarity", least, "crosses", g->crosses, "disagrees", g->disagrees);
}

/* The worst first: those that cross splits, then those with different labels. */
static int rank_of(const struct fw_dup_group *g)
{
    return (g->crosses ? 0 : 2) + (g->disagrees ? 0 : 1);
}

int fw_examine_duplicates(const struct fw_examine *x, struct fw_err *err)
{
    const struct fw_labelled *l = x->l;
    struct fw_duplicates d = {.n_groups = 0};
    struct fw_dup_params params = fw_dup_defaults();
    struct ids ids = {.l = l};
    /* Neighbours are of the samples that were joined; copies are looked for among all. In a few columns of
     * numbers some samples are near by chance, so only embeddings tell near copies. */
    bool same = !l->data || l->n == l->data->n;
    const struct fw_neighbours *nb = same && l->embeddings ? x->neighbours : NULL;
    if (!l->data && !nb)
        return fw_examine_note(x, err,
                               "Arrays without embeddings have no content to compare, so no "
                               "copies are looked for.");
    params.seed = x->seed;
    int rc = fw_duplicates_find(l->data, nb, l->data ? NULL : l->klass, &params, &d, err);
    if (rc != FW_OK)
        return rc;
    json_t *groups = json_array();
    for (int rank = 0; rank < 4; rank++)
        for (size_t g = 0; g < d.n_groups; g++)
            if (rank_of(&d.groups[g]) == rank)
                json_array_append_new(groups, group_json(&d, &d.groups[g], &ids));
    size_t extra = d.n_members - d.n_groups, n = l->data ? l->data->n : l->n;
    json_t *part = json_pack("{s:I, s:I, s:I, s:I, s:I, s:o}", "groups_n", (json_int_t)d.n_groups,
                             "samples", (json_int_t)d.n_members, "crossing",
                             (json_int_t)d.n_crossing, "disagreeing", (json_int_t)d.n_disagreeing,
                             "unreadable", (json_int_t)d.unreadable, "groups", groups);
    if (json_object_set_new(x->out, "duplicates", part) != 0)
        rc = fw_err_nomem(err);
    if (rc == FW_OK)
        rc = fw_examine_figure(x, "duplicates", n ? (double)extra / (double)n : NAN, err);
    if (rc == FW_OK)
        rc = fw_examine_figure(x, "leaks", (double)d.n_crossing, err);
    fw_duplicates_release(&d);
    return rc;
}
