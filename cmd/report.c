#include <stdio.h>
#include <stdlib.h>

#include "cmd/cmd.h"

static const char help[] =
    "usage: flywheel report [RUN] [-o FILE] [-f FILE]\n\n"
    "Writes the report of a run (default: the newest) as one self-contained HTML file and prints "
    "its\n"
    "path. `flywheel run` writes it too when it stops.\n\n"
    "  -o, --output FILE  where to (default: report.html in the run's folder)\n"
    "  -f, --file FILE    the pipeline (default: the nearest flywheel.yaml from here upwards)\n";

int cmd_report(int argc, char **argv)
{
    const char *file = NULL, *output = NULL;
    int n = 0;
    const struct cmd_opt opts[] = {
        {"file", 'f', CMD_TEXT, &file}, {"output", 'o', CMD_TEXT, &output}, {0}};
    int got = cmd_parse(argc, argv, opts, help, 1, &n);
    if (got)
        return got > 0 ? FW_EXIT_OK : FW_EXIT_USAGE;
    json_t *record = NULL;
    struct fw_err err = {0};
    char *state = NULL, *path = NULL;
    int rc = cmd_state_dir(file, &state, &err);
    if (rc == FW_OK)
        rc = cmd_record(file, n ? argv[1] : NULL, &record, &err);
    if (rc == FW_OK && !output)
        path = fw_run_path(state, json_string_value(json_object_get(record, "run")), "report.html");
    if (rc == FW_OK)
        rc = cmd_write_report(record, output ? output : path, &err);
    if (rc == FW_OK)
        puts(output ? output : path);
    json_decref(record);
    free(path);
    free(state);
    return rc == FW_OK ? FW_EXIT_OK : cmd_fail(&err);
}
