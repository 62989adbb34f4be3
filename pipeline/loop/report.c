/*
 * The report: a run's record as one HTML page. This file is the frame (head, security policy,
 * headline, footer); the parts in between are in report_iterations.c, report_tables.c and
 * report_end.c, the charts' numbers in report_data.c.
 *
 * The page allows exactly the two scripts and the one style sheet it carries, named by digest in
 * its content-security policy, so even a fault in the escaping could not run anything else.
 */
#include <math.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/loop/record.h"
#include "pipeline/loop/report_page.h"

extern const unsigned char fw_report_chartjs[], fw_report_css[], fw_report_js[];
extern const size_t fw_report_chartjs_len, fw_report_css_len, fw_report_js_len;

static int put_digest(struct fw_page *p, const unsigned char *data, size_t n, struct fw_err *err)
{
    unsigned char md[EVP_MAX_MD_SIZE], text[EVP_MAX_MD_SIZE * 2];
    unsigned int len = 0;
    if (!EVP_Digest(data, n, md, &len, EVP_sha256(), NULL))
        return fw_err_set(err, FW_EIO, "cannot compute the digest of the report's script");
    EVP_EncodeBlock(text, md, (int)len);
    fw_buf_printf(p->b, "'sha256-%s'", (const char *)text);
    return FW_OK;
}

