/* Where the model is weak: priorities, confusions, classes, before and after; the sealed test. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/loop/report_page.h"

enum { MOST_SLICES = 20, MOST_CLASSES = 24, MOST_CONFUSIONS = 15 };

/* analysis.json of the baseline is kept with the iteration that started from it. */
static const json_t *analysis_before(struct fw_page *p)
{
    size_t i;
    const json_t *it;
    json_array_foreach (p->iterations, i, it) {
        if (fw_page_get(it, "analysis"))
            return fw_page_get(it, "analysis");
    }
    return NULL;
}

static const json_t *analysis_after(struct fw_page *p)
{
    const json_t *a = fw_page_get(fw_page_get(p->rec, "handover"), "analysis");
    for (size_t i = json_array_size(p->iterations); !a && i > 0; i--)
        a = fw_page_get(json_array_get(p->iterations, i - 1), "analysis");
    return a;
}

/* Without a human level the gap is measured against no error at all. */
static bool has_human_level(struct fw_page *p)
{
    const json_t *human = fw_page_get(fw_page_get(p->rec, "metric"), "human_level");
    return fw_page_get(human, "default") || json_object_size(fw_page_get(human, "classes"));
}

/* Under the name of a slice that was found: how, what is in it, and which samples to look at. */
static void put_found(struct fw_page *p, const json_t *s)
{
    const char *found = fw_page_str(s, "found");
    const json_t *v;
    size_t i;
    if (!found)
        return;
    fw_page_say(p, "<br><small>%s",
                strcmp(found, "cluster") ? "found by search" : "a cluster of embeddings");
    json_array_foreach (fw_page_get(s, "traits"), i, v) {
        char lift[40];
        snprintf(lift, sizeof lift, "%.1f", fw_page_num(v, "lift"));
        fw_page_say(p, "%s %s (%p, %s times as frequent)", i ? ";" : ", mostly",
                    fw_page_str(v, "condition"), fw_page_num(v, "share"), lift);
    }
    json_array_foreach (fw_page_get(s, "examples"), i, v)
        fw_page_say(p, "%s%s", i ? ", " : "; e.g. ", json_string_value(v));
    fw_page_say(p, "</small>");
}

/* Analyses of other plugins may have no tests. */
static bool has_tests(const json_t *analysis)
{
    return json_object_get(json_array_get(fw_page_get(analysis, "slices"), 0), "p_adjusted") !=
           NULL;
}

/* Points of accuracy say it all when accuracy is the metric. */
static bool has_own_worth(const json_t *analysis)
{
    const char *metric = fw_page_str(fw_page_get(analysis, "metric"), "name");
    return has_tests(analysis) && metric && strcmp(metric, "accuracy") != 0;
}

static void put_slice(struct fw_page *p, const json_t *analysis, const json_t *s, double from)
{
    double metric = fw_page_num(s, "metric");
    const char *klass = fw_page_str(s, "class");
    fw_page_say(p, "<tr><th scope=\"row\">%s", klass ? klass : fw_page_str(s, "slice"));
    put_found(p, s);
    fw_page_say(p, "</th><td class=\"n\">%p</td><td class=\"n\">%n</td>", fw_page_num(s, "share"),
                fw_page_num(s, "n"));
    fw_page_say(p, "<td class=\"n\"><b>%p</b></td><td>", metric);
    fw_page_bar(p, metric, fw_page_num(s, "low"), fw_page_num(s, "high"), from, 1, "up");
    fw_page_say(p, "</td>");
    if (has_human_level(p))
        fw_page_say(p, "<td class=\"n\">%p</td>", fw_page_num(s, "human_level"));
    fw_page_say(p, "<td class=\"n\">%p</td>", fw_page_num(s, "gap"));
    if (has_tests(analysis)) {
        double adjusted = fw_page_num(s, "p_adjusted");
        fw_page_say(p, "<td class=\"n\">%r", fw_page_true(s, "weak") ? "yes, " : "");
        if (isnan(adjusted))
            fw_page_say(p, "–</td>");
        else
            fw_page_say(p, "p&nbsp;%q</td>", adjusted);
    }
    if (has_own_worth(analysis))
        fw_page_say(p, "<td class=\"n\">%g</td>", fw_page_num(s, "worth_metric"));
    fw_page_say(p, "<td class=\"n\">%u</td><td class=\"n\"><b>%u</b></td>", fw_page_num(s, "worth"),
                fw_page_num(s, "priority"));
    if (has_tests(analysis))
        fw_page_say(p, "<td class=\"n\">%n</td><td class=\"n\">%n</td>", fw_page_num(s, "suspects"),
                    fw_page_num(s, "missing"));
    fw_page_say(p, "</tr>\n");
}

