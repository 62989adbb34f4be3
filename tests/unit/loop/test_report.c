/* The report copes with every record, lets no text out of its place, and is well-formed HTML. With
 * FW_REPORT_OUT=folder the pages are also written there, to be looked at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/base/fs.h"
#include "pipeline/loop/record.h"

static char *render(const json_t *record, const char *name)
{
    struct fw_buf out = {0};
    struct fw_err err = {0};
    assert_int_equal(fw_report_html(record, &out, &err), 0);
    const char *dir = getenv("FW_REPORT_OUT");
    if (dir) {
        char *path = fw_fs_join(dir, name);
        assert_int_equal(fw_fs_write_atomic(path, out.p, out.len, &err), 0);
        free(path);
    }
    char *page = fw_buf_steal(&out);
    assert_non_null(page);
    return page;
}

static json_t *load_record(void)
{
    json_error_t err;
    json_t *r = json_load_file(FW_TEST_DIR "/unit/loop/data/report_record.json", 0, &err);
    assert_non_null(r);
    return r;
}

static void assert_has(const char *page, const char *text)
{
    if (!strstr(page, text))
        fail_msg("the page lacks \"%s\"", text);
}

static void assert_lacks(const char *page, const char *text)
{
    const char *at = strstr(page, text);
    if (at)
        fail_msg("the page has \"%.80s\"", at);
}

/* Every element is closed by its own end tag, in order; attributes are quoted. */
static void assert_balanced(const char *page)
{
    static const char *const empty[] = {"meta", "link", "br", "line", "circle"};
    char stack[64][16];
    size_t depth = 0;
    for (const char *c = page; (c = strchr(c, '<'));) {
        if (c[1] == '!') {
            c = strchr(c, '>');
            continue;
        }
        bool end = c[1] == '/';
        const char *name = c + 1 + end;
        size_t n = strcspn(name, " >/\n");
        char tag[16];
        assert_true(n > 0 && n < sizeof tag);
        snprintf(tag, sizeof tag, "%.*s", (int)n, name);
        bool quoted = false;
        for (c = name + n; *c && (quoted || *c != '>'); c++) {
            quoted ^= *c == '"';
            assert_true(quoted || *c != '<');
        }
        assert_int_equal(*c, '>');
        bool is_empty = c[-1] == '/';
        for (size_t i = 0; i < sizeof empty / sizeof *empty; i++)
            is_empty |= !strcmp(tag, empty[i]);
        if (is_empty)
            continue;
        if (!end) {
            assert_true(depth < 64);
            snprintf(stack[depth++], sizeof *stack, "%s", tag);
            if (!strcmp(tag, "script") || !strcmp(tag, "style")) {
                c = strstr(c, !strcmp(tag, "script") ? "</script" : "</style");
                assert_non_null(c);
            }
            continue;
        }
        assert_true(depth > 0);
        if (strcmp(stack[depth - 1], tag))
            fail_msg("<%s> is closed by </%s> before: %.60s", stack[depth - 1], tag, c);
        depth--;
    }
    assert_int_equal(depth, 0);
}

static size_t count(const char *page, const char *text)
{
    size_t n = 0;
    for (const char *c = page; (c = strstr(c, text)); c += strlen(text))
        n++;
    return n;
}

static void test_whole_record(void **state)
{
    (void)state;
    json_t *r = load_record();
    char *page = render(r, "whole.html");
    assert_balanced(page);
    assert_has(page, "Accuracy rose from <b>76.4\u202f%</b> to <b class=\"now\">88.8\u202f%</b>");
    assert_has(page, "No improvement beyond the noise in 2 iterations.");
    assert_has(page, "35 relabelled, 1 removed, 22 found right, 2 set aside");
    assert_has(page, "▼</span> worse");
    assert_has(page, "✕</span> broken");
    assert_has(page, "2 × the label is no longer &#39;pitted&#39;");
    assert_has(page, "p &lt; 0.001 (bootstrap)");
    assert_has(page, "The parts of the rejected patch tried apart");
    assert_has(page, "Before: the baseline");
    assert_has(page, "After: the champion");
    assert_has(page, "The sealed test");
    assert_has(page, "flywheel run --set 'stages.relabel.with.budget=60'");
    assert_has(page, "in a fresh clone without a branch flywheel/steel-surface");
    assert_lacks(page, "the same run again");
    assert_has(page, "every other version by its commit");
    assert_has(page, ">148de9c5a7a4</code>"); /* what the plugin is, by content */
    assert_has(page, "name: steel-surface\n");
    /* the table has a row for each iteration, and one champion */
    assert_int_equal(count(page, "<th scope=\"row\"><a href=\"#it-"), 5);
    assert_int_equal(count(page, "<small>champion</small>"), 1);
    free(page);
    json_decref(r);
}

