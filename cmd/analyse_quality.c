/* The tables of `flywheel analyse` about the data themselves. */
#include <stdio.h>
#include <string.h>

#include "cmd/analyse.h"
#include "cmd/cmd.h"

static void print_duplicates(const json_t *d, size_t top)
{
    struct cmd_table t = {0};
    const json_t *list = cmd_part_get(d, "groups");
    size_t n = cmd_part_shown(list, top);
    printf("\ncopies: %.0f groups of %.0f samples; %.0f cross splits, %.0f have different labels\n",
           cmd_number(d, "groups_n"), cmd_number(d, "samples"), cmd_number(d, "crossing"),
           cmd_number(d, "disagreeing"));
    if (cmd_number(d, "unreadable") > 0)
        printf("  %.0f files could not be read\n", cmd_number(d, "unreadable"));
    if (!n)
        return;
    cmd_table_row(&t, 4, "samples", "alike by", "similarity", "");
    for (size_t i = 0; i < n; i++) {
        const json_t *g = json_array_get(list, i), *members = cmd_part_get(g, "members");
        bool crosses = json_is_true(cmd_part_get(g, "crosses"));
        bool disagrees = json_is_true(cmd_part_get(g, "disagrees"));
        char names[160], similarity[32], mark[64], rest[32] = "";
        const char *second = json_string_value(json_array_get(members, 1));
        if (json_array_size(members) > 2)
            snprintf(rest, sizeof rest, " and %zu more", json_array_size(members) - 2);
        snprintf(names, sizeof names, "%.50s, %.50s%s",
                 json_string_value(json_array_get(members, 0)), second ? second : "", rest);
        snprintf(mark, sizeof mark, "%s%s%s", crosses ? "across splits" : "",
                 crosses && disagrees ? ", " : "", disagrees ? "different labels" : "");
        cmd_table_row(&t, 4, names, cmd_text(g, "how"),
                      cmd_part_number(g, "similarity", similarity, sizeof similarity), mark);
    }
    cmd_table_print(&t, "  ");
    cmd_part_more(json_array_size(list), top);
}

static void print_outliers(const json_t *o, size_t top)
{
    struct cmd_table t = {0};
    const json_t *list = cmd_part_get(o, "samples");
    size_t n = cmd_part_shown(list, top);
    printf("\noutliers by %s, the least like the others first: %.0f\n", cmd_text(o, "by"),
           cmd_number(o, "n"));
    if (!n)
        return;
    cmd_table_row(&t, 2, "sample", "score");
    for (size_t i = 0; i < n; i++) {
        const json_t *s = json_array_get(list, i);
        char score[32];
        snprintf(score, sizeof score, "%.3g", cmd_number(s, "score"));
        cmd_table_row(&t, 2, cmd_text(s, "id"), score);
    }
    cmd_table_print(&t, "  ");
    cmd_part_more(json_array_size(list), top);
}

static void print_balance(const json_t *b)
{
    size_t i;
    json_t *c;
    char ratio[32] = "no end";
    if (json_is_number(cmd_part_get(b, "ratio")))
        snprintf(ratio, sizeof ratio, "%.1f", cmd_number(b, "ratio"));
    printf("\nbalance: largest over smallest class %s; as good as %.1f equal classes\n", ratio,
           cmd_number(b, "effective_classes"));
    json_array_foreach (cmd_part_get(b, "classes"), i, c) {
        if (json_is_true(cmd_part_get(c, "rare")))
            printf("  rare: %s, %.0f samples (%.2f %%)\n", cmd_text(c, "class"), cmd_number(c, "n"),
                   100 * cmd_number(c, "share"));
    }
}

static void print_order(const json_t *o)
{
    const json_t *labels = cmd_part_get(o, "labels"), *vectors = cmd_part_get(o, "vectors");
    if (labels) {
        double runs = cmd_number(labels, "statistic"), expected = cmd_number(labels, "expected");
        bool tells = cmd_number(labels, "p") <= 0.01;
        printf("\norder of labels: %.0f runs, %.0f expected, p = %.3g%s\n", runs, expected,
               cmd_number(labels, "p"),
               !tells            ? ""
               : runs < expected ? ": sorted, or in blocks; do not split by position"
                                 : ": more regular than chance; do not split by position");
    }
    if (vectors)
        printf("%sorder of vectors: p = %.3g%s\n", labels ? "" : "\n", cmd_number(vectors, "p"),
               cmd_number(vectors, "p") <= 0.01 ? ": neighbours stand together in the file" : "");
}

static void print_images(const json_t *m, size_t top)
{
    struct cmd_table t = {0};
    const json_t *list = cmd_part_get(m, "samples");
    size_t n = cmd_part_shown(list, top), i;
    json_t *one;
    printf("\nimages: %.0f of %.0f have an issue\n", cmd_number(m, "flagged"),
           cmd_number(m, "images"));
    json_array_foreach (cmd_part_get(m, "kinds"), i, one) {
        if (json_is_true(cmd_part_get(one, "usual")))
            printf("  %s: usual in these data\n", cmd_text(one, "issue"));
    }
    if (!n)
        return;
    cmd_table_row(&t, 3, "sample", "issues", "score");
    for (i = 0; i < n; i++) {
        const json_t *s = json_array_get(list, i);
        char issues[200] = "", score[32];
        size_t k;
        json_t *issue;
        json_array_foreach (cmd_part_get(s, "issues"), k, issue) {
            size_t at = strlen(issues);
            snprintf(issues + at, sizeof issues - at, "%s%s", k ? ", " : "",
                     json_string_value(issue));
        }
        cmd_table_row(&t, 3, cmd_text(s, "id"), issues,
                      cmd_part_number(s, "score", score, sizeof score));
    }
    cmd_table_print(&t, "  ");
    cmd_part_more(json_array_size(list), top);
}

void cmd_analyse_quality(const json_t *result, size_t top)
{
    const json_t *part;
    if ((part = cmd_part_get(result, "duplicates")))
        print_duplicates(part, top);
    if ((part = cmd_part_get(result, "outliers")))
        print_outliers(part, top);
    if ((part = cmd_part_get(result, "balance")))
        print_balance(part);
    if ((part = cmd_part_get(result, "order")))
        print_order(part);
    if ((part = cmd_part_get(result, "images")))
        print_images(part, top);
}
