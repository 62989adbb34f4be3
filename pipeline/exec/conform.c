#include "pipeline/exec/conform.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/fs.h"
#include "pipeline/base/hash.h"
#include "pipeline/exec/conform_check.h"
#include "pipeline/plugin/plugin.h"

enum { TIMEOUT_MS = 60000, GRACE_MS = 5000, STOP_AFTER_MS = 100, LOG_LINES = 12 };

/* How one kind got on with one sort of content. */
enum taken { TAKES, WAITS, REFUSES, BREAKS };

struct suite {
    const struct fw_conform_options *options;
    struct fw_conform *out;
    json_t *params;
    char *data[FW_CONTENTS];     /* folder of each content */
    char *projects[FW_CONTENTS]; /* where it runs, with a pool and the true labels */
    char digests[FW_CONTENTS][FW_SHA256_HEX];
    char *models[FW_CONTENTS]; /* what its own train made of it */
    char *out_dir;             /* outputs of the first run of the kind at hand that worked */
    int runs;                  /* number the folders */
    struct fw_buf bad_events;
};

/* As the engine's graph gives them to each kind. */
#define PROPOSAL_INPUTS                                                                            \
    {                                                                                              \
        "analysis", "dataset", "predictions", "out_of_fold", "guidelines", "history"               \
    }

static const struct {
    const char *check, *inputs[6];
} expectations[FW_KINDS] = {
    [FW_TRAIN] = {"train makes a model", {"dataset"}},
    [FW_EVALUATE] = {"evaluate predicts every sample", {"model", "dataset"}},
    [FW_ERROR_ANALYSIS] = {"error-analysis makes an analysis",
                           {"predictions", "dataset", "out_of_fold", "guidelines", "history"}},
    [FW_TARGETED_COLLECTION] = {"targeted-collection makes a patch", PROPOSAL_INPUTS},
    [FW_AUGMENT] = {"augment makes a patch", PROPOSAL_INPUTS},
    [FW_RELABEL] = {"relabel makes a patch", PROPOSAL_INPUTS},
    [FW_DRIFT] = {"drift makes a report", {"dataset", "production"}},
    [FW_CUSTOM] = {"custom makes its outputs", {"dataset"}},
};

void fw_conform_add(struct fw_conform *c, enum fw_verdict verdict, const char *name,
                    const char *reason, const char *detail)
{
    struct fw_check *longer = realloc(c->checks, (c->n + 1) * sizeof(*longer));
    if (!longer) {
        c->nomem = true;
        return;
    }
    c->checks = longer;
    struct fw_check *k = &c->checks[c->n];
    k->verdict = verdict;
    k->name = strdup(name);
    k->reason = strdup(reason ? reason : "");
    k->detail = strdup(detail ? detail : "");
    if (!k->name || !k->reason || !k->detail) {
        free(k->name);
        free(k->reason);
        free(k->detail);
        c->nomem = true;
        return;
    }
    c->n++;
    c->failed += verdict == FW_VERDICT_FAILED;
}

void fw_conform_release(struct fw_conform *c)
{
    for (size_t i = 0; i < c->n; i++) {
        free(c->checks[i].name);
        free(c->checks[i].reason);
        free(c->checks[i].detail);
    }
    free(c->checks);
    json_decref(c->describe);
    free(c->folder);
    memset(c, 0, sizeof(*c));
}

/* Where an input of a kind stands for this content; malloc'd, NULL when there is none. */
static char *input_path(const struct suite *s, enum fw_kind kind, const char *name,
                        enum fw_content content)
{
    static const struct {
        const char *name, *file;
    } others[] = {{"predictions", "predictions"}, {"out_of_fold", "out_of_fold"},
                  {"analysis", "analysis.json"},  {"guidelines", "GUIDELINES.md"},
                  {"history", "history.jsonl"},   {"production", "production"}};
    const char *file = "GUIDELINES.md"; /* whatever a custom stage asks for: some text */
    if (strcmp(name, "model") == 0) {
        const char *model = s->models[content] ? s->models[content] : s->options->model;
        return model ? strdup(model) : NULL;
    }
    if (strcmp(name, "dataset") == 0)
        file = kind == FW_EVALUATE                              ? "dev"
               : kind == FW_ERROR_ANALYSIS || kind == FW_CUSTOM ? "all"
                                                                : "train";
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (strcmp(name, others[i].name) == 0)
            file = others[i].file;
    return fw_fs_join(s->data[content], file);
}

