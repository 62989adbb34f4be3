#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "pipeline/snap/snap.h"
#include "stages/drift/run.h"

static const char help[] =
    "usage: flywheel drift FILE [--reference PATH] [options]\n\n"
    "Compares samples of production with the data the model learns from: each field, the shares "
    "of\n"
    "the classes, embeddings. FILE is a .jsonl, .csv or .tsv file, or a folder with samples.jsonl. "
    "The\n"
    "reference is the train split of the project's newest snapshot, or PATH (of the same forms; "
    "rows of\n"
    "a split other than train are left out).\n\n"
    "      --reference PATH             compare with these samples; no project is needed then\n"
    "      --fields A,B  --ignore A,B   compare only these fields; all but these\n"
    "      --predictions PATH           the model's predictions of FILE, and\n"
    "      --reference-predictions PATH of labelled samples (dev, or out-of-fold): estimates the "
    "shares\n"
    "                                   of the classes in production\n"
    "      --labelled PATH              the labelled samples, when they are not in the reference\n"
    "      --embeddings X.npy           vectors of FILE, and\n"
    "      --reference-embeddings Y.npy of the reference (N x D, in any order)\n"
    "      --minor X  --major X         thresholds of the effect, in PSI (0.1 and 0.25)\n"
    "      --confidence P               of all that is called drift, at most 1 - P is chance "
    "(0.95)\n"
    "      --fail-on minor|major        exit 1 when the drift is at least that (default: never)\n"
    "      --seed N                     for permutations and resamples (default 0)\n"
    "  -f, --file FILE                  the pipeline (default: the nearest flywheel.yaml)\n"
    "      --json                       as drift.json\n";

enum { MOST_ROWS = 25 };

/* "1.2e-08", "0.03", "-" */
static void show_p(const json_t *p, char *out, size_t size)
{
    double v = json_number_value(p);
    if (!json_is_number(p))
        snprintf(out, size, "-");
    else if (v < 1e-300)
        snprintf(out, size, "<1e-300");
    else if (v < 0.001)
        snprintf(out, size, "%.0e", v);
    else
        snprintf(out, size, "%.3f", v);
}

static void show_share(double share, char *out, size_t size)
{
    double v = 100 * share;
    snprintf(out, size,
             v != 0 && fabs(v) < 0.1 ? "%.2f %%"
             : fabs(v) < 10          ? "%.1f %%"
                                     : "%.0f %%",
             v);
}

static const char *severity_text(const json_t *o)
{
    const char *s = cmd_text(o, "severity");
    return strcmp(s, "unknown") ? s : "too few to tell";
}

/* "shift == 'night': 2.0 % → 30 %" */
static void show_moved(const json_t *f, char *out, size_t size)
{
    const json_t *median = json_object_get(f, "median");
    const json_t *first = json_array_get(json_object_get(f, "moved"), 0);
    char before[32], after[32];
    const char *severity = cmd_text(f, "severity");
    out[0] = '\0';
    if (strcmp(severity, "minor") != 0 && strcmp(severity, "major") != 0)
        return;
    size_t used = 0;
    if (json_array_size(median) == 2 && json_number_value(json_array_get(median, 0)) !=
                                            json_number_value(json_array_get(median, 1)))
        used = (size_t)snprintf(out, size, "median %.4g → %.4g%s",
                                json_number_value(json_array_get(median, 0)),
                                json_number_value(json_array_get(median, 1)), first ? "; " : "");
    if (!first || used >= size)
        return;
    show_share(cmd_number(first, "reference"), before, sizeof before);
    show_share(cmd_number(first, "production"), after, sizeof after);
    snprintf(out + used, size - used, "%.120s: %s → %s", cmd_text(first, "is"), before, after);
}

