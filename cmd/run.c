#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/progress.h"
#include "pipeline/base/fs.h"
#include "pipeline/loop/loop.h"

static const char help_run[] =
    "usage: flywheel run [options]\n\n"
    "Turns the flywheel: trains, evaluates, analyses the errors, collects proposals for better "
    "data,\n"
    "applies them to a candidate snapshot, measures it, and keeps it only when the gate says so; "
    "until\n"
    "data fixes stop helping. Progress goes to stderr, the result to stdout.\n\n"
    "  -f, --file FILE      the pipeline (default: the nearest flywheel.yaml from here upwards)\n"
    "      --set KEY=VALUE  overrides one value for this run, e.g. --set loop.patience=3\n"
    "      --new-model      accept a changed model: a new baseline on the current data\n"
    "      --new-benchmark  accept changed evaluation sets\n"
    "      --new            start although an earlier run is parked\n"
    "      --id NAME        the run's name (default: made from the time)\n"
    "  -j, --jobs N         at most N stages at once\n"
    "      --wait           wait while another run holds the project\n"
    "  -q, --quiet          warnings and the result only\n"
    "  -v, --verbose        cached stages and messages of stages too\n"
    "      --json           the run's record as JSON on stdout\n\n"
    "Exit codes: 0 stopped by its own rule, 1 a stage failed, 2 usage or configuration, 3 refused "
    "(the\n"
    "model or an evaluation set changed), 4 parked, 5 another run holds the project, 128+n by "
    "signal.\n";

static const char help_resume[] =
    "usage: flywheel resume [RUN] [options]\n\n"
    "Goes on with a run that was parked (waiting for people), cut off or failed. What was done is "
    "not\n"
    "done again. RUN is an id or the beginning of one (default: the newest).\n\n"
    "  -f, --file FILE  the pipeline (default: the nearest flywheel.yaml from here upwards)\n"
    "  -j, --jobs N     at most N stages at once\n"
    "      --wait       wait while another run holds the project\n"
    "  -q, --quiet      warnings and the result only\n"
    "  -v, --verbose    cached stages and messages of stages too\n"
    "      --json       the run's record as JSON on stdout\n";

struct options {
    const char *file;
    struct cmd_list sets;
    bool new_model, new_benchmark, anew, wait, quiet, verbose, json;
    const char *id, *run;
    int jobs;
};

/* The result in a few lines: what a person wants to know first. */
static void summary(const json_t *record, const char *report)
{
    const json_t *champion = json_object_get(record, "champion");
    const json_t *first = json_array_get(json_object_get(record, "iterations"), 0);
    const json_t *before = json_object_get(first, "score"),
                 *after = json_object_get(champion, "score");
    const json_t *test = json_object_get(record, "test"), *labels;
    const char *metric = cmd_text(json_object_get(record, "metric"), "name");
    printf("%s  %.4f → %.4f (%.4f to %.4f) on dev", metric, cmd_number(before, "value"),
           cmd_number(after, "value"), cmd_number(after, "low"), cmd_number(after, "high"));
    if (json_is_object(test)) {
        const json_t *b = json_object_get(json_object_get(test, "baseline"), "score");
        const json_t *c = json_object_get(json_object_get(test, "champion"), "score");
        printf("; %.4f → %.4f on the sealed test set", cmd_number(b, "value"),
               cmd_number(c, "value"));
    }
    printf("\nchampion  iteration %.0f, snapshot %.12s on branch flywheel/%s\n",
           cmd_number(champion, "iteration"), cmd_text(champion, "snapshot"),
           cmd_text(record, "name"));
    labels = json_object_get(json_object_get(record, "budget"), "labels");
    if (cmd_number(labels, "used") > 0)
        printf("labels    %.0f asked for\n", cmd_number(labels, "used"));
    const json_t *unproven = json_object_get(record, "provisional");
    if (json_is_object(unproven))
        printf("unproven  fixes that are neither better nor worse beyond the noise wait on\n"
               "          %s; the next run builds on them\n",
               cmd_text(unproven, "ref"));
    printf("stopped   %s\n", cmd_text(json_object_get(record, "stop"), "text"));
    if (report)
        printf("report    %s\n", report);
}

static int finish(const struct fw_project *project, const char *run, const struct options *o)
{
    json_t *record = NULL;
    struct fw_err err = {0};
    char *report = fw_run_path(project->state_dir, run, "report.html");
    int rc = report ? fw_run_record(project->state_dir, run, &record, &err) : fw_err_nomem(&err);
    if (rc == FW_OK)
        rc = cmd_write_report(record, report, &err);
    int code = rc == FW_OK ? FW_EXIT_OK : cmd_fail(&err);
    if (rc == FW_OK && o->json)
        code = cmd_print_json(json_incref(record));
    else if (rc == FW_OK)
        summary(record, report);
    json_decref(record);
    free(report);
    return code;
}

static int fail_import(const struct fw_import_problems *problems, const struct fw_err *err)
{
    char line[4096];
    for (size_t i = 0; i < problems->n; i++) {
        fw_err_format(&problems->list[i], line, sizeof line);
        fprintf(stderr, "%s\n", line);
    }
    if (problems->more)
        fprintf(stderr, "and %zu more\n", problems->more);
    return cmd_fail(err);
}