/* A custom stage gets what it says that it reads; others what their kind reads. `missing`: paths
 * at which there is nothing. NULL when a model is asked for and there is none. */
static json_t *make_inputs(const struct suite *s, enum fw_kind kind, enum fw_content content,
                           bool missing)
{
    json_t *inputs = json_object(), *named = json_object_get(s->out->describe, "inputs"), *v;
    const char *const *standard = expectations[kind].inputs;
    json_t *names = json_array();
    size_t i;
    if (kind == FW_CUSTOM && json_is_array(named))
        json_array_extend(names, named);
    else
        for (i = 0; i < 6 && standard[i]; i++)
            json_array_append_new(names, json_string(standard[i]));
    json_array_foreach(names, i, v)
    {
        const char *name = json_string_value(v);
        char *path = name ? input_path(s, kind, name, content) : NULL;
        if (name && !path) {
            json_decref(inputs);
            inputs = NULL;
            break;
        }
        if (name)
            json_object_set_new(inputs, name,
                                json_sprintf("%s%s", path, missing ? ".missing" : ""));
        free(path);
    }
    json_decref(names);
    return inputs;
}

static json_t *make_outputs(const struct suite *s, enum fw_kind kind)
{
    const char *name = fw_kind_output(kind);
    const json_t *named = json_object_get(s->out->describe, "outputs");
    if (name)
        return json_pack("[s]", name);
    return json_array_size(named) ? json_copy((json_t *)named) : json_pack("[s]", "out");
}

/* Runs the plugin once in a folder of its own. */
static int try_kind(struct suite *s, enum fw_kind kind, enum fw_content content, bool missing,
                    int64_t stop_after_ms, struct fw_trial *trial, struct fw_err *err)
{
    struct fw_buf dir = {0};
    json_t *inputs = make_inputs(s, kind, content, missing), *outputs = make_outputs(s, kind);
    fw_buf_printf(&dir, "%s/run-%d-%s-%s", s->out->folder, ++s->runs, fw_kind_name(kind),
                  fw_content_name(content));
    memset(trial, 0, sizeof(*trial));
    int rc = dir.failed || !inputs || !outputs ? fw_err_nomem(err) : FW_OK;
    if (rc == FW_OK) {
        struct fw_trial_spec spec = {
            .plugin = s->options->path,
            .dir = dir.p,
            .project = s->projects[content],
            .kind = kind,
            .task = &fw_conform_task,
            .params = s->params,
            .inputs = inputs,
            .outputs = outputs,
            .timeout_ms = s->options->timeout_ms > 0 ? s->options->timeout_ms : TIMEOUT_MS,
            .stop_after_ms = stop_after_ms,
            .grace_ms = GRACE_MS,
        };
        rc = fw_trial_run(&spec, trial, err);
    }
    if (rc == FW_OK && trial->bad.len && !s->bad_events.len)
        fw_buf_printf(&s->bad_events, "%s: %s", fw_kind_name(kind), trial->bad.p);
    json_decref(inputs);
    json_decref(outputs);
    fw_buf_release(&dir);
    return rc;
}

/* Every output of a run that said it was done. */
static int check_outputs(const struct suite *s, enum fw_kind kind, enum fw_content content,
                         const struct fw_trial *trial, struct fw_err *err)
{
    json_t *outputs = make_outputs(s, kind), *v;
    size_t i, n_ids = 0;
    const char *const *ids = kind == FW_EVALUATE ? fw_conform_dev_ids(&n_ids) : NULL;
    int rc = FW_OK;
    json_array_foreach(outputs, i, v)
    {
        const char *name = json_string_value(v);
        char *path = fw_fs_join(trial->out, name);
        rc = path ? FW_OK : fw_err_nomem(err);
        if (rc == FW_OK && !fw_fs_exists(path))
            rc = fw_err_set(err, FW_EINVAL, "it exited 0 but made no output '%s'", name);
        if (rc == FW_OK)
            rc = fw_contract_check(kind, name, path, &fw_conform_task, ids, n_ids, err);
        if (rc == FW_OK && fw_kind_proposes(kind)) {
            char *dataset = fw_fs_join(s->data[content], "train");
            rc = dataset ? fw_conform_patch(path, dataset, err) : fw_err_nomem(err);
            free(dataset);
        }
        free(path);
        if (rc != FW_OK)
            break;
    }
    json_decref(outputs);
    return rc;
}

