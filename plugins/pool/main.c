/*
 * pool: targeted collection from a folder of samples that lie at hand.
 *
 * The pool is scored by a quick linear model of its own, fitted on the current train split (so it
 * goes with any train plugin), or by the predictions that an input "committee" brings; labels in the
 * pool are never looked at before a sample is chosen. A chosen sample is added with its label, which
 * costs one label, as asking for it would have.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/fs.h"
#include "plugins/pool/pool.h"
#include "stages/data/patch.h"
#include "stages/drift/drift.h"
#include "stages/error_analysis/analysis.h"
#include "stages/train/image.h"

static const char describe[] =
    "{\"protocol\": 1, \"name\": \"pool\", \"version\": \"1.1.0\",\n"
    " \"kind\": \"targeted-collection\",\n"
    " \"description\": \"adds the samples of a local pool that help most: unsure ones, for the "
    "weak "
    "slices first, never the same thing twice; scored by a quick linear model fitted on the "
    "current train split, or by the predictions of an input 'committee'\",\n"
    " \"inputs\": [\"analysis\", \"dataset\", \"history\", \"drift\"], \"outputs\": [\"patch\"],\n"
    " \"deterministic\": true, \"network\": false, \"code\": [],\n"
    " \"params\": {\n"
    "  \"path\": {\"type\": \"string\", \"format\": \"path\", \"required\": true,\n"
    "   \"description\": \"folder of the pool, with samples.jsonl and the files it names; relative "
    "to the project\"},\n"
    "  \"budget\": {\"type\": \"integer\", \"default\": 100, \"minimum\": 0, \"maximum\": "
    "1000000,\n"
    "   \"description\": \"most samples to add in one iteration; each costs one label\"},\n"
    "  \"strategy\": {\"type\": \"string\", \"default\": \"mixed\", \"enum\": [\"mixed\", "
    "\"uncertainty\", \"density\", \"k-centre\", \"diversity\", \"typical\", \"random\"],\n"
    "   \"description\": \"mixed: quotas for weak slices, then the least sure, without "
    "near-duplicates; density: unsure ones that are like many others; k-centre (or diversity): "
    "what "
    "is farthest from everything known; typical: one of each cluster nothing is known of, for "
    "budgets "
    "of a few labels a class; random: for comparison\"},\n"
    "  \"uncertainty\": {\"type\": \"string\", \"default\": \"margin\", \"enum\": [\"margin\", "
    "\"least-confident\", \"entropy\", \"vote-entropy\", \"mutual-information\"],\n"
    "   \"description\": \"how unsure the model is: by its two best classes, its best, or all; or "
    "how "
    "far several models contradict each other: by their votes, or by their probabilities "
    "(BALD)\"},\n"
    "  \"committee\": {\"type\": \"integer\", \"default\": 5, \"minimum\": 2, \"maximum\": 50,\n"
    "   \"description\": \"for vote-entropy and mutual-information: how many quick models vote, "
    "each "
    "fitted on a resample of train; an input 'committee' (in: {committee: STAGE.OUTPUT}; a folder "
    "with "
    "one set of predictions of the pool for each model) takes their place\"},\n"
    "  \"density_weight\": {\"type\": \"number\", \"default\": 1, \"minimum\": 0, \"maximum\": "
    "100,\n"
    "   \"description\": \"for density: how much it counts that a sample is like many others; 0 = "
    "not "
    "at all\"},\n"
    "  \"quota\": {\"type\": \"string\", \"default\": \"slices\", \"enum\": [\"slices\", "
    "\"rare\", \"none\"],\n"
    "   \"description\": \"slices: a part of the budget is kept for the weak slices of the "
    "analysis, by priority, more for those that train holds too little of; rare: for the classes "
    "that train has fewest of\"},\n"
    "  \"quota_share\": {\"type\": \"number\", \"default\": 0.3, \"minimum\": 0, \"maximum\": 1,\n"
    "   \"description\": \"the part of the budget that the quotas get\"},\n"
    "  \"near_share\": {\"type\": \"number\", \"default\": 0.2, \"minimum\": 0, \"maximum\": 1,\n"
    "   \"description\": \"a sample nearer to a known one than this share of the usual distance "
    "between neighbours is passed over; 0 = only equal content\"},\n"
    "  \"input\": {\"type\": \"string\", \"default\": \"auto\", \"enum\": [\"auto\", \"image\", "
    "\"text\", \"features\"],\n"
    "   \"description\": \"what of a sample the quick model reads\"}\n"
    " }}";

static void job_release(struct job *j)
{
    fw_dataset_free(j->train);
    fw_dataset_free(j->pool);
    fw_known_free(j->known);
    fw_matrix_release(&j->x);
    fw_matrix_release(&j->x_train);
    fw_aims_release(&j->aims);
    free(j->rows);
    free(j->probs);
    free(j->score);
    for (size_t a = 0; j->members && a < j->n_members; a++)
        free(j->members[a]);
    free(j->members);
    free(j->choices);
}

/* An input named "pool" goes before the parameter: declared as an input, the pool is watched by the
 * engine. A path to samples.jsonl itself means its folder. */