static int put_head(struct fw_page *p, struct fw_err *err)
{
    fw_page_say(p, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                   "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                   "base-uri 'none'; form-action 'none'; img-src data:; script-src ");
    int rc = put_digest(p, fw_report_chartjs, fw_report_chartjs_len, err);
    fw_buf_putc(p->b, ' ');
    if (!rc)
        rc = put_digest(p, fw_report_js, fw_report_js_len, err);
    fw_buf_puts(p->b, "; style-src ");
    if (!rc)
        rc = put_digest(p, fw_report_css, fw_report_css_len, err);
    if (rc)
        return rc;
    const char *name = fw_page_str(p->rec, "name");
    fw_page_say(p,
                "\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                "<meta name=\"color-scheme\" content=\"light dark\">\n"
                "<meta name=\"generator\" content=\"flywheel\">\n"
                "<link rel=\"icon\" href=\"data:,\">\n<title>%s – flywheel report</title>\n<style>",
                name ? name : "run");
    fw_buf_add(p->b, (const char *)fw_report_css, fw_report_css_len);
    fw_page_say(p, "</style>\n</head>\n");
    return FW_OK;
}

enum { CHANGES = 4 };

static const struct {
    const char *key, *word;
} changes[CHANGES] = {{"relabel", "relabelled"},
                      {"add", "added"},
                      {"remove", "removed"},
                      {"guideline", "guidelines"}};

struct totals {
    double by_kind[CHANGES]; /* of those kept */
    double several;          /* of those kept, whose kind is not told apart */
    double kept, provisional, dropped;
};

/* Of which kinds the fixes kept of an iteration are. A stage's fixes that were kept in part are told
 * apart only when they are of one kind. */
static void sum_kinds(const json_t *it, double kept, struct totals *t)
{
    size_t i, kinds = 0, only = 0;
    const json_t *fix, *partly = NULL;
    double known = 0;
    json_array_foreach (fw_page_get(it, "fixes"), i, fix) {
        if (json_is_false(json_object_get(fix, "kept")))
            continue;
        if (fw_page_str(fix, "kept")) {
            partly = fix;
            continue;
        }
        for (size_t k = 0; k < CHANGES; k++) {
            t->by_kind[k] += fw_page_count(fix, changes[k].key);
            known += fw_page_count(fix, changes[k].key);
        }
    }
    for (size_t k = 0; k < CHANGES; k++) {
        if (fw_page_count(partly, changes[k].key) > 0) {
            only = k;
            kinds++;
        }
    }
    if (kept > known)
        *(kinds == 1 ? &t->by_kind[only] : &t->several) += kept - known;
}

static void sum_fixes(struct fw_page *p, struct totals *t)
{
    size_t i;
    const json_t *it;
    memset(t, 0, sizeof *t);
    json_array_foreach (p->iterations, i, it) {
        const char *state = fw_page_str(it, "state");
        double kept, dropped;
        fw_record_fixes(it, &kept, &dropped);
        t->dropped += dropped;
        if (state && !strcmp(state, "provisional")) {
            t->provisional += kept;
        } else if (kept > 0) {
            t->kept += kept;
            sum_kinds(it, kept, t);
        }
    }
}

static void put_title(struct fw_page *p)
{
    const json_t *before = fw_page_get(p->first, "score"), *after = fw_page_get(p->best, "score");
    double a = fw_page_num(before, "value"), b = fw_page_num(after, "value");
    const char *status = fw_page_str(p->rec, "status");
    bool failed = status && !strcmp(status, "failed");
    fw_page_say(p, "<h1>");
    if (!isfinite(a) && !isfinite(b)) {
        fw_page_say(p, failed ? "The run failed before anything was measured"
                              : "Nothing has been measured yet");
    } else if (p->best && p->best != p->first && isfinite(a) && isfinite(b)) {
        fw_page_metric_name(p, p->metric, true);
        fw_page_say(p,
                    b > a   ? " rose from <b>%v</b> to <b class=\"now\">%v</b>"
                    : b < a ? " fell from <b>%v</b> to <b class=\"now\">%v</b>"
                            : " stayed at <b>%v</b>, after <b class=\"now\">%v</b>",
                    a, b);
    } else {
        fw_page_metric_name(p, p->metric, true);
        fw_page_say(p, " is <b class=\"now\">%v</b>%r", isfinite(b) ? b : a,
                    json_array_size(p->iterations) > 1 ? "; no fix has been shown to raise it yet"
                                                       : " before any fix");
    }
    fw_page_say(p, "</h1>\n");
}

static void put_fact(struct fw_page *p, const char *term)
{
    fw_page_say(p, "<div><dt>%r</dt><dd>", term);
}

static void put_score_fact(struct fw_page *p, const char *term, const json_t *score)
{
    if (!score)
        return;
    put_fact(p, term);
    fw_page_say(p, "<b>%v</b><span>", fw_page_num(score, "value"));
    double low = fw_page_num(score, "low"), high = fw_page_num(score, "high");
    if (isfinite(low) && isfinite(high)) {
        double level = fw_page_num(fw_page_get(p->rec, "gate"), "confidence");
        if (isfinite(level))
            fw_buf_printf(p->b, "%g%% ", level * 100);
        fw_page_say(p, "interval ");
        fw_page_interval(p, low, high);
    }
    fw_page_say(p, "</span></dd></div>\n");
}

static void put_fix_fact(struct fw_page *p)
{
    struct totals t;
    sum_fixes(p, &t);
    put_fact(p, "Fixes kept");
    fw_page_say(p, "<b>%n</b><span>", t.kept);
    const char *sep = "";
    for (size_t k = 0; k < CHANGES; k++) {
        if (t.by_kind[k] > 0) {
            fw_page_say(p, "%r%n %r", sep, t.by_kind[k], changes[k].word);
            sep = ", ";
        }
    }
    if (t.several > 0) {
        fw_page_say(p, "%r%n of several kinds", sep, t.several);
        sep = ", ";
    }
    if (t.provisional > 0) {
        fw_page_say(p, "%r%n more unproven", sep, t.provisional);
        sep = ", ";
    }
    if (t.dropped > 0)
        fw_page_say(p, "%r%n rolled back", sep, t.dropped);
    fw_page_say(p, "</span></dd></div>\n");
}

static const char *stop_word(const char *reason)
{
    static const struct {
        const char *reason, *word;
    } known[] = {
        {"target", "target reached"},     {"patience", "no more gain"},
        {"stable", "predictions stable"}, {"nothing-left", "nothing left to fix"},
        {"budget", "budget spent"},       {"max-iterations", "last iteration"},
    };
    for (size_t i = 0; reason && i < sizeof known / sizeof *known; i++)
        if (!strcmp(known[i].reason, reason))
            return known[i].word;
    return reason;
}

static void put_facts(struct fw_page *p)
{
    fw_page_say(p, "<dl class=\"facts\">\n");
    put_score_fact(p, "Before", fw_page_get(p->first, "score"));
    if (p->best != p->first)
        put_score_fact(p, "After", fw_page_get(p->best, "score"));
    put_score_fact(p, "Sealed test, after",
                   fw_page_score(fw_page_get(fw_page_get(p->rec, "test"), "champion")));
    if (p->first)
        put_fix_fact(p);
    const json_t *labels = fw_page_get(fw_page_get(p->rec, "budget"), "labels");
    if (isfinite(fw_page_num(labels, "used"))) {
        put_fact(p, "Labels asked");
        fw_page_say(p, "<b>%n</b><span>", fw_page_num(labels, "used"));
        if (isfinite(fw_page_num(labels, "limit")))
            fw_page_say(p, "of %n allowed", fw_page_num(labels, "limit"));
        fw_page_say(p, "</span></dd></div>\n");
    }
    const json_t *stop = fw_page_get(p->rec, "stop");
    if (stop) {
        put_fact(p, "Why it stopped");
        fw_page_say(p, "<b class=\"word\">%s</b><span>%s</span></dd></div>\n",
                    stop_word(fw_page_str(stop, "reason")), fw_page_str(stop, "text"));
    }
    fw_page_say(p, "</dl>\n");
}

static void put_provisional(struct fw_page *p)
{
    const json_t *provisional = fw_page_get(p->rec, "provisional");
    if (json_is_object(provisional))
        fw_page_say(
            p,
            "<p class=\"note even\"><b>Unproven:</b> %n fixes%r on <code>%s</code>, on top of "
            "the champion: neither better nor worse beyond the noise.</p>\n",
            fw_page_num(provisional, "fixes"),
            fw_page_true(provisional, "inherited") ? " of this run and those of earlier ones" : "",
            fw_page_str(provisional, "ref"));
}

static void put_waiting(struct fw_page *p)
{
    size_t i;
    const json_t *w;
    const json_t *failure = fw_page_get(p->rec, "failure");
    json_array_foreach (fw_page_get(p->rec, "waiting"), i, w) {
        fw_page_say(
            p,
            "<p class=\"note even\"><b>Waiting for people:</b> stage %s, %n samples. %s "
            "When the answers are in, <code>flywheel resume</code> goes on from here.</p>\n",
            fw_page_str(w, "stage"), fw_page_num(w, "count"),
            fw_page_str(w, "reason") ? fw_page_str(w, "reason") : "");
    }
    if (!failure)
        return;
    fw_page_say(p, "<div class=\"note down\"><p><b>%s %s.</b> %s</p>\n",
                fw_page_str(failure, "node") ? fw_page_str(failure, "node") : "The run",
                fw_page_str(failure, "state") ? fw_page_str(failure, "state") : "failed",
                fw_page_str(failure, "text") ? fw_page_str(failure, "text") : "");
    if (fw_page_str(failure, "tail"))
        fw_page_say(p, "<pre>%s</pre>\n", fw_page_str(failure, "tail"));
    if (fw_page_str(failure, "log"))
        fw_page_say(p, "<p>Whole log: <code>%s</code></p>\n", fw_page_str(failure, "log"));
    fw_page_say(p, "</div>\n");
}

/* "2026-03-14 09:30:00 to 09:32:41 UTC"; anything that is no such time is shown as it is. */
static void put_when(struct fw_page *p, const char *from, const char *to)
{
    if (!from)
        return;
    if (strlen(from) != 20 || from[10] != 'T' || from[19] != 'Z' || (to && strlen(to) != 20)) {
        fw_page_say(p, " <span>%s%r%s</span>", from, to ? " to " : "", to ? to : "");
        return;
    }
    char day[11], start[9], end[20] = "";
    snprintf(day, sizeof day, "%.10s", from);
    snprintf(start, sizeof start, "%.8s", from + 11);
    if (to && !strncmp(from, to, 10))
        snprintf(end, sizeof end, "%.8s", to + 11);
    else if (to)
        snprintf(end, sizeof end, "%.10s %.8s", to, to + 11);
    fw_page_say(p, " <span>%s %s%r%s UTC</span>", day, start, *end ? " to " : "", end);
}

void fw_report_headline(struct fw_page *p)
{
    const char *name = fw_page_str(p->rec, "name"), *run = fw_page_str(p->rec, "run");
    const char *started = fw_page_str(p->rec, "started"), *ended = fw_page_str(p->rec, "ended");
    fw_page_say(p, "<header>\n<p class=\"over\"><b>%s</b> ", name ? name : "flywheel run");
    fw_page_verdict(p, fw_page_str(p->rec, "status"));
    if (run)
        fw_page_say(p, " <span>run <code>%s</code></span>", run);
    put_when(p, started, ended);
    fw_page_say(p, "</p>\n");
    put_title(p);
    fw_page_say(p, "<p class=\"lead\">The model was held fixed; only the data changed. "
                   "Figures are of the dev split unless said otherwise.</p>\n");
    put_facts(p);
    put_provisional(p);
    put_waiting(p);
    fw_page_say(p, "</header>\n");
}

static void put_nav(struct fw_page *p)
{
    fw_page_say(p,
                "<nav aria-label=\"Parts of this report\"><ul>"
                "<li><a href=\"#curve\">Curve</a></li><li><a href=\"#fixes\">Fixes</a></li>"
                "<li><a href=\"#weak\">Weak spots</a></li>"
                "<li><a href=\"#confusion\">Confusions</a></li>"
                "<li><a href=\"#classes\">Classes</a></li>%r"
                "<li><a href=\"#test\">Test</a></li>"
                "<li><a href=\"#noise\">Noise</a></li>"
                "<li><a href=\"#exchange\">Clean or collect</a></li>"
                "<li><a href=\"#budget\">Cost</a></li>"
                "<li><a href=\"#next\">Next</a></li>"
                "<li><a href=\"#reproduce\">Reproduce</a></li></ul></nav>\n",
                json_array_size(fw_page_get(p->best, "audit"))
                    ? "<li><a href=\"#audit\">Audit</a></li>"
                    : "");
}

static int put_scripts(struct fw_page *p, struct fw_err *err)
{
    fw_page_say(p, "<script type=\"application/json\" id=\"data\">");
    int rc = fw_report_data(p, err);
    if (rc)
        return rc;
    fw_page_say(p, "</script>\n<script>");
    fw_buf_add(p->b, (const char *)fw_report_chartjs, fw_report_chartjs_len);
    fw_page_say(p, "</script>\n<script>");
    fw_buf_add(p->b, (const char *)fw_report_js, fw_report_js_len);
    fw_page_say(p, "</script>\n");
    return FW_OK;
}

/* Accuracy, precision, recall, F and top-k, of a class or averaged. */
static bool is_share(const char *metric)
{
    static const char *const averages[] = {"balanced_", "macro_", "micro_", "weighted_"};
    static const char *const shares[] = {"accuracy", "precision", "recall", "top_"};
    for (size_t i = 0; i < sizeof averages / sizeof *averages; i++)
        if (!strncmp(metric, averages[i], strlen(averages[i]))) {
            metric += strlen(averages[i]);
            break;
        }
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++)
        if (!strncmp(metric, shares[i], strlen(shares[i])))
            return true;
    return metric[0] == 'f' && metric[1] >= '0' && metric[1] <= '9';
}