/* Where the bars begin: the same for both tables, so that they can be compared. */
static double lowest(const json_t *analysis, double from)
{
    size_t i;
    const json_t *s;
    json_array_foreach (fw_page_get(analysis, "slices"), i, s) {
        double low = fw_page_num(s, "low");
        if (low >= 0 && low < from)
            from = floor(low * 10) / 10;
    }
    return from;
}

static void put_priorities(struct fw_page *p, const json_t *analysis, double from,
                           const char *caption)
{
    const json_t *slices = fw_page_get(analysis, "slices"), *s;
    size_t i, n = json_array_size(slices);
    if (!n)
        return;
    fw_page_table(p, "priority", caption);
    fw_page_say(p,
                "<thead><tr><th scope=\"col\">Slice</th><th scope=\"col\" class=\"n\">Share</th>"
                "<th scope=\"col\" class=\"n\">Samples</th>"
                "<th scope=\"col\" class=\"n\">Accuracy</th><td class=\"pic\"></td>%r%r",
                has_human_level(p) ? "<th scope=\"col\" class=\"n\">Human level</th>"
                                     "<th scope=\"col\" class=\"n\">Gap to human level</th>"
                                   : "<th scope=\"col\" class=\"n\">Gap to 100 %</th>",
                has_tests(analysis) ? "<th scope=\"col\" class=\"n\">Worse than the rest</th>"
                                    : "");
    if (has_own_worth(analysis)) {
        fw_page_say(p, "<th scope=\"col\" class=\"n\">Worth, ");
        fw_page_metric_name(p, fw_page_str(fw_page_get(analysis, "metric"), "name"), false);
        fw_page_say(p, "</th>");
    }
    fw_page_say(p,
                "<th scope=\"col\" class=\"n\">Worth, points of accuracy</th>"
                "<th scope=\"col\" class=\"n\">Priority</th>%r</tr></thead><tbody>\n",
                has_tests(analysis) ? "<th scope=\"col\" class=\"n\">Suspect labels</th>"
                                      "<th scope=\"col\" class=\"n\">Missing samples</th>"
                                    : "");
    json_array_foreach (slices, i, s) {
        if (i == MOST_SLICES)
            break;
        put_slice(p, analysis, s, from);
    }
    fw_page_table_end(p);
    if (n > MOST_SLICES)
        fw_page_say(p, "<p class=\"soft\">%d more slices have lower priority.</p>\n",
                    (int)(n - MOST_SLICES));
}

