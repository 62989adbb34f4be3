/*
 * oracle: simulated labellers with known error rates, for experiments and tests. Each answers with
 * the truth, or, at their error rate, with another class drawn at random. An answer depends on the
 * seed, the labeller and the sample alone, so it does not matter when or how often it is asked for.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/arena.h"
#include "pipeline/base/csv.h"
#include "pipeline/base/fs.h"
#include "pipeline/base/rng.h"
#include "stages/data/patch.h"
#include "stages/data/request.h"
#include "stages/error_analysis/analysis.h"
#include "stages/evaluate/compare.h"
#include "stages/relabel/candidates.h"
#include "stages/relabel/choose.h"
#include "stages/relabel/consensus.h"

enum { MAX_LABELLERS = 9 };

static const char describe[] =
    "{\"protocol\": 1, \"name\": \"oracle\", \"version\": \"1.1.0\",\n"
    " \"kind\": \"relabel\",\n"
    " \"description\": \"simulated labellers with a known error rate, answering from a file of "
    "true "
    "labels: for experiments and tests\",\n"
    " \"inputs\": [\"analysis\", \"dataset\", \"guidelines\", \"history\", \"truth\"],\n"
    " \"outputs\": [\"patch\"],\n"
    " \"params\": {\n"
    "  \"truth\": {\"type\": \"string\", \"format\": \"path\", \"default\": \"\",\n"
    "   \"description\": \"file with the true labels: JSON lines or CSV with id and label, "
    "relative "
    "to the project; or give it as the input truth\"},\n"
    "  \"error_rate\": {\"type\": \"number\", \"default\": 0.05, \"minimum\": 0, \"maximum\": 1,\n"
    "   \"description\": \"how often a labeller errs\"},\n"
    "  \"labellers\": {\"type\": \"integer\", \"default\": 2, \"minimum\": 1, \"maximum\": 8,\n"
    "   \"description\": \"how many label each sample\"},\n"
    "  \"adjudicate\": {\"type\": \"boolean\", \"default\": true,\n"
    "   \"description\": \"one more labeller when they do not agree\"},\n"
    "  \"consensus\": {\"type\": \"string\", \"default\": \"majority\", \"enum\": [\"majority\", "
    "\"weighted\", \"one-coin\", \"mace\", \"dawid-skene\", \"auto\"],\n"
    "   \"description\": \"majority decides sample by sample; the others take all answers of the "
    "iteration together\"},\n"
    "  \"budget\": {\"type\": \"integer\", \"default\": 0, \"minimum\": 0,\n"
    "   \"description\": \"labels to ask for in an iteration; 0 = no limit\"},\n"
    "  \"samples\": {\"type\": \"integer\", \"default\": 0, \"minimum\": 0,\n"
    "   \"description\": \"samples to look at in an iteration; 0 = no limit\"},\n"
    "  \"order\": {\"type\": \"string\", \"default\": \"suspects\", \"enum\": [\"suspects\", "
    "\"random\"],\n"
    "   \"description\": \"the suspects of the analysis, or any train samples (a baseline to "
    "compare "
    "with)\"},\n"
    "  \"seed\": {\"type\": \"integer\", \"default\": 1, \"minimum\": 0,\n"
    "   \"description\": \"of the labellers' errors\"}},\n"
    " \"deterministic\": true, \"network\": false, \"code\": []}";

struct truth {
    struct fw_arena arena;
    struct fw_ids ids;
    int *klass;
    size_t cap;
    const struct fw_task_info *task;
    const char *path;
    size_t id_col, label_col; /* CSV */
    bool header;
};

static int truth_add(struct truth *t, const char *id, const char *label, int line,
                     struct fw_err *err)
{
    int klass = -1, rc = FW_OK;
    for (size_t c = 0; c < t->task->n_classes; c++)
        if (!strcmp(label, t->task->classes[c]))
            klass = (int)c;
    size_t was = t->ids.n;
    char *own = fw_arena_strdup(&t->arena, id);
    long at = own ? fw_ids_add(&t->ids, own) : FW_IDS_NOMEM;
    if (was == t->cap && at >= 0) {
        size_t cap = t->cap ? t->cap * 2 : 256;
        int *v = realloc(t->klass, cap * sizeof *v);
        if (!v)
            return fw_err_nomem(err);
        t->klass = v;
        t->cap = cap;
    }
    if (at < 0)
        return fw_err_nomem(err);
    if (klass < 0)
        rc = fw_err_set(err, FW_EINVAL, "label '%.200s' is not one of the classes", label);
    else if ((size_t)at < was)
        rc = fw_err_set(err, FW_EINVAL, "id '%.200s' appears twice", id);
    if (rc != FW_OK) {
        fw_err_at(err, t->path, line, 0);
        return rc;
    }
    t->klass[at] = klass;
    return FW_OK;
}

