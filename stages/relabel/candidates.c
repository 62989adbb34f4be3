#include "stages/relabel/candidates.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/rows.h"

struct loading {
    const struct fw_dataset *data;
    struct fw_asked *out;
};

/* Is this answer the label that the sample has now? */
static bool is_label(const struct fw_sample *s, const char *to)
{
    char *end;
    if (s->label)
        return !strcmp(s->label, to);
    if (isnan(s->value) || !to[0])
        return false;
    double v = strtod(to, &end);
    return !*end && v == s->value;
}

/* An answer that is neither settled nor in the data was rolled back or lost with its run. */
static bool is_settled(const char *verdict)
{
    static const char *const settled[] = {"rejected", "confirmed", "aside", "kept"};
    for (size_t i = 0; verdict && i < sizeof settled / sizeof *settled; i++)
        if (!strcmp(verdict, settled[i]))
            return true;
    return false;
}

static int on_history(void *ctx, const struct fw_row *row, int line, struct fw_err *err)
{
    struct loading *l = ctx;
    const char *op = fw_row_str(row, "op"), *id = fw_row_str(row, "id");
    const char *to = fw_row_str(row, "to");
    (void)line;
    if (!op || !id || (strcmp(op, "relabel") && strcmp(op, "confirm") && strcmp(op, "remove")))
        return FW_OK;
    const struct fw_sample *s = fw_dataset_find(l->data, id);
    if (!s)
        return FW_OK;
    bool right = strcmp(op, "remove") && to && is_label(s, to);
    if (right && fw_ids_add(&l->out->right, s->id) < 0)
        return fw_err_nomem(err);
    if ((right || is_settled(fw_row_str(row, "verdict"))) && fw_ids_add(&l->out->closed, s->id) < 0)
        return fw_err_nomem(err);
    return FW_OK;
}

int fw_asked_load(const char *path, const struct fw_dataset *data, struct fw_asked *out,
                  struct fw_err *err)
{
    struct loading l = {data, out};
    return path ? fw_rows_each(path, on_history, &l, err) : FW_OK;
}

void fw_asked_release(struct fw_asked *asked)
{
    fw_ids_release(&asked->closed);
    fw_ids_release(&asked->right);
}

int fw_candidates(const json_t *analysis, const struct fw_dataset *data,
                  const struct fw_asked *asked, size_t max, struct fw_candidate **out, size_t *n,
                  struct fw_err *err)
{
    const json_t *list = json_object_get(analysis, "suspects"), *v;
    struct fw_candidate *found = calloc(json_array_size(list) + 1, sizeof *found);
    struct fw_ids seen = {0};
    size_t i, used = 0;
    int rc = found ? FW_OK : fw_err_nomem(err);
    json_array_foreach (list, i, v) {
        const char *id = json_string_value(json_object_get(v, "id"));
        const struct fw_sample *s = id ? fw_dataset_find(data, id) : NULL;
        if (rc != FW_OK || (max && used == max))
            break;
        if (!s || !s->label || !strcmp(s->split, "dev") || !strcmp(s->split, "test") ||
            fw_ids_find(&asked->closed, id) >= 0 || fw_ids_find(&seen, id) >= 0)
            continue;
        if (fw_ids_add(&seen, id) < 0)
            rc = fw_err_nomem(err);
        found[used++] = (struct fw_candidate){s, json_string_value(json_object_get(v, "suggested")),
                                              json_number_value(json_object_get(v, "score"))};
    }
    fw_ids_release(&seen);
    if (rc != FW_OK) {
        free(found);
        return rc;
    }
    *out = found;
    *n = used;
    return FW_OK;
}

json_t *fw_relabel_fix(const struct fw_candidate *c, const struct fw_task_info *task,
                       const struct fw_answer *answers, size_t n, int decided)
{
    size_t given = 0, votes = 0;
    json_t *by = json_array(), *labels = json_array(), *fix = NULL;
    const char *to = task->classes[decided], *from = c->sample->label;
    bool same = !strcmp(to, from), bad = !by || !labels;
    for (size_t i = 0; i < n && !bad; i++) {
        if (answers[i].klass < 0)
            continue;
        given++;
        votes += answers[i].klass == decided;
        bad = json_array_append_new(by, json_string(answers[i].by)) != 0 ||
              json_array_append_new(labels, json_pack("{s:s, s:s}", "by", answers[i].by, "label",
                                                      task->classes[answers[i].klass])) != 0;
    }
    if (!bad && same)
        fix = json_pack("{s:s, s:s, s:s}", "op", "confirm", "id", c->sample->id, "label", to);
    else if (!bad)
        fix = json_pack("{s:s, s:s, s:s, s:s}", "op", "relabel", "id", c->sample->id, "from", from,
                        "to", to);
    bad = bad || !fix ||
          json_object_set_new(
              fix, "reason",
              given == 1 ? json_sprintf("the labeller says '%s'", to)
                         : json_sprintf("%zu of %zu labellers say '%s'", votes, given, to)) != 0 ||
          json_object_set(fix, "by", by) != 0 || json_object_set(fix, "labels", labels) != 0 ||
          json_object_set_new(fix, "cost", json_pack("{s:I}", "labels", (json_int_t)given)) != 0;
    json_decref(by);
    json_decref(labels);
    if (bad) {
        json_decref(fix);
        return NULL;
    }
    return fix;
}
