/*
 * analyse: error analysis of the champion. Slices, declared and found, with their room for improvement,
 * suspect labels by confident learning, confusions, coverage. A thin shell over stages/error_analysis.
 */
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/fs.h"
#include "stages/data/request.h"
#include "stages/error_analysis/analysis.h"
#include "stages/relabel/candidates.h"

static const char describe[] =
    "{\"protocol\": 1, \"name\": \"analyse\", \"version\": \"1.1.0\",\n"
    " \"kind\": \"error-analysis\",\n"
    " \"description\": \"where the model is weak and what mending it would be worth: slices, "
    "declared "
    "and found, with their gap to human level, suspect labels and their share by confident "
    "learning, confusions, "
    "coverage\",\n"
    " \"inputs\": [\"dataset\", \"predictions\", \"out_of_fold\", \"curve\", \"guidelines\", "
    "\"history\"],\n"
    " \"outputs\": [\"analysis\"],\n"
    " \"params\": {\n"
    "  \"suspects\": {\"type\": \"integer\", \"default\": 200, \"minimum\": 0, \"maximum\": "
    "1000000,\n"
    "   \"description\": \"how many suspect labels to name at most\"},\n"
    "  \"method\": {\"type\": \"string\", \"default\": \"prune_by_noise_rate\", \"enum\": "
    "[\"prune_by_noise_rate\", \"prune_by_class\", \"both\", \"confident_learning\", "
    "\"predicted_neq_given\", \"low_normalized_margin\", \"low_self_confidence\"],\n"
    "   \"description\": \"which labels are suspects (filters of confident learning)\"},\n"
    "  \"score\": {\"type\": \"string\", \"default\": \"normalized_margin\", \"enum\": "
    "[\"self_confidence\", \"normalized_margin\", \"confidence_weighted_entropy\"],\n"
    "   \"description\": \"in which order suspects are named, lowest score first\"},\n"
    "  \"find\": {\"type\": \"boolean\", \"default\": true,\n"
    "   \"description\": \"look for weak slices that nobody declared: SliceLine over metadata and "
    "inline "
    "features, and clusters of embeddings; each is tested on data the search has not seen\"},\n"
    "  \"max_found\": {\"type\": \"integer\", \"default\": 10, \"minimum\": 1, \"maximum\": 1000,\n"
    "   \"description\": \"how many slices to find at most\"},\n"
    "  \"level\": {\"type\": \"integer\", \"default\": 3, \"minimum\": 1, \"maximum\": 8,\n"
    "   \"description\": \"how many fields a found slice speaks of at most\"},\n"
    "  \"min_share\": {\"type\": \"number\", \"default\": 0.01, \"minimum\": 0.0001, \"maximum\": "
    "0.5,\n"
    "   \"description\": \"the least share of the dev split that a found slice has; never fewer "
    "than 32 "
    "of the samples searched\"},\n"
    "  \"find_class\": {\"type\": \"boolean\", \"default\": false,\n"
    "   \"description\": \"found slices may speak of the class too; such a slice cannot be "
    "collected "
    "for\"}},\n"
    " \"deterministic\": true, \"network\": false, \"code\": []}";

static int read_slices(const struct fw_request *r, const char ***out, size_t *n, struct fw_err *err)
{
    const json_t *list = json_object_get(r->json, "slices"), *v;
    size_t i;
    const char **slices = calloc(json_array_size(list) + 1, sizeof *slices);
    if (!slices)
        return fw_err_nomem(err);
    *out = slices;
    json_array_foreach (list, i, v) {
        if (!(slices[i] = json_string_value(v)))
            return fw_err_set(err, FW_EINVAL, "the request's slices are not a list of texts");
    }
    *n = json_array_size(list);
    return FW_OK;
}

static int read_choices(const struct fw_request *r, struct fw_analysis_input *in,
                        struct fw_err *err)
{
    const char *metric = json_string_value(json_object_get(r->json, "metric"));
    const char *method = fw_request_str(r, "method"), *score = fw_request_str(r, "score");
    if (method && fw_cl_filter_parse(method, &in->filter) != FW_OK)
        return fw_err_set(err, FW_EINVAL, "method '%s' is not known", method);
    in->score = FW_CL_NORMALIZED_MARGIN;
    if (score && fw_cl_score_parse(score, &in->score) != FW_OK)
        return fw_err_set(err, FW_EINVAL, "score '%s' is not known", score);
    double suspects = fw_request_num(r, "suspects");
    in->max_suspects = suspects > 0 ? (size_t)suspects : 0;
    if (fw_request_bool(r, "find")) {
        in->max_found = (size_t)fw_request_num(r, "max_found");
        in->found_level = (size_t)fw_request_num(r, "level");
        in->found_share = fw_request_num(r, "min_share");
        in->found_class = fw_request_bool(r, "find_class");
    }
    if (!metric)
        metric = r->task.task == FW_REGRESSION ? "rmse" : "accuracy";
    return fw_metric_parse(metric, &r->task, &in->metric, err);
}

