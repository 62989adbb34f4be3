#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipeline/exec/internal.h"

enum { WATCH_MS = 20 };

static void on_exit_keep(void *ctx, const struct fw_exit *result)
{
    *(struct fw_exit *)ctx = *result;
}

/* At most `most` bytes of a file, NUL-terminated. */
static char *read_file(int fd, size_t most, size_t *len)
{
    struct stat st;
    size_t size = fstat(fd, &st) == 0 ? (size_t)st.st_size : 0, got = 0;
    if (size > most)
        size = most;
    char *text = malloc(size + 1);
    for (ssize_t n; text && got < size; got += (size_t)n) {
        n = pread(fd, text + got, size - got, (off_t)got);
        if (n <= 0)
            break;
    }
    if (text)
        text[got] = '\0';
    *len = got;
    return text;
}

static int run(const struct fw_exec_spec *spec, const struct fw_exec_fds *fds, struct fw_err *err)
{
    uv_loop_t loop;
    struct fw_exec *x;
    int e = uv_loop_init(&loop);
    if (e)
        return fw_err_sys(err, -e, "cannot start %s", spec->argv[0]);
    int rc = fw_exec_start_with(&loop, spec, fds, WATCH_MS, &x, err);
    uv_run(&loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&loop);
    return rc;
}

int fw_exec_capture(const char *const *argv, const char *const *env, const char *cwd,
                    int64_t timeout_ms, size_t max_out, char **out, size_t *out_len, char **errors,
                    struct fw_exit *result, struct fw_err *err)
{
    /* Memory files instead of pipes: nothing to be read while it runs, and an orphan that keeps
     * them open keeps nobody waiting. */
    struct fw_exec_fds fds = {memfd_create("stdout", MFD_CLOEXEC),
                              memfd_create("stderr", MFD_CLOEXEC)};
    struct fw_exec_spec spec = {.argv = argv,
                                .env = env,
                                .cwd = cwd,
                                .timeout_ms = timeout_ms,
                                .grace_ms = 500,
                                .log_limit = max_out,
                                .on_exit = on_exit_keep,
                                .ctx = result};
    char *text = NULL, *said = NULL;
    size_t n = 0, n_said = 0;
    int rc = fds.out < 0 || fds.err < 0 ? fw_err_sys(err, errno, "cannot start %s", argv[0])
                                        : run(&spec, &fds, err);
    if (rc == FW_OK) {
        text = read_file(fds.out, max_out, &n);
        said = read_file(fds.err, max_out, &n_said);
        if (!text || !said)
            rc = fw_err_nomem(err);
    }
    if (fds.out >= 0)
        close(fds.out);
    if (fds.err >= 0)
        close(fds.err);
    if (rc != FW_OK || !errors) {
        free(said);
        said = NULL;
    }
    if (rc != FW_OK) {
        free(text);
        return rc;
    }
    *out = text;
    *out_len = n;
    if (errors)
        *errors = said;
    return FW_OK;
}
