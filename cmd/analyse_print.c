/* The tables of `flywheel analyse`. */
#include <stdio.h>
#include <string.h>

#include "cmd/analyse.h"
#include "cmd/cmd.h"

static const json_t *get(const json_t *o, const char *key)
{
    return json_object_get(o, key);
}

static const char *share(const json_t *o, const char *key, char *out, size_t size)
{
    if (json_is_number(get(o, key)))
        snprintf(out, size, "%.1f %%", 100 * cmd_number(o, key));
    else
        snprintf(out, size, "-");
    return out;
}

static const char *count(const json_t *o, const char *key, char *out, size_t size)
{
    snprintf(out, size, "%.0f", cmd_number(o, key));
    return out;
}

static void more(size_t n, size_t top)
{
    if (top && n > top)
        printf("  and %zu more\n", n - top);
}

static size_t shown(const json_t *list, size_t top)
{
    size_t n = json_array_size(list);
    return top && n > top ? top : n;
}

static void print_data(const json_t *result)
{
    const json_t *d = get(result, "data");
    size_t classes = json_array_size(get(d, "classes"));
    printf("%.0f samples, %.0f labelled, %.0f predicted", cmd_number(d, "samples"),
           cmd_number(d, "labelled"), cmd_number(d, "predicted"));
    if (classes)
        printf(", %zu classes", classes);
    putchar('\n');
}

static void print_issues(const json_t *labels, size_t top)
{
    struct cmd_table t = {0};
    const json_t *list = get(labels, "issues");
    size_t n = shown(list, top);
    printf("\nlabels: %zu are probably wrong; %.1f %% of all are estimated to be\n",
           json_array_size(list), 100 * cmd_number(labels, "noise_rate"));
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
    more(json_array_size(list), top);
}

static void print_classes(const json_t *labels, size_t top)
{
    struct cmd_table t = {0};
    const json_t *list = get(labels, "classes");
    size_t n = shown(list, top);
    cmd_table_row(&t, 6, "class", "given", "issues", "estimated wrong", "of another label",
                  "share wrong");
    for (size_t i = 0; i < n; i++) {
        const json_t *c = json_array_get(list, i);
        char given[24], issues[24], wrong[24], missing[24], noise[24];
        cmd_table_row(
            &t, 6, cmd_text(c, "class"), count(c, "given", given, sizeof given),
            count(c, "issues", issues, sizeof issues), count(c, "wrong", wrong, sizeof wrong),
            count(c, "missing", missing, sizeof missing), share(c, "noise", noise, sizeof noise));
    }
    puts("\nclasses, the noisiest labels first");
    cmd_table_print(&t, "  ");
    more(json_array_size(list), top);
}

static void print_overlaps(const json_t *labels, size_t top)
{
    struct cmd_table t = {0};
    const json_t *list = get(labels, "overlapping");
    size_t n = shown(list, top);
    if (!n)
        return;
    cmd_table_row(&t, 3, "classes", "estimated mix-ups", "of all");
    for (size_t i = 0; i < n; i++) {
        const json_t *o = json_array_get(list, i), *pair = get(o, "classes");
        char names[256], mixed[24], part[24];
        snprintf(names, sizeof names, "%s / %s", json_string_value(json_array_get(pair, 0)),
                 json_string_value(json_array_get(pair, 1)));
        cmd_table_row(&t, 3, names, count(o, "n", mixed, sizeof mixed),
                      share(o, "share", part, sizeof part));
    }
    puts("\noverlapping classes");
    cmd_table_print(&t, "  ");
    more(json_array_size(list), top);
}

static void print_notes(const json_t *result)
{
    size_t i;
    json_t *note;
    json_array_foreach (get(result, "notes"), i, note)
        printf("%s%s\n", i ? "" : "\n", json_string_value(note));
}

static const char *number(const json_t *o, const char *key, char *out, size_t size)
{
    if (json_is_number(get(o, key)))
        snprintf(out, size, "%.3f", cmd_number(o, key));
    else
        snprintf(out, size, "-");
    return out;
}

