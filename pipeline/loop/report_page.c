#include "pipeline/loop/report_page.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define DASH "–"
#define MINUS "−"
#define THIN "\u202f" /* narrow no-break space */
#define JOIN "\u2060" /* no line break here */

double fw_page_num(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    return json_is_number(v) ? json_number_value(v) : NAN;
}

double fw_page_count(const json_t *o, const char *key)
{
    double v = fw_page_num(o, key);
    return isnan(v) ? 0 : v;
}

const char *fw_page_str(const json_t *o, const char *key)
{
    return json_string_value(json_object_get(o, key));
}

const json_t *fw_page_get(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    return json_is_null(v) ? NULL : v;
}

const json_t *fw_page_score(const json_t *entry)
{
    const json_t *score = fw_page_get(entry, "score");
    return score ? score : entry;
}

bool fw_page_true(const json_t *o, const char *key)
{
    return json_is_true(json_object_get(o, key));
}

static void put_count(struct fw_page *p, double v)
{
    char digits[64];
    int n = snprintf(digits, sizeof digits, "%.0f", fabs(v));
    if (v <= -0.5)
        fw_buf_puts(p->b, MINUS);
    for (int i = 0; i < n && i < (int)sizeof digits - 1; i++) {
        if (i && n > 4 && (n - i) % 3 == 0)
            fw_buf_puts(p->b, THIN);
        fw_buf_putc(p->b, digits[i]);
    }
}

/* Enough digits to tell neighbours apart, no more: 0.4123, 12.35, 1234. */
static void put_plain(struct fw_page *p, double v, bool sign)
{
    double a = fabs(v);
    int digits = a >= 1000 ? 0 : a >= 100 ? 1 : a >= 10 ? 2 : 3;
    if (a != 0 && a < 0.001) {
        fw_buf_printf(p->b, "%s%.2e", v < 0 ? MINUS : sign ? "+" : "", a);
        return;
    }
    fw_buf_printf(p->b, "%s%.*f", v < 0 ? MINUS : sign ? "+" : "", digits, a);
}

static void put_value(struct fw_page *p, double v)
{
    if (p->percent)
        fw_buf_printf(p->b, "%.1f" THIN "%%", v * 100);
    else
        put_plain(p, v, false);
}

static void put_gain(struct fw_page *p, double v)
{
    if (!p->percent) {
        put_plain(p, v, true);
        return;
    }
    double points = round(v * 1000) / 10;
    fw_buf_printf(p->b, "%s%.1f", points < 0 ? MINUS : points > 0 ? "+" : "±", fabs(points));
}

static void put_time(struct fw_page *p, double s)
{
    if (s < 0)
        s = 0;
    if (s < 10)
        fw_buf_printf(p->b, "%.1f" THIN "s", s);
    else if (s < 60)
        fw_buf_printf(p->b, "%.0f" THIN "s", s);
    else if (s < 3600)
        fw_buf_printf(p->b, "%d" THIN "min %d" THIN "s", (int)(s / 60), (int)fmod(s, 60));
    else
        fw_buf_printf(p->b, "%.0f" THIN "h %d" THIN "min", floor(s / 3600),
                      (int)(fmod(s, 3600) / 60));
}

static void put_text(struct fw_page *p, char kind, const char *s)
{
    char shortened[13];
    size_t n = 12;
    if (!s) {
        fw_buf_puts(p->b, DASH);
    } else if (kind == 's') {
        fw_buf_html(p->b, s);
    } else if (kind == 'r') {
        fw_buf_puts(p->b, s);
    } else {
        if (strlen(s) > n) /* never cut inside a character */
            while (n && ((unsigned char)s[n] & 0xC0) == 0x80)
                n--;
        snprintf(shortened, n + 1, "%s", s);
        fw_buf_puts(p->b, "<code title=\"");
        fw_buf_html(p->b, s);
        fw_buf_puts(p->b, "\">");
        fw_buf_html(p->b, shortened);
        fw_buf_puts(p->b, "</code>");
    }
}

static void put_double(struct fw_page *p, char kind, double v)
{
    if (!isfinite(v)) {
        fw_buf_puts(p->b, DASH);
        return;
    }
    switch (kind) {
    case 'n':
        put_count(p, v);
        break;
    case 'v':
        put_value(p, v);
        break;
    case 'g':
        put_gain(p, v);
        break;
    case 'p':
        fw_buf_printf(p->b, "%.1f" THIN "%%", v * 100);
        break;
    case 't':
        put_time(p, v);
        break;
    case 'q':
        fw_buf_printf(p->b, v < 0.001 ? "&lt; 0.001" : "= %.3f", v);
        break;
    case 'u':
        fw_buf_printf(p->b, "%.2f", v * 100);
        break;
    default:
        put_plain(p, v, false);
    }
}

void fw_page_say(struct fw_page *p, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    for (const char *c = fmt; *c; c++) {
        size_t plain = strcspn(c, "%");
        fw_buf_add(p->b, c, plain);
        c += plain;
        if (!*c || !*++c)
            break;
        if (*c == '%')
            fw_buf_putc(p->b, '%');
        else if (*c == 'd')
            fw_buf_printf(p->b, "%d", va_arg(ap, int));
        else if (strchr("srk", *c))
            put_text(p, *c, va_arg(ap, const char *));
        else
            put_double(p, *c, va_arg(ap, double));
    }
    va_end(ap);
}

