/*
 * When two texts are the same but for case, white space and punctuation. Pure.
 */
#ifndef FW_QUALITY_NORMALISE_H
#define FW_QUALITY_NORMALISE_H

#include <stdbool.h>
#include <stddef.h>

#include "pipeline/base/buf.h"

/* Appends the text in lower case (ASCII, Latin-1, Greek, Cyrillic), white space squeezed and
 * trimmed; with `strip`, without punctuation and symbols of ASCII. */
void fw_text_normalise(const char *text, size_t n, bool strip, struct fw_buf *out);

#endif
