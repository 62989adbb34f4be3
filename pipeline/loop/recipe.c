#include "pipeline/loop/recipe.h"
#include "pipeline/loop/split.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pipeline/base/clock.h"
#include "pipeline/base/fs.h"
#include "pipeline/base/hash.h"
#include "pipeline/exec/exec.h"
#include "pipeline/plugin/plugin.h"

static json_t *names(const struct fw_name_value *v, size_t n)
{
    json_t *out = json_object();
    for (size_t i = 0; i < n; i++)
        json_object_set_new(out, v[i].name, json_real(v[i].value));
    return out;
}

static json_t *strings(const char *const *v, size_t n)
{
    json_t *out = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(out, json_string(v[i]));
    return out;
}

static json_t *matrix_of(const struct fw_node *node)
{
    json_t *out = json_object();
    for (size_t i = 0; i < node->n_matrix; i++)
        json_object_set_new(out, node->matrix[i].name, json_string(node->matrix[i].text));
    return out;
}

/* What analysis and proposals are told about the goal. */
static void add_goal(json_t *to, const struct fw_plan *plan)
{
    json_t *human = names(plan->metric.human, plan->metric.n_human);
    if (!isnan(plan->metric.human_default))
        json_object_set_new(human, "default", json_real(plan->metric.human_default));
    json_object_set_new(to, "metric", json_string(plan->metric.name));
    json_object_set_new(to, "human_level", human);
    json_object_set_new(to, "importance",
                        names(plan->metric.importance, plan->metric.n_importance));
    json_object_set_new(to, "ease", names(plan->metric.ease, plan->metric.n_ease));
    json_t *slices = json_array();
    for (size_t i = 0; i < plan->dataset.n_slices; i++)
        json_array_append_new(slices, json_string(plan->dataset.slices[i].text));
    json_object_set_new(to, "slices", slices);
}

/* What the exchange rate of labels and samples is made with. */
static void add_costs(json_t *to, const struct fw_plan *plan)
{
    json_object_set_new(
        to, "costs",
        json_pack("{s:f, s:f}", "label", plan->loop.cost_label, "sample", plan->loop.cost_sample));
}

static bool is_told_goal(const struct fw_node *node)
{
    return node->stage &&
           (node->stage->kind == FW_ERROR_ANALYSIS || node->stage->kind == FW_CUSTOM ||
            node->stage->kind == FW_DRIFT || fw_kind_proposes(node->stage->kind));
}

static int add_code(json_t *recipe, const struct fw_project *project, const struct fw_stage *s,
                    struct fw_err *err)
{
    json_t *code = json_object();
    for (size_t i = 0; i < s->n_code; i++) {
        char hex[FW_SHA256_HEX];
        char *path = fw_fs_join(project->root, s->code[i]);
        int rc = path ? fw_sha256_tree(path, hex, err) : fw_err_nomem(err);
        free(path);
        if (rc != FW_OK) {
            json_decref(code);
            return rc;
        }
        json_object_set_new(code, s->code[i], json_string(hex));
    }
    json_object_set_new(recipe, "code", code);
    return FW_OK;
}

/* Stages without seeds of their own get the plan's. */
static json_int_t seed_of(const struct fw_project *project, const struct fw_node *node)
{
    return (json_int_t)(node->seed ? node->seed : project->plan->seed);
}

