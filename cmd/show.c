#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "pipeline/loop/record.h"

enum { SLICES_SHOWN = 12 };

static const char help[] =
    "usage: flywheel show [RUN] [--iteration N] [--runs] [-f FILE] [--json]\n\n"
    "The record of a run (default: the newest): each iteration with its fixes, what they gained, "
    "and\n"
    "what the gate decided.\n\n"
    "  -n, --iteration N  one iteration in full: gate, fixes, what was set aside, slices, stages\n"
    "      --runs         list the runs\n"
    "  -f, --file FILE    the pipeline (default: the nearest flywheel.yaml from here upwards)\n"
    "      --json         the record as JSON (with --runs: their ids)\n";

static const char *points(const json_t *o, char *out, size_t size)
{
    if (!json_is_number(json_object_get(o, "gain")))
        return "-";
    if (json_is_number(json_object_get(o, "low")))
        snprintf(out, size, "%+.2f (%+.2f to %+.2f)", 100 * cmd_number(o, "gain"),
                 100 * cmd_number(o, "low"), 100 * cmd_number(o, "high"));
    else
        snprintf(out, size, "%+.2f", 100 * cmd_number(o, "gain"));
    return out;
}

static void fixes_in_words(const json_t *it, char *out, size_t size)
{
    static const char *const ops[] = {"relabel",   "add",     "remove",
                                      "guideline", "confirm", "set_aside"};
    size_t n = 0, i;
    json_t *fix;
    out[0] = '\0';
    for (size_t op = 0; op < sizeof ops / sizeof *ops; op++) {
        double sum = 0;
        json_array_foreach (json_object_get(it, "fixes"), i, fix)
            sum += cmd_number(fix, ops[op]);
        if (sum > 0 && n < size)
            n += (size_t)snprintf(out + n, size - n, "%s%s %.0f", n ? ", " : "",
                                  !strcmp(ops[op], "set_aside") ? "aside" : ops[op], sum);
    }
    double kept, dropped;
    fw_record_fixes(it, &kept, &dropped);
    if (kept > 0 && dropped > 0 && n < size)
        snprintf(out + n, size - n, "; %.0f of %.0f kept", kept, kept + dropped);
}

/* What the audit says of one iteration's predictions. */
static void print_audit(const json_t *audit, const char *head)
{
    struct cmd_table t = {0};
    size_t i;
    json_t *r;
    if (!json_array_size(audit))
        return;
    cmd_table_row(&t, 5, "requirement", "n", "value", "state", "short by");
    json_array_foreach (audit, i, r) {
        char n[16], value[64] = "-", by[16] = "-";
        snprintf(n, sizeof n, "%.0f", cmd_number(r, "n"));
        if (json_is_number(json_object_get(r, "value")))
            snprintf(value, sizeof value, "%.3f (%.3f to %.3f)", cmd_number(r, "value"),
                     cmd_number(r, "low"), cmd_number(r, "high"));
        if (cmd_number(r, "short_by") > 0)
            snprintf(by, sizeof by, "%.3f", cmd_number(r, "short_by"));
        cmd_table_row(&t, 5, cmd_text(r, "requirement"), n, value, cmd_text(r, "state"), by);
    }
    puts(head);
    cmd_table_print(&t, "  ");
}

static const json_t *champion_of(const json_t *record)
{
    const json_t *best = NULL, *it;
    size_t i;
    json_array_foreach (json_object_get(record, "iterations"), i, it)
        if (!best || json_is_true(json_object_get(it, "champion")))
            best = it;
    return best;
}

