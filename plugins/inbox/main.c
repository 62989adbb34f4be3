#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/fs.h"
#include "plugins/inbox/inbox.h"
#include "stages/data/patch.h"
#include "stages/error_analysis/analysis.h"
#include "stages/evaluate/compare.h"
#include "stages/relabel/consensus.h"

static const char describe[] =
    "{\"protocol\": 1, \"name\": \"inbox\", \"version\": \"1.0.0\",\n"
    " \"kind\": \"relabel\",\n"
    " \"description\": \"people label suspects in CSV or JSON-lines files; when two labellers "
    "differ, "
    "a third is asked\",\n"
    " \"inputs\": [\"analysis\", \"dataset\", \"guidelines\", \"history\"],\n"
    " \"outputs\": [\"patch\"],\n"
    " \"params\": {\n"
    "  \"folder\": {\"type\": \"string\", \"default\": \"inbox\",\n"
    "   \"description\": \"where task files are written and answers are read, below the "
    "project\"},\n"
    "  \"format\": {\"type\": \"string\", \"default\": \"csv\", \"enum\": [\"csv\", \"jsonl\"],\n"
    "   \"description\": \"of these files\"},\n"
    "  \"samples\": {\"type\": \"integer\", \"default\": 50, \"minimum\": 1, \"maximum\": 100000,\n"
    "   \"description\": \"suspects to ask about in an iteration\"},\n"
    "  \"labellers\": {\"type\": \"integer\", \"default\": 1, \"minimum\": 1, \"maximum\": 2,\n"
    "   \"description\": \"people who label each sample; when two differ, a third is asked\"},\n"
    "  \"poll\": {\"type\": \"integer\", \"default\": 300, \"minimum\": 1,\n"
    "   \"description\": \"seconds after which it is worth looking again\"}},\n"
    " \"deterministic\": false, \"network\": false, \"code\": []}";

/* Says that answers are missing, and where. */
static int wait_for(const struct inbox *in, size_t who, size_t count, struct fw_err *err)
{
    char text[1200], *todo = inbox_path(in, who, "todo"), *done = inbox_path(in, who, "done");
    if (!todo || !done) {
        free(todo);
        free(done);
        return fw_err_nomem(err);
    }
    snprintf(text, sizeof text,
             "fill in the column label of %s, save it as %s, then run `flywheel resume`", todo,
             fw_fs_base(done));
    fw_event_waiting(text, (int)count, (int)fw_request_num(in->r, "poll"));
    free(todo);
    free(done);
    return fw_err_set(err, FW_EWAITING, "%s", text);
}

/* Reads every labeller of the first round, writing the tasks of those who have none. FW_EWAITING
 * when one has not answered. */
static int first_round(const struct inbox *in, struct answers *a, struct fw_err *err)
{
    size_t waiting = MOST_LABELLERS;
    int rc = FW_OK;
    for (size_t who = 0; who < in->labellers && rc == FW_OK; who++) {
        rc = inbox_read(in, who, &a[who], err);
        if (rc != FW_ENOTFOUND)
            continue;
        waiting = waiting == MOST_LABELLERS ? who : waiting;
        rc = inbox_write(in, who, NULL, err);
    }
    if (rc == FW_OK && waiting < MOST_LABELLERS)
        rc = wait_for(in, waiting, in->n, err);
    return rc;
}

static int third_round(const struct inbox *in, struct answers *a, struct fw_err *err)
{
    bool *differ = calloc(in->n + 1, sizeof *differ);
    size_t count = 0;
    if (!differ)
        return fw_err_nomem(err);
    for (size_t i = 0; i < in->n; i++) {
        int x = a[0].klass[i], y = a[1].klass[i];
        differ[i] = x >= 0 && y >= 0 && x != y;
        count += differ[i];
    }
    int rc = count ? inbox_read(in, THIRD, &a[THIRD], err) : FW_OK;
    if (rc == FW_ENOTFOUND) {
        rc = inbox_write(in, THIRD, differ, err);
        if (rc == FW_OK)
            rc = wait_for(in, THIRD, count, err);
    }
    free(differ);
    return rc;
}

/* With two labellers one answer alone decides nothing. */
static int decide(const struct inbox *in, const struct answers *a, size_t i,
                  struct fw_answer *answers)
{
    static const char *const names[MOST_LABELLERS] = {"labeller 1", "labeller 2", "labeller 3"};
    int given[MOST_LABELLERS];
    size_t count = 0;
    for (size_t who = 0; who < MOST_LABELLERS; who++) {
        given[who] = a[who].klass ? a[who].klass[i] : -1;
        count += given[who] >= 0;
        const char *by = a[who].by ? a[who].by[i] : NULL;
        answers[who] = (struct fw_answer){by ? by : names[who], given[who]};
    }
    return count < in->labellers ? -1 : fw_consensus(given, MOST_LABELLERS);
}