void fw_report_priorities(struct fw_page *p)
{
    const json_t *before = analysis_before(p), *after = analysis_after(p), *note;
    size_t i;
    fw_page_say(p, "<section id=\"weak\"><h2>Where the model is weak</h2>\n");
    if (!json_array_size(fw_page_get(before, "slices")) &&
        !json_array_size(fw_page_get(after, "slices"))) {
        fw_page_say(p, "<p class=\"none\">No error analysis has been done.</p></section>\n");
        return;
    }
    fw_page_say(
        p,
        "<p>Worth is what closing the gap to %r would add to the accuracy of the whole: gap "
        "× share. Worths of slices that overlap do not add up. Priority weighs it by importance "
        "and "
        "by how easy the fix is.%r</p>\n",
        has_human_level(p) ? "human level" : "100 %",
        has_tests(before) || has_tests(after) ? " Suspect labels are worth looking at, missing "
                                                "samples worth collecting. The p-values "
                                                "are adjusted for how many slices were looked at; "
                                                "what was found by search is measured "
                                                "on the half of dev that the search has not seen."
                                              : "");
    double from = lowest(before, lowest(after, 0.9));
    put_priorities(p, before, from, "Before: the baseline");
    if (after != before)
        put_priorities(p, after, from, "After: the champion");
    json_array_foreach (fw_page_get(after, "notes"), i, note) {
        if (json_is_string(note))
            fw_page_say(p, "<p class=\"soft\">%s</p>\n", json_string_value(note));
    }
    fw_page_say(p, "</section>\n");
}

static const char *class_name(struct fw_page *p, size_t i, char *space, size_t size)
{
    const char *name = json_string_value(json_array_get(fw_page_get(p->rec, "classes"), i));
    if (name)
        return name;
    snprintf(space, size, "class %zu", i);
    return space;
}

/* Counts are means over seeds: decimals are shown for all of them or for none. */
static bool is_whole(const json_t *confusion)
{
    size_t i, j;
    const json_t *row, *cell;
    json_array_foreach (confusion, i, row) {
        json_array_foreach (row, j, cell) {
            double n = json_number_value(cell);
            if (fabs(n - round(n)) > 1e-6)
                return false;
        }
    }
    return true;
}

void fw_report_confusion_table(struct fw_page *p, const json_t *confusion, const char *caption)
{
    size_t k = json_array_size(confusion), i, j;
    char space[32];
    bool whole = is_whole(confusion);
    const json_t *row, *cell;
    fw_page_table(p, "confusion", caption);
    fw_page_say(p, "<thead><tr><td></td>");
    for (i = 0; i < k; i++)
        fw_page_say(p, "<th scope=\"col\"><span>%s</span></th>",
                    class_name(p, i, space, sizeof space));
    fw_page_say(p, "</tr></thead><tbody>\n");
    json_array_foreach (confusion, i, row) {
        double sum = 0;
        json_array_foreach (row, j, cell)
            sum += json_number_value(cell);
        fw_page_say(p, "<tr><th scope=\"row\">%s</th>", class_name(p, i, space, sizeof space));
        json_array_foreach (row, j, cell) {
            double n = json_number_value(cell), share = sum > 0 ? n / sum : 0;
            int heat = (int)ceil(share * 10 - 1e-9);
            if (heat < 0 || heat > 10)
                heat = 0;
            fw_page_say(p, "<td class=\"%r%d\">", i == j ? "d" : "e", heat);
            if (n > 0) {
                fw_buf_printf(p->b, "%.*f<small>", whole ? 0 : 1, n);
                fw_buf_printf(p->b, share < 0.005 ? "&lt;1%%</small>" : "%.0f%%</small>",
                              share * 100);
            } else {
                fw_page_say(p, "<span class=\"soft\">·</span>");
            }
            fw_page_say(p, "</td>");
        }
        fw_page_say(p, "</tr>\n");
    }
    fw_page_table_end(p);
}

static void put_top_confusions(struct fw_page *p, const json_t *analysis, const char *caption)
{
    size_t i;
    const json_t *c, *list = fw_page_get(analysis, "confusions");
    if (!json_array_size(list))
        return;
    fw_page_table(p, "pairs", caption);
    fw_page_say(p, "<thead><tr><th scope=\"col\">True</th><th scope=\"col\">Predicted</th>"
                   "<th scope=\"col\" class=\"n\">Samples</th>"
                   "<th scope=\"col\" class=\"n\">Of the class</th></tr></thead><tbody>\n");
    json_array_foreach (list, i, c) {
        if (i == MOST_CONFUSIONS)
            break;
        fw_page_say(
            p, "<tr><td>%s</td><td>%s</td><td class=\"n\">%f</td><td class=\"n\">%p</td></tr>\n",
            fw_page_str(c, "true"), fw_page_str(c, "predicted"), fw_page_num(c, "n"),
            fw_page_num(c, "rate"));
    }
    fw_page_table_end(p);
}

