#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/analyse.h"
#include "cmd/cmd.h"
#include "pipeline/base/csv.h"
#include "pipeline/base/fs.h"
#include "pipeline/base/suggest.h"
#include "pipeline/snap/source.h"
#include "stages/examine/examine.h"
#include "stages/examine/other_tasks.h"
#include "stages/examine/require.h"

static const char help[] =
    "usage: flywheel analyse DATA [PREDICTIONS] [--only PART,...] [--require WHAT]... [--json]\n"
    "       flywheel analyse LABELS.npy PROBS.npy [--embeddings FILE.npy] ...\n\n"
    "What is wrong with labelled data, without a pipeline: labels that are probably wrong, where "
    "the\n"
    "model is weak, copies, outliers, and more. DATA is a folder, .jsonl, .csv or .tsv file as\n"
    "`flywheel run` imports it; PREDICTIONS a .jsonl or .csv file, or a folder, with the model's\n"
    "out-of-sample predictions by id (`prediction`, `probs`). Or give NumPy arrays: N labels "
    "(whole\n"
    "numbers, -1 unlabelled) and N × K probabilities.\n\n"
    "      --only PART,...     parts to look at (default: all that the data allow):\n"
    "                          metrics, labels, slices, duplicates, outliers, balance, order, "
    "images\n"
    "      --filter NAME       which labels are issues: prune_by_noise_rate (default), "
    "prune_by_class,\n"
    "                          both, confident_learning, predicted_neq_given, "
    "low_normalized_margin,\n"
    "                          low_self_confidence\n"
    "      --score NAME        their order: self_confidence, normalized_margin (default),\n"
    "                          confidence_weighted_entropy\n"
    "      --slice CONDITION   a slice to judge by itself, or a field whose values are slices; may "
    "be\n"
    "                          repeated\n"
    "      --found N           weak slices to look for (default 10; 0: none)\n"
    "      --metric NAME       what a slice's worth is told in (default accuracy, or rmse)\n"
    "      --classes A,B,...   names of the classes of arrays\n"
    "      --embeddings FILE   float32 N × D, for arrays (a predictions folder holds its own)\n"
    "      --task TASK         what the labels are: classification (default) or regression of a "
    "CSV\n"
    "                          file; multilabel: JSON lines whose label is a list; boxes: JSON "
    "lines\n"
    "                          with boxes, or COCO's JSON (the default for .json)\n"
    "      --require WHAT      exit with 1 unless it holds, as in 'label_issues <= 2%',\n"
    "                          'leaks <= 0', 'macro_f1 >= 0.9', or on a slice\n"
    "                          \"recall:spam where region == 'south' >= 0.8\"; may be repeated\n"
    "      --out FILE          write the label issues (suspect boxes, labels of sets) as CSV\n"
    "      --top N             rows of each table (default 10; 0: all)\n"
    "      --seed N            of all that is random (default 1)\n"
    "      --json              as JSON, with all rows and the figures that --require knows\n";

/* In a list of the JSON, unless --out asks for all: a list of millions would be most of the memory. */
enum { LISTED = 20000 };

enum task { CLASSIFICATION, REGRESSION, MULTILABEL, BOXES };

struct run {
    const char *data, *predictions, *only, *filter, *score, *classes, *embeddings, *out, *task_name,
        *metric;
    bool json;
    enum task task_given;
    int found, top, seed;
    struct cmd_list slices, require;
    /* what was read */
    struct fw_dataset *ds;
    struct fw_predictions *p;
    struct fw_task_info task;
    const char **names;
    struct fw_labelled l;
};

static bool is_npy(const char *path)
{
    size_t n = path ? strlen(path) : 0;
    return n > 4 && !strcmp(path + n - 4, ".npy");
}

/* A comma-separated list split in place; *n names, malloc'd. */
static const char **split(char *text, size_t *n)
{
    size_t cap = 1;
    for (const char *p = text; *p; p++)
        cap += *p == ',';
    const char **v = calloc(cap, sizeof *v);
    for (*n = 0; v && text;) {
        char *comma = strchr(text, ',');
        if (comma)
            *comma = '\0';
        v[(*n)++] = text;
        text = comma ? comma + 1 : NULL;
    }
    return v;
}

static int read_arrays(struct run *r, struct fw_err *err)
{
    size_t n = 0;
    char *text = r->classes ? strdup(r->classes) : NULL;
    const char **names = text ? split(text, &n) : NULL;
    int rc = r->classes && !names
                 ? fw_err_nomem(err)
                 : fw_labelled_arrays(r->data, r->predictions, r->embeddings, names, n, &r->l, err);
    free(names);
    free(text);
    return rc;
}