static void find_iterations(struct fw_page *p)
{
    size_t i;
    const json_t *it, *metric = fw_page_get(p->rec, "metric");
    const char *name = fw_page_str(metric, "name");
    p->metric = name ? name : "score";
    p->percent = name && is_share(name);
    p->higher = !json_is_false(json_object_get(metric, "higher_is_better"));
    p->iterations = fw_page_get(p->rec, "iterations");
    double champion = fw_page_num(fw_page_get(p->rec, "champion"), "iteration");
    json_array_foreach (p->iterations, i, it) {
        if (!json_is_object(it))
            continue;
        if (!p->first)
            p->first = it;
        if (fw_page_true(it, "champion") || fw_page_num(it, "iteration") == champion) {
            p->best = it;
            p->best_at = i;
        }
    }
    if (!p->best)
        p->best = p->first;
}

int fw_report_html(const json_t *record, struct fw_buf *out, struct fw_err *err)
{
    struct fw_buf page = {0};
    struct fw_page p = {.b = &page, .rec = record};
    find_iterations(&p);
    int rc = put_head(&p, err);
    if (rc)
        goto out;
    fw_page_say(&p, "<body>\n<main>\n");
    fw_report_headline(&p);
    put_nav(&p);
    fw_report_curve(&p);
    fw_report_iterations(&p);
    fw_report_priorities(&p);
    fw_report_confusions(&p);
    fw_report_classes(&p);
    fw_report_audit(&p);
    fw_report_test(&p);
    fw_report_noise(&p);
    fw_report_exchange(&p);
    fw_report_budget(&p);
    fw_report_next(&p);
    fw_report_reproduce(&p);
    fw_page_say(&p,
                "</main>\n<footer><p>Made by flywheel %s. This page is complete in itself and "
                "loads nothing. Charts are drawn by Chart.js, © Chart.js contributors, MIT "
                "licence (text in the page's source).</p></footer>\n",
                fw_page_str(record, "version") ? fw_page_str(record, "version") : FW_VERSION);
    rc = put_scripts(&p, err);
    if (rc)
        goto out;
    fw_page_say(&p, "</body>\n</html>\n");
    fw_buf_add(out, page.p, page.failed ? 0 : page.len);
    rc = page.failed || out->failed ? fw_err_nomem(err) : FW_OK;
out:
    fw_buf_release(&page);
    return rc;
}