/* Where most is to be gained. Worth is gap × share: accuracy, or the mean absolute error. */
static void name_worst(const struct fw_request *r, const json_t *worst, size_t suspects)
{
    const char *slice = json_string_value(json_object_get(worst, "slice"));
    double worth = json_number_value(json_object_get(worst, "worth"));
    bool human = json_object_size(json_object_get(r->json, "human_level")) > 0;
    if (r->task.task == FW_REGRESSION)
        fw_event_message("info",
                         "most to gain: %s, %.4g of the mean absolute error; %zu suspect labels",
                         slice, worth, suspects);
    else
        fw_event_message("info",
                         "most to gain: %s, %.2f points of accuracy if its gap to %s closed; %zu "
                         "suspect labels",
                         slice, 100 * worth, human ? "human level" : "100 %", suspects);
}

static size_t count_found(const json_t *analysis)
{
    const json_t *slices = json_object_get(analysis, "slices"), *s;
    size_t i, n = 0;
    json_array_foreach (slices, i, s)
        n += json_is_string(json_object_get(s, "found"));
    return n;
}

static void report(const struct fw_request *r, const json_t *analysis)
{
    int iteration = r->iteration;
    const json_t *noise = json_object_get(analysis, "noise");
    const json_t *worst = json_array_get(json_object_get(analysis, "slices"), 0);
    size_t suspects = json_array_size(json_object_get(analysis, "suspects"));
    fw_event_metric("suspects", (double)suspects, iteration);
    fw_event_metric("found_slices", (double)count_found(analysis), iteration);
    if (json_is_object(noise))
        fw_event_metric("noise_rate", json_number_value(json_object_get(noise, "rate")), iteration);
    if (json_number_value(json_object_get(worst, "priority")) > 0)
        name_worst(r, worst, suspects);
}

static int write_analysis(const json_t *analysis, const char *path, struct fw_err *err)
{
    char *text = json_dumps(analysis, JSON_INDENT(1) | JSON_REAL_PRECISION(12));
    int rc = text ? fw_fs_write_atomic(path, text, strlen(text), err) : fw_err_nomem(err);
    free(text);
    return rc;
}

static double cost(const struct fw_request *r, const char *of)
{
    const json_t *v = json_object_get(json_object_get(r->json, "costs"), of);
    return json_is_number(v) ? json_number_value(v) : 1;
}

static int read_curve(const struct fw_request *r, struct fw_curve **curve,
                      struct fw_analysis_input *in, struct fw_err *err)
{
    const char *path = fw_request_in(r, "curve");
    int rc = path ? fw_curve_load(path, &r->task, curve, err) : FW_OK;
    in->curve = *curve;
    in->cost_label = cost(r, "label");
    in->cost_sample = cost(r, "sample");
    return rc;
}

static int run(const struct fw_request *r, struct fw_err *err)
{
    const char *dataset = fw_request_in(r, "dataset"), *dev = fw_request_in(r, "predictions");
    const char *fold = fw_request_in(r, "out_of_fold"), *path = fw_request_out(r, "analysis");
    struct fw_dataset *ds = NULL;
    struct fw_curve *curve = NULL;
    struct fw_predictions *on_dev = NULL, *on_train = NULL;
    struct fw_asked asked = {.closed = {0}};
    const char **slices = NULL;
    json_t *analysis = NULL;
    if (!dataset || !dev || !path)
        return fw_err_set(err, FW_EINVAL,
                          "the request lacks the inputs dataset and predictions or the output "
                          "analysis");
    struct fw_analysis_input in = {
        .task = &r->task,
        .human_level = json_object_get(r->json, "human_level"),
        .importance = json_object_get(r->json, "importance"),
        .ease = json_object_get(r->json, "ease"),
        .seed = r->seed,
    };
    int rc = read_choices(r, &in, err);
    if (rc == FW_OK)
        rc = read_slices(r, &slices, &in.n_slices, err);
    if (rc == FW_OK)
        rc = fw_dataset_load(dataset, &r->task, &ds, err);
    if (rc == FW_OK)
        rc = fw_predictions_load(dev, &r->task, &on_dev, err);
    if (rc == FW_OK && fold)
        rc = fw_predictions_load(fold, &r->task, &on_train, err);
    if (rc == FW_OK)
        rc = fw_asked_load(fw_request_in(r, "history"), ds, &asked, err);
    if (rc == FW_OK)
        rc = read_curve(r, &curve, &in, err);
    in.data = ds;
    in.dev = on_dev;
    in.out_of_fold = on_train;
    in.slices = slices;
    in.not_asked = &asked.closed;
    in.looked_at = &asked.right;
    if (rc == FW_OK)
        rc = fw_analysis_build(&in, &analysis, err);
    if (rc == FW_OK)
        rc = write_analysis(analysis, path, err);
    if (rc == FW_OK)
        report(r, analysis);
    json_decref(analysis);
    free(slices);
    fw_asked_release(&asked);
    fw_curve_free(curve);
    fw_predictions_free(on_train);
    fw_predictions_free(on_dev);
    fw_dataset_free(ds);
    return rc;
}

int main(int argc, char **argv)
{
    return fw_plugin_main(argc, argv, describe, run);
}