static int write_patch(const struct inbox *in, const struct answers *a, struct fw_err *err)
{
    struct fw_patch_writer *w = NULL;
    size_t decided = 0;
    int rc = fw_patch_writer_open(fw_request_out(in->r, "patch"), &w, err);
    if (rc != FW_OK)
        return rc;
    for (size_t i = 0; i < in->n && rc == FW_OK; i++) {
        struct fw_answer answers[MOST_LABELLERS];
        int klass = decide(in, a, i, answers);
        if (klass < 0)
            continue;
        decided++;
        json_t *fix = fw_relabel_fix(&in->asked[i], &in->r->task, answers, MOST_LABELLERS, klass);
        rc = fw_patch_writer_add(w, fix, err);
    }
    int closed = fw_patch_writer_close(w, rc == FW_OK ? err : NULL);
    rc = rc == FW_OK ? closed : rc;
    if (rc == FW_OK)
        fw_event_message("info", "%zu of %zu samples were decided", decided, in->n);
    return rc;
}

static void report(const struct inbox *in, const struct answers *a)
{
    if (in->labellers < 2 || !in->n)
        return;
    double agreement = fw_percent_agreement(a[0].klass, a[1].klass, in->n);
    double kappa = fw_cohen_kappa(a[0].klass, a[1].klass, in->n, in->r->task.n_classes);
    if (isfinite(agreement))
        fw_event_metric("percent_agreement", agreement, in->r->iteration);
    if (isfinite(kappa))
        fw_event_metric("cohen_kappa", kappa, in->r->iteration);
}

static int work(const struct inbox *in, struct fw_err *err)
{
    struct answers a[MOST_LABELLERS] = {{NULL, NULL}, {NULL, NULL}, {NULL, NULL}};
    int rc = in->n ? first_round(in, a, err) : FW_OK;
    if (rc == FW_OK && in->n && in->labellers == 2)
        rc = third_round(in, a, err);
    if (rc == FW_OK)
        rc = write_patch(in, a, err);
    if (rc == FW_OK)
        report(in, a);
    for (size_t who = 0; who < MOST_LABELLERS; who++)
        answers_release(&a[who], in->n);
    return rc;
}

/* The folder below the project. */
static int find_folder(const struct fw_request *r, char **out, struct fw_err *err)
{
    const char *folder = fw_request_str(r, "folder");
    if (!folder || !folder[0])
        folder = "inbox";
    if (!fw_fs_rel_is_safe(folder))
        return fw_err_set(err, FW_EINVAL, "folder '%s' is not a path below the project", folder);
    *out = fw_fs_join(r->project, folder);
    return *out ? FW_OK : fw_err_nomem(err);
}

static int run(const struct fw_request *r, struct fw_err *err)
{
    const char *dataset = fw_request_in(r, "dataset"), *path = fw_request_in(r, "analysis");
    const char *format = fw_request_str(r, "format");
    struct fw_asked asked = {.closed = {0}};
    struct fw_dataset *ds = NULL;
    struct fw_candidate *c = NULL;
    json_t *analysis = NULL;
    double samples = fw_request_quota(r, fw_request_num(r, "samples"));
    double labellers = fw_request_num(r, "labellers");
    struct inbox in = {.r = r, .labellers = labellers >= 2 ? 2 : 1};
    in.json = format && !strcmp(format, "jsonl");
    if (r->task.task != FW_CLASSIFICATION || !r->task.n_classes)
        return fw_err_set(err, FW_EINVAL, "inbox asks for classes; the task is not classification");
    if (!dataset || !path || !fw_request_out(r, "patch"))
        return fw_err_set(err, FW_EINVAL,
                          "the request lacks the inputs dataset and analysis or the output patch");
    int rc = find_folder(r, &in.dir, err);
    if (rc == FW_OK)
        rc = fw_analysis_load(path, &analysis, err);
    if (rc == FW_OK)
        rc = fw_dataset_load(dataset, &r->task, &ds, err);
    if (rc == FW_OK)
        rc = fw_asked_load(fw_request_in(r, "history"), ds, &asked, err);
    if (rc == FW_OK)
        rc = fw_candidates(analysis, ds, &asked, samples >= 1 ? (size_t)samples : 1, &c, &in.n,
                           err);
    if (samples < 1) /* the quota is 0; no limit would be written the same */
        in.n = 0;
    if (rc == FW_OK) {
        in.data = ds;
        in.asked = c;
        rc = work(&in, err);
    }
    free(in.dir);
    free(c);
    json_decref(analysis);
    fw_asked_release(&asked);
    fw_dataset_free(ds);
    return rc;
}

int main(int argc, char **argv)
{
    return fw_plugin_main(argc, argv, describe, run);
}
