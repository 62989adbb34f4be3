/* The tables of `flywheel analyse` for boxes and for sets of labels. */
#include <stdio.h>
#include <string.h>

#include "cmd/analyse.h"
#include "cmd/cmd.h"

void cmd_analyse_boxes(const json_t *result, size_t top)
{
    const json_t *d = cmd_part_get(result, "data"), *m = cmd_part_get(result, "metrics"), *list,
                 *one;
    struct cmd_table classes = {0}, suspects = {0};
    size_t i;
    char a[32], b[32], c[32], e[64];
    printf("%.0f images, %.0f given and %.0f predicted boxes, %.0f classes\n",
           cmd_number(d, "images"), cmd_number(d, "given"), cmd_number(d, "predicted"),
           cmd_number(d, "classes"));
    if (json_is_object(m)) {
        printf("\naverage precision %s (at IoU .50 %s, at .75 %s)",
               cmd_part_number(m, "ap", a, sizeof a), cmd_part_number(m, "ap50", b, sizeof b),
               cmd_part_number(m, "ap75", c, sizeof c));
        printf("; small %s, medium %s, large %s\n", cmd_part_number(m, "ap_small", a, sizeof a),
               cmd_part_number(m, "ap_medium", b, sizeof b),
               cmd_part_number(m, "ap_large", c, sizeof c));
        printf("average recall %s with 100 boxes an image, %s with 10, %s with 1\n",
               cmd_part_number(m, "ar100", a, sizeof a), cmd_part_number(m, "ar10", b, sizeof b),
               cmd_part_number(m, "ar1", c, sizeof c));
    }
    list = cmd_part_get(result, "by_class");
    cmd_table_row(&classes, 4, "class", "given", "predicted", "average precision");
    json_array_foreach (list, i, one) {
        if (!top || i < top)
            cmd_table_row(&classes, 4, cmd_text(one, "class"),
                          cmd_part_count(one, "given", a, sizeof a),
                          cmd_part_count(one, "predicted", b, sizeof b),
                          cmd_part_number(one, "ap", c, sizeof c));
    }
    puts("\nclasses");
    cmd_table_print(&classes, "  ");
    cmd_part_more(json_array_size(list), top);
    list = cmd_part_get(result, "suspects");
    if (!json_is_object(m))
        return;
    printf("\nsuspect boxes: %zu, on %zu images\n", json_array_size(list),
           json_array_size(cmd_part_get(result, "images")));
    if (!json_array_size(list))
        return;
    cmd_table_row(&suspects, 5, "image", "error", "class", "x, y, width, height", "score");
    json_array_foreach (list, i, one) {
        const json_t *box = cmd_part_get(one, "box");
        if (top && i >= top)
            break;
        snprintf(e, sizeof e, "%.0f, %.0f, %.0f, %.0f", json_number_value(json_array_get(box, 0)),
                 json_number_value(json_array_get(box, 1)),
                 json_number_value(json_array_get(box, 2)),
                 json_number_value(json_array_get(box, 3)));
        cmd_table_row(&suspects, 5, cmd_text(one, "image"), cmd_text(one, "error"),
                      cmd_text(one, "class"), e, cmd_part_number(one, "score", a, sizeof a));
    }
    cmd_table_print(&suspects, "  ");
    cmd_part_more(json_array_size(list), top);
}

void cmd_analyse_sets(const json_t *result, size_t top)
{
    const json_t *d = cmd_part_get(result, "data"), *list, *one;
    struct cmd_table classes = {0}, suspects = {0};
    size_t i;
    char a[32], b[32], c[32], e[32], f[32];
    printf("%.0f samples, %.0f classes\n", cmd_number(d, "samples"), cmd_number(d, "classes"));
    if (json_array_size(cmd_part_get(result, "metrics")))
        cmd_part_intervals(cmd_part_get(result, "metrics"));
    list = cmd_part_get(result, "by_class");
    cmd_table_row(&classes, 6, "class", "given", "precision", "recall", "F1", "issues");
    json_array_foreach (list, i, one) {
        if (!top || i < top)
            cmd_table_row(&classes, 6, cmd_text(one, "class"),
                          cmd_part_count(one, "given", a, sizeof a),
                          cmd_part_number(one, "precision", b, sizeof b),
                          cmd_part_number(one, "recall", c, sizeof c),
                          cmd_part_number(one, "f1", e, sizeof e),
                          cmd_part_count(one, "issues", f, sizeof f));
    }
    puts("\nclasses");
    cmd_table_print(&classes, "  ");
    cmd_part_more(json_array_size(list), top);
    list = cmd_part_get(result, "suspects");
    if (!list)
        return;
    printf("\nlabels: %zu are probably wrong, of %zu samples\n", json_array_size(list),
           json_array_size(cmd_part_get(result, "samples")));
    if (!json_array_size(list))
        return;
    cmd_table_row(&suspects, 4, "sample", "class", "is", "score");
    json_array_foreach (list, i, one) {
        if (!top || i < top)
            cmd_table_row(&suspects, 4, cmd_text(one, "id"), cmd_text(one, "class"),
                          json_is_true(cmd_part_get(one, "given")) ? "given, should not be"
                                                                   : "not given, should be",
                          cmd_part_number(one, "score", a, sizeof a));
    }
    cmd_table_print(&suspects, "  ");
    cmd_part_more(json_array_size(list), top);
}
