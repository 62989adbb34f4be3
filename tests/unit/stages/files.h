/* A folder of its own for a test, files in it, and what an error says. */
#ifndef FW_TEST_STAGES_FILES_H
#define FW_TEST_STAGES_FILES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/fs.h"

static char test_dir[64];

static inline int make_dir(void **state)
{
    (void)state;
    snprintf(test_dir, sizeof test_dir, "/tmp/fw-stages-XXXXXX");
    return mkdtemp(test_dir) ? 0 : -1;
}

static inline int drop_dir(void **state)
{
    (void)state;
    return fw_fs_remove(test_dir, NULL);
}

/* test_dir/name, in one of a few rotating buffers. */
static inline const char *in_dir(const char *name)
{
    static char paths[8][512];
    static int at;
    at = (at + 1) % 8;
    snprintf(paths[at], sizeof paths[at], "%s/%s", test_dir, name);
    return paths[at];
}

static inline const char *put(const char *name, const char *text)
{
    const char *path = in_dir(name);
    char folder[512];
    snprintf(folder, sizeof folder, "%s", path);
    *strrchr(folder, '/') = '\0';
    if (fw_fs_mkdirs(folder, NULL) != 0 || fw_fs_write_atomic(path, text, strlen(text), NULL) != 0)
        abort();
    return path;
}

/* "file.jsonl:3: message" with the folder left out. */
static inline const char *said(const struct fw_err *err)
{
    static char text[2600];
    if (err->file[0])
        snprintf(text, sizeof text, "%s:%d: %s", fw_fs_base(err->file), err->line, err->msg);
    else
        snprintf(text, sizeof text, "%s", err->msg);
    return text;
}

#endif
