/* What it cost, what to do next, how to do it again. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/loop/report_page.h"

enum { MOST_STAGES = 64 };

static void put_budget_row(struct fw_page *p, const json_t *budget, const char *key,
                           const char *what, bool time)
{
    const json_t *b = fw_page_get(budget, key);
    double used = fw_page_num(b, "used"), limit = fw_page_num(b, "limit");
    if (!isfinite(used) && !isfinite(limit))
        return;
    fw_page_say(p, "<tr><th scope=\"row\">%r</th>", what);
    fw_page_say(p, time ? "<td class=\"n\">%t</td>" : "<td class=\"n\">%n</td>", used);
    if (isfinite(limit))
        fw_page_say(p, time ? "<td class=\"n\">%t</td><td>" : "<td class=\"n\">%n</td><td>", limit);
    else
        fw_page_say(p, "<td class=\"n soft\">no limit</td><td>");
    if (limit > 0)
        fw_page_bar(p, used, 0, used, 0, limit, "up");
    fw_page_say(p, "</td></tr>\n");
}

struct stage_time {
    const char *stage;
    double seconds, runs, cached, retries;
};

static size_t sum_times(struct fw_page *p, struct stage_time *t)
{
    size_t i, j, k, n = 0;
    const json_t *it, *s;
    json_array_foreach (p->iterations, i, it) {
        json_array_foreach (fw_page_get(it, "stages"), j, s) {
            const char *stage = fw_page_str(s, "stage"), *state = fw_page_str(s, "state");
            if (!stage || !*stage) /* the engine's own joins of seeds and folds */
                continue;
            for (k = 0; k < n && strcmp(t[k].stage, stage); k++)
                ;
            if (k == MOST_STAGES)
                continue;
            if (k == n)
                t[n++] = (struct stage_time){.stage = stage};
            t[k].seconds += fw_page_count(s, "seconds");
            t[k].runs++;
            t[k].cached += state && !strcmp(state, "cached");
            t[k].retries += fw_page_count(s, "attempts") > 1 ? fw_page_count(s, "attempts") - 1 : 0;
        }
    }
    return n;
}

static void put_times(struct fw_page *p)
{
    struct stage_time t[MOST_STAGES] = {0};
    size_t n = sum_times(p, t), i;
    double most = 0;
    if (!n)
        return;
    for (i = 0; i < n; i++)
        most = fmax(most, t[i].seconds);
    fw_page_table(p, "times", "Time by stage, all iterations together");
    fw_page_say(
        p, "<thead><tr><th scope=\"col\">Stage</th><th scope=\"col\" class=\"n\">Runs</th>"
           "<th scope=\"col\" class=\"n\">From the cache</th>"
           "<th scope=\"col\" class=\"n\">Retries</th>"
           "<th scope=\"col\" class=\"n\">Time</th><td class=\"pic\"></td></tr></thead><tbody>\n");
    for (i = 0; i < n; i++) {
        fw_page_say(p,
                    "<tr><th scope=\"row\">%s</th><td class=\"n\">%n</td><td class=\"n\">%n</td>"
                    "<td class=\"n\">%n</td><td class=\"n\">%t</td><td>",
                    t[i].stage, t[i].runs, t[i].cached, t[i].retries, t[i].seconds);
        fw_page_bar(p, t[i].seconds, 0, t[i].seconds, 0, most, "up");
        fw_page_say(p, "</td></tr>\n");
    }
    fw_page_table_end(p);
}

static void put_failures(struct fw_page *p)
{
    size_t i, j;
    const json_t *it, *s;
    json_array_foreach (p->iterations, i, it) {
        json_array_foreach (fw_page_get(it, "stages"), j, s) {
            if (fw_page_str(s, "error"))
                fw_page_say(p,
                            "<p class=\"note down\">Iteration %n, <b>%s</b>: %s (log "
                            "<code>%s</code>)</p>\n",
                            fw_page_num(it, "iteration"), fw_page_str(s, "node"),
                            fw_page_str(s, "error"), fw_page_str(s, "log"));
        }
    }
}