void fw_report_confusions(struct fw_page *p)
{
    const json_t *before = fw_page_get(p->first, "confusion"),
                 *after = fw_page_get(p->best, "confusion");
    size_t k = json_array_size(before) ? json_array_size(before) : json_array_size(after);
    fw_page_say(p, "<section id=\"confusion\"><h2>What is taken for what</h2>\n");
    if (!k) {
        fw_page_say(p,
                    "<p class=\"none\">There is no confusion matrix for this run.</p></section>\n");
        return;
    }
    fw_page_say(p, "<p>Rows are the true class, columns what the model said; counts and row "
                   "percentages, mean over seeds. Blue is right, orange is wrong.</p>\n");
    if (k <= MOST_CLASSES) {
        fw_page_say(p, "<div class=\"pair%r\">\n", k > 10 ? " tall" : "");
        if (json_array_size(before))
            fw_report_confusion_table(p, before, "Before");
        if (json_array_size(after) && p->best != p->first)
            fw_report_confusion_table(p, after, "After");
        fw_page_say(p, "</div>\n");
    } else {
        fw_page_say(p, "<p>There are %d classes; the pairs most often confused are:</p>\n", (int)k);
        put_top_confusions(p, analysis_before(p), "Before");
        if (analysis_after(p) != analysis_before(p))
            put_top_confusions(p, analysis_after(p), "After");
    }
    fw_page_say(p, "</section>\n");
}

static const json_t *find_class(const json_t *list, const char *name)
{
    size_t i;
    const json_t *c;
    json_array_foreach (list, i, c) {
        const char *other = fw_page_str(c, "class");
        if (name && other && !strcmp(other, name))
            return c;
    }
    return NULL;
}

static void put_change(struct fw_page *p, const json_t *b, const json_t *a, const char *key)
{
    double x = fw_page_num(b, key), y = fw_page_num(a, key);
    if (b == a || !b) {
        fw_page_say(p, "<td class=\"n\">%p</td>", y);
        return;
    }
    fw_page_say(p, "<td class=\"n\"><span class=\"soft\">%p →</span> <b>%p</b></td>", x, y);
}

/* From before (hollow) to after (filled) on the scale 0..1. */
static void put_dumbbell(struct fw_page *p, double x, double y)
{
    if (!isfinite(y))
        return;
    if (!isfinite(x))
        x = y;
    fw_page_say(p,
                "<svg class=\"bar %r\" viewBox=\"0 0 120 16\" width=\"120\" height=\"16\" "
                "aria-hidden=\"true\" focusable=\"false\">"
                "<line class=\"axis\" x1=\"6\" x2=\"114\" y1=\"8\" y2=\"8\"/>",
                y < x - 1e-9 ? "down" : "up");
    fw_buf_printf(p->b,
                  "<line class=\"range\" x1=\"%.1f\" x2=\"%.1f\" y1=\"8\" y2=\"8\"/>"
                  "<circle class=\"was\" cx=\"%.1f\" cy=\"8\" r=\"3\"/>"
                  "<circle cx=\"%.1f\" cy=\"8\" r=\"4\"/></svg>",
                  6 + 108 * x, 6 + 108 * y, 6 + 108 * x, 6 + 108 * y);
}

