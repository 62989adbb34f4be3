/*
 * drift: how far production has moved away from the train split. A thin shell over stages/drift.
 */
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/fs.h"
#include "stages/data/request.h"
#include "stages/drift/run.h"

static const char describe[] =
    "{\"protocol\": 1, \"name\": \"drift\", \"version\": \"1.0.0\",\n"
    " \"kind\": \"drift\",\n"
    " \"description\": \"how far production has moved away from the train split: each field, the "
    "shares of the classes, embeddings; what grew becomes targets for collection\",\n"
    " \"inputs\": [\"dataset\", \"production\", \"labelled\", \"reference_predictions\", "
    "\"predictions\"], \"outputs\": [\"drift\"],\n"
    " \"deterministic\": true, \"network\": false, \"code\": [],\n"
    " \"params\": {\n"
    "  \"path\": {\"type\": \"string\", \"format\": \"path\", \"default\": \"\",\n"
    "   \"description\": \"samples of production: a .jsonl, .csv or .tsv file, or a folder with "
    "samples.jsonl; relative to the project. An input named 'production' goes before it\"},\n"
    "  \"fields\": {\"type\": \"string\", \"default\": \"\",\n"
    "   \"description\": \"fields to compare, with commas between; empty = all\"},\n"
    "  \"ignore\": {\"type\": \"string\", \"default\": \"\",\n"
    "   \"description\": \"fields to leave out, with commas between\"},\n"
    "  \"minor\": {\"type\": \"number\", \"default\": 0.1, \"minimum\": 0,\n"
    "   \"description\": \"drift is minor from this effect on, in PSI\"},\n"
    "  \"major\": {\"type\": \"number\", \"default\": 0.25, \"minimum\": 0,\n"
    "   \"description\": \"and major from this one on\"},\n"
    "  \"bins\": {\"type\": \"integer\", \"default\": 10, \"minimum\": 2, \"maximum\": 64,\n"
    "   \"description\": \"bins of a number, by quantiles of the train split\"},\n"
    "  \"confidence\": {\"type\": \"number\", \"default\": 0.95, \"minimum\": 0.5, \"maximum\": "
    "0.9999,\n"
    "   \"description\": \"of all that is called drift, at most the rest of this is chance\"}\n"
    " }}";

static void report(const json_t *drift, int iteration)
{
    const json_t *f, *fields = json_object_get(drift, "fields");
    const char *severity = json_string_value(json_object_get(drift, "severity"));
    size_t i, drifted = 0;
    json_array_foreach (fields, i, f) {
        const char *s = json_string_value(json_object_get(f, "severity"));
        drifted += s && (!strcmp(s, "minor") || !strcmp(s, "major"));
    }
    fw_event_metric("drifted_fields", (double)drifted, iteration);
    fw_event_message(!strcmp(severity, "major") ? "warning" : "info",
                     "drift: %s; %zu of %zu comparisons, %zu targets",
                     !strcmp(severity, "unknown") ? "too few samples to tell" : severity, drifted,
                     json_array_size(fields), json_array_size(json_object_get(drift, "targets")));
}

static int find_production(const struct fw_request *r, char **out, struct fw_err *err)
{
    const char *input = fw_request_in(r, "production"), *path = fw_request_str(r, "path");
    if (!input && (!path || !*path)) {
        fw_err_set(err, FW_EINVAL, "no samples of production are named");
        fw_err_hint(err, "set 'path', or give the stage an input: in: {production: live/}");
        return FW_EINVAL;
    }
    *out = input ? strdup(input) : fw_fs_join(r->project, path);
    return *out ? FW_OK : fw_err_nomem(err);
}

static int run(const struct fw_request *r, struct fw_err *err)
{
    enum { MOST = 256 };
    const char *fields[MOST], *ignore[MOST], *out = fw_request_out(r, "drift");
    const char *names = fw_request_str(r, "fields"), *apart = fw_request_str(r, "ignore");
    char *wanted = strdup(names ? names : ""), *left = strdup(apart ? apart : ""), *text = NULL;
    char *production = NULL;
    json_t *drift = NULL;
    struct fw_drift_files f = {
        .reference = fw_request_in(r, "dataset"),
        .labelled = fw_request_in(r, "labelled"),
        .reference_predictions = fw_request_in(r, "reference_predictions"),
        .predictions = fw_request_in(r, "predictions"),
        .task = &r->task,
    };
    int rc = wanted && left ? FW_OK : fw_err_nomem(err);
    if (rc == FW_OK && (!f.reference || !out))
        rc = fw_err_set(err, FW_EINVAL, "the request names no %s",
                        f.reference ? "output 'drift'" : "input 'dataset'");
    if (rc == FW_OK)
        rc = find_production(r, &production, err);
    if (rc == FW_OK) {
        fw_drift_defaults(&f.input);
        f.production = production;
        f.options.fields = fields;
        f.options.n_fields = fw_drift_names(wanted, fields, MOST);
        f.options.ignore = ignore;
        f.options.n_ignore = fw_drift_names(left, ignore, MOST);
        f.input.minor = fw_request_num(r, "minor");
        f.input.major = fw_request_num(r, "major");
        f.input.bins = (size_t)fw_request_num(r, "bins");
        f.input.confidence = fw_request_num(r, "confidence");
        f.input.seed = r->seed;
        rc = fw_drift_run(&f, &drift, err);
    }
    if (rc == FW_OK) {
        text = json_dumps(drift, JSON_INDENT(1) | JSON_REAL_PRECISION(12));
        rc = text ? fw_fs_write_atomic(out, text, strlen(text), err) : fw_err_nomem(err);
    }
    if (rc == FW_OK)
        report(drift, r->iteration);
    json_decref(drift);
    free(text);
    free(wanted);
    free(left);
    free(production);
    return rc;
}

int main(int argc, char **argv)
{
    return fw_plugin_main(argc, argv, describe, run);
}