static int add_stage(json_t *recipe, const struct fw_project *project, const char *run,
                     const struct fw_job *job, const struct fw_node *node,
                     const struct fw_recipe_input *in, struct fw_err *err)
{
    const struct fw_stage *s = node->stage;
    json_t *env = json_object();
    for (size_t i = 0; i < s->n_env; i++)
        json_object_set_new(env, s->env[i].name, json_string(s->env[i].text));
    json_object_set_new(recipe, "env", env);
    json_object_set_new(recipe, "kind", json_string(fw_kind_name(s->kind)));
    json_object_set(recipe, "params", s->params);
    json_object_set_new(recipe, "seed", json_integer(seed_of(project, node)));
    json_object_set_new(recipe, "matrix", matrix_of(node));
    json_object_set_new(recipe, "split", node->split ? json_string(node->split) : json_null());
    if (s->command)
        json_object_set_new(recipe, "command", json_string(s->command));
    if (s->argv) {
        size_t n = 0;
        while (s->argv[n])
            n++;
        json_object_set_new(recipe, "command", strings(s->argv, n));
    }
    if (is_told_goal(node))
        add_goal(recipe, project->plan);
    if (s->kind == FW_ERROR_ANALYSIS)
        add_costs(recipe, project->plan);
    long quota;
    int rc = fw_split_quota(project->plan, node, in, &quota, err);
    if (rc != FW_OK)
        return rc;
    if (quota >= 0)
        json_object_set_new(recipe, "quota", json_integer(quota));
    if (fw_kind_proposes(s->kind) && !isnan(job->labels_left))
        json_object_set_new(recipe, "labels_left", json_real(job->labels_left));
    /* What another call could answer differently is good for this run and iteration alone. */
    if (!s->deterministic)
        json_object_set_new(recipe, "once",
                            json_pack("[s, i, s]", run, job->iteration, node->name));
    return add_code(recipe, project, s, err);
}

int fw_recipe_make(const struct fw_project *project, const char *run, const struct fw_job *job,
                   const struct fw_node *node, const char *plugin_digest,
                   const struct fw_recipe_input *in, json_t **out, struct fw_err *err)
{
    static const char *const types[] = {"plugin", "command", "merge", "gather", "trusted", "curve"};
    json_t *recipe = json_object(), *inputs = json_object();
    if (!recipe || !inputs) {
        json_decref(recipe);
        json_decref(inputs);
        return fw_err_nomem(err);
    }
    for (size_t i = 0; i < node->n_in; i++)
        json_object_set_new(inputs, in[i].name, json_string(in[i].digest));
    json_object_set_new(recipe, "inputs", inputs);
    json_object_set_new(recipe, "protocol", json_integer(FW_PROTOCOL));
    json_object_set_new(recipe, "type", json_string(types[node->type]));
    json_object_set_new(recipe, "classes", strings(job->task.classes, job->task.n_classes));
    if (plugin_digest)
        json_object_set_new(recipe, "plugin", json_string(plugin_digest));
    int rc = node->stage ? add_stage(recipe, project, run, job, node, in, err) : FW_OK;
    if (rc == FW_OK)
        *out = recipe;
    else
        json_decref(recipe);
    return rc;
}

const char *fw_recipe_output_file(const struct fw_node *node, const char *output)
{
    if (node->stage && node->stage->kind == FW_CUSTOM)
        for (size_t i = 0; i < node->stage->n_out; i++)
            if (!strcmp(node->stage->out[i].name, output))
                return node->stage->out[i].text;
    if (!strcmp(output, "analysis"))
        return "analysis.json";
    if (!strcmp(output, "drift"))
        return "drift.json";
    return output;
}

int fw_request_make(const struct fw_project *project, const char *run, const struct fw_job *job,
                    const struct fw_node *node, const struct fw_recipe_input *in,
                    const char *out_dir, const char *scratch, json_t **out, struct fw_err *err)
{
    const struct fw_stage *s = node->stage;
    long quota;
    int rc = fw_split_quota(project->plan, node, in, &quota, err);
    if (rc != FW_OK)
        return rc;
    json_t *r = json_pack("{s:i, s:s, s:i, s:s, s:s, s:s, s:I, s:s, s:s, s:O, s:s, s:{s:f, s:I}}",
                          "protocol", FW_PROTOCOL, "run", run, "iteration", job->iteration, "stage",
                          s->name, "node", node->name, "kind", fw_kind_name(s->kind), "seed",
                          seed_of(project, node), "project", project->root, "task",
                          job->task.task == FW_REGRESSION ? "regression" : "classification",
                          "params", s->params, "scratch", scratch, "resources", "cpus",
                          s->resources.cpus, "memory", (json_int_t)s->resources.memory);
    json_t *inputs = json_object(), *outputs = json_object();
    if (!r || !inputs || !outputs) {
        json_decref(r);
        json_decref(inputs);
        json_decref(outputs);
        return fw_err_nomem(err);
    }
    json_object_set_new(r, "classes", strings(job->task.classes, job->task.n_classes));
    add_goal(r, project->plan);
    if (s->kind == FW_ERROR_ANALYSIS)
        add_costs(r, project->plan);
    for (size_t i = 0; i < node->n_in; i++)
        json_object_set_new(inputs, in[i].name, json_string(in[i].path));
    for (size_t i = 0; i < node->n_out; i++) {
        char *path = fw_fs_join(out_dir, fw_recipe_output_file(node, node->out[i]));
        json_object_set_new(outputs, node->out[i], json_string(path ? path : ""));
        free(path);
    }
    json_object_set_new(r, "inputs", inputs);
    json_object_set_new(r, "outputs", outputs);
    json_object_set_new(r, "matrix", matrix_of(node));
    json_object_set_new(r, "split", node->split ? json_string(node->split) : json_null());
    if (!isnan(job->labels_left))
        json_object_set_new(r, "labels_left", json_real(job->labels_left));
    if (quota >= 0)
        json_object_set_new(r, "quota", json_integer(quota));
    char iso[FW_ISO_LEN];
    if (s->timeout_ms)
        fw_clock_iso(time(NULL) + s->timeout_ms / 1000, iso);
    json_object_set_new(r, "deadline", s->timeout_ms ? json_string(iso) : json_null());
    *out = r;
    return FW_OK;
}