static void print_all(const json_t *record)
{
    const char *metric = cmd_text(json_object_get(record, "metric"), "name");
    struct cmd_table t = {0};
    size_t i;
    json_t *it;
    cmd_table_row(&t, 7, "iteration", metric, "gain in points", "verdict", "state", "fixes",
                  "snapshot");
    json_array_foreach (json_object_get(record, "iterations"), i, it) {
        char k[16], score[32], gain[64], fixes[200], oid[16];
        const json_t *gate = fw_record_gate(it);
        snprintf(k, sizeof k, "%.0f%s", cmd_number(it, "iteration"),
                 json_is_true(json_object_get(it, "champion")) ? " *" : "");
        snprintf(score, sizeof score, "%.4f", cmd_number(json_object_get(it, "score"), "value"));
        snprintf(oid, sizeof oid, "%.12s", cmd_text(it, "snapshot"));
        fixes_in_words(it, fixes, sizeof fixes);
        cmd_table_row(&t, 7, k, json_is_object(json_object_get(it, "score")) ? score : "-",
                      points(gate, gain, sizeof gain), cmd_text(gate, "verdict"),
                      cmd_text(it, "state"), fixes, oid);
    }
    printf("run %s, %s%s%s  (* champion)\n", cmd_text(record, "run"), cmd_text(record, "status"),
           json_is_object(json_object_get(record, "stop")) ? ": " : "",
           cmd_text(json_object_get(record, "stop"), "text"));
    cmd_table_print(&t, "");
    print_audit(json_object_get(champion_of(record), "audit"), "\naudit of the champion");
    const json_t *provisional = json_object_get(record, "provisional");
    if (json_is_object(provisional))
        printf("\nunproven: %.0f fixes%s on %s\n", cmd_number(provisional, "fixes"),
               json_is_true(json_object_get(provisional, "inherited"))
                   ? " of this run and those of earlier ones"
                   : "",
               cmd_text(provisional, "ref"));
    const json_t *next = json_object_get(json_object_get(record, "handover"), "next");
    json_array_foreach (next, i, it)
        printf("%s%s\n", i ? "" : "\nnext\n", json_string_value(it));
}

static const char *kept_word(const json_t *fix)
{
    const json_t *kept = json_object_get(fix, "kept");
    return json_is_string(kept) ? json_string_value(kept) : json_is_true(kept) ? "yes" : "no";
}

static void print_fixes(const json_t *it)
{
    struct cmd_table t = {0};
    size_t i;
    json_t *fix;
    if (!json_array_size(json_object_get(it, "fixes")))
        return;
    cmd_table_row(&t, 7, "stage", "relabel", "add", "remove", "labels asked", "gain alone", "kept");
    json_array_foreach (json_object_get(it, "fixes"), i, fix) {
        char a[16], b[16], c[16], d[16], gain[64];
        snprintf(a, sizeof a, "%.0f", cmd_number(fix, "relabel"));
        snprintf(b, sizeof b, "%.0f", cmd_number(fix, "add"));
        snprintf(c, sizeof c, "%.0f", cmd_number(fix, "remove"));
        snprintf(d, sizeof d, "%.0f", cmd_number(fix, "labels"));
        cmd_table_row(&t, 7, cmd_text(fix, "stage"), a, b, c, d, points(fix, gain, sizeof gain),
                      kept_word(fix));
    }
    puts("fixes");
    cmd_table_print(&t, "  ");
}

/* Which samples to look at in the slices that were found, and what the clusters are made of. */
static void print_found(const json_t *analysis)
{
    size_t i, k, told = 0;
    json_t *s, *v;
    json_array_foreach (json_object_get(analysis, "slices"), i, s) {
        if (i == SLICES_SHOWN || !json_is_string(json_object_get(s, "found")))
            continue;
        printf("%s  %s:", told++ ? "" : "found slices\n", cmd_text(s, "slice"));
        json_array_foreach (json_object_get(s, "traits"), k, v)
            printf("%s %s (%.0f %%, %.1f times as frequent)", k ? ";" : " mostly",
                   cmd_text(v, "condition"), 100 * cmd_number(v, "share"), cmd_number(v, "lift"));
        json_array_foreach (json_object_get(s, "examples"), k, v)
            printf("%s %s", k ? "," : " e.g.", json_string_value(v));
        putchar('\n');
    }
}