static int on_truth_row(void *ctx, const struct fw_row *row, int line, struct fw_err *err)
{
    struct truth *t = ctx;
    const char *id = fw_row_str(row, "id"), *label = fw_row_str(row, "label");
    if (!id || !label) {
        fw_err_set(err, FW_EINVAL, "a true label needs 'id' and 'label', both texts");
        fw_err_at(err, t->path, line, 0);
        return FW_EINVAL;
    }
    return truth_add(t, id, label, line, err);
}

static int on_truth_record(void *ctx, const struct fw_csv_field *f, size_t n, int line,
                           struct fw_err *err)
{
    struct truth *t = ctx;
    if (!t->header) {
        t->header = true;
        t->id_col = t->label_col = n;
        for (size_t i = 0; i < n; i++) {
            if (!strcmp(f[i].p, "id"))
                t->id_col = i;
            if (!strcmp(f[i].p, "label"))
                t->label_col = i;
        }
        if (t->id_col < n && t->label_col < n)
            return FW_OK;
        fw_err_set(err, FW_EINVAL, "the header row needs the columns id and label");
        fw_err_at(err, t->path, line, 0);
        return FW_EINVAL;
    }
    if (t->id_col < n && t->label_col < n)
        return truth_add(t, f[t->id_col].p, f[t->label_col].p, line, err);
    fw_err_set(err, FW_EINVAL, "the row has only %zu columns", n);
    fw_err_at(err, t->path, line, 0);
    return FW_EINVAL;
}

static int truth_load(const struct fw_request *r, struct truth *t, struct fw_err *err)
{
    const char *param = fw_request_str(r, "truth"), *input = fw_request_in(r, "truth");
    if (!input && !(param && param[0])) {
        fw_err_set(err, FW_EINVAL, "the true labels are not given");
        fw_err_hint(err, "set `with: {truth: FILE}` of stage %s", r->stage);
        return FW_EINVAL;
    }
    char *path = input ? strdup(input) : fw_fs_join(r->project, param);
    if (!path)
        return fw_err_nomem(err);
    t->path = path;
    t->task = &r->task;
    size_t n = strlen(path);
    bool csv = n > 4 && !strcmp(path + n - 4, ".csv");
    int rc = csv ? fw_csv_each(path, ',', on_truth_record, t, err)
                 : fw_rows_each(path, on_truth_row, t, err);
    if (rc != FW_OK && err->code && !err->file[0])
        fw_err_wrap(err, "true labels");
    free(path);
    t->path = NULL;
    return rc;
}

static void truth_release(struct truth *t)
{
    fw_ids_release(&t->ids);
    fw_arena_release(&t->arena);
    free(t->klass);
}

/* A sample's answers, kept until all are in. */
struct held {
    const struct fw_candidate *c;
    struct fw_answer answers[MAX_LABELLERS];
    size_t n;
};

struct desk {
    const struct fw_request *r;
    const struct truth *truth;
    size_t labellers, k;
    bool adjudicate;
    double error_rate;
    uint64_t seed;
    char names[MAX_LABELLERS][24];
    struct fw_patch_writer *out;
    size_t looked, relabelled, confirmed, undecided, unknown, asked;
    int *first, *second; /* answers of the first two, for their agreement */
    int *counts;         /* looked × K, before adjudication */
    struct held *held;   /* looked; NULL when the majority decides at once */
};

static int ask(const struct desk *d, size_t labeller, const char *id, int truth)
{
    struct fw_rng rng;
    struct fw_buf name = {0};
    fw_buf_printf(&name, "labeller %zu of %s", labeller + 1, id);
    if (name.failed)
        return -1;
    fw_rng_seed_named(&rng, d->seed, name.p);
    fw_buf_release(&name);
    if (d->k < 2 || fw_rng_double(&rng) >= d->error_rate)
        return truth;
    int other = (int)fw_rng_below(&rng, d->k - 1);
    return other >= truth ? other + 1 : other;
}

static int propose(struct desk *d, const struct fw_candidate *c, const struct fw_answer *answers,
                   size_t n, int decided, struct fw_err *err)
{
    if (decided < 0) {
        d->undecided++;
        return FW_OK;
    }
    bool same = decided == c->sample->klass;
    d->confirmed += same;
    d->relabelled += !same;
    return fw_patch_writer_add(d->out, fw_relabel_fix(c, &d->r->task, answers, n, decided), err);
}

