/*
 * Errors: one value, filled once where the cause is known.
 *
 * A function that can fail returns 0 or a negative fw_code and takes `struct fw_err *err` last. The
 * caller owns `err` and may pass NULL. The function that knows the cause fills it; the layers above
 * only add context with fw_err_wrap(). Outputs are untouched on failure. Nothing here prints.
 */
#ifndef FW_BASE_ERR_H
#define FW_BASE_ERR_H

#if defined(__GNUC__)
#define FW_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define FW_PRINTF(f, a)
#endif

enum fw_code {
    FW_OK = 0,
    FW_EINVAL = -1,    /* input or configuration is wrong: the user can mend it */
    FW_EIO = -2,       /* the system refused: disk, permission, descriptors */
    FW_ENOMEM = -3,    /* no memory */
    FW_ENOTFOUND = -4, /* the named thing does not exist */
    FW_EEXISTS = -5,   /* the named thing exists already */
    FW_EREFUSED = -6,  /* model or evaluation set changed, branch moved, reproduction differs */
    FW_EBUSY = -7,     /* another process holds the project */
    FW_ESTAGE = -8,    /* a stage failed */
    FW_EWAITING = -9,  /* parked: waiting for people */
    FW_ECORRUPT = -10, /* our own stored state does not verify */
    FW_ECANCELLED = -11
};

struct fw_err {
    int code;
    int line, col;  /* 1-based; 0 = unknown */
    char file[512]; /* empty = no place */
    char msg[1536];
    char hint[512]; /* what to do; may be empty */
};

/* Fills *err (code, message; place and hint cleared) and returns code. */
int fw_err_set(struct fw_err *err, int code, const char *fmt, ...) FW_PRINTF(3, 4);
/* The same from an errno value: FW_ENOMEM for ENOMEM, else FW_EIO; appends ": <strerror>". Adds a
 * hint for a full disk or exhausted descriptors. */
int fw_err_sys(struct fw_err *err, int errnum, const char *fmt, ...) FW_PRINTF(3, 4);
int fw_err_nomem(struct fw_err *err);
/* Adds a place (line and col 1-based, 0 = none). Returns err->code, or FW_EINVAL when err is NULL.
 */
int fw_err_at(struct fw_err *err, const char *file, int line, int col);
int fw_err_hint(struct fw_err *err, const char *fmt, ...) FW_PRINTF(2, 3);
/* Puts "<context>: " before the message; returns err->code. */
int fw_err_wrap(struct fw_err *err, const char *fmt, ...) FW_PRINTF(2, 3);
/* "file:line:col: message" and, on a second line, "  hint: ...". Always terminated. */
void fw_err_format(const struct fw_err *err, char *out, unsigned long size);

#endif