static int go(const struct fw_project *project, const struct options *o, const char *run,
              const char *const *sets, size_t n_sets)
{
    struct cmd_progress progress;
    struct fw_loop_outcome outcome = {0};
    struct fw_err err = {0};
    cmd_progress_init(&progress, o->quiet, o->verbose);
    struct fw_loop_options options = {.run = run,
                                      .new_id = o->id,
                                      .wait = o->wait,
                                      .new_model = o->new_model,
                                      .new_benchmark = o->new_benchmark,
                                      .even_if_parked = o->anew,
                                      .jobs = o->jobs,
                                      .command = run ? "flywheel resume" : "flywheel run",
                                      .sets = sets,
                                      .n_sets = n_sets,
                                      .observer = cmd_progress_observer(&progress)};
    int rc = fw_loop_run(project, &options, &outcome, &err);
    cmd_progress_end(&progress);
    int code;
    if (rc == FW_OK)
        code = finish(project, outcome.run, o);
    else if (outcome.import.n)
        code = fail_import(&outcome.import, &err);
    else
        code = cmd_fail(&err);
    if (rc == FW_EWAITING)
        fputs("  `flywheel resume` goes on when the answers are there\n", stderr);
    if (outcome.signal)
        code = 128 + outcome.signal;
    free(outcome.run);
    return code;
}

int cmd_run(int argc, char **argv)
{
    struct options o = {0};
    const struct cmd_opt opts[] = {{"file", 'f', CMD_TEXT, &o.file},
                                   {"set", 0, CMD_LIST, &o.sets},
                                   {"new-model", 0, CMD_FLAG, &o.new_model},
                                   {"new-benchmark", 0, CMD_FLAG, &o.new_benchmark},
                                   {"new", 0, CMD_FLAG, &o.anew},
                                   {"id", 0, CMD_TEXT, &o.id},
                                   {"jobs", 'j', CMD_INT, &o.jobs},
                                   {"wait", 0, CMD_FLAG, &o.wait},
                                   {"quiet", 'q', CMD_FLAG, &o.quiet},
                                   {"verbose", 'v', CMD_FLAG, &o.verbose},
                                   {"json", 0, CMD_FLAG, &o.json},
                                   {0}};
    int got = cmd_parse(argc, argv, opts, help_run, 0, NULL);
    if (got)
        return got > 0 ? FW_EXIT_OK : FW_EXIT_USAGE;
    struct fw_project *project = NULL;
    struct fw_problems problems = {0};
    if (fw_project_open(cmd_find_yaml(o.file), o.sets.v, o.sets.n, &project, &problems) != FW_OK)
        return cmd_fail_problems(&problems);
    int code = go(project, &o, NULL, o.sets.v, o.sets.n);
    fw_problems_release(&problems);
    fw_project_close(project);
    return code;
}

/* The run to resume: the one named, or the newest; a run that has stopped has nothing left to do.
 */
static int find_run(const char *state, const char *name, char **id, json_t **record,
                    struct fw_err *err)
{
    int rc = fw_run_resolve(state, name ? name : "", id, err);
    if (rc == FW_OK)
        rc = fw_run_record(state, *id, record, err);
    if (rc == FW_OK && !strcmp(cmd_text(*record, "status"), "stopped")) {
        rc = fw_err_set(err, FW_EINVAL, "run %s has stopped (%s); there is nothing to resume", *id,
                        cmd_text(json_object_get(*record, "stop"), "text"));
        fw_err_hint(err, "`flywheel run` starts a new one from its champion");
    }
    return rc;
}

int cmd_resume(int argc, char **argv)
{
    struct options o = {0};
    int n = 0;
    const struct cmd_opt opts[] = {{"file", 'f', CMD_TEXT, &o.file},
                                   {"jobs", 'j', CMD_INT, &o.jobs},
                                   {"wait", 0, CMD_FLAG, &o.wait},
                                   {"quiet", 'q', CMD_FLAG, &o.quiet},
                                   {"verbose", 'v', CMD_FLAG, &o.verbose},
                                   {"json", 0, CMD_FLAG, &o.json},
                                   {0}};
    int got = cmd_parse(argc, argv, opts, help_resume, 1, &n);
    if (got)
        return got > 0 ? FW_EXIT_OK : FW_EXIT_USAGE;
    char *state = NULL, *id = NULL;
    json_t *record = NULL;
    struct fw_err err = {0};
    struct fw_project *project = NULL;
    struct fw_problems problems = {0};
    int code = FW_EXIT_OK;
    int rc = cmd_state_dir(o.file, &state, &err);
    if (rc == FW_OK)
        rc = find_run(state, n ? argv[1] : NULL, &id, &record, &err);
    if (rc != FW_OK) {
        code = cmd_fail(&err);
        goto out;
    }
    const json_t *list = json_object_get(record, "sets");
    for (size_t i = 0; i < json_array_size(list) && i < sizeof o.sets.v / sizeof *o.sets.v; i++)
        o.sets.v[o.sets.n++] = json_string_value(json_array_get(list, i));
    if (fw_project_open(cmd_find_yaml(o.file), o.sets.v, o.sets.n, &project, &problems) != FW_OK)
        code = cmd_fail_problems(&problems);
    else
        code = go(project, &o, id, o.sets.v, o.sets.n);
out:
    fw_problems_release(&problems);
    fw_project_close(project);
    json_decref(record);
    free(state);
    free(id);
    return code;
}
