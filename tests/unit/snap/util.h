/* What the tests of snapshots share: a scratch folder with a git repository, files, shell. */
#ifndef FW_TEST_SNAP_UTIL_H
#define FW_TEST_SNAP_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/base/fs.h"
#include "pipeline/snap/snap.h"

struct world {
    char dir[64];
    struct fw_repo *repo;
    struct fw_err err;
    struct fw_import_report report;
    struct fw_import_problems problems;
    char oid[FW_OID_HEX];
};

static inline char *in_world(const struct world *w, const char *rel)
{
    static char out[8][512];
    static int next;
    char *p = out[next++ % 8];
    snprintf(p, sizeof out[0], "%s/%s", w->dir, rel);
    return p;
}

/* Runs a shell command in the world's folder and returns what it prints (static), which must
 * succeed. */
static inline const char *sh(const struct world *w, const char *fmt, ...)
{
    static char out[1 << 16];
    struct fw_buf cmd = {0};
    char text[4096];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    fw_buf_printf(&cmd, "cd '%s' && { %s\n} 2>&1", w->dir, text);
    FILE *p = popen(cmd.p, "r");
    assert_non_null(p);
    size_t n = fread(out, 1, sizeof out - 1, p);
    out[n] = '\0';
    int status = pclose(p);
    if (status != 0)
        fail_msg("`%s` failed (%d): %s", text, status, out);
    fw_buf_release(&cmd);
    return out;
}

/* `git fsck` has nothing to say (a HEAD without commits and objects without a ref aside). */
static inline void fsck(const struct world *w)
{
    assert_string_equal(
        sh(w, "git fsck --strict --no-progress 2>&1 | grep -v '^notice: \\|^dangling ' || :"), "");
}

static inline void put(const struct world *w, const char *rel, const char *text)
{
    char *path = in_world(w, rel);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    assert_int_equal(fw_fs_mkdirs(path, NULL), FW_OK);
    *slash = '/';
    assert_int_equal(fw_fs_write_atomic(path, text, strlen(text), NULL), FW_OK);
}

static inline void must(struct world *w, int rc)
{
    char text[3000];
    fw_err_format(&w->err, text, sizeof text);
    if (rc != FW_OK)
        fail_msg("code %d: %s", rc, text);
}

static inline void world_open(struct world *w)
{
    must(w, fw_repo_open(w->dir, NULL, in_world(w, ".flywheel"), &w->repo, &w->err));
}

static inline void world_new(struct world *w)
{
    *w = (struct world){.dir = "/tmp/fw-snap-XXXXXX"};
    assert_non_null(mkdtemp(w->dir));
    /* the identity and settings of whoever runs the tests stay out of them */
    setenv("HOME", w->dir, 1);
    setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
    sh(w, "git init -q -b main . && git config user.name Ann && git config user.email a@b.c");
    world_open(w);
}

static inline void world_free(struct world *w)
{
    fw_repo_close(w->repo);
    fw_buf_release(&w->report.warnings);
    assert_int_equal(fw_fs_remove(w->dir, NULL), FW_OK);
}

static inline struct fw_import_options options(const struct world *w, const char *source)
{
    return (struct fw_import_options){.name = "demo",
                                      .source = in_world(w, source),
                                      .task = FW_CLASSIFICATION,
                                      .dev = 0.2,
                                      .test = 0.2,
                                      .near_copies = true,
                                      .seed = 1,
                                      .when = 1700000000};
}

static inline int import_with(struct world *w, const struct fw_import_options *o)
{
    fw_buf_release(&w->report.warnings);
    return fw_snap_import(w->repo, o, w->oid, &w->report, &w->problems, &w->err);
}

static inline int import(struct world *w, const char *source)
{
    struct fw_import_options o = options(w, source);
    return import_with(w, &o);
}

static inline const char *warnings(const struct world *w)
{
    return w->report.warnings.p ? w->report.warnings.p : "";
}

/* Is there a problem at this file (end of its path) and line whose message holds the words? */
static inline bool has_problem(const struct world *w, const char *file, int line, const char *words)
{
    for (size_t i = 0; i < w->problems.n; i++) {
        const struct fw_err *e = &w->problems.list[i];
        size_t n = strlen(e->file), m = strlen(file);
        if (n >= m && !strcmp(e->file + n - m, file) && e->line == line && strstr(e->msg, words))
            return true;
    }
    return false;
}

static inline void expect_problem(const struct world *w, const char *file, int line,
                                  const char *words)
{
    struct fw_buf all = {0};
    for (size_t i = 0; i < w->problems.n; i++)
        fw_buf_printf(&all, "\n  %s:%d: %s", w->problems.list[i].file, w->problems.list[i].line,
                      w->problems.list[i].msg);
    if (!has_problem(w, file, line, words))
        fail_msg("no problem '%s' at %s:%d among:%s", words, file, line, all.p ? all.p : " none");
    fw_buf_release(&all);
}

#endif
