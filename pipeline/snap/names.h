/* Inside pipeline/snap: which file names a dataset may hold, and reading what they name. */
#ifndef FW_SNAP_NAMES_H
#define FW_SNAP_NAMES_H

#include "pipeline/base/buf.h"

/* FW_EINVAL with the reason: leaves the dataset, would hide one of its own files, or is a name that
 * git gives a meaning (.git, .gitmodules, ...; also as other systems spell it). Pure. */
int fw_name_check(const char *file_name, struct fw_err *err);

/* Appends the bytes of root/rel, following no link that leaves root. FW_EINVAL: not a regular file,
 * empty, larger than 2 GB; FW_EIO: not there or not readable. */
int fw_read_below(const char *root, const char *rel, struct fw_buf *out, struct fw_err *err);

#endif