void fw_report_class_table(struct fw_page *p, const json_t *before, const json_t *after,
                           const char *caption)
{
    size_t i;
    const json_t *c;
    fw_page_table(p, "classes", caption);
    fw_page_say(
        p, "<thead><tr><th scope=\"col\">Class</th><th scope=\"col\" class=\"n\">Samples</th>"
           "<th scope=\"col\" class=\"n\">Precision</th>"
           "<th scope=\"col\" class=\"n\">Recall</th>"
           "<th scope=\"col\" class=\"n\">F1</th><td class=\"pic\"></td></tr></thead><tbody>\n");
    json_array_foreach (after, i, c) {
        const json_t *b = find_class(before, fw_page_str(c, "class"));
        fw_page_say(p, "<tr><th scope=\"row\">%s</th><td class=\"n\">%n</td>",
                    fw_page_str(c, "class"), fw_page_num(c, "n"));
        put_change(p, b, c, "precision");
        put_change(p, b, c, "recall");
        put_change(p, b, c, "f1");
        fw_page_say(p, "<td>");
        put_dumbbell(p, fw_page_num(b, "f1"), fw_page_num(c, "f1"));
        fw_page_say(p, "</td></tr>\n");
    }
    fw_page_table_end(p);
}

void fw_report_classes(struct fw_page *p)
{
    const json_t *before = fw_page_get(p->first, "per_class"),
                 *after = fw_page_get(p->best, "per_class");
    fw_page_say(p, "<section id=\"classes\"><h2>Class by class</h2>\n");
    if (json_array_size(after))
        fw_report_class_table(p, before, after,
                              p->best == p->first ? "Precision, recall and F1 of the baseline"
                                                  : "Precision, recall and F1, before → after");
    else
        fw_page_say(p, "<p class=\"none\">There are no figures by class for this run.</p>\n");
    const json_t *b = fw_page_get(p->first, "metrics"), *a = fw_page_get(p->best, "metrics");
    void *at = json_object_iter((json_t *)a);
    if (at) {
        bool two = b && b != a;
        fw_page_table(p, "metrics", "Other metrics of the same predictions");
        fw_page_say(p,
                    "<thead><tr><th scope=\"col\">Metric</th>%r"
                    "<th scope=\"col\" class=\"n\">%r</th></tr></thead><tbody>\n",
                    two ? "<th scope=\"col\" class=\"n\">Before</th>" : "",
                    two ? "After" : "Value");
        for (; at; at = json_object_iter_next((json_t *)a, at)) {
            const char *key = json_object_iter_key(at);
            fw_page_say(p, "<tr><th scope=\"row\">");
            fw_page_metric_name(p, key, true);
            fw_page_say(p, "</th>");
            if (two)
                fw_page_say(p, "<td class=\"n\">%f</td>", fw_page_num(b, key));
            fw_page_say(p, "<td class=\"n\">%f</td></tr>\n", fw_page_num(a, key));
        }
        fw_page_table_end(p);
    }
    fw_page_say(p, "</section>\n");
}

void fw_report_test(struct fw_page *p)
{
    const json_t *test = fw_page_get(p->rec, "test"), *after = fw_page_get(test, "champion"),
                 *before = fw_page_get(test, "baseline");
    fw_page_say(p, "<section id=\"test\"><h2>The sealed test</h2>\n");
    if (!after) {
        fw_page_say(p,
                    "<p class=\"none\">The test split is opened once, after the stop. It has not "
                    "been opened in this run.</p></section>\n");
        return;
    }
    fw_page_say(p, "<p>No stage saw the test split during the run; it was scored once, after the "
                   "stop. ");
    fw_page_metric_name(p, p->metric, true);
    const json_t *was = fw_page_score(before), *is = fw_page_score(after);
    if (before) {
        fw_page_say(p, ": baseline <b>%v</b> (", fw_page_num(was, "value"));
        fw_page_interval(p, fw_page_num(was, "low"), fw_page_num(was, "high"));
        fw_page_say(p, "), champion <b>%v</b> (", fw_page_num(is, "value"));
    } else {
        fw_page_say(p, " of the champion: <b>%v</b> (", fw_page_num(is, "value"));
    }
    fw_page_interval(p, fw_page_num(is, "low"), fw_page_num(is, "high"));
    fw_page_say(p, ").</p>\n");
    if (json_array_size(fw_page_get(after, "per_class")))
        fw_report_class_table(p, fw_page_get(before, "per_class"), fw_page_get(after, "per_class"),
                              "Test: precision, recall and F1, baseline → champion");
    size_t k = json_array_size(fw_page_get(after, "confusion"));
    if (k && k <= MOST_CLASSES) {
        fw_page_say(p, "<div class=\"pair%r\">\n", k > 10 ? " tall" : "");
        if (json_array_size(fw_page_get(before, "confusion")))
            fw_report_confusion_table(p, fw_page_get(before, "confusion"), "Test: baseline");
        fw_report_confusion_table(p, fw_page_get(after, "confusion"), "Test: champion");
        fw_page_say(p, "</div>\n");
    }
    fw_page_say(p, "</section>\n");
}