static int load_pool(struct job *j, struct fw_err *err)
{
    const char *input = fw_request_in(j->r, "pool"), *path = fw_request_str(j->r, "path");
    char *dir = input ? strdup(input) : path && *path ? fw_fs_join(j->r->project, path) : NULL;
    int rc = FW_OK;

    if (!dir)
        return path || input ? fw_err_nomem(err)
                             : fw_err_set(err, FW_EINVAL, "'path' of the pool is not set");
    char *slash = strrchr(dir, '/');
    if (slash && strcmp(slash, "/samples.jsonl") == 0)
        *slash = '\0';
    if (!fw_fs_is_dir(dir)) {
        rc = fw_err_set(err, FW_EINVAL, "the pool '%s' is not a folder", dir);
        fw_err_hint(err, "set 'path' to a folder with samples.jsonl and the files it names");
    } else {
        rc = fw_dataset_load(dir, &j->r->task, &j->pool, err);
        if (rc != FW_OK)
            fw_err_wrap(err, "the pool");
    }
    free(dir);
    return rc;
}

static int load_known(struct job *j, struct fw_err *err)
{
    const char *history = fw_request_in(j->r, "history");
    char key[FW_SHA256_HEX];
    int rc = FW_OK;

    j->known = fw_known_new();
    if (!j->known)
        return fw_err_nomem(err);
    for (size_t i = 0; rc == FW_OK && i < j->train->n; i++) {
        const struct fw_sample *s = &j->train->samples[i];
        rc = fw_known_add(j->known, s->id, NULL, err);
        if (rc == FW_OK && fw_input_of(s) != FW_INPUT_AUTO) { /* else it lies elsewhere */
            rc = fw_content_key(j->train, s, key, err);
            if (rc == FW_OK)
                rc = fw_known_add(j->known, key, NULL, err);
        }
    }
    if (rc == FW_OK && history && fw_fs_exists(history))
        rc = fw_known_add_history(j->known, history, err);
    return rc;
}

/* Labels are looked at for one thing alone: whether there is one to reveal. */
static int add_candidate(struct job *j, size_t i, struct skipped *skip, struct fw_err *err)
{
    const struct fw_sample *s = &j->pool->samples[i];
    bool regression = j->r->task.task == FW_REGRESSION, fresh = false;
    char key[FW_SHA256_HEX];
    struct fw_err why = {0};

    if (regression ? s->value != s->value : s->klass < 0) {
        skip->unlabelled++;
        return FW_OK;
    }
    if (fw_known_has(j->known, s->id)) {
        skip->known++;
        return FW_OK;
    }
    int rc = fw_content_key(j->pool, s, key, &why);
    if (rc == FW_ENOMEM) {
        *err = why;
        return rc;
    }
    if (rc != FW_OK) {
        if (!skip->unreadable++)
            snprintf(skip->why, sizeof skip->why, "%s", why.msg);
        return FW_OK;
    }
    rc = fw_known_add(j->known, key, &fresh, err); /* twice in the pool is once too often */
    if (rc == FW_OK && fresh)
        j->rows[j->n++] = i;
    else if (rc == FW_OK)
        skip->known++;
    return rc;
}

static void tell(const struct job *j, const struct skipped *skip)
{
    if (skip->unlabelled)
        fw_event_message("warning", "%zu of %zu pool samples have no label and were skipped",
                         skip->unlabelled, j->pool->n);
    if (skip->known)
        fw_event_message("info",
                         "%zu of %zu pool samples were left out: in train already, proposed "
                         "before, or twice in the pool",
                         skip->known, j->pool->n);
    if (skip->unreadable)
        fw_event_message("warning",
                         "%zu of %zu pool samples cannot be read and were skipped; the "
                         "first: %s",
                         skip->unreadable, j->pool->n, skip->why);
    if (j->n == 0)
        fw_event_message("warning", "nothing is left in the pool to choose from");
}