static int read_source(struct run *r, struct fw_err *err)
{
    struct fw_buf warnings = {0};
    struct fw_import_problems problems = {0};
    int rc = fw_source_load(r->data, r->task_given == REGRESSION, &r->ds, &r->task, &r->names,
                            &warnings, &problems, err);
    if (warnings.p)
        fputs(warnings.p, stderr);
    for (size_t i = 0; i < problems.n; i++)
        cmd_fail(&problems.list[i]);
    if (problems.more)
        fprintf(stderr, "and %zu more\n", problems.more);
    fw_buf_release(&warnings);
    if (rc == FW_OK && r->predictions)
        rc = fw_predictions_load(r->predictions, &r->task, &r->p, err);
    if (rc == FW_EINVAL && !r->task_name && !err->hint[0])
        fw_err_hint(err,
                    "when the labels are numbers, sets of classes or boxes, say so with --task");
    return rc == FW_OK ? fw_labelled_join(r->ds, &r->task, r->p, &r->l, err) : rc;
}

/* Flags of the parts in --only (all without it). */
static int choose(const struct run *r, bool *chosen, struct fw_err *err)
{
    const char *names[32];
    size_t parts = 0, n = 0;
    for (; fw_examine_parts[parts].name; parts++) {
        names[parts] = fw_examine_parts[parts].name;
        chosen[parts] = !r->only;
    }
    char *text = r->only ? strdup(r->only) : NULL;
    const char **list = text ? split(text, &n) : NULL;
    int rc = r->only && !list ? fw_err_nomem(err) : FW_OK;
    for (size_t i = 0; i < n && rc == FW_OK; i++) {
        size_t k = 0;
        while (k < parts && strcmp(names[k], list[i]) != 0)
            k++;
        if (k < parts) {
            chosen[k] = true;
            continue;
        }
        rc = fw_err_set(err, FW_EINVAL, "--only: there is no part '%s'", list[i]);
        const char *near = fw_suggest(list[i], names, parts);
        if (near)
            fw_err_hint(err, "did you mean '%s'?", near);
    }
    free(list);
    free(text);
    return rc;
}

static bool ends_in(const char *path, const char *end)
{
    size_t n = strlen(path), m = strlen(end);
    return n > m && !strcmp(path + n - m, end);
}

static int settle_task(struct run *r, struct fw_err *err)
{
    static const char *const names[] = {"classification", "regression", "multilabel", "boxes"};
    r->task_given = ends_in(r->data, ".json") ? BOXES : CLASSIFICATION;
    if (!r->task_name)
        return FW_OK;
    for (size_t i = 0; i < 4; i++)
        if (!strcmp(r->task_name, names[i])) {
            r->task_given = (enum task)i;
            return FW_OK;
        }
    fw_err_set(err, FW_EINVAL, "--task: there is no task '%s'", r->task_name);
    return fw_err_hint(err, "tasks are classification, regression, multilabel and boxes");
}

/* Files that are not there are the caller's mistake; told before any work. */
static int check_files(const struct run *r, struct fw_err *err)
{
    const char *const files[] = {r->data, r->predictions, r->embeddings};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (files[i] && !fw_fs_exists(files[i]))
            return fw_err_set(err, FW_ENOTFOUND, "%s: there is no such file or folder", files[i]);
    if (r->task_given >= MULTILABEL &&
        (r->only || r->metric || r->slices.n || r->classes || r->embeddings || r->score))
        return fw_err_set(err, FW_EINVAL,
                          "--only, --metric, --slice, --score, --classes and --embeddings are for "
                          "classes and numbers, not for %s",
                          r->task_given == BOXES ? "boxes" : "sets of labels");
    if (!is_npy(r->data) && (r->classes || r->embeddings))
        return fw_err_set(
            err, FW_EINVAL,
            "--classes and --embeddings are for arrays: data name their classes, and a "
            "predictions folder holds embeddings.npy");
    return FW_OK;
}