void fw_report_budget(struct fw_page *p)
{
    const json_t *budget = fw_page_get(p->rec, "budget");
    fw_page_say(p, "<section id=\"budget\"><h2>What it cost</h2>\n");
    if (budget) {
        fw_page_table(p, "budget", "Budget");
        fw_page_say(p,
                    "<thead><tr><th scope=\"col\">What</th><th scope=\"col\" class=\"n\">Used</th>"
                    "<th scope=\"col\" class=\"n\">Limit</th><td "
                    "class=\"pic\"></td></tr></thead><tbody>\n");
        put_budget_row(p, budget, "labels", "Labels", false);
        put_budget_row(p, budget, "money", "Money", false);
        put_budget_row(p, budget, "wall_seconds", "Wall time", true);
        put_budget_row(p, budget, "stage_seconds", "Stage time", true);
        fw_page_table_end(p);
    }
    if (isfinite(fw_page_num(p->rec, "looks")))
        fw_page_say(p,
                    "<p>The dev split was looked at %n times; the gate's confidence of %f holds "
                    "for the whole run.</p>\n",
                    fw_page_num(p->rec, "looks"),
                    fw_page_num(fw_page_get(p->rec, "gate"), "confidence"));
    put_times(p);
    put_failures(p);
    fw_page_say(p, "</section>\n");
}

void fw_report_next(struct fw_page *p)
{
    const json_t *next = fw_page_get(fw_page_get(p->rec, "handover"), "next"), *s;
    const json_t *provisional = fw_page_get(p->rec, "provisional");
    size_t i;
    fw_page_say(p, "<section id=\"next\"><h2>What to do next</h2>\n");
    if (!json_array_size(next))
        fw_page_say(p, "<p class=\"none\">%r</p>\n",
                    fw_page_get(p->rec, "stop") ? "The run left no advice."
                                                : "The run has not stopped yet.");
    else
        fw_page_say(p, "<ol class=\"next\">\n");
    json_array_foreach (next, i, s) {
        if (json_is_string(s))
            fw_page_say(p, "<li>%s</li>\n", json_string_value(s));
    }
    if (json_array_size(next))
        fw_page_say(p, "</ol>\n");
    if (provisional)
        fw_page_say(p,
                    "<p>Fixes that were neither proven nor disproven are kept at "
                    "<code>%s</code> (%k), on top of the champion.</p>\n",
                    fw_page_str(provisional, "ref"), fw_page_str(provisional, "snapshot"));
    fw_page_say(p, "</section>\n");
}

/* A parameter value or a list of seeds, as compact JSON. */
static void put_json(struct fw_page *p, const json_t *v)
{
    char *text = v ? json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS) : NULL;
    fw_page_say(p, "<code>%s</code>", text ? text : "–");
    free(text);
}

static void put_model(struct fw_page *p)
{
    const json_t *model = fw_page_get(p->rec, "model"), *s;
    size_t i;
    if (fw_page_str(model, "fingerprint"))
        fw_page_say(p, "<p>Model fingerprint <code class=\"long\">%s</code></p>\n",
                    fw_page_str(model, "fingerprint"));
    if (!json_array_size(fw_page_get(model, "stages")))
        return;
    fw_page_table(p, "model", "The model that was held fixed");
    fw_page_say(p, "<thead><tr><th scope=\"col\">Stage</th><th scope=\"col\">Plugin</th>"
                   "<th scope=\"col\">Content</th><th scope=\"col\">Seeds</th>"
                   "<th scope=\"col\">Parameters</th></tr></thead><tbody>\n");
    json_array_foreach (fw_page_get(model, "stages"), i, s) {
        fw_page_say(p, "<tr><th scope=\"row\">%s</th><td>%s %s</td><td>%k</td><td>",
                    fw_page_str(s, "stage"), fw_page_str(s, "plugin"),
                    fw_page_str(s, "plugin_version"), fw_page_str(s, "digest"));
        put_json(p, fw_page_get(s, "seeds"));
        fw_page_say(p, "</td><td>");
        put_json(p, fw_page_get(s, "params"));
        fw_page_say(p, "</td></tr>\n");
    }
    fw_page_table_end(p);
}

