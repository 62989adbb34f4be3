/* Inside pipeline/snap: which file names a dataset may hold. */
#ifndef FW_SNAP_NAMES_H
#define FW_SNAP_NAMES_H

#include "pipeline/base/err.h"

/* FW_EINVAL with the reason: leaves the dataset, would hide one of its own files, or is a name that
 * git gives a meaning (.git, .gitmodules, ...; also as other systems spell it). Pure. */
int fw_name_check(const char *file_name, struct fw_err *err);

#endif
