/* Inside pipeline/snap: uthash that does not exit when memory runs out. After HASH_ADD… the element
 * is in the table exactly when FW_ADDED(element); elements come zeroed from an arena. */
#ifndef FW_SNAP_MAP_H
#define FW_SNAP_MAP_H

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#define FW_ADDED(e) ((e)->hh.tbl != NULL)

#endif
