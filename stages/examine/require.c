#include "stages/examine/require.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *text;
    enum fw_require_op op;
} ops[] = {{">=", FW_AT_LEAST}, {"<=", FW_AT_MOST}, {">", FW_MORE_THAN}, {"<", FW_LESS_THAN}};

static int wrong(const char *text, const char *what, struct fw_err *err)
{
    fw_err_set(err, FW_EINVAL, "'%.200s': %s", text, what);
    return fw_err_hint(err,
                       "write a figure, >=, <=, > or <, and a number, as in 'macro_f1 >= 0.9'");
}

/* Copies [from, to) without the spaces around it; false when it does not fit or nothing is left. */
static bool copy(char *out, size_t size, const char *from, const char *to)
{
    while (from < to && *from == ' ')
        from++;
    while (from < to && to[-1] == ' ')
        to--;
    size_t n = (size_t)(to - from);
    if (!n || n >= size)
        return false;
    memcpy(out, from, n);
    out[n] = '\0';
    return true;
}

int fw_require_parse(const char *text, struct fw_require *out, struct fw_err *err)
{
    struct fw_require r = {.slice = ""};
    const char *at = NULL, *where = strstr(text, " where ");
    size_t len = 0;
    for (const char *p = text; *p; p++) /* the last operator: a condition may hold others */
        if (*p == '<' || *p == '>') {
            at = p;
            len = p[1] == '=' ? 2 : 1;
        }
    if (!at)
        return wrong(text, "there is no >=, <=, > or <", err);
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (strlen(ops[i].text) == len && !strncmp(at, ops[i].text, len))
            r.op = ops[i].op;
    if (where && where > at)
        where = NULL;
    if (!copy(r.name, sizeof r.name, text, where ? where : at))
        return wrong(text, "it names no figure", err);
    if (where && !copy(r.slice, sizeof r.slice, where + 7, at))
        return wrong(text, "there is no condition behind 'where'", err);
    char *end;
    r.bound = strtod(at + len, &end);
    bool read = end > at + len;
    while (*end == ' ')
        end++;
    if (read && *end == '%') {
        r.bound /= 100;
        end++;
    }
    while (*end == ' ')
        end++;
    if (!read || *end || !isfinite(r.bound))
        return wrong(text, "it ends in no number", err);
    *out = r;
    return FW_OK;
}

bool fw_require_holds(const struct fw_require *r, double value)
{
    switch (r->op) {
    case FW_AT_LEAST:
        return value >= r->bound;
    case FW_AT_MOST:
        return value <= r->bound;
    case FW_MORE_THAN:
        return value > r->bound;
    case FW_LESS_THAN:
        return value < r->bound;
    }
    return false;
}
