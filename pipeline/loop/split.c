#include "pipeline/loop/split.h"

#include <math.h>
#include <string.h>

#include "stages/error_analysis/analysis.h"

static int share_to_clean(const struct fw_node *node, const struct fw_recipe_input *in,
                          double *share, struct fw_err *err)
{
    *share = 0.5;
    for (size_t i = 0; i < node->n_in; i++) {
        json_t *analysis = NULL;
        if (strcmp(in[i].name, "analysis") != 0 || !in[i].path)
            continue;
        int rc = fw_analysis_load(in[i].path, &analysis, err);
        if (rc != FW_OK)
            return rc;
        const json_t *v = json_object_get(json_object_get(analysis, "exchange"), "share_to_clean");
        if (json_is_number(v))
            *share = fmin(1, fmax(0, json_number_value(v)));
        json_decref(analysis);
        break;
    }
    return FW_OK;
}

int fw_split_quota(const struct fw_plan *plan, const struct fw_node *node,
                   const struct fw_recipe_input *in, long *quota, struct fw_err *err)
{
    const struct fw_stage *s = node->stage;
    bool clean = s && s->kind == FW_RELABEL, collect = s && s->kind == FW_TARGETED_COLLECTION;
    double share, alike = 0;
    *quota = -1;
    if (plan->loop.split <= 0 || (!clean && !collect))
        return FW_OK;
    int rc = share_to_clean(node, in, &share, err);
    if (rc != FW_OK)
        return rc;
    for (size_t i = 0; i < plan->n_stages; i++)
        alike += plan->stages[i].kind == s->kind;
    double part = clean ? share / plan->loop.cost_label : (1 - share) / plan->loop.cost_sample;
    *quota = lround(fmin(1e9, part * plan->loop.split / alike));
    return FW_OK;
}