void fw_recipe_argv_free(char **argv)
{
    for (size_t i = 0; argv && argv[i]; i++)
        free(argv[i]);
    free(argv);
}

/* The value of "in.NAME", "out.NAME", "matrix.AXIS" or "seed"; NULL when there is none. */
static char *placeholder(const json_t *request, const char *name, size_t n)
{
    static const struct {
        const char *prefix, *key;
    } groups[] = {{"in.", "inputs"}, {"out.", "outputs"}, {"matrix.", "matrix"}};
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        size_t len = strlen(groups[i].prefix);
        if (n <= len || strncmp(name, groups[i].prefix, len))
            continue;
        const char *v = json_string_value(
            json_object_getn(json_object_get(request, groups[i].key), name + len, n - len));
        return v ? strdup(v) : NULL;
    }
    if (n == 4 && !strncmp(name, "seed", 4))
        return json_dumps(json_object_get(request, "seed"), JSON_ENCODE_ANY);
    return NULL;
}

static void quoted(struct fw_buf *b, const char *s)
{
    fw_buf_putc(b, '\'');
    for (; *s; s++) {
        if (*s == '\'')
            fw_buf_puts(b, "'\\''");
        else
            fw_buf_putc(b, *s);
    }
    fw_buf_putc(b, '\'');
}

static char *fill(const char *text, const json_t *request, bool shell)
{
    struct fw_buf b = {0};
    while (*text) {
        const char *end = *text == '{' ? strchr(text, '}') : NULL;
        char *v = end ? placeholder(request, text + 1, (size_t)(end - text - 1)) : NULL;
        if (v) {
            if (shell)
                quoted(&b, v);
            else
                fw_buf_puts(&b, v);
            free(v);
            text = end + 1;
        } else {
            fw_buf_putc(&b, *text++);
        }
    }
    return fw_buf_steal(&b);
}

int fw_recipe_argv(const struct fw_node *node, const json_t *request, char ***out,
                   struct fw_err *err)
{
    const struct fw_stage *s = node->stage;
    const char *const shell[] = {"/bin/sh", "-c", s->command, NULL};
    const char *const *words = s->argv;
    char **split = NULL;
    bool in_shell = false;
    if (!words) {
        split = fw_exec_split(s->command, err);
        if (!split && err->code != FW_ENOTFOUND)
            return err->code;
        in_shell = !split;
        words = split ? (const char *const *)split : shell;
    }
    size_t n = 0;
    while (words[n])
        n++;
    char **argv = calloc(n + 1, sizeof *argv);
    int rc = argv ? FW_OK : fw_err_nomem(err);
    for (size_t i = 0; i < n && rc == FW_OK; i++)
        if (!(argv[i] = fill(words[i], request, in_shell && i == 2)))
            rc = fw_err_nomem(err);
    free(split);
    if (rc == FW_OK)
        *out = argv;
    else
        fw_recipe_argv_free(argv);
    return rc;
}