static void print_fields(const json_t *drift)
{
    const json_t *fields = json_object_get(drift, "fields"), *f;
    struct cmd_table t = {0};
    size_t i, shown = json_array_size(fields) < MOST_ROWS ? json_array_size(fields) : MOST_ROWS;
    cmd_table_row(&t, 6, "field", "type", "effect", "p adjusted", "severity", "what moved");
    json_array_foreach (fields, i, f) {
        char name[128], effect[32], p[32], moved[320];
        const char *of = cmd_text(f, "of");
        if (i == shown)
            break;
        snprintf(name, sizeof name, "%s%s%s%s", cmd_text(f, "field"),
                 strcmp(of, "values") ? " (" : "", strcmp(of, "values") ? of : "",
                 strcmp(of, "values") ? ")" : "");
        snprintf(effect, sizeof effect, "%.3f %s", cmd_number(f, "value"),
                 strcmp(cmd_text(f, "statistic"), "js") ? "PSI" : "JS");
        show_p(json_object_get(f, "p_adjusted"), p, sizeof p);
        show_moved(f, moved, sizeof moved);
        cmd_table_row(&t, 6, name, cmd_text(f, "type"), effect, p, severity_text(f), moved);
    }
    if (shown)
        cmd_table_print(&t, "  ");
    else
        puts("  there is no field to compare");
    if (json_array_size(fields) > shown)
        printf("  and %zu more with less drift; --json lists them\n",
               json_array_size(fields) - shown);
}

static int most_moved(const void *a, const void *b)
{
    const json_t *x = *(const json_t *const *)a, *y = *(const json_t *const *)b;
    double p = fabs(cmd_number(x, "production") - cmd_number(x, "reference"));
    double q = fabs(cmd_number(y, "production") - cmd_number(y, "reference"));
    if (p != q)
        return p < q ? 1 : -1;
    return strcmp(cmd_text(x, "class"), cmd_text(y, "class"));
}

static void print_classes(const json_t *classes)
{
    size_t n = json_array_size(classes);
    const json_t **order = malloc((n ? n : 1) * sizeof(*order));
    struct cmd_table t = {0};
    if (!order)
        return;
    for (size_t i = 0; i < n; i++)
        order[i] = json_array_get(classes, i);
    qsort(order, n, sizeof(*order), most_moved);
    cmd_table_row(&t, 5, "class", "reference", "production", "interval", "weight");
    for (size_t i = 0; i < n && i < MOST_ROWS; i++) {
        const json_t *c = order[i];
        char a[32], b[32], low[32], high[32], w[32], interval[80] = "-";
        show_share(cmd_number(c, "reference"), a, sizeof a);
        show_share(cmd_number(c, "production"), b, sizeof b);
        show_share(cmd_number(c, "low"), low, sizeof low);
        show_share(cmd_number(c, "high"), high, sizeof high);
        if (json_object_get(c, "low"))
            snprintf(interval, sizeof interval, "%s – %s", low, high);
        snprintf(w, sizeof w, "%.2f", cmd_number(c, "weight"));
        cmd_table_row(&t, 5, cmd_text(c, "class"), a, b, interval, w);
    }
    cmd_table_print(&t, "  ");
    if (n > MOST_ROWS)
        printf("  and %zu more that moved less; --json lists them\n", n - MOST_ROWS);
    free(order);
}

static void print_labels(const json_t *labels)
{
    char p[32];
    if (!json_is_object(labels))
        return;
    show_p(json_object_get(labels, "p_adjusted"), p, sizeof p);
    printf("\nlabels: %s (predicted labels: PSI %.3f, p adjusted %s; shares by %s)\n",
           severity_text(labels), cmd_number(labels, "value"), p,
           strcmp(cmd_text(labels, "method"), "rlls") ? "black-box shift estimation"
                                                      : "regularised black-box shift estimation");
    print_classes(json_object_get(labels, "classes"));
}

static void print_embeddings(const json_t *e)
{
    const json_t *mmd = json_object_get(e, "mmd");
    char p[32], mmd_p[32];
    if (!json_is_object(e))
        return;
    show_p(json_object_get(e, "p_adjusted"), p, sizeof p);
    show_p(json_object_get(mmd, "p_adjusted"), mmd_p, sizeof mmd_p);
    printf("\nembeddings: %s\n", severity_text(e));
    printf("  domain classifier  AUC %.3f (%.3f – %.3f), p adjusted %s\n", cmd_number(e, "auc"),
           cmd_number(e, "low"), cmd_number(e, "high"), p);
    printf("  MMD                %.4g, p adjusted %s\n", cmd_number(mmd, "value"), mmd_p);
}

