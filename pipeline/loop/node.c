#include "pipeline/loop/node.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/base/fs.h"
#include "pipeline/base/rows.h"
#include "pipeline/cache/cache.h"
#include "stages/data/predictions.h"
#include "stages/error_analysis/curve.h"
#include "stages/error_analysis/trusted.h"

/* A node's name as a folder: "train[seed=1,fold=2/5]" has a slash. */
static void safe_name(struct fw_buf *b, const char *name)
{
    for (; *name; name++)
        fw_buf_putc(b, *name == '/' ? '-' : *name);
}

int fw_step_open(const struct fw_project *project, const char *run, struct fw_job *job,
                 const struct fw_node *node, struct fw_step **out, struct fw_err *err)
{
    struct fw_step *t = calloc(1, sizeof *t);
    struct fw_buf dir = {0};
    if (!t)
        return fw_err_nomem(err);
    t->project = project;
    t->run = run;
    t->job = job;
    t->node = node;
    t->in = calloc(node->n_in + 1, sizeof *t->in);
    fw_buf_printf(&dir, "%s/runs/%s/%d/", project->state_dir, run, job->iteration);
    if (job->label && *job->label)
        fw_buf_printf(&dir, "%s/", job->label);
    safe_name(&dir, node->name);
    t->dir = fw_buf_steal(&dir);
    t->out_dir = t->dir ? fw_fs_join(t->dir, "out") : NULL;
    t->log = t->dir ? fw_fs_join(t->dir, "log") : NULL;
    if (!t->in || !t->out_dir || !t->log) {
        fw_step_free(t);
        return fw_err_nomem(err);
    }
    *out = t;
    return FW_OK;
}

void fw_step_free(struct fw_step *t)
{
    if (!t)
        return;
    json_decref(t->recipe);
    json_decref(t->result);
    free(t->in);
    free(t->dir);
    free(t->out_dir);
    free(t->log);
    free(t);
}

int fw_step_prepare(struct fw_step *t, struct fw_err *err)
{
    char *scratch = fw_fs_join(t->dir, "scratch");
    int rc = scratch ? fw_fs_remove(t->out_dir, err) : fw_err_nomem(err);
    if (rc == FW_OK)
        rc = fw_fs_remove(scratch, err);
    if (rc == FW_OK)
        rc = fw_fs_mkdirs(t->out_dir, err);
    if (rc == FW_OK)
        rc = fw_fs_mkdirs(scratch, err);
    free(scratch);
    return rc;
}

struct ids {
    char **v;
    size_t n, cap;
};

static int on_id(void *ctx, const struct fw_row *row, int line, struct fw_err *err)
{
    struct ids *ids = ctx;
    const char *id = fw_row_str(row, "id");
    (void)line;
    if (!id)
        return FW_OK;
    if (ids->n == ids->cap) {
        size_t cap = ids->cap ? 2 * ids->cap : 1024;
        char **v = realloc(ids->v, cap * sizeof *v);
        if (!v)
            return fw_err_nomem(err);
        ids->v = v;
        ids->cap = cap;
    }
    if (!(ids->v[ids->n] = strdup(id)))
        return fw_err_nomem(err);
    ids->n++;
    return FW_OK;
}

static const char *input_path(const struct fw_step *t, const char *name)
{
    for (size_t i = 0; i < t->node->n_in; i++)
        if (!strcmp(t->in[i].name, name))
            return t->in[i].path;
    return NULL;
}

/* Predictions must cover exactly the samples of the view that was predicted. */
static int view_ids(const struct fw_step *t, struct ids *ids, struct fw_err *err)
{
    const char *dataset = input_path(t, "dataset");
    if (!t->node->stage || t->node->stage->kind != FW_EVALUATE || !dataset)
        return FW_OK;
    char *rows = fw_fs_join(dataset, "samples.jsonl");
    int rc = rows ? fw_rows_each(rows, on_id, ids, err) : fw_err_nomem(err);
    free(rows);
    return rc;
}

static int check_outputs(struct fw_step *t, struct fw_err *err)
{
    const struct fw_node *node = t->node;
    struct ids ids = {0};
    int rc = view_ids(t, &ids, err);
    for (size_t i = 0; i < node->n_out && rc == FW_OK; i++) {
        char *path = fw_fs_join(t->out_dir, fw_recipe_output_file(node, node->out[i]));
        if (!path)
            rc = fw_err_nomem(err);
        else if (!fw_fs_exists(path))
            rc = fw_err_set(err, FW_EINVAL, "exited 0 but did not write its output '%s' (%s)",
                            node->out[i], path);
        else if (node->stage)
            rc = fw_contract_check(node->stage->kind, node->out[i], path, &t->job->task,
                                   ids.n ? (const char *const *)ids.v : NULL, ids.n, err);
        free(path);
    }
    for (size_t i = 0; i < ids.n; i++)
        free(ids.v[i]);
    free(ids.v);
    return rc;
}

