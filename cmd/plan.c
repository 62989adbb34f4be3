#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "pipeline/loop/loop.h"

static const char help[] =
    "usage: flywheel plan [-f FILE] [--set KEY=VALUE]... [--json]\n\n"
    "Shows what `flywheel run` would do now and why, without doing it: which stages have a stored "
    "result,\n"
    "which would run and what changed, and whether the model is the one that is held fixed.\n";

static void print(const json_t *plan)
{
    size_t i, j;
    json_t *phase, *node;
    printf("snapshot  %s\nmodel     %s\n", cmd_text(plan, "snapshot"), cmd_text(plan, "model"));
    json_array_foreach (json_object_get(plan, "phases"), i, phase) {
        struct cmd_table t = {0};
        printf("\n%s\n", cmd_text(phase, "phase"));
        cmd_table_row(&t, 3, "stage", "would", "why");
        json_array_foreach (json_object_get(phase, "nodes"), j, node)
            cmd_table_row(&t, 3, cmd_text(node, "node"), cmd_text(node, "state"),
                          cmd_text(node, "why"));
        cmd_table_print(&t, "  ");
    }
}

int cmd_plan(int argc, char **argv)
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
    struct fw_err err = {0};
    json_t *plan = NULL;
    if (fw_project_open(cmd_find_yaml(file), sets.v, sets.n, &project, &problems) != FW_OK)
        return cmd_fail_problems(&problems);
    fw_problems_release(&problems);
    int rc = fw_loop_explain(project, &plan, &err), code = FW_EXIT_OK;
    if (rc != FW_OK)
        code = cmd_fail(&err);
    else if (json)
        code = cmd_print_json(json_incref(plan));
    else
        print(plan);
    json_decref(plan);
    fw_project_close(project);
    return code;
}
