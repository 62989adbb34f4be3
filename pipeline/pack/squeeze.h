/*
 * Deflating where that pays, and inflating (libdeflate: two to three times as quick as zlib, whole
 * buffers only). Contents that are compressed already, and those whose beginning does not shrink by
 * a twentieth, are stored: to deflate them again costs four times what reading them does and gains
 * nothing.
 *
 * A fw_squeeze is a set of compressors that threads borrow: any thread, several at once.
 */
#ifndef FW_PACK_SQUEEZE_H
#define FW_PACK_SQUEEZE_H

#include "pipeline/base/buf.h"

struct fw_squeeze;

struct fw_squeeze *fw_squeeze_new(void); /* NULL: no memory */
void fw_squeeze_free(struct fw_squeeze *s);
/* Appends data as a zlib stream. */
int fw_squeeze_add(struct fw_squeeze *s, const void *data, size_t n, struct fw_buf *out,
                   struct fw_err *err);
/* The zlib stream at the beginning of in, which must give exactly n bytes; its checksum is checked.
 * *used (may be NULL): how long it is. FW_ECORRUPT: it is not that. */
int fw_squeeze_undo(struct fw_squeeze *s, const void *in, size_t n_in, void *out, size_t n,
                    size_t *used, struct fw_err *err);

#endif
