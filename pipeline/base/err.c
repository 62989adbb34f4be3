#include "pipeline/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int err_vset(struct fw_err *err, int code, const char *fmt, va_list ap)
{
    if (!err)
        return code;
    err->code = code;
    err->line = err->col = 0;
    err->file[0] = err->hint[0] = '\0';
    vsnprintf(err->msg, sizeof err->msg, fmt, ap);
    return code;
}

int fw_err_set(struct fw_err *err, int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    err_vset(err, code, fmt, ap);
    va_end(ap);
    return code;
}

int fw_err_sys(struct fw_err *err, int errnum, const char *fmt, ...)
{
    int code = errnum == ENOMEM ? FW_ENOMEM : FW_EIO;
    va_list ap;
    va_start(ap, fmt);
    err_vset(err, code, fmt, ap);
    va_end(ap);
    if (!err)
        return code;
    size_t len = strlen(err->msg);
    snprintf(err->msg + len, sizeof err->msg - len, ": %s", strerror(errnum));
    if (errnum == ENOSPC || errnum == EDQUOT)
        fw_err_hint(err, "free some disk space, then run `flywheel resume`; nothing is lost");
    else if (errnum == EMFILE || errnum == ENFILE)
        fw_err_hint(err, "raise the limit of open files (ulimit -n), then run `flywheel resume`");
    return code;
}

int fw_err_nomem(struct fw_err *err)
{
    return fw_err_set(err, FW_ENOMEM, "out of memory");
}

int fw_err_at(struct fw_err *err, const char *file, int line, int col)
{
    if (!err)
        return FW_EINVAL;
    snprintf(err->file, sizeof err->file, "%s", file ? file : "");
    err->line = line;
    err->col = col;
    return err->code;
}

int fw_err_hint(struct fw_err *err, const char *fmt, ...)
{
    if (!err)
        return FW_EINVAL;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(err->hint, sizeof err->hint, fmt, ap);
    va_end(ap);
    return err->code;
}

int fw_err_wrap(struct fw_err *err, const char *fmt, ...)
{
    if (!err)
        return FW_EINVAL;
    char context[sizeof err->msg], old[sizeof err->msg];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(context, sizeof context, fmt, ap);
    va_end(ap);
    memcpy(old, err->msg, sizeof old);
    size_t n = strlen(context);
    if (n > sizeof err->msg / 2)
        n = sizeof err->msg / 2;
    memcpy(err->msg, context, n);
    snprintf(err->msg + n, sizeof err->msg - n, ": %s", old);
    return err->code;
}

void fw_err_format(const struct fw_err *err, char *out, unsigned long size)
{
    char place[640] = "";
    if (err->file[0] && err->line > 0 && err->col > 0)
        snprintf(place, sizeof place, "%s:%d:%d: ", err->file, err->line, err->col);
    else if (err->file[0] && err->line > 0)
        snprintf(place, sizeof place, "%s:%d: ", err->file, err->line);
    else if (err->file[0])
        snprintf(place, sizeof place, "%s: ", err->file);
    snprintf(out, size, "%s%s%s%s", place, err->msg, err->hint[0] ? "\n  hint: " : "", err->hint);
}
