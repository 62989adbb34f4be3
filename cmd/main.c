#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "pipeline/base/suggest.h"

struct command {
    const char *name;
    int (*fn)(int argc, char **argv);
    const char *summary;
};

static const struct command commands[] = {
    {"init", cmd_init, "Write a flywheel.yaml for data you have (images, text or a table)"},
    {"validate", cmd_validate, "Check flywheel.yaml and every plugin it names"},
    {"plan", cmd_plan, "Show what a run would do, and why"},
    {"run", cmd_run, "Turn the flywheel until data fixes stop helping"},
    {"resume", cmd_resume, "Go on with a run that was parked, cut off or failed"},
    {"status", cmd_status, "Where the newest run stands"},
    {"show", cmd_show, "The record of a run: iterations, fixes, gains, gate decisions"},
    {"log", cmd_log, "What a stage printed"},
    {"report", cmd_report, "Write a run's report as one HTML file"},
    {"analyse", cmd_analyse, "What is wrong with labelled data, without a pipeline"},
    {"agree", cmd_agree, "How well labellers agree, their consensus, and what to rewrite"},
    {"diff", cmd_diff, "Compare two snapshots in samples"},
    {"drift", cmd_drift, "How far production samples have moved away from the train split"},
    {"snapshot", cmd_snapshot, "Import, list and check out dataset snapshots"},
    {"plugin", cmd_plugin, "List, describe, make and test plugins"},
    {"schema", cmd_schema, "The JSON Schema of flywheel.yaml, for editors"},
    {"version", cmd_version, "The version"},
};
enum { N = sizeof commands / sizeof *commands };

static void usage(FILE *to)
{
    fputs(
        "flywheel holds a model fixed and improves its data until the data fixes stop helping.\n\n"
        "usage: flywheel COMMAND [options]\n\n",
        to);
    for (size_t i = 0; i < N; i++)
        fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fputs(
        "\n`flywheel COMMAND --help` says more. Exit codes: 0 done, 1 a stage or the run failed,\n"
        "2 usage or configuration, 3 refused (model or evaluation set changed), 4 parked, waiting\n"
        "for people, 5 busy (another run holds the project), 128+n ended by signal n.\n",
        to);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        usage(stderr);
        return FW_EXIT_USAGE;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
        usage(stdout);
        return FW_EXIT_OK;
    }
    if (!strcmp(argv[1], "--version"))
        return cmd_version(argc - 1, argv + 1);
    const char *names[N];
    for (size_t i = 0; i < N; i++) {
        if (!strcmp(argv[1], commands[i].name))
            return commands[i].fn(argc - 1, argv + 1);
        names[i] = commands[i].name;
    }
    const char *near = fw_suggest(argv[1], names, N);
    fprintf(stderr, "flywheel: there is no command '%s'", argv[1]);
    if (near)
        fprintf(stderr, "; did you mean '%s'?", near);
    fputs("\n`flywheel --help` lists them.\n", stderr);
    return FW_EXIT_USAGE;
}