void fw_page_interval(struct fw_page *p, double low, double high)
{
    if (!isfinite(low) || !isfinite(high))
        return;
    if (p->percent) {
        fw_buf_printf(p->b, "%.1f" JOIN "–" JOIN "%.1f" THIN "%%", low * 100, high * 100);
        return;
    }
    put_plain(p, low, false);
    fw_buf_puts(p->b, low < 0 || high < 0 ? " to " : JOIN "–" JOIN);
    put_plain(p, high, false);
}

void fw_page_gain_interval(struct fw_page *p, double low, double high)
{
    if (!isfinite(low) || !isfinite(high))
        return;
    put_gain(p, low);
    fw_buf_puts(p->b, " to ");
    put_gain(p, high);
}

void fw_page_metric_name(struct fw_page *p, const char *metric, bool capital)
{
    static const struct {
        const char *name, *shown;
    } known[] = {
        {"accuracy", "accuracy"},
        {"balanced_accuracy", "balanced accuracy"},
        {"macro_f1", "macro F1"},
        {"weighted_f1", "weighted F1"},
        {"mcc", "Matthews correlation"},
        {"log_loss", "log loss"},
        {"brier", "Brier score"},
        {"ece", "expected calibration error"},
        {"mae", "mean absolute error"},
        {"rmse", "root mean square error"},
        {"r2", "R²"},
    };
    char shown[256];
    snprintf(shown, sizeof shown, "%s", metric);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(known[i].name, metric))
            snprintf(shown, sizeof shown, "%s", known[i].shown);
    const char *colon = strchr(metric, ':');
    if (colon && colon[1]) {
        int n = (int)(colon - metric);
        if (n == 2 && !strncmp(metric, "f1", 2))
            snprintf(shown, sizeof shown, "F1 of %s", colon + 1);
        else
            snprintf(shown, sizeof shown, "%.*s of %s", n, metric, colon + 1);
    }
    for (size_t i = 0; i < strcspn(metric, ":") && shown[i]; i++)
        if (shown[i] == '_')
            shown[i] = ' ';
    if (capital && shown[0] >= 'a' && shown[0] <= 'z')
        shown[0] = (char)(shown[0] - 'a' + 'A');
    fw_buf_html(p->b, shown);
}

void fw_page_verdict(struct fw_page *p, const char *verdict)
{
    static const struct {
        const char *name, *klass, *sign;
    } known[] = {
        {"baseline", "base", "○"},    {"improved", "up", "▲"},     {"undecided", "even", "◆"},
        {"worse", "down", "▼"},       {"kept", "up", "▲"},         {"provisional", "even", "◆"},
        {"rolled back", "down", "▼"}, {"stopped", "up", "■"},      {"running", "even", "▶"},
        {"parked", "even", "❚❚"},     {"failed", "down", "✕"},     {"interrupted", "down", "✕"},
        {"passed", "up", "✓"},        {"not passed", "down", "✕"},
    };
    if (!verdict) {
        fw_buf_puts(p->b, DASH);
        return;
    }
    const char *klass = "base", *sign = "○";
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!strcmp(known[i].name, verdict)) {
            klass = known[i].klass;
            sign = known[i].sign;
        }
    }
    fw_page_say(p, "<span class=\"tag %r\"><span aria-hidden=\"true\">%r</span> %s</span>", klass,
                sign, verdict);
}

void fw_page_table(struct fw_page *p, const char *klass, const char *caption)
{
    fw_page_say(p,
                "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table: %r\">"
                "<table class=\"%r\"><caption>%r</caption>\n",
                caption, klass, caption);
}

void fw_page_table_end(struct fw_page *p)
{
    fw_page_say(p, "</tbody></table></div>\n");
}

static double clamp01(double x)
{
    return x < 0 ? 0 : x > 1 ? 1 : x;
}

void fw_page_bar(struct fw_page *p, double value, double low, double high, double lo, double hi,
                 const char *klass)
{
    enum { WIDTH = 120, PAD = 6 };
    if (!isfinite(value) || !isfinite(lo) || !isfinite(hi) || hi <= lo)
        return;
    double span = WIDTH - 2 * PAD, x = PAD + span * clamp01((value - lo) / (hi - lo));
    fw_page_say(p,
                "<svg class=\"bar %r\" viewBox=\"0 0 120 16\" width=\"120\" height=\"16\" "
                "aria-hidden=\"true\" focusable=\"false\">",
                klass);
    if (lo < 0 && hi > 0)
        fw_buf_printf(p->b, "<line class=\"zero\" x1=\"%.1f\" x2=\"%.1f\" y1=\"0\" y2=\"16\"/>",
                      PAD + span * (-lo / (hi - lo)), PAD + span * (-lo / (hi - lo)));
    if (isfinite(low) && isfinite(high))
        fw_buf_printf(p->b, "<line class=\"range\" x1=\"%.1f\" x2=\"%.1f\" y1=\"8\" y2=\"8\"/>",
                      PAD + span * clamp01((low - lo) / (hi - lo)),
                      PAD + span * clamp01((high - lo) / (hi - lo)));
    fw_buf_printf(p->b, "<circle cx=\"%.1f\" cy=\"8\" r=\"4\"/></svg>", x);
}