static void print_targets(const json_t *targets)
{
    struct cmd_table t = {0};
    const json_t *target;
    size_t i;
    if (!json_array_size(targets))
        return;
    puts("\ntargets for collection");
    cmd_table_row(&t, 4, "slice", "reference", "production", "samples to add");
    json_array_foreach (targets, i, target) {
        char a[32], b[32], n[32];
        show_share(cmd_number(target, "reference_share"), a, sizeof a);
        show_share(cmd_number(target, "production_share"), b, sizeof b);
        snprintf(n, sizeof n, "%.0f", cmd_number(target, "missing"));
        cmd_table_row(&t, 4, cmd_text(target, "slice"), a, b, n);
    }
    cmd_table_print(&t, "  ");
}

static void print(const json_t *drift)
{
    const json_t *n = json_object_get(drift, "n"), *text;
    size_t i;
    printf("drift: %s (%.0f production samples against %.0f of the reference)\n\n",
           severity_text(drift), cmd_number(n, "production"), cmd_number(n, "reference"));
    print_fields(drift);
    print_labels(json_object_get(drift, "labels"));
    print_embeddings(json_object_get(drift, "embeddings"));
    print_targets(json_object_get(drift, "targets"));
    json_array_foreach (json_object_get(drift, "notes"), i, text)
        printf("%snote: %s\n", i ? "" : "\n", json_string_value(text));
}

/* The project's newest snapshot as a folder, and its classes. */
struct reference {
    struct fw_project *project;
    struct fw_repo *repo;
    char *path;
    json_t *info;
    const char **classes;
    struct fw_task_info task;
};

static void reference_release(struct reference *r)
{
    free(r->path);
    free(r->classes);
    json_decref(r->info);
    fw_repo_close(r->repo);
    fw_project_close(r->project);
}

static int read_info(struct reference *r, const char *oid, struct fw_err *err)
{
    int rc = fw_snap_info(r->repo, oid, &r->info, err);
    if (rc != FW_OK)
        return rc;
    const json_t *list = json_object_get(r->info, "classes"), *name;
    size_t i;
    r->classes = calloc(json_array_size(list) + 1, sizeof *r->classes);
    if (!r->classes)
        return fw_err_nomem(err);
    json_array_foreach (list, i, name)
        r->classes[i] = json_string_value(name);
    r->task = (struct fw_task_info){
        strcmp(cmd_text(r->info, "task"), "regression") ? FW_CLASSIFICATION : FW_REGRESSION,
        r->classes, json_array_size(list)};
    return FW_OK;
}

/* Returns an exit code; FW_EXIT_OK when the reference is there. */
static int open_reference(struct reference *r, const char *file)
{
    struct fw_problems problems = {0};
    struct fw_err err = {0};
    char oid[FW_OID_HEX], digest[65];
    const struct fw_view_spec all = {.split = "all"};
    const char *yaml = cmd_find_yaml(file);
    if (!file && access(yaml, F_OK) != 0) {
        fw_err_set(&err, FW_EINVAL,
                   "there is no reference: no flywheel.yaml in this folder or one "
                   "above it");
        fw_err_hint(&err, "name the samples to compare with: --reference PATH");
        return cmd_fail(&err);
    }
    if (fw_project_open(yaml, NULL, 0, &r->project, &problems) != FW_OK)
        return cmd_fail_problems(&problems);
    fw_problems_release(&problems);
    const struct fw_project *p = r->project;
    int rc = fw_project_make_state(p, &err);
    if (rc == FW_OK)
        rc = fw_repo_open(p->root, p->plan->dataset.repo, p->state_dir, &r->repo, &err);
    if (rc == FW_OK)
        rc = fw_repo_branch(r->repo, p->plan->name, oid, &err);
    if (rc == FW_ENOTFOUND)
        fw_err_hint(&err, "`flywheel snapshot import` reads the dataset; or name the samples to "
                          "compare with: --reference PATH");
    if (rc == FW_OK)
        rc = fw_snap_view(r->repo, oid, &all, &r->path, digest, &err);
    if (rc == FW_OK)
        rc = read_info(r, oid, &err);
    return rc == FW_OK ? FW_EXIT_OK : cmd_fail(&err);
}

static int number_option(const char *name, const char *text, double *out)
{
    char *end;
    double v = text ? strtod(text, &end) : 0;
    if (!text)
        return 0;
    if (end == text || *end || !isfinite(v)) {
        fprintf(stderr, "flywheel drift: --%s wants a number, not '%s'\n", name, text);
        return -1;
    }
    *out = v;
    return 0;
}