static void tail_of(const struct fw_trial *trial, int lines, struct fw_buf *out)
{
    fw_log_tail(trial->log, lines, out, NULL);
    while (out->len && out->p[out->len - 1] == '\n')
        out->p[--out->len] = '\0';
}

/* Judges one run. *why: what there is to say beside the verdict. */
static enum taken judge(struct suite *s, enum fw_kind kind, enum fw_content content,
                        const struct fw_trial *trial, struct fw_buf *why)
{
    struct fw_buf last = {0};
    struct fw_err err = {0};
    enum taken taken = BREAKS;
    bool exited = trial->exit.kind == FW_EXIT_CODE;
    tail_of(trial, 1, &last);
    if (exited && trial->exit.code == FW_EXIT_CODE_WAITING) {
        taken = WAITS;
        fw_buf_add(why, trial->waiting.p, trial->waiting.len);
    } else if (exited && trial->exit.code == 0) {
        taken = check_outputs(s, kind, content, trial, &err) == FW_OK ? TAKES : BREAKS;
        if (taken == BREAKS)
            fw_buf_puts(why, err.msg);
    } else if (exited && last.len) {
        taken = REFUSES;
        fw_buf_add(why, last.p, last.len);
    } else {
        fw_trial_ending(trial, why);
        if (exited)
            fw_buf_puts(why, " without a word in its log");
    }
    fw_buf_release(&last);
    return taken;
}

struct outcome {
    enum taken taken;
    bool tried, told;
    struct fw_buf why;
};

/* Is it said in the same words? Of waiting, the first reason is enough. */
static bool alike(const struct outcome *a, const struct outcome *b)
{
    if (!b->tried || b->told || a->taken != b->taken)
        return false;
    return a->taken == TAKES || a->taken == WAITS ||
           (a->why.len == b->why.len && (!a->why.len || !memcmp(a->why.p, b->why.p, a->why.len)));
}

/* "features, text; not images (cannot read PNG)" */
static void tell(struct outcome *outcomes, struct fw_buf *out)
{
    for (int c = 0; c < FW_CONTENTS; c++) {
        struct outcome *o = &outcomes[c];
        const char *why = o->why.len ? o->why.p : NULL;
        if (!o->tried || o->told)
            continue;
        fw_buf_printf(out, "%s%s", out->len ? "; " : "", o->taken == REFUSES ? "not " : "");
        for (int k = c, n = 0; k < FW_CONTENTS; k++) {
            if (!alike(o, &outcomes[k]))
                continue;
            fw_buf_printf(out, "%s%s", n++ ? ", " : "", fw_content_name(k));
            outcomes[k].told = true;
        }
        if (o->taken == WAITS)
            fw_buf_printf(out, " waiting for people%s%s", why ? ": " : "", why ? why : "");
        else if (o->taken == REFUSES)
            fw_buf_printf(out, " (%s)", why ? why : "");
        else if (o->taken == BREAKS)
            fw_buf_printf(out, ": %s", why ? why : "");
    }
}

/* One kind on one content; keeps what later checks need. */
static int try_content(struct suite *s, enum fw_kind kind, enum fw_content content,
                       struct outcome *o, struct fw_buf *detail, struct fw_err *err)
{
    struct fw_trial trial;
    int rc = try_kind(s, kind, content, false, 0, &trial, err);
    if (rc == FW_OK) {
        o->tried = true;
        o->taken = judge(s, kind, content, &trial, &o->why);
        if (o->taken == TAKES && !s->out_dir)
            s->out_dir = strdup(trial.out);
        if (o->taken == TAKES && kind == FW_TRAIN)
            s->models[content] = fw_fs_join(trial.out, "model");
        if (o->taken == REFUSES || o->taken == BREAKS) {
            fw_buf_clear(detail);
            tail_of(&trial, LOG_LINES, detail);
        }
    }
    fw_trial_release(&trial);
    return rc;
}

/* The check "train makes a model", on each content. *taken_first: the first that it takes, or −1.
 */