static int label_one(struct desk *d, const struct fw_candidate *c, int truth, struct fw_err *err)
{
    struct fw_answer answers[MAX_LABELLERS];
    int given[MAX_LABELLERS], decided;
    size_t n = d->labellers;
    for (size_t i = 0; i < n; i++)
        given[i] = ask(d, i, c->sample->id, truth);
    d->first[d->looked] = given[0];
    d->second[d->looked] = n > 1 ? given[1] : -1;
    for (size_t i = 0; i < n; i++)
        if (given[i] >= 0)
            d->counts[d->looked * d->k + (size_t)given[i]]++;
    decided = fw_consensus(given, n);
    if (decided < 0 && d->adjudicate) {
        given[n] = ask(d, n, c->sample->id, truth);
        n++;
        decided = fw_consensus(given, n);
    }
    for (size_t i = 0; i < n; i++)
        answers[i] = (struct fw_answer){d->names[i], given[i]};
    if (d->held) {
        d->held[d->looked].c = c;
        d->held[d->looked].n = n;
        memcpy(d->held[d->looked].answers, answers, n * sizeof *answers);
    }
    d->looked++;
    d->asked += n;
    return d->held ? FW_OK : propose(d, c, answers, n, decided, err);
}

static int pool_answers(const struct desk *d, struct fw_annotations *a, struct fw_err *err)
{
    const struct fw_task_info *task = &d->r->task;
    int rc = fw_annotations_classes(a, task->classes, task->n_classes, err);
    for (size_t i = 0; i < d->looked; i++)
        for (size_t j = 0; rc == FW_OK && j < d->held[i].n; j++) {
            const struct fw_answer *answer = &d->held[i].answers[j];
            if (answer->klass >= 0)
                rc = fw_annotations_add(a, d->held[i].c->sample->id, answer->by,
                                        task->classes[answer->klass], 1, err);
        }
    return rc == FW_OK ? fw_annotations_index(a, err) : rc;
}

/* All answers together; a class whose posterior is above one half is decided. */
static int settle(struct desk *d, const char *how, struct fw_err *err)
{
    const char *why;
    enum fw_method method;
    struct fw_aggregate g = {0};
    struct fw_annotations *a = d->looked ? fw_annotations_new() : NULL;
    if (!d->looked)
        return FW_OK;
    int rc = a ? pool_answers(d, a, err) : fw_err_nomem(err);
    if (rc == FW_OK && fw_method_parse(how, &method) != FW_OK)
        method = fw_default_method(a, false, &why);
    if (rc == FW_OK)
        rc = fw_aggregate(a, method, NULL, &g, err);
    if (rc == FW_OK)
        fw_event_message("info", "consensus by %s", fw_method_name(method));
    for (size_t i = 0; rc == FW_OK && i < d->looked; i++) {
        const struct held *h = &d->held[i];
        long at = fw_annotations_find_task(a, h->c->sample->id);
        bool sure = at >= 0 && g.confidence[at] > 0.5f;
        rc = propose(d, h->c, h->answers, h->n, sure ? g.klass[at] : -1, err);
    }
    fw_aggregate_release(&g);
    fw_annotations_free(a);
    return rc;
}

static int label_all(struct desk *d, const struct fw_candidate *c, size_t n, struct fw_err *err)
{
    double budget = fw_request_num(d->r, "budget"), samples = fw_request_num(d->r, "samples");
    double most_samples = fw_request_quota(d->r, samples > 0 ? samples : INFINITY);
    size_t most = d->labellers + d->adjudicate;
    int rc = FW_OK;
    for (size_t i = 0; i < n && rc == FW_OK; i++) {
        long at = fw_ids_find(&d->truth->ids, c[i].sample->id);
        if ((double)d->looked >= most_samples)
            break;
        if (budget > 0 && d->asked + most > (size_t)budget)
            break;
        if (at < 0) {
            d->unknown++;
            continue;
        }
        rc = label_one(d, &c[i], d->truth->klass[at], err);
    }
    return rc;
}

/* Any labelled train samples, in an order that the seed gives. */
static int random_order(const struct fw_request *r, const struct fw_dataset *ds,
                        const struct fw_asked *asked, struct fw_candidate **out, size_t *n,
                        struct fw_err *err)
{
    struct fw_candidate *c = calloc(ds->n + 1, sizeof *c);
    size_t *order = malloc((ds->n + 1) * sizeof *order), used = 0;
    struct fw_rng rng;
    if (!c || !order) {
        free(c);
        free(order);
        return fw_err_nomem(err);
    }
    for (size_t i = 0; i < ds->n; i++)
        order[i] = i;
    fw_rng_seed_named(&rng, (uint64_t)fw_request_num(r, "seed"), "order");
    fw_rng_shuffle(&rng, order, ds->n);
    for (size_t i = 0; i < ds->n; i++) {
        const struct fw_sample *s = &ds->samples[order[i]];
        if (s->label && strcmp(s->split, "dev") && strcmp(s->split, "test") &&
            fw_ids_find(&asked->closed, s->id) < 0)
            c[used++] = (struct fw_candidate){s, NULL, 0};
    }
    free(order);
    *out = c;
    *n = used;
    return FW_OK;
}