struct options {
    const char *file, *reference, *fields, *ignore, *fail_on, *minor, *major, *confidence;
    bool json;
    int seed;
};

static int parse(int argc, char **argv, struct options *o, struct fw_drift_files *f)
{
    int n = 0;
    const struct cmd_opt opts[] = {
        {"file", 'f', CMD_TEXT, &o->file},
        {"reference", 0, CMD_TEXT, &o->reference},
        {"fields", 0, CMD_TEXT, &o->fields},
        {"ignore", 0, CMD_TEXT, &o->ignore},
        {"predictions", 0, CMD_TEXT, &f->predictions},
        {"reference-predictions", 0, CMD_TEXT, &f->reference_predictions},
        {"labelled", 0, CMD_TEXT, &f->labelled},
        {"embeddings", 0, CMD_TEXT, &f->embeddings},
        {"reference-embeddings", 0, CMD_TEXT, &f->reference_embeddings},
        {"minor", 0, CMD_TEXT, &o->minor},
        {"major", 0, CMD_TEXT, &o->major},
        {"confidence", 0, CMD_TEXT, &o->confidence},
        {"fail-on", 0, CMD_TEXT, &o->fail_on},
        {"seed", 0, CMD_INT, &o->seed},
        {"json", 0, CMD_FLAG, &o->json},
        {0}};
    int got = cmd_parse(argc, argv, opts, help, 1, &n);
    if (got)
        return got;
    if (n != 1) {
        fputs("flywheel drift: which samples of production? See `flywheel drift --help`\n", stderr);
        return -1;
    }
    if (o->fail_on && strcmp(o->fail_on, "minor") != 0 && strcmp(o->fail_on, "major") != 0) {
        fprintf(stderr, "flywheel drift: --fail-on is minor or major, not '%s'\n", o->fail_on);
        return -1;
    }
    fw_drift_defaults(&f->input);
    f->input.seed = (uint64_t)o->seed;
    f->production = argv[1];
    f->reference = o->reference;
    return number_option("minor", o->minor, &f->input.minor) ||
                   number_option("major", o->major, &f->input.major) ||
                   number_option("confidence", o->confidence, &f->input.confidence)
               ? -1
               : 0;
}

static int finish(json_t *drift, const struct options *o)
{
    enum fw_severity worst = FW_DRIFT_NONE, limit = FW_DRIFT_MAJOR;
    int code = FW_EXIT_OK;
    fw_severity_parse(cmd_text(drift, "severity"), &worst);
    if (o->fail_on)
        fw_severity_parse(o->fail_on, &limit);
    if (o->json)
        code = cmd_print_json(json_incref(drift));
    else
        print(drift);
    json_decref(drift);
    return code == FW_EXIT_OK && o->fail_on && worst >= limit ? FW_EXIT_FAILED : code;
}

int cmd_drift(int argc, char **argv)
{
    enum { MOST = 256 };
    struct options o = {.file = NULL};
    struct fw_drift_files f = {.options.split = "train"};
    struct reference r = {.path = NULL};
    const char *fields[MOST], *ignore[MOST];
    struct fw_err err = {0};
    json_t *drift = NULL;
    int got = parse(argc, argv, &o, &f);
    if (got)
        return got > 0 ? FW_EXIT_OK : FW_EXIT_USAGE;
    char *wanted = strdup(o.fields ? o.fields : ""), *apart = strdup(o.ignore ? o.ignore : "");
    int code = wanted && apart ? FW_EXIT_OK : cmd_fail((fw_err_nomem(&err), &err));
    if (code == FW_EXIT_OK && !f.reference) {
        code = open_reference(&r, o.file);
        f.reference = r.path;
        f.task = &r.task;
    }
    if (code == FW_EXIT_OK) {
        f.options.fields = fields;
        f.options.n_fields = fw_drift_names(wanted, fields, MOST);
        f.options.ignore = ignore;
        f.options.n_ignore = fw_drift_names(apart, ignore, MOST);
        code = fw_drift_run(&f, &drift, &err) == FW_OK ? finish(drift, &o) : cmd_fail(&err);
    }
    free(wanted);
    free(apart);
    reference_release(&r);
    return code;
}