static void print_slices(const json_t *analysis)
{
    struct cmd_table t = {0};
    size_t i;
    json_t *s;
    cmd_table_row(&t, 9, "slice", "n", "share", "accuracy", "gap", "worse than the rest",
                  "worth, points of accuracy", "suspects", "missing");
    json_array_foreach (json_object_get(analysis, "slices"), i, s) {
        char n[16], share[16], metric[48], gap[16], worth[16], p[32] = "-", suspects[16] = "-",
                                                               missing[16] = "-";
        if (i == SLICES_SHOWN)
            break;
        snprintf(n, sizeof n, "%.0f", cmd_number(s, "n"));
        snprintf(share, sizeof share, "%.1f %%", 100 * cmd_number(s, "share"));
        snprintf(metric, sizeof metric, "%.3f (%.3f to %.3f)", cmd_number(s, "metric"),
                 cmd_number(s, "low"), cmd_number(s, "high"));
        snprintf(gap, sizeof gap, "%.3f", cmd_number(s, "gap"));
        snprintf(worth, sizeof worth, "%.2f", 100 * cmd_number(s, "worth"));
        if (json_is_number(json_object_get(s, "p_adjusted")))
            snprintf(p, sizeof p, "%sp = %.2g", cmd_number(s, "p_adjusted") <= 0.05 ? "yes, " : "",
                     cmd_number(s, "p_adjusted"));
        if (json_is_number(json_object_get(s, "suspects")))
            snprintf(suspects, sizeof suspects, "%.0f", cmd_number(s, "suspects"));
        if (json_is_number(json_object_get(s, "missing")))
            snprintf(missing, sizeof missing, "%.0f", cmd_number(s, "missing"));
        cmd_table_row(&t, 9, cmd_text(s, "slice"), n, share, metric, gap, p, worth, suspects,
                      missing);
    }
    puts("slices by priority, before this iteration's fixes");
    cmd_table_print(&t, "  ");
    print_found(analysis);
    const json_t *exchange = json_object_get(analysis, "exchange");
    if (json_is_object(exchange))
        printf("clean or collect: %s\n", cmd_text(exchange, "sentence"));
}

static void print_stages(const json_t *it)
{
    struct cmd_table t = {0};
    size_t i;
    json_t *s;
    cmd_table_row(&t, 3, "stage", "state", "time");
    json_array_foreach (json_object_get(it, "stages"), i, s) {
        char name[256], time[32];
        snprintf(name, sizeof name, "%s%s%s%s", cmd_text(s, "node"),
                 *cmd_text(s, "label") ? " (" : "", cmd_text(s, "label"),
                 *cmd_text(s, "label") ? ")" : "");
        cmd_table_row(&t, 3, name, cmd_text(s, "state"),
                      cmd_number(s, "seconds") > 0
                          ? cmd_seconds(cmd_number(s, "seconds"), time, sizeof time)
                          : "-");
    }
    puts("stages");
    cmd_table_print(&t, "  ");
}

static void print_aside(const json_t *it)
{
    size_t i;
    json_t *item;
    json_array_foreach (json_object_get(it, "aside"), i, item) {
        if (i < 10)
            printf("  set aside: %s: %s\n", cmd_text(item, "stage"), cmd_text(item, "reason"));
    }
}

/* What the gate said of the whole and, when that was worse, of what its parts left. */
static void print_gates(const json_t *it)
{
    const json_t *gate = json_object_get(it, "gate"),
                 *second = json_object_get(it, "gate_after_ablation");
    size_t i;
    json_t *item;
    if (json_is_object(gate))
        printf("%s: %s; %s\n", json_is_object(second) ? "as a whole" : "gate",
               cmd_text(gate, "verdict"), cmd_text(gate, "reason"));
    json_array_foreach (json_object_get(it, "ablation"), i, item) {
        char gain[64], n[48] = "";
        if (json_is_number(json_object_get(item, "fixes")))
            snprintf(n, sizeof n, " (%.0f fixes)", cmd_number(item, "fixes"));
        printf("  apart: %s%s %s, %s\n", cmd_text(item, "part"), n, points(item, gain, sizeof gain),
               json_is_true(json_object_get(item, "kept")) ? "kept" : "dropped");
    }
    if (json_is_object(second))
        printf("what was kept after trying the parts apart: %s; %s\n", cmd_text(second, "verdict"),
               cmd_text(second, "reason"));
}

