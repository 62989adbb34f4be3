/* The keys of one requirement of `audit:`. */
#include <math.h>
#include <string.h>

#include "pipeline/config/keys.h"
#include "stages/error_analysis/slice.h"

#define AT(field) .offset = offsetof(struct fw_requirement, field)

static const char *const broken_words[] = {"warn", "guard", NULL};

static void read_condition(struct fw_load *l, const struct fw_tree *v, const char *what,
                           const char **out)
{
    const char *text;
    if (!fw_read_text(l, v, what, &text) || strcmp(text, "all") == 0)
        return;
    struct fw_slice *slice = NULL;
    if (fw_slice_parse(text, &slice, NULL) == FW_OK && fw_slice_field(slice))
        fw_err_hint(
            fw_problem(l, &v->pos, "%s: '%s' is a field, not a condition", what, FW_SHOW(text)),
            "write all, or a condition such as \"%s == 'value'\"", FW_SHOW(text));
    else
        fw_check_condition(l, v, what);
    fw_slice_free(slice);
    *out = text;
}

static void read_slice(struct fw_load *l, const struct fw_tree *v, const char *where, void *base)
{
    struct fw_requirement *r = base;
    (void)where;
    read_condition(l, v, "slice", &r->slice);
}

static void read_compare(struct fw_load *l, const struct fw_tree *v, const char *where, void *base)
{
    struct fw_requirement *r = base;
    (void)where;
    read_condition(l, v, "compare_to", &r->compare_to);
}

const struct fw_key fw_audit_keys[] = {
    {.name = "slice",
     .type = FW_KEY_OTHER,
     .read = read_slice,
     .schema = "{\"type\":\"string\"}",
     .doc = "the condition that names the samples; default all"},
    {.name = "metric",
     .type = FW_KEY_TEXT,
     AT(metric),
     .doc = "what is measured there; default the metric of the run"},
    {.name = "at_least",
     .type = FW_KEY_SHARE,
     AT(at_least),
     .min = -INFINITY,
     .max = INFINITY,
     .doc = "the least value that is allowed"},
    {.name = "at_most",
     .type = FW_KEY_SHARE,
     AT(at_most),
     .min = -INFINITY,
     .max = INFINITY,
     .doc = "the greatest value that is allowed"},
    {.name = "compare_to",
     .type = FW_KEY_OTHER,
     .read = read_compare,
     .schema = "{\"type\":\"string\"}",
     .doc = "all, or the condition of the samples that the slice may not fall behind; default all"},
    {.name = "within",
     .type = FW_KEY_SHARE,
     AT(within),
     .max = INFINITY,
     .doc = "how far the slice may fall behind compare_to"},
    {.name = "on_broken",
     .type = FW_KEY_CHOICE,
     AT(on_broken),
     .words = broken_words,
     .doc = "warn, or guard: a candidate that misses it by more than the champion does is rolled "
            "back; default warn"},
    {0}};

int fw_requirement_metric(const char *text, const struct fw_task_info *task, struct fw_metric *out,
                          struct fw_err *err)
{
    struct fw_buf macro = {0};
    int rc = fw_metric_parse(text, task, out, err);
    if (rc == FW_OK || strchr(text, ':'))
        return rc;
    fw_buf_printf(&macro, "macro_%s", text);
    if (macro.p && fw_metric_parse(macro.p, task, out, NULL) == FW_OK)
        rc = FW_OK;
    fw_buf_release(&macro);
    return rc;
}

void fw_read_audit(struct fw_load *l, const struct fw_tree *v, const char *where, void *base)
{
    struct fw_plan *plan = base;
    (void)where;
    if (v->type != FW_TREE_LIST) {
        fw_expected(l, v, "audit", "a list of requirements");
        return;
    }
    struct fw_requirement *list = fw_load_array(l, v->n, sizeof *list);
    for (size_t i = 0; list && i < v->n; i++) {
        const struct fw_tree *one = v->items[i];
        list[i] = (struct fw_requirement){
            .at_least = NAN, .at_most = NAN, .within = NAN, .pos = one->pos};
        fw_keys_read(l, one, fw_audit_keys, "audit", &list[i]);
        if (one->type != FW_TREE_MAP)
            continue;
        if (!fw_tree_get(one, "at_least") && !fw_tree_get(one, "at_most") &&
            !fw_tree_get(one, "within"))
            fw_err_hint(fw_problem(l, &one->pos, "audit: this entry requires nothing"),
                        "say at_least, at_most, or within (of compare_to)");
        else if (fw_tree_get(one, "compare_to") && !fw_tree_get(one, "within"))
            fw_err_hint(fw_problem(l, &one->pos, "audit: compare_to is said without within"),
                        "say how far the slice may fall behind, as in within: 0.03");
    }
    plan->audit = list;
    plan->n_audit = list ? v->n : 0;
}
