/* The curve with its table, and what was done to the data in each iteration. */
#include <math.h>
#include <string.h>

#include "pipeline/loop/record.h"
#include "pipeline/loop/report_page.h"

struct scale {
    double lo, hi;
};

static void widen(struct scale *s, double v)
{
    if (!isfinite(v))
        return;
    s->lo = isfinite(s->lo) ? fmin(s->lo, v) : v;
    s->hi = isfinite(s->hi) ? fmax(s->hi, v) : v;
}

static void widen_by(struct scale *s, const json_t *o, const char *value)
{
    widen(s, fw_page_num(o, value));
    widen(s, fw_page_num(o, "low"));
    widen(s, fw_page_num(o, "high"));
}

static struct scale scale_of_scores(struct fw_page *p)
{
    struct scale s = {NAN, NAN};
    size_t i;
    const json_t *it;
    json_array_foreach (p->iterations, i, it)
        widen_by(&s, fw_page_get(it, "score"), "value");
    return s;
}

/* Of the whole, of each stage's fixes alone, and of the parts tried apart: one scale for all. */
static struct scale scale_of_gains(struct fw_page *p)
{
    struct scale s = {NAN, NAN};
    size_t i, j;
    const json_t *it, *fix;
    json_array_foreach (p->iterations, i, it) {
        widen_by(&s, fw_page_get(it, "gate"), "gain");
        widen_by(&s, fw_page_get(it, "gate_after_ablation"), "gain");
        json_array_foreach (fw_page_get(it, "fixes"), j, fix)
            widen_by(&s, fix, "gain");
        json_array_foreach (fw_page_get(it, "ablation"), j, fix)
            widen_by(&s, fix, "gain");
    }
    if (isfinite(s.lo)) {
        widen(&s, 0);
        s.lo -= 1e-9;
        s.hi += 1e-9;
    }
    return s;
}

static void put_references(struct fw_page *p)
{
    const json_t *metric = fw_page_get(p->rec, "metric");
    double target = fw_page_num(metric, "target");
    size_t i;
    const json_t *base;
    fw_page_say(p, "<ul class=\"key\" aria-label=\"Key\">"
                   "<li><i class=\"champ\"></i>champion</li><li><i class=\"dot\"></i>improved</li>"
                   "<li><i class=\"ring\"></i>undecided, kept provisionally</li>"
                   "<li><i class=\"cross\"></i>worse, rolled back</li>"
                   "<li><i class=\"step\"></i>best so far</li>");
    if (isfinite(target))
        fw_page_say(p, "<li><i class=\"target\"></i>target %v</li>", target);
    json_array_foreach (fw_page_get(p->rec, "baselines"), i, base) {
        fw_page_say(p, "<li><i class=\"refline\"></i>%s %v</li>", fw_page_str(base, "name"),
                    fw_page_num(base, "value"));
    }
    fw_page_say(p, "</ul>\n");
}

static double labels_of(const json_t *it)
{
    size_t i;
    const json_t *fix;
    double n = 0;
    json_array_foreach (fw_page_get(it, "fixes"), i, fix)
        n += fw_page_count(fix, "labels");
    return n;
}

static const char *bar_class(const json_t *it)
{
    const char *state = fw_page_str(it, "state");
    const char *verdict = fw_page_str(fw_record_gate(it), "verdict");
    if (state && !strcmp(state, "rolled back"))
        return "down";
    if (verdict && !strcmp(verdict, "undecided"))
        return "even";
    return "up";
}

static void put_row(struct fw_page *p, const json_t *it, const struct scale *s)
{
    const json_t *score = fw_page_get(it, "score"), *gate = fw_record_gate(it);
    double value = fw_page_num(score, "value"), low = fw_page_num(score, "low"),
           high = fw_page_num(score, "high"), gain = fw_page_num(gate, "gain");
    bool baseline = it == p->first;
    fw_page_say(p, "<tr%r><th scope=\"row\"><a href=\"#it-%n\">%n</a>%r</th><td>",
                it == p->best ? " class=\"best\"" : "", fw_page_num(it, "iteration"),
                fw_page_num(it, "iteration"), it == p->best ? " <small>champion</small>" : "");
    fw_page_verdict(p, fw_page_str(gate, "verdict"));
    fw_page_say(p, "</td><td class=\"n\"><b>%v</b></td><td class=\"n soft\">", value);
    fw_page_interval(p, low, high);
    fw_page_say(p, "</td><td>");
    fw_page_bar(p, value, low, high, s->lo, s->hi, bar_class(it));
    fw_page_say(p, "</td><td class=\"n\">%g</td><td class=\"n soft\">", baseline ? NAN : gain);
    if (!baseline)
        fw_page_gain_interval(p, fw_page_num(gate, "low"), fw_page_num(gate, "high"));
    fw_page_say(p, "</td><td class=\"n\">%n</td><td class=\"n\">%n</td><td>%k</td></tr>\n",
                labels_of(it), fw_page_num(fw_page_get(it, "rows"), "train"),
                fw_page_str(it, "snapshot"));
}