static int check_kind(struct suite *s, enum fw_kind kind, int *taken_first, struct fw_err *err)
{
    struct outcome outcomes[FW_CONTENTS] = {0};
    struct fw_buf text = {0}, detail = {0};
    int first = -1, rc = FW_OK;
    bool broken = false;
    free(s->out_dir);
    s->out_dir = NULL;
    for (int c = 0; c < FW_CONTENTS && rc == FW_OK; c++) {
        struct outcome *o = &outcomes[c];
        if (kind == FW_EVALUATE && !s->models[c] && !s->options->model)
            continue;
        rc = try_content(s, kind, c, o, &detail, err);
        broken |= o->tried && o->taken == BREAKS;
        if (o->tried && first < 0 && (o->taken == TAKES || o->taken == WAITS))
            first = c;
    }
    tell(outcomes, &text);
    bool failed = broken || first < 0;
    if (rc == FW_OK && !text.len)
        fw_conform_add(s->out, FW_VERDICT_SKIPPED, expectations[kind].check,
                       "there is no model to read: give one with --model PATH", "");
    else if (rc == FW_OK)
        fw_conform_add(s->out, failed ? FW_VERDICT_FAILED : FW_VERDICT_OK, expectations[kind].check,
                       text.p, failed ? detail.p : "");
    for (int c = 0; c < FW_CONTENTS; c++)
        fw_buf_release(&outcomes[c].why);
    fw_buf_release(&text);
    fw_buf_release(&detail);
    *taken_first = first;
    return rc;
}

/* The first run that worked and one more must give the same bytes. */
static int check_deterministic(struct suite *s, enum fw_kind kind, enum fw_content content,
                               struct fw_err *err)
{
    char digests[2][FW_SHA256_HEX], name[96];
    struct fw_trial trial;
    if (!s->out_dir)
        return FW_OK; /* it waits for people */
    int rc = try_kind(s, kind, content, false, 0, &trial, err);
    if (rc == FW_OK)
        rc = fw_sha256_tree(s->out_dir, digests[0], err);
    if (rc == FW_OK)
        rc = fw_sha256_tree(trial.out, digests[1], err);
    fw_trial_release(&trial);
    if (rc != FW_OK)
        return rc;
    bool same = strcmp(digests[0], digests[1]) == 0;
    snprintf(name, sizeof(name), "%s is deterministic", fw_kind_name(kind));
    fw_conform_add(s->out, same ? FW_VERDICT_OK : FW_VERDICT_FAILED, name,
                   same ? ""
                        : "two runs with one seed differ: seed what is random, leave out times, or "
                          "say \"deterministic\": false",
                   "");
    return FW_OK;
}

static int check_missing(struct suite *s, enum fw_kind kind, enum fw_content content,
                         struct fw_err *err)
{
    struct fw_trial trial;
    struct fw_buf ending = {0}, log = {0};
    char name[96];
    const char *reason = "";
    const json_t *named = json_object_get(s->out->describe, "inputs");
    if (json_is_array(named) && json_array_size(named) == 0)
        return FW_OK; /* it reads nothing */
    int rc = try_kind(s, kind, content, true, 0, &trial, err);
    if (rc == FW_OK) {
        tail_of(&trial, LOG_LINES, &log);
        fw_trial_ending(&trial, &ending);
        if (trial.exit.kind != FW_EXIT_CODE)
            reason = ending.p;
        else if (trial.exit.code == 0)
            reason = "exit 0 though its inputs do not exist";
        else if (log.len == 0)
            reason = "it fails without a word in its log";
        snprintf(name, sizeof(name), "%s without its inputs fails with a message",
                 fw_kind_name(kind));
        fw_conform_add(s->out, reason && reason[0] ? FW_VERDICT_FAILED : FW_VERDICT_OK, name,
                       reason, reason && reason[0] ? log.p : "");
    }
    fw_buf_release(&ending);
    fw_buf_release(&log);
    fw_trial_release(&trial);
    return rc;
}

static int check_stop(struct suite *s, enum fw_kind kind, enum fw_content content,
                      struct fw_err *err)
{
    struct fw_trial trial;
    char name[96];
    int rc = try_kind(s, kind, content, false, STOP_AFTER_MS, &trial, err);
    if (rc == FW_OK) {
        bool late = trial.exit.wall_ms >= STOP_AFTER_MS + GRACE_MS;
        snprintf(name, sizeof(name), "%s stops when it is told to", fw_kind_name(kind));
        fw_conform_add(s->out, late ? FW_VERDICT_FAILED : FW_VERDICT_OK, name,
                       late ? "it ignored SIGTERM for 5 s and had to be killed" : "", "");
    }
    fw_trial_release(&trial);
    return rc;
}

