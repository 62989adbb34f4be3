#include "pipeline/loop/project.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/clock.h"
#include "pipeline/base/fs.h"
#include "pipeline/exec/describe.h"
#include "pipeline/graph/graph.h"
#include "pipeline/journal/journal.h"
#include "pipeline/loop/record.h"

static int describe(void *ctx, const char *root, const char *plugin, char **path, json_t **out,
                    struct fw_err *err)
{
    (void)ctx;
    return fw_describe_run(root, plugin, path, out, err);
}

static int problem(struct fw_problems *problems, const struct fw_err *err)
{
    if (problems->n < sizeof problems->list / sizeof *problems->list)
        problems->list[problems->n++] = *err;
    else
        problems->more++;
    return err->code;
}

int fw_project_open(const char *yaml, const char *const *sets, size_t n_sets,
                    struct fw_project **out, struct fw_problems *problems)
{
    struct fw_err err = {0};
    struct fw_buf text = {0};
    char real[PATH_MAX];
    if (!realpath(yaml, real)) {
        fw_err_sys(&err, errno, "cannot open %s", yaml);
        if (errno == ENOENT || err.code == FW_EIO)
            fw_err_hint(&err, "run `flywheel init` to make one, or name it with --file");
        return problem(problems, &err);
    }
    struct fw_project *p = calloc(1, sizeof *p);
    if (!p) {
        fw_err_nomem(&err);
        return problem(problems, &err);
    }
    struct fw_plan_options options = {.n_sets = n_sets, .sets = sets, .describe = describe};
    int rc = fw_plan_load(yaml, &options, &p->plan, problems);
    if (rc == FW_OK)
        rc = fw_graph_check(p->plan, problems);
    if (rc != FW_OK)
        goto out;
    p->yaml = strdup(yaml);
    *strrchr(real, '/') = '\0';
    p->root = strdup(real[0] ? real : "/");
    p->state_dir = p->root ? fw_fs_join(p->root, ".flywheel") : NULL;
    if (!p->yaml || !p->state_dir)
        rc = fw_err_nomem(&err);
    else
        rc = fw_fs_read(yaml, 0, &text, &err);
    p->text = fw_buf_steal(&text);
    if (rc == FW_OK && !p->text)
        rc = fw_err_nomem(&err);
    if (rc != FW_OK)
        problem(problems, &err);
out:
    if (rc != FW_OK) {
        fw_project_close(p);
        return rc;
    }
    *out = p;
    return FW_OK;
}

void fw_project_close(struct fw_project *p)
{
    if (!p)
        return;
    fw_plan_free(p->plan);
    free(p->root);
    free(p->yaml);
    free(p->state_dir);
    free(p->text);
    free(p);
}

int fw_project_make_state(const struct fw_project *p, struct fw_err *err)
{
    char *runs = fw_fs_join(p->state_dir, "runs");
    char *ignore = fw_fs_join(p->state_dir, ".gitignore");
    int rc = runs && ignore ? fw_fs_mkdirs(runs, err) : fw_err_nomem(err);
    if (rc == FW_OK && !fw_fs_exists(ignore))
        rc = fw_fs_write_atomic(ignore, "*\n", 2, err);
    free(runs);
    free(ignore);
    return rc;
}

struct began {
    char *name, at[FW_ISO_LEN];
    long long order;
};

static int by_time(const void *a, const void *b)
{
    const struct began *x = a, *y = b;
    int d = strcmp(x->at, y->at);
    if (!d && x->order != y->order)
        d = x->order < y->order ? -1 : 1;
    return d ? d : strcmp(x->name, y->name);
}

/* When the run's first record was written. Names do not tell: people choose them. A run that has no
 * record yet is only now beginning, so it is the newest. False: there is no journal, only the folder
 * of a run that could not begin. */
static bool find_began(const char *state_dir, struct began *run)
{
    char *path = fw_run_path(state_dir, run->name, "journal.jsonl"), *line = NULL;
    size_t cap = 0;
    bool is_run = !path || fw_fs_exists(path);
    FILE *f = path ? fopen(path, "re") : NULL;
    ssize_t n = f ? getline(&line, &cap, f) : -1;
    json_t *record = n > 1 ? fw_sum_decode(line, (size_t)n - 1) : NULL;
    const char *at = json_string_value(json_object_get(record, "at"));
    snprintf(run->at, sizeof run->at, "%s", at ? at : "~");
    run->order = json_integer_value(json_object_get(record, "order"));
    json_decref(record);
    if (f)
        fclose(f);
    free(line);
    free(path);
    return is_run;
}