void fw_report_curve(struct fw_page *p)
{
    size_t i;
    const json_t *it;
    struct scale s = scale_of_scores(p);
    fw_page_say(p, "<section id=\"curve\"><h2>");
    fw_page_metric_name(p, p->metric, true);
    fw_page_say(p, " by iteration</h2>\n");
    if (!p->first) {
        fw_page_say(p, "<p class=\"none\">No iteration has been finished.</p></section>\n");
        return;
    }
    fw_page_say(p, "<div class=\"chart\"><canvas id=\"chart\" role=\"img\" aria-label=\"");
    fw_page_metric_name(p, p->metric, true);
    fw_page_say(p,
                " of %d iterations, from %v to %v at the champion; the table below has the same "
                "numbers.\"></canvas></div>\n",
                (int)json_array_size(p->iterations),
                fw_page_num(fw_page_get(p->first, "score"), "value"),
                fw_page_num(fw_page_get(p->best, "score"), "value"));
    put_references(p);
    fw_page_table(p, "curve",
                  p->percent ? "Every iteration; gains are in points against the champion "
                               "of the time, with the gate's interval"
                             : "Every iteration; gains are against the champion of the "
                               "time, with the gate's interval");
    fw_page_say(
        p, "<thead><tr><th scope=\"col\">Iteration</th><th scope=\"col\">Verdict</th>"
           "<th scope=\"col\" class=\"n\">Score</th><th scope=\"col\" class=\"n\">Interval</th>"
           "<td class=\"pic\"></td><th scope=\"col\" class=\"n\">Gain</th>"
           "<th scope=\"col\" class=\"n\">Interval</th>"
           "<th scope=\"col\" class=\"n\">Labels</th>"
           "<th scope=\"col\" class=\"n\">Train rows</th>"
           "<th scope=\"col\">Snapshot</th></tr></thead><tbody>\n");
    json_array_foreach (p->iterations, i, it)
        put_row(p, it, &s);
    fw_page_table_end(p);
    fw_page_say(p, "</section>\n");
}

/* "61 relabelled, 3 removed, 20 confirmed" */
static void put_counts(struct fw_page *p, const json_t *fix)
{
    static const struct {
        const char *key, *word;
    } parts[] = {{"relabel", "relabelled"},  {"add", "added"},
                 {"remove", "removed"},      {"guideline", "guidelines edited"},
                 {"confirm", "found right"}, {"set_aside", "set aside"}};
    const char *sep = "";
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        double n = fw_page_count(fix, parts[i].key);
        if (n > 0) {
            fw_page_say(p, "%r%n %r", sep, n, parts[i].word);
            sep = ", ";
        }
    }
    if (!*sep)
        fw_page_say(p, "nothing");
}

static void put_part(struct fw_page *p, const json_t *fix, const struct scale *s, bool whole)
{
    double gain = fw_page_num(fix, "gain"), low = fw_page_num(fix, "low"),
           high = fw_page_num(fix, "high");
    const char *verdict = fw_page_str(fix, "verdict");
    fw_page_say(p, "<td class=\"n\">%g</td><td class=\"n soft\">", gain);
    fw_page_gain_interval(p, low, high);
    fw_page_say(p, "</td><td>");
    fw_page_bar(p, gain, low, high, s->lo, s->hi,
                verdict && !strcmp(verdict, "worse")       ? "down"
                : verdict && !strcmp(verdict, "undecided") ? "even"
                                                           : "up");
    fw_page_say(p, "</td><td>");
    if (verdict)
        fw_page_verdict(p, verdict);
    else
        fw_page_say(p, "<span class=\"soft\">%r</span>", whole ? "with the whole" : "–");
    const char *partly = fw_page_str(fix, "kept");
    fw_page_say(p, "</td><td>%s</td></tr>\n",
                partly                      ? partly
                : !fw_page_get(fix, "kept") ? "–"
                : fw_page_true(fix, "kept") ? "yes"
                                            : "no");
}