static int find_aims(struct job *j, const char *quota, struct fw_err *err)
{
    const char *path = fw_request_in(j->r, "analysis"), *shifted = fw_request_in(j->r, "drift");
    json_t *analysis = NULL, *drift = NULL;
    int rc = FW_OK;

    if (quota && strcmp(quota, "rare") == 0) {
        size_t *count = calloc(j->r->task.n_classes + 1, sizeof *count);
        if (!count)
            return fw_err_nomem(err);
        for (size_t i = 0; i < j->train->n; i++)
            if (j->train->samples[i].klass >= 0)
                count[j->train->samples[i].klass]++;
        rc = fw_aims_rare(&j->r->task, count, &j->aims, err);
        free(count);
    } else if (path && (!quota || strcmp(quota, "slices") == 0)) {
        rc = fw_analysis_load(path, &analysis, err);
        if (rc == FW_OK)
            rc = fw_aims_read(analysis, &j->r->task, j->pool, j->rows, j->n, &j->aims, err);
        json_decref(analysis);
    }
    if (rc == FW_OK && shifted && (!quota || strcmp(quota, "none") != 0)) {
        rc = fw_drift_load(shifted, &drift, err);
        if (rc == FW_OK)
            rc = fw_aims_add_drift(drift, &j->r->task, j->pool, j->rows, j->n, &j->aims, err);
        json_decref(drift);
    }
    return rc;
}

static int choose(struct job *j, struct fw_err *err)
{
    struct fw_select_params p = {
        .strategy = j->strategy,
        .budget = (size_t)fw_request_quota(j->r, fw_request_num(j->r, "budget")),
        .quota_share = fw_request_num(j->r, "quota_share"),
        .near_share = fw_request_num(j->r, "near_share"),
        .density_weight = fw_request_num(j->r, "density_weight"),
        .seed = j->r->seed + (uint64_t)j->r->iteration,
    };
    const struct fw_candidates of = {&j->x, &j->x_train, j->score, j->probs, j->r->task.n_classes};
    int rc = FW_OK;

    if (j->strategy == FW_MIXED)
        rc = find_aims(j, fw_request_str(j->r, "quota"), err);
    p.budget = p.budget < j->n ? p.budget : j->n;
    j->choices = calloc(p.budget ? p.budget : 1, sizeof *j->choices);
    if (rc == FW_OK && !j->choices)
        rc = fw_err_nomem(err);
    if (rc == FW_OK && j->n)
        rc = fw_select(&p, &of, j->aims.v, j->aims.n, j->choices, &j->n_choices, err);
    return rc;
}

/* "the quick model says pitted 0.41, patches 0.38" */
static void say_why(const struct job *j, const struct fw_choice *c, char *out, size_t size)
{
    if (!fw_strategy_scores(j->strategy)) {
        if (j->strategy == FW_RANDOM)
            snprintf(out, size, "drawn at random");
        else if (j->strategy == FW_TYPICAL)
            snprintf(out, size, "typical of its cluster (%.3g)", c->score);
        else
            snprintf(out, size, "far from every known sample (%.3g)", c->score);
        return;
    }
    size_t k = j->r->task.n_classes;
    const float *p = j->probs + c->candidate * k;
    size_t first = (size_t)fw_argmax(p, k), second = first ? 0 : k > 1;
    char who[80] = "the quick model says", how[80] = "";
    for (size_t i = 0; i < k; i++)
        if (i != first && p[i] > p[second])
            second = i;
    if (j->n_members > 1)
        snprintf(who, sizeof who, "%zu models say on average", j->n_members);
    else if (fw_request_in(j->r, "committee"))
        snprintf(who, sizeof who, "the model says");
    if (fw_uncertainty_of_committee(j->uncertainty))
        snprintf(how, sizeof how, " (%s %.2f)", fw_uncertainty_name(j->uncertainty),
                 j->score[c->candidate]);
    snprintf(out, size, "%s %s %.2f, %s %.2f%s", who, j->r->task.classes[first], p[first],
             j->r->task.classes[second], p[second], how);
}

/* The pool's row as a row of train: without split, its file under a name of its own. */
static json_t *new_row(const struct fw_sample *s, const char *file_name, struct fw_err *err)
{
    json_t *row = json_loadb(s->raw, s->raw_len, 0, NULL);
    if (!row) {
        fw_err_set(err, FW_EINVAL, "pool sample '%s' cannot be read again", s->id);
        return NULL;
    }
    json_object_del(row, "split");
    if (file_name)
        json_object_set_new(row, "file_name", json_string(file_name));
    return row;
}

static int add_file(const struct job *j, const struct fw_sample *s, struct fw_patch_writer *w,
                    struct fw_buf *name, struct fw_err *err)
{
    char key[FW_SHA256_HEX];
    struct fw_buf bytes = {0};
    int rc = fw_content_key(j->pool, s, key, err);

