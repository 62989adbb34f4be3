/*
 * What makes a node's result (the recipe, whose digest is the cache key) and what a plugin is told
 * (the request, protocol 1). Both are built from the same values, so they cannot disagree.
 */
#ifndef FW_LOOP_RECIPE_H
#define FW_LOOP_RECIPE_H

#include "pipeline/loop/runner.h"

struct fw_recipe_input {
    const char *name, *path, *digest;
};

/* plugin_digest: NULL for commands, merges and gathers. New reference. */
int fw_recipe_make(const struct fw_project *project, const char *run, const struct fw_job *job,
                   const struct fw_node *node, const char *plugin_digest,
                   const struct fw_recipe_input *in, json_t **out, struct fw_err *err);
/* out_dir: where outputs go; outputs are named by fw_recipe_output_file(). New reference. */
int fw_request_make(const struct fw_project *project, const char *run, const struct fw_job *job,
                    const struct fw_node *node, const struct fw_recipe_input *in,
                    const char *out_dir, const char *scratch, json_t **out, struct fw_err *err);
/* File name of an output below the out folder: "analysis" → "analysis.json", a custom stage's as
 * declared. */
const char *fw_recipe_output_file(const struct fw_node *node, const char *output);
/* The argument vector of a command node, placeholders {in.NAME} {out.NAME} {matrix.AXIS} filled in.
 * One block per string; release with fw_recipe_argv_free. */
int fw_recipe_argv(const struct fw_node *node, const json_t *request, char ***out,
                   struct fw_err *err);
void fw_recipe_argv_free(char **argv);

#endif