static void put_fixes(struct fw_page *p, const json_t *it, const struct scale *s)
{
    size_t i;
    const json_t *fix, *fixes = fw_page_get(it, "fixes");
    if (!json_array_size(fixes))
        return;
    fw_page_table(p, "fixes", "The fixes of this iteration, each with its gain measured alone");
    fw_page_say(p, "<thead><tr><th scope=\"col\">Stage</th><th scope=\"col\">What it did</th>"
                   "<th scope=\"col\" class=\"n\">Labels</th>"
                   "<th scope=\"col\" class=\"n\">Gain alone</th>"
                   "<th scope=\"col\" class=\"n\">Interval</th><td class=\"pic\"></td>"
                   "<th scope=\"col\">Verdict</th><th scope=\"col\">Kept</th></tr></thead>"
                   "<tbody>\n");
    json_array_foreach (fixes, i, fix) {
        double money = fw_page_count(fix, "money");
        fw_page_say(p, "<tr><th scope=\"row\">%s</th><td>", fw_page_str(fix, "stage"));
        put_counts(p, fix);
        fw_page_say(p, "</td><td class=\"n\">%n", fw_page_num(fix, "labels"));
        if (money > 0)
            fw_page_say(p, "<br><small>cost %f</small>", money);
        fw_page_say(p, "</td>");
        put_part(p, fix, s, true);
    }
    fw_page_table_end(p);
}

static void put_parts(struct fw_page *p, const json_t *it, const struct scale *s)
{
    size_t i;
    const json_t *fix, *parts = fw_page_get(it, "ablation");
    if (!json_array_size(parts))
        return;
    fw_page_table(p, "fixes", "The parts of the rejected patch tried apart");
    fw_page_say(p,
                "<thead><tr><th scope=\"col\">Part</th><th scope=\"col\" class=\"n\">Fixes</th>"
                "<th scope=\"col\" class=\"n\">Gain</th><th scope=\"col\" class=\"n\">Interval</th>"
                "<td class=\"pic\"></td><th scope=\"col\">Verdict</th><th "
                "scope=\"col\">Kept</th></tr></thead>"
                "<tbody>\n");
    json_array_foreach (parts, i, fix) {
        fw_page_say(p, "<tr><th scope=\"row\">%s</th><td class=\"n\">%n</td>",
                    fw_page_str(fix, "part"), fw_page_num(fix, "fixes"));
        put_part(p, fix, s, false);
    }
    fw_page_table_end(p);
}

/* what: of what it is the gate when there are two; NULL when the heading has told the verdict. */
static void put_gate(struct fw_page *p, const json_t *gate, const char *what)
{
    size_t i;
    const json_t *guard, *guards = fw_page_get(gate, "guards");
    const char *reason = fw_page_str(gate, "reason");
    if (!gate)
        return;
    if (what) {
        fw_page_say(p, "<p><b>%r:</b> ", what);
        fw_page_verdict(p, fw_page_str(gate, "verdict"));
        fw_page_say(p, " %s</p>\n", reason);
    } else if (reason) {
        fw_page_say(p, "<p><b>The gate:</b> %s</p>\n", reason);
    }
    if (isfinite(fw_page_num(gate, "look")) || isfinite(fw_page_num(gate, "p")))
        fw_page_say(p,
                    "<p class=\"soft\">Rule %s, look %n at the dev split, level %f for this look, "
                    "p %q (bootstrap), p %q (McNemar), p %q (permutation).</p>\n",
                    fw_page_str(gate, "rule"), fw_page_num(gate, "look"),
                    fw_page_num(gate, "alpha"), fw_page_num(gate, "p"),
                    fw_page_num(gate, "mcnemar_p"), fw_page_num(gate, "permutation_p"));
    if (!json_array_size(guards))
        return;
    fw_page_table(p, "guards", "Guard rails: what may not fall by more than its allowance");
    fw_page_say(p,
                "<thead><tr><th scope=\"col\">Guard</th><th scope=\"col\">Metric</th>"
                "<th scope=\"col\" class=\"n\">Before</th><th scope=\"col\" class=\"n\">After</th>"
                "<th scope=\"col\" class=\"n\">Allowance</th><th scope=\"col\">Held</th></tr>"
                "</thead><tbody>\n");
    json_array_foreach (guards, i, guard) {
        const char *held =
            fw_page_true(guard, "broken")
                ? "<span class=\"tag down\"><span aria-hidden=\"true\">✕</span> broken</span>"
                : "yes";
        if (fw_page_true(guard, "required")) { /* of the audit: minus what it is short by */
            fw_page_say(p,
                        "<tr><th scope=\"row\">audit</th><td>%s</td>"
                        "<td class=\"n\">short by %f</td><td class=\"n\">short by %f</td>"
                        "<td class=\"n\">–</td><td>%r</td></tr>\n",
                        fw_page_str(guard, "metric"), fabs(fw_page_num(guard, "before")),
                        fabs(fw_page_num(guard, "after")), held);
            continue;
        }
        fw_page_say(p,
                    "<tr><th scope=\"row\">%s</th><td>%s</td><td class=\"n\">%f</td>"
                    "<td class=\"n\">%f</td><td class=\"n\">%f</td><td>%r</td></tr>\n",
                    fw_page_str(guard, "guard"), fw_page_str(guard, "metric"),
                    fw_page_num(guard, "before"), fw_page_num(guard, "after"),
                    fw_page_num(guard, "allowance"), held);
    }
    fw_page_table_end(p);
}