/* One shell word, whatever is in it: the line is there to be copied. */
static void put_set(struct fw_page *p, const char *set)
{
    fw_page_say(p, " --set '");
    for (const char *c = set; *c; c++) {
        char one[2] = {*c, '\0'};
        fw_page_say(p, *c == '\'' ? "'\\''" : "%s", one);
    }
    fw_page_say(p, "'");
}

static void put_command(struct fw_page *p)
{
    size_t i;
    const json_t *s;
    const char *best = fw_page_str(p->best, "snapshot"), *first = fw_page_str(p->first, "snapshot");
    const char *name = fw_page_str(p->rec, "name");
    fw_page_say(p, "<pre>");
    if (best)
        fw_page_say(
            p,
            "# the champion's data, as files; every other version by its commit in the table "
            "of snapshots below\nflywheel snapshot checkout %s champion-data/\n\n",
            best);
    if (best && first && strcmp(best, first))
        fw_page_say(p,
                    "# what changed, in samples and in plain git\nflywheel diff %s %s\n"
                    "git log --stat flywheel/%s\n\n",
                    first, best, name ? name : "NAME");
    fw_page_say(p,
                "# the same decisions again: in a fresh clone without a branch flywheel/%s, with "
                "the flywheel.yaml below,\n# the same plugins and the same imported data "
                "(where the branch is, a run goes on from the champion)\nflywheel run",
                name ? name : "NAME");
    json_array_foreach (fw_page_get(p->rec, "sets"), i, s) {
        if (json_is_string(s))
            put_set(p, json_string_value(s));
    }
    fw_page_say(p, "</pre>\n");
}

void fw_report_reproduce(struct fw_page *p)
{
    size_t i;
    const json_t *it, *sanity = fw_page_get(p->rec, "sanity"), *gate = fw_page_get(p->rec, "gate");
    const char *plan = fw_page_str(p->rec, "plan");
    fw_page_say(
        p, "<section id=\"reproduce\"><h2>How to reproduce</h2>\n<p>flywheel %s, run %s.</p>\n",
        fw_page_str(p->rec, "version"), fw_page_str(p->rec, "run"));
    put_command(p);
    put_model(p);
    if (sanity) {
        fw_page_say(p, "<p>Sanity check, fitting %n samples: %p, ", fw_page_num(sanity, "n"),
                    fw_page_num(sanity, "score"));
        fw_page_verdict(p, fw_page_true(sanity, "passed") ? "passed" : "not passed");
        fw_page_say(p, "</p>\n");
    }
    if (gate)
        fw_page_say(p, "<p>Gate: rule %s, confidence %f for the run.</p>\n",
                    fw_page_str(gate, "rule"), fw_page_num(gate, "confidence"));
    if (p->first) {
        fw_page_table(p, "snapshots", "Snapshots: every version of the dataset is a git commit");
        fw_page_say(p, "<thead><tr><th scope=\"col\">Iteration</th><th scope=\"col\">Commit</th>"
                       "<th scope=\"col\">State</th><th scope=\"col\" class=\"n\">Train</th>"
                       "<th scope=\"col\" class=\"n\">Dev</th>"
                       "<th scope=\"col\" class=\"n\">Test</th></tr></thead><tbody>\n");
        json_array_foreach (p->iterations, i, it) {
            const json_t *rows = fw_page_get(it, "rows");
            fw_page_say(p,
                        "<tr><th scope=\"row\">%n</th><td><code class=\"long\">%s</code></td>"
                        "<td>%s%r</td><td class=\"n\">%n</td><td class=\"n\">%n</td>"
                        "<td class=\"n\">%n</td></tr>\n",
                        fw_page_num(it, "iteration"), fw_page_str(it, "snapshot"),
                        fw_page_str(it, "state"), it == p->best ? ", champion" : "",
                        fw_page_num(rows, "train"), fw_page_num(rows, "dev"),
                        fw_page_num(rows, "test"));
        }
        fw_page_table_end(p);
    }
    if (plan)
        fw_page_say(p,
                    "<details><summary><h3>flywheel.yaml as it was run</h3></summary>"
                    "<pre>%s</pre></details>\n",
                    plan);
    fw_page_say(p, "</section>\n");
}