static void report(const struct desk *d)
{
    int step = d->r->iteration;
    double agreement = fw_percent_agreement(d->first, d->second, d->looked);
    double cohen = fw_cohen_kappa(d->first, d->second, d->looked, d->k);
    double fleiss = fw_fleiss_kappa(d->counts, d->looked, d->k);
    if (isfinite(agreement))
        fw_event_metric("percent_agreement", agreement, step);
    if (isfinite(cohen))
        fw_event_metric("cohen_kappa", cohen, step);
    if (d->labellers > 2 && isfinite(fleiss))
        fw_event_metric("fleiss_kappa", fleiss, step);
    fw_event_metric("labels", (double)d->asked, step);
    fw_event_message("info",
                     "looked at %zu samples with %zu labels: %zu relabelled, %zu confirmed, %zu "
                     "undecided",
                     d->looked, d->asked, d->relabelled, d->confirmed, d->undecided);
    if (d->unknown)
        fw_event_message("warning", "the true labels do not name %zu samples; they are left out",
                         d->unknown);
}

static int work(struct desk *d, const struct fw_candidate *c, size_t n, struct fw_err *err)
{
    const char *how = fw_request_str(d->r, "consensus");
    bool pooled = how && strcmp(how, "majority") != 0;
    for (size_t i = 0; i <= d->labellers; i++)
        snprintf(d->names[i], sizeof d->names[i], "oracle-%zu", i + 1);
    d->first = calloc(n + 1, sizeof *d->first);
    d->second = calloc(n + 1, sizeof *d->second);
    d->counts = calloc((n + 1) * d->k, sizeof *d->counts);
    d->held = pooled ? calloc(n + 1, sizeof *d->held) : NULL;
    int rc = d->first && d->second && d->counts && (d->held || !pooled) ? FW_OK : fw_err_nomem(err);
    if (rc == FW_OK)
        rc = fw_patch_writer_open(fw_request_out(d->r, "patch"), &d->out, err);
    if (rc == FW_OK) {
        rc = label_all(d, c, n, err);
        if (rc == FW_OK && pooled)
            rc = settle(d, how, err);
        int closed = fw_patch_writer_close(d->out, rc == FW_OK ? err : NULL);
        rc = rc == FW_OK ? closed : rc;
    }
    if (rc == FW_OK)
        report(d);
    free(d->first);
    free(d->second);
    free(d->counts);
    free(d->held);
    return rc;
}

static int run(const struct fw_request *r, struct fw_err *err)
{
    const char *dataset = fw_request_in(r, "dataset"), *path = fw_request_in(r, "analysis");
    const char *order = fw_request_str(r, "order");
    bool random = order && !strcmp(order, "random");
    struct fw_asked asked = {.closed = {0}};
    struct fw_dataset *ds = NULL;
    struct fw_candidate *c = NULL;
    struct truth truth = {.task = &r->task};
    json_t *analysis = NULL;
    size_t n = 0;
    if (r->task.task != FW_CLASSIFICATION || !r->task.n_classes)
        return fw_err_set(err, FW_EINVAL, "oracle labels classes; the task is not classification");
    if (!dataset || (!path && !random) || !fw_request_out(r, "patch"))
        return fw_err_set(err, FW_EINVAL,
                          "the request lacks the inputs dataset and analysis or the output patch");
    int rc = truth_load(r, &truth, err);
    if (rc == FW_OK)
        rc = fw_dataset_load(dataset, &r->task, &ds, err);
    if (rc == FW_OK)
        rc = fw_asked_load(fw_request_in(r, "history"), ds, &asked, err);
    if (rc == FW_OK && !random)
        rc = fw_analysis_load(path, &analysis, err);
    if (rc == FW_OK)
        rc = random ? random_order(r, ds, &asked, &c, &n, err)
                    : fw_candidates(analysis, ds, &asked, 0, &c, &n, err);
    if (rc == FW_OK) {
        double labellers = fw_request_num(r, "labellers");
        struct desk d = {
            .r = r,
            .truth = &truth,
            .labellers = labellers < 1                   ? 1
                         : labellers > MAX_LABELLERS - 1 ? MAX_LABELLERS - 1
                                                         : (size_t)labellers,
            .k = r->task.n_classes,
            .adjudicate = labellers > 1 && fw_request_bool(r, "adjudicate"),
            .error_rate = fw_request_num(r, "error_rate"),
            .seed = (uint64_t)fw_request_num(r, "seed"),
        };
        rc = work(&d, c, n, err);
    }
    free(c);
    json_decref(analysis);
    fw_asked_release(&asked);
    fw_dataset_free(ds);
    truth_release(&truth);
    return rc;
}

int main(int argc, char **argv)
{
    return fw_plugin_main(argc, argv, describe, run);
}
