/* Clean or collect: what each iteration measured, and the learning curve of the last. */
#include <math.h>
#include <stdio.h>

#include "pipeline/loop/report_page.h"

const json_t *fw_report_exchange_of(const struct fw_page *p)
{
    const json_t *x =
        fw_page_get(fw_page_get(fw_page_get(p->rec, "handover"), "analysis"), "exchange");
    for (size_t i = json_array_size(p->iterations); !x && i > 0; i--)
        x = fw_page_get(fw_page_get(json_array_get(p->iterations, i - 1), "analysis"), "exchange");
    return x;
}

static void put_points(struct fw_page *p, const json_t *x)
{
    size_t i;
    const json_t *o;
    fw_page_table(p, "learning",
                  "Learning curve of the fixed model: the metric on dev by the "
                  "number of labelled train samples");
    fw_page_say(p, "<thead><tr><th scope=\"col\">Trained on</th>"
                   "<th scope=\"col\" class=\"n\">Samples</th><th scope=\"col\" class=\"n\">");
    fw_page_metric_name(p, p->metric, true);
    fw_page_say(p, "</th><th scope=\"col\">95 %% interval</th></tr></thead><tbody>\n");
    json_array_foreach (fw_page_get(x, "points"), i, o) {
        const char *kind = fw_page_str(o, "kind");
        fw_page_say(
            p, "<tr><th scope=\"row\">%r</th><td class=\"n\">%n</td><td class=\"n\">%v</td><td>",
            kind && *kind == 't'   ? "without suspect labels"
            : kind && *kind == 'f' ? "all of train"
                                   : "a part of train",
            fw_page_num(o, "n"), fw_page_num(o, "value"));
        fw_page_interval(p, fw_page_num(o, "low"), fw_page_num(o, "high"));
        fw_page_say(p, "</td></tr>\n");
    }
    fw_page_table_end(p);
    const json_t *twice = fw_page_get(fw_page_get(x, "power_law"), "doubled");
    if (twice) {
        fw_page_say(p, "<p>Twice the data would bring it to about %v (",
                    fw_page_num(twice, "value"));
        fw_page_interval(p, fw_page_num(twice, "low"), fw_page_num(twice, "high"));
        fw_page_say(p, "), by the power law through these points.</p>\n");
    }
}

static void put_row(struct fw_page *p, const char *when, double iteration, const json_t *x)
{
    const json_t *rate = fw_page_get(x, "rate");
    if (isfinite(iteration))
        fw_page_say(p, "<tr><th scope=\"row\">%n</th>", iteration);
    else
        fw_page_say(p, "<tr><th scope=\"row\">%r</th>", when);
    char text[32] = "–"; /* two digits: more would pretend */
    if (rate)
        snprintf(text, sizeof text, "%.2g", fw_page_num(rate, "value"));
    fw_page_say(p, "<td class=\"n\">%s</td>", text);
    fw_page_say(p, "<td class=\"n\">%p</td><td>%s</td></tr>\n", fw_page_num(x, "share_to_clean"),
                fw_page_str(x, "sentence"));
}

void fw_report_exchange(struct fw_page *p)
{
    const json_t *x = fw_report_exchange_of(p), *it;
    size_t i;
    fw_page_say(p, "<section id=\"exchange\"><h2>Clean or collect?</h2>\n");
    if (!x) {
        fw_page_say(p, "<p class=\"none\">Not measured: it needs <code>folds:</code> on the train "
                       "stage and <code>loop: {curve: true}</code>.</p></section>\n");
        return;
    }
    fw_page_say(p, "<p><b>%s</b></p>\n", fw_page_str(x, "sentence"));
    fw_page_say(p, "<div class=\"chart small\"><canvas id=\"learning\" role=\"img\" "
                   "aria-label=\"Learning curve; the table below has the same numbers.\">"
                   "</canvas></div>\n");
    put_points(p, x);
    fw_page_table(p, "rates",
                  "By iteration, before its fixes: worth of a label checked over that of a new "
                  "sample of the same kind, each by its cost");
    fw_page_say(p, "<thead><tr><th scope=\"col\">Iteration</th><th scope=\"col\" class=\"n\">Rate"
                   "</th><th scope=\"col\" class=\"n\">Share to clean</th>"
                   "<th scope=\"col\">In words</th></tr></thead><tbody>\n");
    json_array_foreach (p->iterations, i, it) {
        const json_t *of = fw_page_get(fw_page_get(it, "analysis"), "exchange");
        if (of)
            put_row(p, NULL, fw_page_num(it, "iteration"), of);
    }
    x = fw_page_get(fw_page_get(fw_page_get(p->rec, "handover"), "analysis"), "exchange");
    if (x)
        put_row(p, "at the end", NAN, x);
    fw_page_table_end(p);
    fw_page_say(p, "</section>\n");
}