int fw_runs_list(const char *state_dir, json_t **out, struct fw_err *err)
{
    char *dir = fw_fs_join(state_dir, "runs");
    json_t *list = json_array();
    struct began *runs = NULL;
    size_t n = 0, cap = 0;
    int rc = dir && list ? FW_OK : fw_err_nomem(err);
    DIR *d = rc == FW_OK ? opendir(dir) : NULL;
    for (struct dirent *ent; rc == FW_OK && d && (ent = readdir(d));) {
        if (ent->d_name[0] == '.')
            continue;
        if (n == cap) {
            cap = cap ? 2 * cap : 16;
            struct began *more = realloc(runs, cap * sizeof *runs);
            if (!more) {
                rc = fw_err_nomem(err);
                break;
            }
            runs = more;
        }
        if (!(runs[n].name = strdup(ent->d_name)))
            rc = fw_err_nomem(err);
        else if (find_began(state_dir, &runs[n]))
            n++;
        else
            free(runs[n].name);
    }
    if (n)
        qsort(runs, n, sizeof *runs, by_time);
    for (size_t i = 0; i < n; i++) {
        if (rc == FW_OK && json_array_append_new(list, json_string(runs[i].name)) != 0)
            rc = fw_err_nomem(err);
        free(runs[i].name);
    }
    free(runs);
    if (d)
        closedir(d);
    free(dir);
    if (rc == FW_OK)
        *out = list;
    else
        json_decref(list);
    return rc;
}

char *fw_run_path(const char *state_dir, const char *run, const char *rel)
{
    struct fw_buf b = {0};
    fw_buf_printf(&b, "%s/runs/%s%s%s", state_dir, run, *rel ? "/" : "", rel);
    return fw_buf_steal(&b);
}

int fw_run_resolve(const char *state_dir, const char *text, char **id, struct fw_err *err)
{
    json_t *runs = NULL;
    int rc = fw_runs_list(state_dir, &runs, err);
    if (rc != FW_OK)
        return rc;
    size_t n = json_array_size(runs), hits = 0;
    const char *hit = NULL;
    if (n && (!*text || !strcmp(text, "latest"))) {
        hit = json_string_value(json_array_get(runs, n - 1));
        hits = 1;
    }
    for (size_t i = 0; i < n && !(hits && (!*text || !strcmp(text, "latest"))); i++) {
        const char *name = json_string_value(json_array_get(runs, i));
        if (!strcmp(name, text)) {
            hit = name;
            hits = 1;
            break;
        }
        if (!strncmp(name, text, strlen(text))) {
            hit = name;
            hits++;
        }
    }
    if (!n) {
        rc = fw_err_set(err, FW_ENOTFOUND, "there is no run yet");
        fw_err_hint(err, "start one with `flywheel run`");
    } else if (hits != 1) {
        rc = fw_err_set(err, FW_ENOTFOUND, hits ? "'%s' fits %zu runs" : "there is no run '%s'",
                        text, hits);
        fw_err_hint(err, "`flywheel show --runs` lists them; the newest is %s",
                    json_string_value(json_array_get(runs, n - 1)));
    } else if (!(*id = strdup(hit))) {
        rc = fw_err_nomem(err);
    }
    json_decref(runs);
    return rc;
}

int fw_run_record(const char *state_dir, const char *run, json_t **record, struct fw_err *err)
{
    char *path = fw_run_path(state_dir, run, "journal.jsonl");
    json_t *journal = NULL, *out = NULL;
    int rc = path ? fw_journal_read(path, &journal, err) : fw_err_nomem(err);
    if (rc == FW_OK)
        rc = fw_record_fold(journal, &out, err);
    if (rc == FW_OK && !strcmp(json_string_value(json_object_get(out, "status")), "running") &&
        !fw_lock_held(state_dir)) /* nobody works on it, so it was cut off */
        json_object_set_new(out, "status", json_string("interrupted"));
    json_decref(journal);
    free(path);
    if (rc == FW_OK)
        *record = out;
    return rc;
}