static int check_each_kind(struct suite *s, struct fw_err *err)
{
    const json_t *sure = json_object_get(s->out->describe, "deterministic");
    int rc = FW_OK;
    for (int kind = 0; kind < FW_KINDS && rc == FW_OK; kind++) {
        if (!fw_plugin_has_kind(s->out->describe, kind))
            continue;
        int content = -1;
        rc = check_kind(s, kind, &content, err);
        if (rc != FW_OK || content < 0)
            continue;
        if (!json_is_false(sure))
            rc = check_deterministic(s, kind, content, err);
        if (rc == FW_OK)
            rc = check_missing(s, kind, content, err);
        if (rc == FW_OK)
            rc = check_stop(s, kind, content, err);
    }
    return rc;
}

static int digest_data(const struct suite *s, char digests[][FW_SHA256_HEX], struct fw_err *err)
{
    int rc = FW_OK;
    for (int c = 0; c < FW_CONTENTS && rc == FW_OK; c++)
        rc = fw_sha256_tree(s->data[c], digests[c], err);
    return rc;
}

static int prepare(struct suite *s, struct fw_err *err)
{
    const char *tmp = getenv("TMPDIR");
    struct fw_buf path = {0}, project = {0};
    int rc = FW_OK;
    fw_buf_printf(&path, "%s/flywheel-plugin-test-XXXXXX", tmp && tmp[0] == '/' ? tmp : "/tmp");
    if (path.failed)
        return fw_err_nomem(err);
    if (!mkdtemp(path.p)) {
        rc = fw_err_sys(err, errno, "cannot make a folder like %s", path.p);
        fw_buf_release(&path);
        return rc;
    }
    s->out->folder = path.p; /* freed with the result */
    for (int c = 0; c < FW_CONTENTS && rc == FW_OK; c++) {
        s->data[c] = fw_fs_join(path.p, fw_content_name(c));
        rc = s->data[c] ? fw_conform_data(path.p, c, err) : fw_err_nomem(err);
    }
    for (int c = 0; c < FW_CONTENTS && rc == FW_OK; c++) {
        fw_buf_clear(&project);
        fw_buf_printf(&project, "%s/project-%s", path.p, fw_content_name(c));
        s->projects[c] = project.failed ? NULL : strdup(project.p);
        rc = s->projects[c] ? fw_conform_project(s->projects[c], c, err) : fw_err_nomem(err);
    }
    fw_buf_release(&project);
    return rc == FW_OK ? digest_data(s, s->digests, err) : rc;
}

static int conclude(struct suite *s, struct fw_err *err)
{
    char now[FW_CONTENTS][FW_SHA256_HEX];
    if (s->runs == 0)
        return FW_OK;
    fw_conform_add(s->out, s->bad_events.len ? FW_VERDICT_FAILED : FW_VERDICT_OK,
                   "its events are well-formed", s->bad_events.p, "");
    int rc = digest_data(s, now, err);
    if (rc == FW_OK) {
        bool same = memcmp(now, s->digests, sizeof(now)) == 0;
        fw_conform_add(s->out, same ? FW_VERDICT_OK : FW_VERDICT_FAILED,
                       "it leaves its inputs alone",
                       same ? "" : "a file among its inputs was changed, made or removed", "");
    }
    return rc;
}

int fw_conform(const struct fw_conform_options *options, struct fw_conform *out, struct fw_err *err)
{
    struct suite s = {.options = options, .out = out};
    int rc = FW_OK;
    if (fw_conform_describe(options, out) && fw_conform_params(options, out, &s.params)) {
        rc = prepare(&s, err);
        if (rc == FW_OK)
            rc = check_each_kind(&s, err);
        if (rc == FW_OK)
            rc = conclude(&s, err);
    }
    if (rc == FW_OK && out->nomem)
        rc = fw_err_nomem(err);
    if (out->folder && !options->keep)
        fw_fs_remove(out->folder, NULL);
    for (int c = 0; c < FW_CONTENTS; c++) {
        free(s.data[c]);
        free(s.models[c]);
        free(s.projects[c]);
    }
    free(s.out_dir);
    json_decref(s.params);
    fw_buf_release(&s.bad_events);
    return rc;
}