/* Boxes and sets of labels. */
static int examine_other(struct run *r, enum fw_cl_filter filter, json_t **result,
                         struct fw_err *err)
{
    struct fw_box_sets boxes = {.n = 0};
    struct fw_labelsets sets = {.n = 0};
    int rc;
    if (r->task_given == BOXES) {
        rc = fw_box_sets_load(r->data, r->predictions, &boxes, err);
        if (rc == FW_OK)
            rc = fw_examine_boxes(&boxes, r->predictions != NULL, result, err);
        fw_box_sets_release(&boxes);
        return rc;
    }
    rc = fw_labelsets_load(r->data, r->predictions, &sets, err);
    if (rc == FW_OK)
        rc = fw_examine_labelsets(&sets, filter, (uint64_t)r->seed, result, err);
    fw_labelsets_release(&sets);
    return rc;
}

static int examine(struct run *r, json_t **result, struct fw_err *err)
{
    struct fw_examine x = {.l = &r->l,
                           .score = FW_CL_NORMALIZED_MARGIN,
                           .n_slices = r->slices.n,
                           .slices = r->slices.v,
                           .max_found = (size_t)r->found,
                           .listed = r->out ? SIZE_MAX : LISTED,
                           .seed = (uint64_t)r->seed};
    bool chosen[32] = {false};
    struct fw_require q;
    int rc = choose(r, chosen, err);
    for (size_t i = 0; i < r->require.n && rc == FW_OK; i++) /* before hours of work, not after */
        rc = fw_require_parse(r->require.v[i], &q, err);
    if (rc == FW_OK && r->filter && fw_cl_filter_parse(r->filter, &x.filter) != FW_OK)
        rc = fw_err_set(err, FW_EINVAL, "--filter: there is no filter '%s'; see --help", r->filter);
    if (rc == FW_OK && r->score && fw_cl_score_parse(r->score, &x.score) != FW_OK)
        rc = fw_err_set(err, FW_EINVAL, "--score: there is no score '%s'; see --help", r->score);
    if (rc == FW_OK)
        rc = settle_task(r, err);
    if (rc == FW_OK)
        rc = check_files(r, err);
    if (rc == FW_OK && r->task_given >= MULTILABEL)
        return examine_other(r, x.filter, result, err);
    if (rc == FW_OK)
        rc = is_npy(r->data) ? read_arrays(r, err) : read_source(r, err);
    if (rc == FW_OK && (r->l.probs.f || r->l.probs.d) &&
        (rc = fw_cl_check(&r->l.probs, r->l.klass, err)) != FW_OK && r->predictions)
        fw_err_at(err, r->predictions, 0, 0);
    bool measured = r->require.n > 0;
    for (size_t i = 0; fw_examine_parts[i].name; i++)
        measured |= chosen[i] && fw_examine_parts[i].fn == fw_examine_metrics;
    if (rc == FW_OK && measured)
        rc = fw_labelled_predict(&r->l, err);
    x.predictions = r->p;
    const char *usual = r->l.task.task == FW_REGRESSION ? "rmse" : "accuracy";
    if (rc == FW_OK && (r->l.task.n_classes || r->l.task.task == FW_REGRESSION))
        rc = fw_metric_parse(r->metric ? r->metric : usual, &r->l.task, &x.metric, err);
    return rc == FW_OK ? fw_examine(&x, chosen, result, err) : rc;
}

/* The suspects of boxes: image, class, what is wrong and where; of sets: id, class, whether it is given. */
static void put_other(struct fw_buf *out, const json_t *result)
{
    size_t i;
    json_t *one;
    bool boxes = !strcmp(cmd_text(json_object_get(result, "data"), "task"), "boxes");
    fw_buf_puts(out,
                boxes ? "image,class,error,x,y,width,height,score\n" : "id,class,given,score\n");
    json_array_foreach (json_object_get(result, "suspects"), i, one) {
        const char *id = cmd_text(one, boxes ? "image" : "id"), *name = cmd_text(one, "class");
        const json_t *box = json_object_get(one, "box");
        fw_csv_put(out, id, strlen(id), ',');
        fw_buf_putc(out, ',');
        fw_csv_put(out, name, strlen(name), ',');
        fw_buf_printf(out, ",%s,",
                      boxes                                         ? cmd_text(one, "error")
                      : json_is_true(json_object_get(one, "given")) ? "1"
                                                                    : "0");
        for (size_t k = 0; k < json_array_size(box); k++)
            fw_buf_printf(out, "%g,", json_number_value(json_array_get(box, k)));
        fw_buf_printf(out, "%.6g\n", cmd_number(one, "score"));
    }
}

