/* The chart's numbers as JSON inside the page. Every <, > and & is written as \u00XX, so no text
 * from the data can end the script element or start markup. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/loop/record.h"
#include "pipeline/loop/report_page.h"

static int set_num(json_t *o, const char *key, double v)
{
    return json_object_set_new(o, key, isfinite(v) ? json_real(v) : json_null());
}

static int set_str(json_t *o, const char *key, const char *s)
{
    return json_object_set_new(o, key, json_string(s ? s : ""));
}

static json_t *point(struct fw_page *p, const json_t *it)
{
    const json_t *score = fw_page_get(it, "score"), *gate = fw_record_gate(it);
    json_t *o = json_object();
    int rc = 0;
    rc |= set_num(o, "i", fw_page_num(it, "iteration"));
    rc |= set_num(o, "v", fw_page_num(score, "value"));
    rc |= set_num(o, "low", fw_page_num(score, "low"));
    rc |= set_num(o, "high", fw_page_num(score, "high"));
    rc |= set_num(o, "gain", it == p->first ? NAN : fw_page_num(gate, "gain"));
    rc |= set_str(o, "verdict", fw_page_str(gate, "verdict"));
    rc |= set_str(o, "state", fw_page_str(it, "state"));
    rc |= json_object_set_new(o, "champion", json_boolean(it == p->best));
    if (rc) {
        json_decref(o);
        return NULL;
    }
    return o;
}

static int add_line(json_t *lines, const char *name, double v, const char *kind)
{
    json_t *o = json_object();
    int rc = 0;
    if (!isfinite(v)) {
        json_decref(o);
        return 0;
    }
    rc |= set_str(o, "name", name);
    rc |= set_num(o, "v", v);
    rc |= set_str(o, "kind", kind);
    return json_array_append_new(lines, o) | rc;
}

static int add_lines(struct fw_page *p, json_t *lines)
{
    const json_t *metric = fw_page_get(p->rec, "metric"), *base;
    double human = fw_page_num(fw_page_get(metric, "human_level"), "default");
    int rc = add_line(lines, "target", fw_page_num(metric, "target"), "target");
    size_t i;
    json_array_foreach (fw_page_get(p->rec, "baselines"), i, base) {
        const char *name = fw_page_str(base, "name");
        bool is_human = name && !strcmp(name, "human level");
        rc |= add_line(lines, name, fw_page_num(base, "value"), is_human ? "human" : "base");
        if (is_human)
            human = NAN;
    }
    return rc | add_line(lines, "human level", human, "human");
}

static void put_safe(struct fw_page *p, const char *s)
{
    for (; *s; s++) {
        if (*s == '<' || *s == '>' || *s == '&')
            fw_buf_printf(p->b, "\\u%04x", (unsigned char)*s);
        else
            fw_buf_putc(p->b, *s);
    }
}

static int add_learning(struct fw_page *p, json_t *list)
{
    size_t i;
    const json_t *o;
    int rc = 0;
    json_array_foreach (fw_page_get(fw_report_exchange_of(p), "points"), i, o) {
        json_t *at = json_object();
        rc |= set_num(at, "n", fw_page_num(o, "n"));
        rc |= set_num(at, "v", fw_page_num(o, "value"));
        rc |= set_num(at, "low", fw_page_num(o, "low"));
        rc |= set_num(at, "high", fw_page_num(o, "high"));
        rc |= set_str(at, "kind", fw_page_str(o, "kind"));
        rc |= json_array_append_new(list, at);
    }
    return rc;
}

int fw_report_data(struct fw_page *p, struct fw_err *err)
{
    json_t *root = json_object(), *points = json_array(), *lines = json_array();
    json_t *learning = json_array();
    const json_t *it;
    char *text = NULL;
    size_t i;
    int rc = 0;
    rc |= set_str(root, "metric", p->metric);
    rc |= json_object_set_new(root, "percent", json_boolean(p->percent));
    rc |= json_object_set(root, "points", points);
    rc |= json_object_set(root, "lines", lines);
    json_array_foreach (p->iterations, i, it) {
        if (json_is_object(it))
            rc |= json_array_append_new(points, point(p, it));
    }
    rc |= add_lines(p, lines);
    rc |= json_object_set(root, "learning", learning);
    rc |= add_learning(p, learning);
    if (!rc)
        text = json_dumps(root, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(8));
    if (text)
        put_safe(p, text);
    rc = text ? FW_OK : fw_err_nomem(err);
    free(text);
    json_decref(points);
    json_decref(lines);
    json_decref(learning);
    json_decref(root);
    return rc;
}