static int print_one(const json_t *record, int wanted)
{
    size_t i;
    json_t *it;
    json_array_foreach (json_object_get(record, "iterations"), i, it) {
        const json_t *score = json_object_get(it, "score");
        if ((int)cmd_number(it, "iteration") != wanted)
            continue;
        printf("iteration %d, snapshot %s, %s\n", wanted, cmd_text(it, "snapshot"),
               cmd_text(it, "state"));
        if (json_is_object(score))
            printf("%s %.4f (%.4f to %.4f)\n", cmd_text(json_object_get(record, "metric"), "name"),
                   cmd_number(score, "value"), cmd_number(score, "low"), cmd_number(score, "high"));
        print_gates(it);
        print_fixes(it);
        print_aside(it);
        print_audit(json_object_get(it, "audit"), "audit");
        if (json_is_object(json_object_get(it, "analysis")))
            print_slices(json_object_get(it, "analysis"));
        print_stages(it);
        return FW_EXIT_OK;
    }
    it = json_object_get(record, "last_look");
    if (json_is_object(it) && (int)cmd_number(it, "iteration") == wanted) {
        printf("iteration %d found nothing to change\n", wanted);
        print_aside(it);
        print_stages(it);
        return FW_EXIT_OK;
    }
    fprintf(stderr, "error: run %s has no iteration %d\n", cmd_text(record, "run"), wanted);
    return FW_EXIT_USAGE;
}

static int list_runs(const char *file, bool json)
{
    char *state = NULL;
    json_t *runs = NULL, *name;
    struct fw_err err = {0};
    int rc = cmd_state_dir(file, &state, &err);
    size_t i;
    if (rc == FW_OK)
        rc = fw_runs_list(state, &runs, &err);
    if (rc != FW_OK || json) {
        free(state);
        return rc == FW_OK ? cmd_print_json(runs) : cmd_fail(&err);
    }
    struct cmd_table t = {0};
    cmd_table_row(&t, 4, "run", "status", "iterations", "champion");
    json_array_foreach (runs, i, name) {
        json_t *record = NULL;
        char n[16], score[32];
        if (fw_run_record(state, json_string_value(name), &record, NULL) != FW_OK)
            continue;
        snprintf(n, sizeof n, "%zu", json_array_size(json_object_get(record, "iterations")));
        snprintf(
            score, sizeof score, "%.4f",
            cmd_number(json_object_get(json_object_get(record, "champion"), "score"), "value"));
        cmd_table_row(&t, 4, json_string_value(name), cmd_text(record, "status"), n, score);
        json_decref(record);
    }
    cmd_table_print(&t, "");
    json_decref(runs);
    free(state);
    return FW_EXIT_OK;
}

int cmd_show(int argc, char **argv)
{
    const char *file = NULL;
    bool json = false, runs = false;
    int n = 0, iteration = -1;
    const struct cmd_opt opts[] = {{"file", 'f', CMD_TEXT, &file},
                                   {"iteration", 'n', CMD_INT, &iteration},
                                   {"runs", 0, CMD_FLAG, &runs},
                                   {"json", 0, CMD_FLAG, &json},
                                   {0}};
    int got = cmd_parse(argc, argv, opts, help, 1, &n);
    if (got)
        return got > 0 ? FW_EXIT_OK : FW_EXIT_USAGE;
    if (runs)
        return list_runs(file, json);
    json_t *record = NULL;
    struct fw_err err = {0};
    if (cmd_record(file, n ? argv[1] : NULL, &record, &err) != FW_OK)
        return cmd_fail(&err);
    int code = FW_EXIT_OK;
    if (json)
        return cmd_print_json(record);
    if (iteration >= 0)
        code = print_one(record, iteration);
    else
        print_all(record);
    json_decref(record);
    return code;
}
