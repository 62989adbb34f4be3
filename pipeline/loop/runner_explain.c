/* What running a job would do: the runner's look-up without the running. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/loop/node.h"
#include "pipeline/loop/runner_parts.h"

/* The first field of the recipe that differs, in words. */
static void what_changed(const json_t *before, const json_t *now, char *out, size_t size)
{
    static const char *const nested[] = {"params", "files", "inputs", "env", "code", "human_level"};
    const char *key, *inner;
    json_t *value, *v;
    if (!before) {
        snprintf(out, size, "it has not run before");
        return;
    }
    for (size_t i = 0; i < sizeof nested / sizeof *nested; i++) {
        const json_t *a = json_object_get(before, nested[i]), *b = json_object_get(now, nested[i]);
        json_object_foreach ((json_t *)b, inner, v) {
            const json_t *old = json_object_get(a, inner);
            if (!old || !json_equal(old, v)) {
                snprintf(out, size, "%s '%s' changed",
                         strcmp(nested[i], "inputs") ? nested[i] : "input", inner);
                return;
            }
        }
    }
    json_object_foreach ((json_t *)now, key, value) {
        const json_t *old = json_object_get(before, key);
        if (!old || !json_equal(old, value)) {
            snprintf(out, size, "%s changed", key);
            return;
        }
    }
    snprintf(out, size, "its stored result is gone");
}

/* An input that will be made anew, or NULL when all are known. */
static const char *unknown_input(const struct fw_job *job, const struct fw_node *node)
{
    for (size_t i = 0; i < node->n_in; i++) {
        const struct fw_input *in = &node->in[i];
        if (in->node >= 0 && !job->results[in->node].outputs)
            return in->name;
        if (in->node >= 0 || strncmp(in->ref, "prior:", 6))
            continue;
        const char *dot = strrchr(in->ref, '.');
        char name[512];
        snprintf(name, sizeof name, "%.*s", dot ? (int)(dot - in->ref - 6) : 0, in->ref + 6);
        if (!job->prior || !dot || !fw_job_output(job->prior, name, dot + 1))
            return in->name;
    }
    return NULL;
}

int fw_runner_explain(struct fw_runner *r, struct fw_job *job, const json_t *previous, json_t **out,
                      struct fw_err *err)
{
    json_t *list = json_array();
    job->results = calloc(job->graph->n + 1, sizeof *job->results);
    int rc = list && job->results ? FW_OK : fw_err_nomem(err);
    for (size_t i = 0; i < job->graph->n && rc == FW_OK; i++) {
        const struct fw_node *node = &job->graph->nodes[i];
        const char *unknown = unknown_input(job, node);
        char why[256] = "";
        bool hit = false;
        struct fw_step *step = NULL;
        if (unknown) {
            snprintf(why, sizeof why, "input '%s' will be made anew", unknown);
        } else if ((rc = fw_runner_look_up(r, job, node, &step, &hit, err)) == FW_OK) {
            if (hit)
                job->results[i].outputs = fw_step_outputs(step);
            else
                what_changed(json_object_get(previous, node->name), step->recipe, why, sizeof why);
        }
        fw_step_free(step);
        json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "node", node->name, "state",
                                              hit ? "cached" : "run", "why", why));
    }
    if (rc == FW_OK)
        *out = list;
    else
        json_decref(list);
    return rc;
}
