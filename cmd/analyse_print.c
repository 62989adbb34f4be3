/* The tables of `flywheel analyse`. */
#include <stdio.h>
#include <string.h>

#include "cmd/analyse.h"
#include "cmd/cmd.h"

static void print_data(const json_t *result)
{
    const json_t *d = cmd_part_get(result, "data");
    size_t classes = json_array_size(cmd_part_get(d, "classes"));
    printf("%.0f samples, %.0f labelled, %.0f predicted", cmd_number(d, "samples"),
           cmd_number(d, "labelled"), cmd_number(d, "predicted"));
    if (classes)
        printf(", %zu classes", classes);
    putchar('\n');
}

/* Metrics of the whole; those of a class are in the JSON. */
static void print_metrics(const json_t *metrics)
{
    json_t *list = json_array();
    size_t i;
    json_t *one;
    json_array_foreach (cmd_part_get(metrics, "overall"), i, one) {
        if (!strchr(cmd_text(one, "metric"), ':'))
            json_array_append(list, one);
    }
    cmd_part_intervals(list);
    json_decref(list);
}

static void print_issues(const json_t *labels, size_t top)
{
    struct cmd_table t = {0};
    const json_t *list = cmd_part_get(labels, "issues");
    size_t n = cmd_part_shown(list, top);
    printf("\nlabels: %.0f are probably wrong", cmd_number(labels, "n_issues"));
    if (cmd_part_get(labels, "noise_rate"))
        printf("; %.1f %% of all are estimated to be", 100 * cmd_number(labels, "noise_rate"));
    putchar('\n');
    if (!n)
        return;
    cmd_table_row(&t, 4, "sample", "label", "suggested", "score");
    for (size_t i = 0; i < n; i++) {
        const json_t *one = json_array_get(list, i);
        char score[32];
        snprintf(score, sizeof score, "%.3f", cmd_number(one, "score"));
        cmd_table_row(&t, 4, cmd_text(one, "id"), cmd_text(one, "label"),
                      cmd_text(one, "suggested"), score);
    }
    cmd_table_print(&t, "  ");
    cmd_part_more((size_t)cmd_number(labels, "n_issues"), top);
}

static void print_classes(const json_t *labels, size_t top)
{
    struct cmd_table t = {0};
    const json_t *list = cmd_part_get(labels, "classes");
    size_t n = cmd_part_shown(list, top);
    cmd_table_row(&t, 6, "class", "given", "issues", "estimated wrong", "of another label",
                  "share wrong");
    for (size_t i = 0; i < n; i++) {
        const json_t *c = json_array_get(list, i);
        char given[24], issues[24], wrong[24], missing[24], noise[24];
        cmd_table_row(&t, 6, cmd_text(c, "class"), cmd_part_count(c, "given", given, sizeof given),
                      cmd_part_count(c, "issues", issues, sizeof issues),
                      cmd_part_count(c, "wrong", wrong, sizeof wrong),
                      cmd_part_count(c, "missing", missing, sizeof missing),
                      cmd_part_share(c, "noise", noise, sizeof noise));
    }
    puts("\nclasses, the noisiest labels first");
    cmd_table_print(&t, "  ");
    cmd_part_more(json_array_size(list), top);
}

static void print_overlaps(const json_t *labels, size_t top)
{
    struct cmd_table t = {0};
    const json_t *list = cmd_part_get(labels, "overlapping");
    size_t n = cmd_part_shown(list, top);
    if (!n)
        return;
    cmd_table_row(&t, 3, "classes", "estimated mix-ups", "of all");
    for (size_t i = 0; i < n; i++) {
        const json_t *o = json_array_get(list, i), *pair = cmd_part_get(o, "classes");
        char names[256], mixed[24], part[24];
        snprintf(names, sizeof names, "%s / %s", json_string_value(json_array_get(pair, 0)),
                 json_string_value(json_array_get(pair, 1)));
        cmd_table_row(&t, 3, names, cmd_part_count(o, "n", mixed, sizeof mixed),
                      cmd_part_share(o, "share", part, sizeof part));
    }
    puts("\noverlapping classes");
    cmd_table_print(&t, "  ");
    cmd_part_more(json_array_size(list), top);
}

