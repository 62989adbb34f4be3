#include "pipeline/config/units.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The longest prefix that is a decimal number; NULL when there is none. strtod alone would also
 * take "0x1p3", "inf", "nan" and leading blanks. */
static const char *number_end(const char *s)
{
    size_t digits = 0;
    if (*s == '-' || *s == '+')
        s++;
    for (; isdigit((unsigned char)*s); s++)
        digits++;
    if (*s == '.')
        for (s++; isdigit((unsigned char)*s); s++)
            digits++;
    if (digits == 0)
        return NULL;
    if (*s == 'e' || *s == 'E') {
        const char *e = s + 1;
        if (*e == '-' || *e == '+')
            e++;
        if (isdigit((unsigned char)*e)) {
            while (isdigit((unsigned char)*e))
                e++;
            s = e;
        }
    }
    return s;
}

static bool split(const char *text, double *value, const char **unit)
{
    const char *end = number_end(text);
    if (!end)
        return false;
    double v = strtod(text, NULL);
    if (!isfinite(v))
        return false;
    *value = v;
    *unit = end;
    return true;
}

bool fw_number_parse(const char *text, double *value)
{
    const char *unit;
    double v;
    if (!split(text, &v, &unit) || *unit)
        return false;
    *value = v;
    return true;
}

bool fw_share_parse(const char *text, double *value)
{
    const char *unit;
    double v;
    if (!split(text, &v, &unit) || (*unit && strcmp(unit, "%") != 0))
        return false;
    *value = *unit ? v / 100 : v;
    return true;
}

static bool with_unit(const char *text, const char *const *names, const double *factors, size_t n,
                      double limit, double *out)
{
    const char *unit;
    double v;
    if (!split(text, &v, &unit) || v < 0)
        return false;
    for (size_t i = 0; i < n; i++)
        if (strcmp(unit, names[i]) == 0) {
            v *= factors[i];
            if (v > limit)
                return false;
            *out = v;
            return true;
        }
    return false;
}

bool fw_duration_parse(const char *text, int64_t *ms)
{
    static const char *const names[] = {"ms", "s", "m", "h", "d"};
    static const double factors[] = {1, 1e3, 60e3, 3600e3, 86400e3};
    double v;
    if (!with_unit(text, names, factors, 5, 1e15, &v))
        return false;
    *ms = llround(v);
    return true;
}

bool fw_size_parse(const char *text, uint64_t *bytes)
{
    static const char *const names[] = {"K", "M", "G", "T"};
    static const double factors[] = {1024., 1048576., 1073741824., 1099511627776.};
    double v;
    if (!with_unit(text, names, factors, 4, 1e18, &v))
        return false;
    *bytes = (uint64_t)v;
    return true;
}

bool fw_integer_parse(const char *text, int64_t *value)
{
    const char *s = text + (*text == '-' || *text == '+');
    if (!*s)
        return false;
    for (const char *d = s; *d; d++)
        if (!isdigit((unsigned char)*d))
            return false;
    errno = 0;
    long long v = strtoll(text, NULL, 10);
    if (errno)
        return false;
    *value = v;
    return true;
}