static int write_issues(const char *path, const json_t *result, struct fw_err *err)
{
    static const char *const keys[] = {"id", "label", "suggested"};
    struct fw_buf out = {0};
    size_t i;
    json_t *one;
    if (json_object_get(result, "suspects"))
        put_other(&out, result);
    else
        fw_buf_puts(&out, "id,label,suggested,score\n");
    json_array_foreach (json_object_get(json_object_get(result, "labels"), "issues"), i, one) {
        for (size_t k = 0; k < 3; k++) {
            const char *text = cmd_text(one, keys[k]);
            fw_csv_put(&out, text, strlen(text), ',');
            fw_buf_putc(&out, ',');
        }
        fw_buf_printf(&out, "%.6g\n", cmd_number(one, "score"));
    }
    int rc = out.failed ? fw_err_nomem(err) : fw_fs_write_atomic(path, out.p, out.len, err);
    fw_buf_release(&out);
    return rc;
}

/* FW_EXIT_FAILED when a requirement does not hold; adds what came out to the result. */
static int check_required(const struct run *r, json_t *result, struct fw_err *err)
{
    const json_t *figures = json_object_get(result, "figures");
    json_t *list = json_array();
    int code = FW_EXIT_OK, rc = FW_OK;
    for (size_t i = 0; i < r->require.n && rc == FW_OK; i++) {
        struct fw_require q;
        double value = NAN;
        rc = fw_require_parse(r->require.v[i], &q, err);
        if (rc == FW_OK)
            rc = fw_examine_value(&r->l, figures, &q, &value, err);
        if (rc != FW_OK)
            break;
        bool holds = fw_require_holds(&q, value);
        json_array_append_new(list, json_pack("{s:s, s:o, s:b}", "require", r->require.v[i],
                                              "value", fw_examine_number(value), "holds", holds));
        if (holds)
            continue;
        code = FW_EXIT_FAILED;
        if (isnan(value))
            fprintf(stderr, "not met: %s (it could not be measured)\n", r->require.v[i]);
        else
            fprintf(stderr, "not met: %s (it is %.4g)\n", r->require.v[i], value);
    }
    json_object_set_new(result, "required", list);
    return rc == FW_OK ? code : cmd_fail(err);
}

int cmd_analyse(int argc, char **argv)
{
    struct run r = {.found = 10, .top = 10, .seed = 1};
    const struct cmd_opt opts[] = {{"only", 0, CMD_TEXT, &r.only},
                                   {"filter", 0, CMD_TEXT, &r.filter},
                                   {"score", 0, CMD_TEXT, &r.score},
                                   {"slice", 0, CMD_LIST, &r.slices},
                                   {"found", 0, CMD_INT, &r.found},
                                   {"classes", 0, CMD_TEXT, &r.classes},
                                   {"embeddings", 0, CMD_TEXT, &r.embeddings},
                                   {"task", 0, CMD_TEXT, &r.task_name},
                                   {"metric", 0, CMD_TEXT, &r.metric},
                                   {"require", 0, CMD_LIST, &r.require},
                                   {"out", 'o', CMD_TEXT, &r.out},
                                   {"top", 0, CMD_INT, &r.top},
                                   {"seed", 0, CMD_INT, &r.seed},
                                   {"json", 0, CMD_FLAG, &r.json},
                                   {0}};
    int n = 0, got = cmd_parse(argc, argv, opts, help, 2, &n);
    if (got)
        return got > 0 ? FW_EXIT_OK : FW_EXIT_USAGE;
    if (!n) {
        fputs(help, stderr);
        return FW_EXIT_USAGE;
    }
    r.data = argv[1];
    r.predictions = n > 1 ? argv[2] : NULL;
    if (is_npy(r.data) && !r.predictions) {
        fputs("flywheel analyse: labels in an array need probabilities beside them\n", stderr);
        return FW_EXIT_USAGE;
    }
    struct fw_err err = {0};
    json_t *result = NULL;
    int rc = examine(&r, &result, &err);
    if (rc == FW_OK && r.out)
        rc = write_issues(r.out, result, &err);
    int code = rc == FW_OK ? check_required(&r, result, &err) : cmd_fail(&err);
    if (rc == FW_OK && r.json) {
        int printed = cmd_print_json(json_incref(result));
        code = code ? code : printed;
    } else if (rc == FW_OK) {
        cmd_analyse_print(result, (size_t)r.top);
    }
    json_decref(result);
    fw_labelled_release(&r.l);
    fw_predictions_free(r.p);
    fw_dataset_free(r.ds);
    free(r.names);
    return code;
}
