#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/config/tree.h"

enum { SHOWN_CHARS = 110, BEFORE_CARET = 70 };

static bool starts_char(char c)
{
    return ((unsigned char)c & 0xc0) != 0x80;
}

const char *fw_show_into(struct fw_shown *to, const char *text)
{
    size_t n = 0, room = sizeof to->s - 4;
    for (; text[n] && n < room; n++)
        to->s[n] = (unsigned char)text[n] < 0x20 || text[n] == 0x7f ? '?' : text[n];
    if (text[n]) {
        while (n > 0 && !starts_char(text[n]))
            n--;
        memcpy(to->s + n, "…", sizeof "…");
    } else {
        to->s[n] = '\0';
    }
    return to->s;
}

/* The characters of one line as a clipped, printable copy in which the caret can be seen. */
static void quote_line(struct fw_problems *p, size_t at, const struct fw_source *src,
                       const struct fw_pos *pos)
{
    if (pos->line < 1 || (size_t)pos->line > src->n_lines)
        return;
    const char *s = src->text + src->lines[pos->line - 1];
    const char *end = memchr(s, '\n', src->len - (size_t)(s - src->text));
    if (!end)
        end = src->text + src->len;
    int first = pos->col - 1 > BEFORE_CARET ? pos->col - 1 - BEFORE_CARET : 0;
    struct fw_buf line = {0};
    int c = 0, kept = 0;
    if (first > 0)
        fw_buf_puts(&line, "…");
    for (; s < end; s++) {
        bool start = starts_char(*s);
        if (start && c++ >= first && kept++ >= SHOWN_CHARS)
            break;
        if (c > first)
            fw_buf_putc(&line, (unsigned char)*s < 0x20 || *s == 0x7f ? ' ' : *s);
    }
    if (s < end)
        fw_buf_puts(&line, "…");
    else
        while (line.len > 0 && line.p[line.len - 1] == ' ' && c-- > 0)
            line.p[--line.len] = '\0';
    p->source[at].caret = pos->col - 1 - first + (first > 0);
    int room = SHOWN_CHARS - (pos->col - 1 - first);
    p->source[at].width = pos->width < 1 ? 1 : pos->width > room ? room : pos->width;
    p->source[at].line = fw_buf_steal(&line); /* without it only the message is shown */
}

static struct fw_err *problem_vadd(struct fw_problems *p, const struct fw_source *sources,
                                   size_t n_sources, const struct fw_pos *pos, const char *fmt,
                                   va_list ap)
{
    if (p->n == FW_PROBLEMS) {
        p->more++;
        return NULL;
    }
    struct fw_err *e = &p->list[p->n];
    char msg[sizeof e->msg];
    vsnprintf(msg, sizeof msg, fmt, ap);
    fw_err_set(e, FW_EINVAL, "%s", msg);
    p->source[p->n].line = NULL;
    if (pos && pos->line > 0 && (size_t)pos->source < n_sources) {
        fw_err_at(e, sources[pos->source].file, pos->line, pos->col);
        quote_line(p, p->n, &sources[pos->source], pos);
    } else if (n_sources > 0) {
        fw_err_at(e, sources[0].file, 0, 0);
    }
    p->n++;
    return e;
}

struct fw_err *fw_problem(struct fw_load *l, const struct fw_pos *pos, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct fw_err *e = problem_vadd(l->problems, l->sources, l->n_sources, pos, fmt, ap);
    va_end(ap);
    return e;
}

struct fw_err *fw_plan_problem(const struct fw_plan *plan, struct fw_problems *problems,
                               const struct fw_pos *pos, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct fw_err *e = problem_vadd(problems, plan->sources, plan->n_sources, pos, fmt, ap);
    va_end(ap);
    return e;
}

void fw_problems_release(struct fw_problems *p)
{
    for (size_t i = 0; i < p->n; i++)
        free(p->source[i].line);
    p->n = p->more = 0;
}

static int compare_places(const struct fw_err *a, const struct fw_err *b)
{
    /* The file comes before the overrides, whose "file" is --set. */
    int sa = strcmp(a->file, "--set") == 0, sb = strcmp(b->file, "--set") == 0;
    if (sa != sb)
        return sa - sb;
    if (sa) /* each --set is a text of its own: keep their order */
        return 0;
    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    return (a->col > b->col) - (a->col < b->col);
}

void fw_problems_sort(struct fw_problems *p)
{
    for (size_t i = 1; i < p->n; i++) /* at most 20, and mostly in order already */
        for (size_t j = i; j > 0 && compare_places(&p->list[j - 1], &p->list[j]) > 0; j--) {
            struct fw_err e = p->list[j];
            p->list[j] = p->list[j - 1];
            p->list[j - 1] = e;
            __typeof__(p->source[0]) s = p->source[j];
            p->source[j] = p->source[j - 1];
            p->source[j - 1] = s;
        }
}

static void put_place(const struct fw_err *e, struct fw_buf *out)
{
    if (!e->file[0])
        return;
    fw_buf_puts(out, e->file);
    if (e->line > 0)
        fw_buf_printf(out, ":%d:%d", e->line, e->col);
    fw_buf_puts(out, ": ");
}

void fw_problems_format(const struct fw_problems *p, bool colour, struct fw_buf *out)
{
    const char *bold = colour ? "\033[1m" : "", *red = colour ? "\033[1;31m" : "";
    const char *green = colour ? "\033[1;32m" : "", *off = colour ? "\033[0m" : "";
    for (size_t i = 0; i < p->n; i++) {
        const struct fw_err *e = &p->list[i];
        fw_buf_puts(out, bold);
        put_place(e, out);
        fw_buf_printf(out, "%s%serror:%s %s\n", off, red, off, e->msg);
        if (p->source[i].line) {
            fw_buf_printf(out, "  %s\n  %*s%s^", p->source[i].line, p->source[i].caret, "", green);
            for (int k = 1; k < p->source[i].width; k++)
                fw_buf_putc(out, '~');
            fw_buf_printf(out, "%s\n", off);
        }
        if (e->hint[0])
            fw_buf_printf(out, "  %s\n", e->hint);
    }
    if (p->more > 0)
        fw_buf_printf(out, "and %zu more\n", p->more);
}