/* Nothing is loaded from elsewhere: no address of a resource, and a policy that would forbid it. */
static void test_self_contained(void **state)
{
    (void)state;
    json_t *r = load_record();
    char *page = render(r, "whole.html");
    assert_lacks(page, "src=\"");
    assert_lacks(page, "@import");
    assert_lacks(page, "href=\"http");
    assert_has(page, "default-src 'none'");
    assert_lacks(page, "unsafe-inline");
    assert_int_equal(count(page, "'sha256-"), 3);
    free(page);
    json_decref(r);
}

static const char hostile[] = "</script><script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
                              "<!--]]>&amp;\u202e";

/* Every string anywhere in the record becomes hostile, keys of the objects the page lists too. */
static void poison(json_t *v)
{
    const char *key;
    json_t *child;
    size_t i;
    void *tmp;
    if (json_is_array(v)) {
        json_array_foreach (v, i, child) {
            if (json_is_string(child))
                json_array_set_new(v, i, json_string(hostile));
            else
                poison(child);
        }
    }
    json_object_foreach_safe(v, tmp, key, child)
    {
        if (json_is_string(child))
            json_string_set(child, hostile);
        else
            poison(child);
    }
}

static void test_hostile_strings(void **state)
{
    (void)state;
    json_t *r = load_record();
    poison(r);
    json_object_set_new(
        json_object_get(json_array_get(json_object_get(r, "iterations"), 0), "metrics"), hostile,
        json_real(0.5));
    json_object_set_new(r, "failure",
                        json_pack("{s:s,s:s,s:s,s:s,s:s}", "node", hostile, "state", hostile,
                                  "text", hostile, "log", hostile, "tail", hostile));
    json_object_set_new(
        r, "waiting",
        json_pack("[{s:s,s:s,s:i}]", "stage", hostile, "reason", hostile, "count", 3));
    char *page = render(r, "hostile.html");
    assert_lacks(page, "<img");
    assert_lacks(page, "<script>alert");
    assert_lacks(page, "onerror=alert(2)>");
    assert_int_equal(count(page, "<script"), 3); /* the data, Chart.js, ours */
    assert_int_equal(count(page, "</script"), 3);
    assert_has(page, "&lt;/script&gt;&lt;script&gt;alert(1)");
    assert_balanced(page);
    free(page);
    json_decref(r);
}

static void test_empty_records(void **state)
{
    (void)state;
    json_t *empty = json_object(), *array = json_array();
    const json_t *records[] = {empty, array, NULL};
    for (size_t i = 0; i < 3; i++) {
        char *page = render(records[i], "empty.html");
        assert_balanced(page);
        assert_has(page, "Nothing has been measured yet");
        assert_has(page, "No fix has been tried.");
        free(page);
    }
    json_decref(empty);
    json_decref(array);
}

/* Each field in turn is absent, null, and of a wrong type: the page still comes out well-formed. */
static void damage(json_t *root, json_t *v, int *pages)
{
    const char *key;
    json_t *child, *first;
    void *tmp;
    if (json_is_array(v) && (first = json_array_get(v, 0)) && !json_is_number(first)) {
        damage(root, json_array_get(v, json_array_size(v) - 1), pages);
        return;
    }
    json_object_foreach_safe(v, tmp, key, child)
    {
        json_t *wrong[] = {json_null(), json_integer(-7), json_string("x"), json_array()};
        json_incref(child);
        for (size_t i = 0; i < 4; i++) {
            json_object_set_new(v, key, wrong[i]);
            char *page = render(root, "damaged.html");
            assert_balanced(page);
            free(page);
            (*pages)++;
        }
        json_object_set_new(v, key, child);
        damage(root, child, pages);
    }
}

static void test_damaged_records(void **state)
{
    (void)state;
    int pages = 0;
    json_t *r = load_record();
    damage(r, r, &pages);
    assert_true(pages > 300);
    json_decref(r);
}

static void test_parked(void **state)
{
    (void)state;
    json_t *r = load_record(), *its = json_object_get(r, "iterations");
    while (json_array_size(its) > 1)
        json_array_remove(its, 1);
    json_object_set_new(json_array_get(its, 0), "champion", json_true());
    json_object_set_new(r, "champion", json_null());
    json_object_set_new(r, "status", json_string("parked"));
    json_object_set_new(r, "stop", json_null());
    json_object_set_new(r, "test", json_null());
    json_object_set_new(r, "handover", json_null());
    json_object_set_new(r, "waiting",
                        json_pack("[{s:s,s:s,s:i}]", "stage", "relabel", "reason",
                                  "Answers are missing.", "count", 60));
    char *page = render(r, "parked.html");
    assert_balanced(page);
    assert_has(page, "Accuracy is <b class=\"now\">76.4\u202f%</b> before any fix");
    assert_has(page, "stage relabel, 60 samples. Answers are missing.");
    assert_has(page, "flywheel resume");
    assert_has(page, "It has not been opened in this run.");
    assert_lacks(page, "<dt>After</dt>");
    free(page);
    json_decref(r);
}