static void print_boxes(const json_t *result, size_t top)
{
    const json_t *d = get(result, "data"), *m = get(result, "metrics"), *list, *one;
    struct cmd_table classes = {0}, suspects = {0};
    size_t i;
    char a[32], b[32], c[32], e[64];
    printf("%.0f images, %.0f given and %.0f predicted boxes, %.0f classes\n",
           cmd_number(d, "images"), cmd_number(d, "given"), cmd_number(d, "predicted"),
           cmd_number(d, "classes"));
    if (json_is_object(m)) {
        printf("\naverage precision %s (at IoU .50 %s, at .75 %s)", number(m, "ap", a, sizeof a),
               number(m, "ap50", b, sizeof b), number(m, "ap75", c, sizeof c));
        printf("; small %s, medium %s, large %s\n", number(m, "ap_small", a, sizeof a),
               number(m, "ap_medium", b, sizeof b), number(m, "ap_large", c, sizeof c));
        printf("average recall %s with 100 boxes an image, %s with 10, %s with 1\n",
               number(m, "ar100", a, sizeof a), number(m, "ar10", b, sizeof b),
               number(m, "ar1", c, sizeof c));
    }
    list = get(result, "by_class");
    cmd_table_row(&classes, 4, "class", "given", "predicted", "average precision");
    json_array_foreach (list, i, one) {
        if (!top || i < top)
            cmd_table_row(&classes, 4, cmd_text(one, "class"), count(one, "given", a, sizeof a),
                          count(one, "predicted", b, sizeof b), number(one, "ap", c, sizeof c));
    }
    puts("\nclasses");
    cmd_table_print(&classes, "  ");
    more(json_array_size(list), top);
    list = get(result, "suspects");
    if (!json_is_object(m))
        return;
    printf("\nsuspect boxes: %zu, on %zu images\n", json_array_size(list),
           json_array_size(get(result, "images")));
    if (!json_array_size(list))
        return;
    cmd_table_row(&suspects, 5, "image", "error", "class", "x, y, width, height", "score");
    json_array_foreach (list, i, one) {
        const json_t *box = get(one, "box");
        if (top && i >= top)
            break;
        snprintf(e, sizeof e, "%.0f, %.0f, %.0f, %.0f", json_number_value(json_array_get(box, 0)),
                 json_number_value(json_array_get(box, 1)),
                 json_number_value(json_array_get(box, 2)),
                 json_number_value(json_array_get(box, 3)));
        cmd_table_row(&suspects, 5, cmd_text(one, "image"), cmd_text(one, "error"),
                      cmd_text(one, "class"), e, number(one, "score", a, sizeof a));
    }
    cmd_table_print(&suspects, "  ");
    more(json_array_size(list), top);
}

static void print_intervals(const json_t *list)
{
    struct cmd_table t = {0};
    size_t i;
    const json_t *one;
    cmd_table_row(&t, 3, "metric", "value", "95 % interval");
    json_array_foreach (list, i, one) {
        char value[32], low[32], high[32], interval[80];
        snprintf(interval, sizeof interval, "%s to %s", number(one, "low", low, sizeof low),
                 number(one, "high", high, sizeof high));
        cmd_table_row(&t, 3, cmd_text(one, "metric"), number(one, "value", value, sizeof value),
                      interval);
    }
    puts("\nmetrics");
    cmd_table_print(&t, "  ");
}

static void print_sets(const json_t *result, size_t top)
{
    const json_t *d = get(result, "data"), *list, *one;
    struct cmd_table classes = {0}, suspects = {0};
    size_t i;
    char a[32], b[32], c[32], e[32], f[32];
    printf("%.0f samples, %.0f classes\n", cmd_number(d, "samples"), cmd_number(d, "classes"));
    if (json_array_size(get(result, "metrics")))
        print_intervals(get(result, "metrics"));
    list = get(result, "by_class");
    cmd_table_row(&classes, 6, "class", "given", "precision", "recall", "F1", "issues");
    json_array_foreach (list, i, one) {
        if (!top || i < top)
            cmd_table_row(&classes, 6, cmd_text(one, "class"), count(one, "given", a, sizeof a),
                          number(one, "precision", b, sizeof b), number(one, "recall", c, sizeof c),
                          number(one, "f1", e, sizeof e), count(one, "issues", f, sizeof f));
    }
    puts("\nclasses");
    cmd_table_print(&classes, "  ");
    more(json_array_size(list), top);
    list = get(result, "suspects");
    if (!list)
        return;
    printf("\nlabels: %zu are probably wrong, of %zu samples\n", json_array_size(list),
           json_array_size(get(result, "samples")));
    if (!json_array_size(list))
        return;
    cmd_table_row(&suspects, 4, "sample", "class", "is", "score");
    json_array_foreach (list, i, one) {
        if (!top || i < top)
            cmd_table_row(&suspects, 4, cmd_text(one, "id"), cmd_text(one, "class"),
                          json_is_true(get(one, "given")) ? "given, should not be"
                                                          : "not given, should be",
                          number(one, "score", a, sizeof a));
    }
    cmd_table_print(&suspects, "  ");
    more(json_array_size(list), top);
}

void cmd_analyse_print(const json_t *result, size_t top)
{
    const char *task = cmd_text(get(result, "data"), "task");
    if (!strcmp(task, "boxes")) {
        print_boxes(result, top);
        return;
    }
    if (!strcmp(task, "multilabel")) {
        print_sets(result, top);
        return;
    }
    const json_t *labels = get(result, "labels");
    print_data(result);
    if (labels) {
        print_issues(labels, top);
        print_classes(labels, top);
        print_overlaps(labels, top);
    }
    print_notes(result);
}
