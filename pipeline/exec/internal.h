/* Shared by the files of exec alone. */
#ifndef FW_EXEC_INTERNAL_H
#define FW_EXEC_INTERNAL_H

#include "pipeline/exec/exec.h"

struct fw_exec_fds {
    int out, err; /* duplicated; log_path is not used */
};

/* fw_exec_start with stdout and stderr given (NULL: the log file) and no event pipe in that case;
 * looks after limits every watch_ms. */
int fw_exec_start_with(uv_loop_t *loop, const struct fw_exec_spec *spec,
                       const struct fw_exec_fds *fds, uint64_t watch_ms, struct fw_exec **out,
                       struct fw_err *err);

/* A close-on-exec duplicate above the standard descriptors; closes `fd`. -1 with errno set. */
int fw_exec_raise_fd(int fd);

#endif