static void put_noise(struct fw_page *p, const json_t *noise, const char *when)
{
    size_t i;
    const json_t *c;
    fw_page_say(
        p, "<p><b>%r:</b> about %p of the %n train labels are estimated wrong (%n labels).</p>\n",
        when, fw_page_num(noise, "rate"), fw_page_num(noise, "labelled"),
        fw_page_num(noise, "estimated_errors"));
    if (!json_array_size(fw_page_get(noise, "by_class")))
        return;
    fw_page_table(p, "noise", "By class");
    fw_page_say(p,
                "<thead><tr><th scope=\"col\">Class</th><th scope=\"col\" class=\"n\">Labels</th>"
                "<th scope=\"col\" class=\"n\">Estimated wrong</th><td "
                "class=\"pic\"></td></tr></thead><tbody>\n");
    json_array_foreach (fw_page_get(noise, "by_class"), i, c) {
        fw_page_say(
            p, "<tr><th scope=\"row\">%s</th><td class=\"n\">%n</td><td class=\"n\">%p</td><td>",
            fw_page_str(c, "class"), fw_page_num(c, "n"), fw_page_num(c, "rate"));
        fw_page_bar(p, fw_page_num(c, "rate"), 0, fw_page_num(c, "rate"), 0, 1, "down");
        fw_page_say(p, "</td></tr>\n");
    }
    fw_page_table_end(p);
}

void fw_report_noise(struct fw_page *p)
{
    const json_t *before = analysis_before(p), *after = analysis_after(p), *c;
    const json_t *nb = fw_page_get(before, "noise"), *na = fw_page_get(after, "noise");
    size_t i;
    fw_page_say(p, "<section id=\"noise\"><h2>Label noise and coverage</h2>\n");
    if (!nb && !na)
        fw_page_say(p, "<p class=\"none\">No estimate: it needs out-of-fold predictions "
                       "(<code>folds:</code> on the train stage).</p>\n");
    fw_page_say(p, "<div class=\"pair\">");
    if (nb) {
        fw_page_say(p, "<div>");
        put_noise(p, nb, "Before");
        fw_page_say(p, "</div>");
    }
    if (na && after != before) {
        fw_page_say(p, "<div>");
        put_noise(p, na, "After");
        fw_page_say(p, "</div>");
    }
    fw_page_say(p, "</div>\n");
    if (json_array_size(fw_page_get(after, "coverage"))) {
        fw_page_table(p, "coverage", "Slices with too little train data for their share of dev");
        fw_page_say(p, "<thead><tr><th scope=\"col\">Slice</th>"
                       "<th scope=\"col\" class=\"n\">Share of train</th>"
                       "<th scope=\"col\" class=\"n\">Share of dev</th>"
                       "<th scope=\"col\" class=\"n\">Missing samples</th></tr></thead><tbody>\n");
        json_array_foreach (fw_page_get(after, "coverage"), i, c) {
            fw_page_say(
                p,
                "<tr><th scope=\"row\">%s</th><td class=\"n\">%p</td><td class=\"n\">%p</td>"
                "<td class=\"n\">%n</td></tr>\n",
                fw_page_str(c, "slice"), fw_page_num(c, "train_share"), fw_page_num(c, "dev_share"),
                fw_page_num(c, "missing"));
        }
        fw_page_table_end(p);
    }
    fw_page_say(p, "</section>\n");
}
