#include <stdio.h>

#include "cmd/cmd.h"

static const char help[] =
    "usage: flywheel validate [-f FILE] [--set KEY=VALUE]... [--json]\n\n"
    "Checks flywheel.yaml: the text, every key and value, the stage graph, and that each plugin "
    "is\n"
    "there and takes the parameters it is given. Prints every problem with its place.\n\n"
    "  -f, --file FILE      the file (default: the nearest flywheel.yaml from here upwards)\n"
    "      --set KEY=VALUE  overrides one value, e.g. --set loop.patience=3\n"
    "      --json           the problems as JSON\n\n"
    "Exit codes: 0 valid, 2 not.\n";

static int print_json(const struct fw_problems *problems, bool valid)
{
    json_t *list = json_array();
    for (size_t i = 0; i < problems->n; i++) {
        const struct fw_err *e = &problems->list[i];
        json_array_append_new(list, json_pack("{s:s, s:i, s:i, s:s, s:s}", "file", e->file, "line",
                                              e->line, "column", e->col, "message", e->msg, "hint",
                                              e->hint));
    }
    return cmd_print_json(json_pack("{s:b, s:o, s:I}", "valid", valid, "problems", list, "more",
                                    (json_int_t)problems->more));
}

int cmd_validate(int argc, char **argv)
{
    const char *file = NULL;
    struct cmd_list sets = {0};
    bool json = false;
    const struct cmd_opt opts[] = {{"file", 'f', CMD_TEXT, &file},
                                   {"set", 0, CMD_LIST, &sets},
                                   {"json", 0, CMD_FLAG, &json},
                                   {0}};
    int got = cmd_parse(argc, argv, opts, help, 0, NULL);
    if (got)
        return got > 0 ? FW_EXIT_OK : FW_EXIT_USAGE;
    struct fw_project *project = NULL;
    struct fw_problems problems = {0};
    int rc = fw_project_open(cmd_find_yaml(file), sets.v, sets.n, &project, &problems);
    if (rc != FW_OK && !json)
        return cmd_fail_problems(&problems);
    int code = rc == FW_OK ? FW_EXIT_OK : FW_EXIT_USAGE;
    if (json && print_json(&problems, rc == FW_OK) != FW_EXIT_OK)
        code = FW_EXIT_FAILED;
    if (!json)
        printf("%s is valid: %zu stages\n", project->yaml, project->plan->n_stages);
    fw_problems_release(&problems);
    fw_project_close(project);
    return code;
}
