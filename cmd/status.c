#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"

static const char help[] = "usage: flywheel status [RUN] [-f FILE] [--json]\n\n"
                           "Where a run stands (default: the newest): running, parked, stopped, "
                           "failed or interrupted; its\n"
                           "champion so far, what was spent, and what would come next.\n";

static void print_budget(const json_t *record)
{
    const json_t *budget = json_object_get(record, "budget");
    const json_t *labels = json_object_get(budget, "labels");
    char wall[32], stages[32];
    printf("labels     %.0f", cmd_number(labels, "used"));
    if (json_is_number(json_object_get(labels, "limit")))
        printf(" of %.0f", cmd_number(labels, "limit"));
    printf(
        "\ntime       %s, of which stages %s\n",
        cmd_seconds(cmd_number(json_object_get(budget, "wall_seconds"), "used"), wall, sizeof wall),
        cmd_seconds(cmd_number(json_object_get(budget, "stage_seconds"), "used"), stages,
                    sizeof stages));
}

static void print_status(const json_t *r)
{
    const json_t *champion = json_object_get(r, "champion");
    const json_t *iterations = json_object_get(r, "iterations");
    const char *status = cmd_text(r, "status");
    printf("run        %s\nstatus     %s", cmd_text(r, "run"), status);
    if (json_is_object(json_object_get(r, "stop")))
        printf(": %s", cmd_text(json_object_get(r, "stop"), "text"));
    size_t i, finished = 0;
    json_t *it;
    json_array_foreach (iterations, i, it)
        finished += cmd_number(it, "iteration") > 0 && *cmd_text(it, "state");
    printf("\niterations %zu finished\n", finished);
    if (json_is_object(champion)) {
        const json_t *s = json_object_get(champion, "score");
        printf("champion   iteration %.0f, %s %.4f (%.4f to %.4f), snapshot %.12s\n",
               cmd_number(champion, "iteration"), cmd_text(json_object_get(r, "metric"), "name"),
               cmd_number(s, "value"), cmd_number(s, "low"), cmd_number(s, "high"),
               cmd_text(champion, "snapshot"));
    }
    print_budget(r);
    if (!strcmp(status, "failed"))
        printf("failure    %s\n", cmd_text(json_object_get(r, "failure"), "text"));
    if (!strcmp(status, "parked"))
        printf("waiting    %s\n",
               cmd_text(json_array_get(json_object_get(r, "waiting"), 0), "reason"));
    if (!strcmp(status, "failed") || !strcmp(status, "parked") || !strcmp(status, "interrupted"))
        puts("next       flywheel resume");
}

int cmd_status(int argc, char **argv)
{
    const char *file = NULL;
    bool json = false;
    int n = 0;
    const struct cmd_opt opts[] = {
        {"file", 'f', CMD_TEXT, &file}, {"json", 0, CMD_FLAG, &json}, {0}};
    int got = cmd_parse(argc, argv, opts, help, 1, &n);
    if (got)
        return got > 0 ? FW_EXIT_OK : FW_EXIT_USAGE;
    json_t *record = NULL;
    struct fw_err err = {0};
    if (cmd_record(file, n ? argv[1] : NULL, &record, &err) != FW_OK)
        return cmd_fail(&err);
    if (json)
        return cmd_print_json(record);
    print_status(record);
    json_decref(record);
    return FW_EXIT_OK;
}
