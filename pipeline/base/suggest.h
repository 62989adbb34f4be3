/* "Did you mean ...?": the word a mistyped one was probably meant to be. Pure; any thread. */
#ifndef FW_BASE_SUGGEST_H
#define FW_BASE_SUGGEST_H

#include <stddef.h>

/* The name nearest to `word` by edit distance, or NULL when none is near enough. */
const char *fw_suggest(const char *word, const char *const *names, size_t n);

#endif
