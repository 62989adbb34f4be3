/*
 * `flywheel plugin new`: writes a small plugin that works, from the templates in
 * plugins/sdk/templates, which are embedded in the program. Files only.
 */
#ifndef FW_PLUGIN_SCAFFOLD_H
#define FW_PLUGIN_SCAFFOLD_H

#include "stages/contract.h"

enum fw_lang { FW_LANG_SH, FW_LANG_PYTHON, FW_LANG_C, FW_LANGS };

const char *fw_lang_name(enum fw_lang lang);            /* "sh", "python", "c" */
int fw_lang_parse(const char *name, enum fw_lang *out); /* 0, or FW_ENOTFOUND */

/* Makes the folder dir/name (dir is made when absent) with the plugin dir/name/name in it, or for C
 * its source and a Makefile that builds it, and the helper of the language. Train and evaluate
 * share a model, so either gives a plugin that does both. The folder appears whole or not at all;
 * FW_EEXISTS when anything of that name is there, FW_EINVAL when the name will not do. */
int fw_scaffold_write(const char *dir, const char *name, enum fw_kind kind, enum fw_lang lang,
                      struct fw_err *err);

#endif