static int put(struct fw_step *t, struct fw_err *err)
{
    json_t *outputs = json_object();
    int rc = outputs ? FW_OK : fw_err_nomem(err);
    for (size_t i = 0; i < t->node->n_out && rc == FW_OK; i++) {
        const char *file = fw_recipe_output_file(t->node, t->node->out[i]);
        char hex[FW_SHA256_HEX];
        struct fw_buf rel = {0};
        char *path = fw_fs_join(t->out_dir, file);
        fw_buf_printf(&rel, "out/%s", file);
        if (!path || rel.failed)
            rc = fw_err_nomem(err);
        else
            rc = fw_sha256_tree(path, hex, err);
        if (rc == FW_OK)
            json_object_set_new(outputs, t->node->out[i],
                                json_pack("{s:s, s:s}", "path", rel.p, "digest", hex));
        free(path);
        fw_buf_release(&rel);
    }
    if (rc == FW_OK && !(t->result = json_pack("{s:O, s:O, s:s}", "outputs", outputs, "recipe",
                                               t->recipe, "node", t->node->name)))
        rc = fw_err_nomem(err);
    if (rc == FW_OK)
        rc = fw_cache_put(t->project->state_dir, t->key, t->out_dir, t->result, err);
    json_decref(outputs);
    return rc;
}

void fw_step_check_work(struct fw_step *t)
{
    t->rc = check_outputs(t, &t->err);
    if (t->rc ==
        FW_OK) /* FW_EINVAL: a link or a pipe among the outputs, which is the stage's doing */
        t->rc = put(t, &t->err);
}

static int merge(struct fw_step *t, struct fw_err *err)
{
    const char **paths = calloc(t->node->n_in + 1, sizeof *paths);
    char *out = fw_fs_join(t->out_dir, fw_recipe_output_file(t->node, t->node->out[0]));
    int rc = paths && out ? FW_OK : fw_err_nomem(err);
    for (size_t i = 0; i < t->node->n_in && rc == FW_OK; i++)
        paths[i] = t->in[i].path;
    if (rc == FW_OK)
        rc = fw_predictions_merge(paths, t->node->n_in, &t->job->task, out, err);
    free(paths);
    free(out);
    return rc;
}

struct copy {
    const char *from, *to;
};

static int copy_one(void *ctx, const char *rel, const struct stat *st, struct fw_err *err)
{
    const struct copy *c = ctx;
    (void)st;
    char *from = fw_fs_join(c->from, rel), *to = fw_fs_join(c->to, rel);
    int rc = from && to ? FW_OK : fw_err_nomem(err);
    char *slash = rc == FW_OK ? strrchr(to, '/') : NULL;
    if (slash) {
        *slash = '\0';
        rc = fw_fs_mkdirs(to, err);
        *slash = '/';
    }
    if (rc == FW_OK)
        rc = fw_fs_copy(from, to, err);
    free(from);
    free(to);
    return rc;
}

static int gather(struct fw_step *t, struct fw_err *err)
{
    char *out = fw_fs_join(t->out_dir, fw_recipe_output_file(t->node, t->node->out[0]));
    int rc = out ? fw_fs_mkdirs(out, err) : fw_err_nomem(err);
    for (size_t i = 0; i < t->node->n_in && rc == FW_OK; i++) {
        struct fw_buf to = {0};
        fw_buf_printf(&to, "%s/", out);
        safe_name(&to, t->in[i].name);
        struct copy c = {.from = t->in[i].path, .to = to.p};
        if (to.failed)
            rc = fw_err_nomem(err);
        else if (fw_fs_is_dir(c.from))
            rc = fw_fs_walk(c.from, copy_one, &c, err);
        else
            rc = fw_fs_copy(c.from, c.to, err);
        fw_buf_release(&to);
    }
    free(out);
    return rc;
}

static int trusted(struct fw_step *t, struct fw_err *err)
{
    char *out = fw_fs_join(t->out_dir, fw_recipe_output_file(t->node, t->node->out[0]));
    int rc = out ? fw_trusted_write(input_path(t, "dataset"), input_path(t, "out_of_fold"),
                                    input_path(t, "history"), &t->job->task, out, err)
                 : fw_err_nomem(err);
    free(out);
    return rc;
}

/* Inputs come in pairs: a point's predictions, and its dataset. */
static int curve(struct fw_step *t, struct fw_err *err)
{
    size_t n = t->node->n_in / 2;
    struct fw_curve_source *v = calloc(n + 1, sizeof *v);
    char *out = fw_fs_join(t->out_dir, fw_recipe_output_file(t->node, t->node->out[0]));
    int rc = v && out ? FW_OK : fw_err_nomem(err);
    for (size_t i = 0; i < n && rc == FW_OK; i++)
        v[i] = (struct fw_curve_source){t->in[2 * i].name, t->in[2 * i].path,
                                        t->in[2 * i + 1].path};
    if (rc == FW_OK)
        rc = fw_curve_write(v, n, &t->job->task, out, err);
    free(v);
    free(out);
    return rc;
}

void fw_step_builtin_work(struct fw_step *t)
{
    switch (t->node->type) {
    case FW_NODE_MERGE:
        t->rc = merge(t, &t->err);
        break;
    case FW_NODE_TRUSTED:
        t->rc = trusted(t, &t->err);
        break;
    case FW_NODE_CURVE:
        t->rc = curve(t, &t->err);
        break;
    default:
        t->rc = gather(t, &t->err);
        break;
    }
    if (t->rc == FW_OK)
        t->rc = put(t, &t->err);
}

json_t *fw_step_outputs(const struct fw_step *t)
{
    json_t *out = json_object();
    const char *name;
    const json_t *o;
    json_object_foreach (json_object_get(t->result, "outputs"), name, o) {
        const char *rel = json_string_value(json_object_get(o, "path"));
        char *path = rel ? fw_cache_path(t->project->state_dir, t->key, rel) : NULL;
        json_object_set_new(out, name,
                            json_pack("{s:s, s:O}", "path", path ? path : "", "digest",
                                      json_object_get(o, "digest")));
        free(path);
    }
    return out;
}