    if (rc == FW_OK) {
        fw_buf_printf(name, "pool/%.12s-%s", key, fw_fs_base(s->file_name));
        rc = name->failed ? fw_err_nomem(err)
                          : fw_image_read_file(j->pool->root, s->file_name, &bytes, err);
    }
    if (rc == FW_OK)
        rc = fw_patch_writer_bytes(w, bytes.p ? bytes.p : "", bytes.len, name->p, err);
    fw_buf_release(&bytes);
    return rc;
}

static int add_fix(const struct job *j, const struct fw_choice *c, struct fw_patch_writer *w,
                   struct fw_err *err)
{
    const struct fw_sample *s = &j->pool->samples[j->rows[c->candidate]];
    const char *slice = c->aim >= 0 ? j->aims.names[c->aim] : NULL;
    struct fw_buf name = {0};
    char why[1200];
    int rc = s->file_name ? add_file(j, s, w, &name, err) : FW_OK;

    if (rc == FW_OK) {
        json_t *row = new_row(s, s->file_name ? name.p : NULL, err);
        if (!row) {
            rc = FW_EINVAL;
        } else {
            say_why(j, c, why, sizeof why);
            json_t *fix = json_pack("{s:s,s:o,s:s,s:f,s:{s:i}}", "op", "add", "sample", row,
                                    "reason", why, "score", c->score, "cost", "labels", 1);
            if (fix && slice)
                json_object_set_new(fix, "slice", json_string(slice));
            rc = fw_patch_writer_add(w, fix, err);
        }
    }
    fw_buf_release(&name);
    return rc;
}

static int write_patch(const struct job *j, const char *out, struct fw_err *err)
{
    struct fw_patch_writer *w = NULL;
    int rc = fw_patch_writer_open(out, &w, err);
    if (rc != FW_OK)
        return rc;
    for (size_t i = 0; rc == FW_OK && i < j->n_choices; i++)
        rc = add_fix(j, &j->choices[i], w, err);
    int closed = fw_patch_writer_close(w, rc == FW_OK ? err : NULL);
    return rc == FW_OK ? closed : rc;
}

static int read_strategy(struct job *j, struct fw_err *err)
{
    const char *strategy = fw_request_str(j->r, "strategy");
    const char *how = fw_request_str(j->r, "uncertainty");
    int rc = fw_strategy_parse(strategy ? strategy : "mixed", &j->strategy, err);

    if (rc == FW_OK)
        rc = fw_uncertainty_parse(how ? how : "margin", &j->uncertainty, err);
    if (rc == FW_OK && j->r->task.task == FW_REGRESSION && fw_strategy_scores(j->strategy)) {
        fw_event_message("info", "a linear regression has no uncertainty of its own: choosing by "
                                 "k-centre");
        j->strategy = FW_K_CENTRE;
    }
    return rc;
}

static int run(const struct fw_request *r, struct fw_err *err)
{
    const char *data = fw_request_in(r, "dataset"), *out = fw_request_out(r, "patch");
    const char *input = fw_request_str(r, "input");
    struct job j = {.r = r};
    struct skipped skip = {0};

    if (!data || !out)
        return fw_err_set(err, FW_EINVAL, "the request names no %s",
                          data ? "output 'patch'" : "input 'dataset'");
    fw_extract_defaults(&j.extract);
    int rc = fw_input_parse(input ? input : "auto", &j.extract.input, err);
    if (rc == FW_OK)
        rc = read_strategy(&j, err);
    if (rc == FW_OK)
        rc = fw_dataset_load(data, &r->task, &j.train, err);
    if (rc == FW_OK)
        rc = load_pool(&j, err);
    if (rc == FW_OK)
        rc = load_known(&j, err);
    if (rc == FW_OK) {
        j.rows = malloc((j.pool->n ? j.pool->n : 1) * sizeof *j.rows);
        rc = j.rows ? FW_OK : fw_err_nomem(err);
    }
    for (size_t i = 0; rc == FW_OK && i < j.pool->n; i++)
        rc = add_candidate(&j, i, &skip, err);
    if (rc == FW_OK && j.n)
        rc = pool_score(&j, &skip, err);
    if (rc == FW_OK)
        tell(&j, &skip);
    if (rc == FW_OK)
        rc = choose(&j, err);
    if (rc == FW_OK)
        rc = write_patch(&j, out, err);
    job_release(&j);
    return rc;
}

int main(int argc, char **argv)
{
    return fw_plugin_main(argc, argv, describe, run);
}