/* The last iteration was worse as a whole, and a part of it stayed: no place tells only half. */
static void test_after_ablation(void **state)
{
    (void)state;
    json_t *r = load_record(), *its = json_object_get(r, "iterations"),
           *it = json_array_get(its, 4);
    json_object_set_new(it, "gate_after_ablation",
                        json_pack("{s:s, s:f, s:f, s:f, s:s}", "verdict", "improved", "gain",
                                  0.0213, "low", 0.011, "high", 0.031, "reason",
                                  "beyond the noise"));
    json_object_set_new(it, "state", json_string("kept"));
    json_object_set_new(it, "fixes",
                        json_pack("[{s:s, s:i, s:i, s:s}]", "stage", "relabel", "relabel", 40,
                                  "confirm", 4, "kept", "partly"));
    json_object_set_new(it, "ablation",
                        json_pack("[{s:s, s:i, s:b}, {s:s, s:i, s:b}]", "part", "relabel: pitted",
                                  "fixes", 31, "kept", 1, "part", "relabel: patches", "fixes", 9,
                                  "kept", 0));
    char *page = render(r, "ablation.html");
    assert_balanced(page);
    const char *row = strstr(page, "<a href=\"#it-4\">");
    assert_non_null(row);
    char *line = strndup(row, strcspn(row, "\n"));
    assert_has(line, "improved");
    assert_has(line, "+2.1");
    assert_lacks(line, "worse");
    free(line);
    assert_has(page, "<b>As a whole:</b> <span class=\"tag down\">");
    assert_has(page, "<b>What was kept after trying the parts apart:</b> <span class=\"tag up\">");
    assert_has(page, "beyond the noise");
    assert_has(page, "<td>partly</td>");
    assert_has(page, "relabel: pitted</th><td class=\"n\">31</td>");
    assert_has(page, "\"gain\":0.0213,\"verdict\":\"improved\"");
    /* 39 + 24, 37 + 24, 36 + 24, and 31 of the last */
    assert_has(page, "<dt>Fixes kept</dt><dd><b>215</b><span>142 relabelled, 72 added, 1 removed, "
                     "9 rolled back</span>");
    free(page);
    json_decref(r);
}

static void test_unproven(void **state)
{
    (void)state;
    json_t *r = load_record();
    char *page = render(r, "whole.html");
    assert_lacks(page, "Unproven:");
    free(page);
    json_object_set_new(r, "provisional",
                        json_pack("{s:s, s:s, s:i}", "snapshot", "abc", "ref",
                                  "refs/flywheel/provisional/steel-surface", "fixes", 61));
    page = render(r, "unproven.html");
    assert_has(page, "<b>Unproven:</b> 61 fixes on "
                     "<code>refs/flywheel/provisional/steel-surface</code>");
    assert_balanced(page);
    free(page);
    json_decref(r);
}

static void test_no_human_level(void **state)
{
    (void)state;
    json_t *r = load_record();
    char *page = render(r, "whole.html");
    assert_has(page, "Gap to human level");
    assert_has(page, "Worth, points of accuracy");
    assert_has(page, "Worth, macro F1");
    assert_has(page, "yes, p&nbsp;= 0.003");
    assert_has(page, "found by search; e.g. dev-0007, dev-&lt;b&gt;12");
    assert_has(page, "a cluster of embeddings, mostly shift == &#39;night&#39; (80.0");
    free(page);
    json_object_set_new(json_object_get(r, "metric"), "human_level",
                        json_pack("{s:n, s:{}}", "default", "classes"));
    page = render(r, "no-human.html");
    assert_has(page, "Gap to 100 %");
    assert_has(page, "closing the gap to 100 %");
    assert_lacks(page, "uman level</th>");
    assert_balanced(page);
    free(page);
    json_decref(r);
}

/* An error metric is shown as a number, and falling is good. */
static void test_lower_is_better(void **state)
{
    (void)state;
    json_t *r = load_record(), *metric = json_object_get(r, "metric");
    json_object_set_new(metric, "name", json_string("rmse"));
    json_object_set_new(metric, "higher_is_better", json_false());
    json_object_set_new(
        json_object_get(json_array_get(json_object_get(r, "iterations"), 0), "score"), "value",
        json_real(12.5));
    char *page = render(r, "rmse.html");
    assert_has(page, "Root mean square error fell from <b>12.50</b> to <b class=\"now\">0.888</b>");
    assert_lacks(page, "gains are in points");
    free(page);
    json_decref(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_record),    cmocka_unit_test(test_self_contained),
        cmocka_unit_test(test_hostile_strings), cmocka_unit_test(test_empty_records),
        cmocka_unit_test(test_damaged_records), cmocka_unit_test(test_parked),
        cmocka_unit_test(test_lower_is_better), cmocka_unit_test(test_after_ablation),
        cmocka_unit_test(test_unproven),        cmocka_unit_test(test_no_human_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
