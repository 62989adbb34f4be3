#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "pipeline/snap/snap.h"

static const char help[] =
    "usage: flywheel diff [A [B]] [--max N] [-f FILE] [--json]\n\n"
    "Compares two snapshots in samples: added, removed, relabelled (from which class to which), by "
    "class\n"
    "and split. A and B are commit ids, branches, tags, or ~N steps back (default: the newest "
    "snapshot\n"
    "and the one before it).\n\n"
    "      --max N      list at most N samples (default 20; 0 lists none)\n"
    "  -f, --file FILE  the pipeline (default: the nearest flywheel.yaml from here upwards)\n"
    "      --json       as JSON\n";

static void label(const json_t *v, char *out, size_t size)
{
    if (json_is_string(v))
        snprintf(out, size, "%s", json_string_value(v));
    else if (json_is_number(v))
        snprintf(out, size, "%g", json_number_value(v));
    else
        out[0] = '\0';
}

static void print(const json_t *d)
{
    struct cmd_table relabels = {0}, classes = {0}, samples = {0};
    size_t i;
    json_t *row;
    printf("%.0f added, %.0f removed, %.0f relabelled, %.0f changed otherwise\n",
           cmd_number(d, "added"), cmd_number(d, "removed"), cmd_number(d, "relabelled"),
           cmd_number(d, "changed"));
    if (json_array_size(json_object_get(d, "relabels"))) {
        cmd_table_row(&relabels, 3, "from", "to", "samples");
        json_array_foreach (json_object_get(d, "relabels"), i, row) {
            char from[128], to[128], n[16];
            label(json_object_get(row, "from"), from, sizeof from);
            label(json_object_get(row, "to"), to, sizeof to);
            snprintf(n, sizeof n, "%.0f", cmd_number(row, "n"));
            cmd_table_row(&relabels, 3, from, to, n);
        }
        puts("\nrelabelled");
        cmd_table_print(&relabels, "  ");
    }
    if (json_array_size(json_object_get(d, "by_class"))) {
        cmd_table_row(&classes, 5, "class", "added", "removed", "relabelled to it",
                      "relabelled away");
        json_array_foreach (json_object_get(d, "by_class"), i, row) {
            char name[128], a[16], b[16], c[16], e[16];
            label(json_object_get(row, "class"), name, sizeof name);
            snprintf(a, sizeof a, "%.0f", cmd_number(row, "added"));
            snprintf(b, sizeof b, "%.0f", cmd_number(row, "removed"));
            snprintf(c, sizeof c, "%.0f", cmd_number(row, "in"));
            snprintf(e, sizeof e, "%.0f", cmd_number(row, "out"));
            cmd_table_row(&classes, 5, name, a, b, c, e);
        }
        puts("\nby class");
        cmd_table_print(&classes, "  ");
    }
    if (json_array_size(json_object_get(d, "samples"))) {
        cmd_table_row(&samples, 4, "sample", "change", "from", "to");
        json_array_foreach (json_object_get(d, "samples"), i, row) {
            char from[128], to[128];
            label(json_object_get(row, "from"), from, sizeof from);
            label(json_object_get(row, "to"), to, sizeof to);
            cmd_table_row(&samples, 4, cmd_text(row, "id"), cmd_text(row, "change"), from, to);
        }
        puts("\nsamples");
        cmd_table_print(&samples, "  ");
        if (cmd_number(d, "more") > 0)
            printf("  and %.0f more\n", cmd_number(d, "more"));
    }
}

int cmd_diff(int argc, char **argv)
{
    const char *file = NULL;
    bool json = false;
    int n = 0, max = 20;
    const struct cmd_opt opts[] = {{"file", 'f', CMD_TEXT, &file},
                                   {"max", 0, CMD_INT, &max},
                                   {"json", 0, CMD_FLAG, &json},
                                   {0}};
    int got = cmd_parse(argc, argv, opts, help, 2, &n);
    if (got)
        return got > 0 ? FW_EXIT_OK : FW_EXIT_USAGE;
    struct fw_project *project = NULL;
    struct fw_problems problems = {0};
    struct fw_repo *repo = NULL;
    struct fw_err err = {0};
    json_t *diff = NULL;
    char a[FW_OID_HEX], b[FW_OID_HEX] = "", branch[512];
    int code = FW_EXIT_OK;
    if (fw_project_open(cmd_find_yaml(file), NULL, 0, &project, &problems) != FW_OK)
        return cmd_fail_problems(&problems);
    fw_problems_release(&problems);
    const char *name = project->plan->name;
    snprintf(branch, sizeof branch, "flywheel/%s", name);
    int rc =
        fw_repo_open(project->root, project->plan->dataset.repo, project->state_dir, &repo, &err);
    if (rc == FW_OK)
        rc = fw_repo_resolve(repo, name, n > 1 ? argv[2] : branch, b, &err);
    if (rc == FW_OK)
        rc = fw_repo_resolve(repo, name, n > 0 ? argv[1] : "~1", a, &err);
    bool only = rc == FW_ENOTFOUND && n == 0 && *b; /* the first one has none before it */
    if (only) {
        memcpy(a, b, sizeof a);
        rc = FW_OK;
    }
    if (rc == FW_OK)
        rc = fw_snap_diff(repo, a, b, (size_t)max, &diff, &err);
    if (rc != FW_OK)
        code = cmd_fail(&err);
    else if (json)
        code = cmd_print_json(json_incref(diff));
    else if (only)
        puts("there is only one snapshot yet; nothing to compare");
    else
        print(diff);
    json_decref(diff);
    fw_repo_close(repo);
    fw_project_close(project);
    return code;
}
