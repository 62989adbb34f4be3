#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "pipeline/base/clock.h"
#include "pipeline/loop/loop.h"

static const char help[] =
    "usage: flywheel snapshot import [--again] [-f FILE] [--json]\n"
    "       flywheel snapshot list [-f FILE] [--json]\n"
    "       flywheel snapshot checkout SNAPSHOT FOLDER [-f FILE]\n\n"
    "  import    reads the dataset named in flywheel.yaml into the first "
    "snapshot (a run does this too)\n"
    "            --again: reads it anew, as a snapshot on top of the branch, "
    "after the source or\n"
    "            dataset in flywheel.yaml was put right. The evaluation sets "
    "may be others then, so\n"
    "            the next run needs --new-benchmark (--new-model when the "
    "model changed too), and a\n"
    "            parked run cannot go on\n"
    "  list      the snapshots of the branch flywheel/NAME, newest first\n"
    "  checkout  writes a snapshot as an ordinary folder: samples.jsonl and "
    "its files. SNAPSHOT is a\n"
    "            commit id, branch, tag, or ~N steps back\n";

static int do_import(const struct fw_project *project, bool again, bool json, struct fw_err *err)
{
    char oid[FW_OID_HEX], line[4096];
    struct fw_import_report report = {0};
    struct fw_import_problems problems = {0};
    int rc =
        fw_loop_import(project, "flywheel snapshot import", again, oid, &report, &problems, err);
    for (size_t i = 0; i < problems.n; i++) {
        fw_err_format(&problems.list[i], line, sizeof line);
        fprintf(stderr, "%s\n", line);
    }
    if (problems.more)
        fprintf(stderr, "and %zu more\n", problems.more);
    if (rc == FW_OK && report.warnings.p)
        fputs(report.warnings.p, stderr);
    if (rc == FW_OK && json)
        cmd_print_json(json_pack("{s:s, s:I, s:I, s:I, s:b}", "commit", oid, "train",
                                 (json_int_t)report.train, "dev", (json_int_t)report.dev, "test",
                                 (json_int_t)report.test, "new", report.rows > 0));
    else if (rc == FW_OK && report.rows)
        printf("%.12s  %zu train, %zu dev, %zu test samples on branch flywheel/%s\n", oid,
               report.train, report.dev, report.test, project->plan->name);
    else if (rc == FW_OK)
        printf("%.12s  imported before; branch flywheel/%s stands there (--again reads the source "
               "anew)\n",
               oid, project->plan->name);
    fw_buf_release(&report.warnings);
    return rc;
}

static int do_list(const struct fw_project *project, struct fw_repo *repo, bool json,
                   struct fw_err *err)
{
    json_t *list = NULL, *s;
    size_t i;
    int rc = fw_snap_list(repo, project->plan->name, &list, err);
    if (rc != FW_OK)
        return rc;
    if (json) {
        cmd_print_json(list);
        return FW_OK;
    }
    struct cmd_table t = {0};
    cmd_table_row(&t, 4, "snapshot", "when", "metric", "what");
    json_array_foreach (list, i, s) {
        char oid[16], when[FW_ISO_LEN];
        const json_t *w = json_object_get(s, "when");
        snprintf(oid, sizeof oid, "%.12s", cmd_text(s, "commit"));
        if (json_is_integer(w))
            fw_clock_iso(json_integer_value(w), when);
        cmd_table_row(&t, 4, oid, json_is_integer(w) ? when : cmd_text(s, "when"),
                      cmd_text(json_object_get(s, "trailers"), "Flywheel-Metric"),
                      cmd_text(s, "subject"));
    }
    cmd_table_print(&t, "");
    json_decref(list);
    return FW_OK;
}

int cmd_snapshot(int argc, char **argv)
{
    const char *file = NULL;
    bool json = false, again = false;
    int n = 0;
    const struct cmd_opt opts[] = {{"file", 'f', CMD_TEXT, &file},
                                   {"again", 0, CMD_FLAG, &again},
                                   {"json", 0, CMD_FLAG, &json},
                                   {0}};
    int got = cmd_parse(argc, argv, opts, help, 3, &n);
    if (got)
        return got > 0 ? FW_EXIT_OK : FW_EXIT_USAGE;
    const char *what = n ? argv[1] : "";
    bool import = !strcmp(what, "import"), list = !strcmp(what, "list"),
         checkout = !strcmp(what, "checkout");
    if ((!import && !list && !checkout) || n != (checkout ? 3 : 1) || (again && !import)) {
        fputs(help, stderr);
        return FW_EXIT_USAGE;
    }
    struct fw_project *project = NULL;
    struct fw_problems problems = {0};
    struct fw_repo *repo = NULL;
    struct fw_err err = {0};
    char oid[FW_OID_HEX];
    if (fw_project_open(cmd_find_yaml(file), NULL, 0, &project, &problems) != FW_OK)
        return cmd_fail_problems(&problems);
    fw_problems_release(&problems);
    int rc;
    if (import)
        rc = do_import(project, again, json, &err);
    else
        rc = fw_repo_open(project->root, project->plan->dataset.repo, project->state_dir, &repo,
                          &err);
    if (rc == FW_OK && list)
        rc = do_list(project, repo, json, &err);
    if (rc == FW_OK && checkout)
        rc = fw_repo_resolve(repo, project->plan->name, argv[2], oid, &err);
    if (rc == FW_OK && checkout)
        rc = fw_snap_checkout(repo, oid, argv[3], &err);
    if (rc == FW_OK && checkout)
        printf("%.12s written to %s\n", oid, argv[3]);
    fw_repo_close(repo);
    fw_project_close(project);
    return rc == FW_OK ? FW_EXIT_OK : cmd_fail(&err);
}