static void print_slices(const json_t *list, const char *metric_name, const char *task, size_t top)
{
    struct cmd_table t = {0};
    size_t i, weak = 0, n = cmd_part_shown(list, top);
    bool half = false;
    json_t *one;
    json_array_foreach (list, i, one)
        weak += json_is_true(cmd_part_get(one, "weak"));
    printf(
        "\nslices by what they are worth: %zu weak, beyond the chance of having looked at many\n",
        weak);
    if (!n)
        return;
    char head[200];
    snprintf(head, sizeof head, "worth, in %s", metric_name);
    cmd_table_row(&t, 7, "slice", "n", "share",
                  strcmp(task, "regression") ? "accuracy" : "mean absolute error", head,
                  "p adjusted", "");
    for (i = 0; i < n; i++) {
        const json_t *s = json_array_get(list, i);
        char count[24], share[24], metric[80], worth[32], p[32];
        const char *found = cmd_text(s, "found");
        if (json_is_number(cmd_part_get(s, "metric")))
            snprintf(metric, sizeof metric, "%.3f (%.3f to %.3f)", cmd_number(s, "metric"),
                     cmd_number(s, "low"), cmd_number(s, "high"));
        else
            snprintf(metric, sizeof metric, "-");
        if (json_is_number(cmd_part_get(s, "worth_metric")))
            snprintf(worth, sizeof worth, "%.4f", cmd_number(s, "worth_metric"));
        else
            snprintf(worth, sizeof worth, "-");
        half |= !strcmp(found, "sliceline");
        if (json_is_number(cmd_part_get(s, "p_adjusted")))
            snprintf(p, sizeof p, "%.2g", cmd_number(s, "p_adjusted"));
        else
            snprintf(p, sizeof p, "-");
        char mark[32];
        snprintf(mark, sizeof mark, "%s%s%s", json_is_true(cmd_part_get(s, "weak")) ? "weak" : "",
                 json_is_true(cmd_part_get(s, "weak")) && *found ? ", " : "",
                 *found ? "found" : "");
        cmd_table_row(&t, 7, cmd_text(s, "slice"), cmd_part_count(s, "n", count, sizeof count),
                      cmd_part_share(s, "share", share, sizeof share), metric, worth, p, mark);
    }
    cmd_table_print(&t, "  ");
    if (half)
        puts("  (of a found condition: n, share and value are of the half that the search did not "
             "see)");
    cmd_part_more(json_array_size(list), top);
}

static void print_notes(const json_t *result)
{
    size_t i;
    json_t *note;
    json_array_foreach (cmd_part_get(result, "notes"), i, note)
        printf("%s%s\n", i ? "" : "\n", json_string_value(note));
}

void cmd_analyse_print(const json_t *result, size_t top)
{
    const char *task = cmd_text(cmd_part_get(result, "data"), "task");
    if (!strcmp(task, "boxes")) {
        cmd_analyse_boxes(result, top);
        return;
    }
    if (!strcmp(task, "multilabel")) {
        cmd_analyse_sets(result, top);
        return;
    }
    const json_t *labels = cmd_part_get(result, "labels");
    print_data(result);
    if (cmd_part_get(result, "metrics"))
        print_metrics(cmd_part_get(result, "metrics"));
    if (labels) {
        print_issues(labels, top);
        if (cmd_part_get(labels, "classes"))
            print_classes(labels, top);
        print_overlaps(labels, top);
    }
    if (cmd_part_get(result, "slices"))
        print_slices(cmd_part_get(result, "slices"),
                     cmd_text(cmd_part_get(result, "data"), "metric"), task, top);
    cmd_analyse_quality(result, top);
    print_notes(result);
}
