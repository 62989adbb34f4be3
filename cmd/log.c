#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "pipeline/base/fs.h"

static const char help[] =
    "usage: flywheel log [STAGE] [--run RUN] [--iteration N] [-f FILE] [--json]\n\n"
    "What a stage printed. STAGE is a stage or node name, e.g. train or 'train[seed=1]'; without "
    "one the\n"
    "nodes that have a log are listed.\n\n"
    "      --run RUN      a run id or the beginning of one (default: the newest)\n"
    "  -n, --iteration N  only of this iteration (default: the newest that has it)\n"
    "  -f, --file FILE    the pipeline (default: the nearest flywheel.yaml from here upwards)\n"
    "      --json         the list as JSON\n";

static void collect_from(json_t *list, const json_t *it, int iteration)
{
    json_t *k = json_object_get(it, "iteration"), *s, *one;
    size_t j;
    if (iteration >= 0 && json_integer_value(k) != iteration)
        return;
    json_array_foreach (json_object_get(it, "stages"), j, s) {
        if (!*cmd_text(s, "log") || !(one = json_copy(s)))
            continue;
        json_object_set(one, "iteration", k);
        json_array_append_new(list, one);
    }
}

/* Every node with a log: {"iteration","node","stage","label","state","log"}. */
static json_t *collect(const json_t *record, int iteration)
{
    json_t *list = json_array(), *it;
    size_t i;
    json_array_foreach (json_object_get(record, "iterations"), i, it)
        collect_from(list, it, iteration);
    collect_from(list, json_object_get(record, "last_look"), iteration);
    return list;
}

static int print_file(const char *state, const char *rel)
{
    char *path = fw_fs_join(state, rel);
    struct fw_buf b = {0};
    struct fw_err err = {0};
    int rc = path ? fw_fs_read(path, 0, &b, &err) : fw_err_nomem(&err);
    if (rc == FW_OK && b.len)
        fwrite(b.p, 1, b.len, stdout);
    fw_buf_release(&b);
    free(path);
    return rc == FW_OK ? FW_EXIT_OK : cmd_fail(&err);
}

static int print_list(const json_t *list)
{
    struct cmd_table t = {0};
    size_t i;
    json_t *s;
    cmd_table_row(&t, 4, "iteration", "node", "state", "log");
    json_array_foreach (list, i, s) {
        char k[16], name[256];
        snprintf(k, sizeof k, "%d", (int)json_integer_value(json_object_get(s, "iteration")));
        snprintf(name, sizeof name, "%s%s%s%s", cmd_text(s, "node"),
                 *cmd_text(s, "label") ? " (" : "", cmd_text(s, "label"),
                 *cmd_text(s, "label") ? ")" : "");
        cmd_table_row(&t, 4, k, name, cmd_text(s, "state"), cmd_text(s, "log"));
    }
    cmd_table_print(&t, "");
    return FW_EXIT_OK;
}

int cmd_log(int argc, char **argv)
{
    const char *file = NULL, *run = NULL;
    bool json = false;
    int n = 0, iteration = -1, code;
    const struct cmd_opt opts[] = {{"file", 'f', CMD_TEXT, &file},
                                   {"run", 0, CMD_TEXT, &run},
                                   {"iteration", 'n', CMD_INT, &iteration},
                                   {"json", 0, CMD_FLAG, &json},
                                   {0}};
    int got = cmd_parse(argc, argv, opts, help, 1, &n);
    if (got)
        return got > 0 ? FW_EXIT_OK : FW_EXIT_USAGE;
    json_t *record = NULL;
    struct fw_err err = {0};
    if (cmd_record(file, run, &record, &err) != FW_OK)
        return cmd_fail(&err);
    json_t *list = collect(record, iteration);
    json_decref(record);
    if (!n) {
        if (json)
            return cmd_print_json(list);
        code = print_list(list);
        json_decref(list);
        return code;
    }
    const json_t *hit = NULL, *s;
    for (size_t i = json_array_size(list); i-- > 0 && !hit;) {
        s = json_array_get(list, i);
        if (!strcmp(cmd_text(s, "node"), argv[1]) || !strcmp(cmd_text(s, "stage"), argv[1]))
            hit = s;
    }
    char *state = NULL;
    if (!hit) {
        fprintf(stderr, "error: no stage '%s' with a log in this run; `flywheel log` lists them\n",
                argv[1]);
        code = FW_EXIT_USAGE;
    } else if (cmd_state_dir(file, &state, &err) != FW_OK) {
        code = cmd_fail(&err);
    } else {
        code = print_file(state, cmd_text(hit, "log"));
    }
    free(state);
    json_decref(list);
    return code;
}