/* Fixes that were not applied: one line a reason, with its count and a few of the samples. */
static void put_aside(struct fw_page *p, const json_t *it)
{
    const json_t *aside = fw_page_get(it, "aside"), *a, *b;
    size_t i, j, n = json_array_size(aside);
    double total = fw_page_num(it, "aside_total");
    if (!n && !(total > 0))
        return;
    fw_page_say(p, "<p><b>Set aside: %n.</b></p><ul>\n", isfinite(total) ? total : (double)n);
    json_array_foreach (aside, i, a) {
        const char *reason = fw_page_str(a, "reason"), *sep = " – for example ";
        int same = 0;
        bool seen = false;
        if (!reason)
            reason = "no reason given";
        for (j = 0; j < i && !seen; j++) {
            const char *other = fw_page_str(json_array_get(aside, j), "reason");
            seen = !strcmp(other ? other : "no reason given", reason);
        }
        if (seen)
            continue;
        json_array_foreach (aside, j, b) {
            const char *other = fw_page_str(b, "reason");
            same += !strcmp(other ? other : "no reason given", reason);
        }
        fw_page_say(p, "<li>%d × %s", same, reason);
        int shown = 0;
        json_array_foreach (aside, j, b) {
            const char *other = fw_page_str(b, "reason");
            const json_t *fix = fw_page_get(b, "fix");
            const char *id = fw_page_str(fix, "id");
            if (!id)
                id = fw_page_str(fw_page_get(fix, "sample"), "id");
            if (!id || strcmp(other ? other : "no reason given", reason) || shown == 3)
                continue;
            fw_page_say(p, "%r<code>%s</code>", sep, id);
            sep = ", ";
            shown++;
        }
        fw_page_say(p, "</li>\n");
    }
    fw_page_say(p, "</ul>\n");
    if (total > (double)n)
        fw_page_say(p, "<p class=\"soft\">The first %d are recorded in full.</p>\n", (int)n);
}

static void put_iteration(struct fw_page *p, const json_t *it, const struct scale *s, bool open)
{
    const json_t *gate = fw_record_gate(it), *first = fw_page_get(it, "gate");
    double number = fw_page_num(it, "iteration");
    fw_page_say(p, "<details id=\"it-%n\"%r><summary><h3>Iteration %n</h3> ", number,
                open ? " open" : "", number);
    fw_page_verdict(p, fw_page_str(gate, "verdict"));
    if (it != p->first && isfinite(fw_page_num(gate, "gain"))) {
        fw_page_say(p, " <span class=\"sum\">%g%r</span>", fw_page_num(gate, "gain"),
                    p->percent ? " points" : "");
        fw_page_say(p, " <span class=\"soft\">");
        fw_page_gain_interval(p, fw_page_num(gate, "low"), fw_page_num(gate, "high"));
        fw_page_say(p, "</span>");
    }
    const char *state = fw_page_str(it, "state");
    if (state && it != p->first)
        fw_page_say(p, " <span class=\"soft\">%s%r</span>", state,
                    it == p->best ? ", champion" : "");
    fw_page_say(p, "</summary>\n<div class=\"body\">\n");
    if (it == p->first && !json_array_size(fw_page_get(it, "fixes")))
        fw_page_say(p, "<p>The baseline: the data as imported.</p>\n");
    put_fixes(p, it, s);
    put_gate(p, first, gate != first ? "As a whole" : NULL);
    put_parts(p, it, s);
    if (gate != first)
        put_gate(p, gate, "What was kept after trying the parts apart");
    put_aside(p, it);
    fw_page_say(p, "<p class=\"soft\">Snapshot %k", fw_page_str(it, "snapshot"));
    if (fw_page_str(it, "parent"))
        fw_page_say(p, ", built on %k", fw_page_str(it, "parent"));
    fw_page_say(p, "; took %t.</p>\n</div></details>\n", fw_page_num(it, "seconds"));
}

void fw_report_iterations(struct fw_page *p)
{
    size_t i, n = json_array_size(p->iterations);
    const json_t *it;
    struct scale s = scale_of_gains(p);
    fw_page_say(
        p, "<section id=\"fixes\"><h2>What was done to the data, and what it was worth</h2>\n");
    if (!p->first) {
        fw_page_say(p, "<p class=\"none\">No fix has been tried.</p></section>\n");
        return;
    }
    json_array_foreach (p->iterations, i, it) {
        const char *verdict = fw_page_str(fw_record_gate(it), "verdict");
        if (!json_is_object(it))
            continue;
        put_iteration(p, it, &s,
                      i > 0 && (n <= 5 || it == p->best ||
                                (n <= 15 && verdict && !strcmp(verdict, "improved"))));
    }
    fw_page_say(p, "</section>\n");
}
