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

void cmd_analyse_print(const json_t *result, size_t top)
{
    const json_t *labels = get(result, "labels");
    print_data(result);
    if (labels) {
        print_issues(labels, top);
        print_classes(labels, top);
        print_overlaps(labels, top);
    }
    print_notes(result);
}
