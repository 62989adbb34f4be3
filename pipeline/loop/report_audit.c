/* The report's audit: the requirements, and how baseline, champion and sealed test meet them. */
#include <math.h>
#include <string.h>

#include "pipeline/loop/report_page.h"

static void put_state(struct fw_page *p, const json_t *r)
{
    const char *state = fw_page_str(r, "state");
    if (state && !strcmp(state, "broken"))
        fw_page_say(p,
                    "<span class=\"tag down\"><span aria-hidden=\"true\">✕</span> broken</span> "
                    "short by %f",
                    fw_page_num(r, "short_by"));
    else if (state && !strcmp(state, "met"))
        fw_page_say(p, "<span class=\"tag up\"><span aria-hidden=\"true\">✓</span> met</span>");
    else
        fw_page_say(p, "<span class=\"tag\">%s</span>", state);
}

static void put_value(struct fw_page *p, const json_t *r, const char *absent)
{
    if (!isfinite(fw_page_num(r, "value"))) {
        fw_page_say(p, "<td class=\"n\">%r</td>", absent);
        return;
    }
    fw_page_say(p, "<td class=\"n\">%f</td>", fw_page_num(r, "value"));
}

void fw_report_audit(struct fw_page *p)
{
    const json_t *before = fw_page_get(p->first, "audit"), *after = fw_page_get(p->best, "audit"),
                 *test = fw_page_get(fw_page_get(fw_page_get(p->rec, "test"), "champion"), "audit"),
                 *r;
    size_t i;
    if (!json_array_size(after))
        return;
    fw_page_say(p, "<section id=\"audit\"><h2>Audit</h2>\n"
                   "<p>What must hold on slices, checked at every champion. <i>Unsure</i>: met, "
                   "but the interval reaches below what is required.</p>\n");
    fw_page_table(p, "audit", "Requirements, by the champion's dev predictions");
    fw_page_say(p, "<thead><tr><th scope=\"col\">Requirement</th>"
                   "<th scope=\"col\" class=\"n\">Samples</th>"
                   "<th scope=\"col\" class=\"n\">Baseline</th>"
                   "<th scope=\"col\" class=\"n\">Champion</th>"
                   "<th scope=\"col\" class=\"n\">Interval</th>"
                   "<th scope=\"col\">State</th>"
                   "<th scope=\"col\" class=\"n\">Sealed test</th><th scope=\"col\">If broken</th>"
                   "</tr></thead><tbody>\n");
    json_array_foreach (after, i, r) {
        const char *on = fw_page_str(r, "on_broken");
        fw_page_say(p, "<tr><th scope=\"row\">%s</th><td class=\"n\">%n</td>",
                    fw_page_str(r, "requirement"), fw_page_num(r, "n"));
        put_value(p, json_array_get(before, i), "–");
        put_value(p, r, "no sample");
        fw_page_say(p, "<td class=\"n\">%f to %f</td><td>", fw_page_num(r, "low"),
                    fw_page_num(r, "high"));
        put_state(p, r);
        fw_page_say(p, "</td>");
        put_value(p, json_array_get(test, i), "–");
        fw_page_say(p, "<td>%r</td></tr>\n", on && !strcmp(on, "guard") ? "guard rail" : "warning");
    }
    fw_page_table_end(p);
    fw_page_say(p, "</section>\n");
}
