/* What the tables of `flywheel analyse` have in common. */
#include <stdio.h>

#include "cmd/analyse.h"
#include "cmd/cmd.h"

const json_t *cmd_part_get(const json_t *o, const char *key)
{
    return json_object_get(o, key);
}

const char *cmd_part_share(const json_t *o, const char *key, char *out, size_t size)
{
    if (json_is_number(cmd_part_get(o, key)))
        snprintf(out, size, "%.1f %%", 100 * cmd_number(o, key));
    else
        snprintf(out, size, "-");
    return out;
}

const char *cmd_part_count(const json_t *o, const char *key, char *out, size_t size)
{
    snprintf(out, size, "%.0f", cmd_number(o, key));
    return out;
}

void cmd_part_more(size_t n, size_t top)
{
    if (top && n > top)
        printf("  and %zu more\n", n - top);
}

size_t cmd_part_shown(const json_t *list, size_t top)
{
    size_t n = json_array_size(list);
    return top && n > top ? top : n;
}

const char *cmd_part_number(const json_t *o, const char *key, char *out, size_t size)
{
    if (json_is_number(cmd_part_get(o, key)))
        snprintf(out, size, "%.3f", cmd_number(o, key));
    else
        snprintf(out, size, "-");
    return out;
}

void cmd_part_intervals(const json_t *list)
{
    struct cmd_table t = {0};
    size_t i;
    const json_t *one;
    cmd_table_row(&t, 3, "metric", "value", "95 % interval");
    json_array_foreach (list, i, one) {
        char value[32], low[32], high[32], interval[80];
        snprintf(interval, sizeof interval, "-");
        if (json_is_number(cmd_part_get(one, "low")))
            snprintf(interval, sizeof interval, "%s to %s",
                     cmd_part_number(one, "low", low, sizeof low),
                     cmd_part_number(one, "high", high, sizeof high));
        cmd_table_row(&t, 3, cmd_text(one, "metric"),
                      cmd_part_number(one, "value", value, sizeof value), interval);
    }
    puts("\nmetrics");
    cmd_table_print(&t, "  ");
}
