/*
 * One node's life, apart from scheduling: its folders, its cache key, the check of its outputs and
 * their way into the cache. The functions that end in _work run on a worker thread and touch only
 * their task.
 */
#ifndef FW_LOOP_NODE_H
#define FW_LOOP_NODE_H

#include "pipeline/base/hash.h"
#include "pipeline/loop/recipe.h"

struct fw_step {
    const struct fw_project *project;
    struct fw_job *job;
    const struct fw_node *node;
    const char *run;
    struct fw_recipe_input *in; /* node->n_in; names and paths borrowed */
    json_t *recipe;
    char key[FW_SHA256_HEX];
    char *dir;      /* runs/<id>/<iteration>/<label>/<node> */
    char *out_dir;  /* dir/out */
    char *log;      /* dir/log */
    json_t *result; /* what the cache keeps */
    struct fw_err err;
    int rc;
};

int fw_step_open(const struct fw_project *project, const char *run, struct fw_job *job,
                 const struct fw_node *node, struct fw_step **out, struct fw_err *err);
void fw_step_free(struct fw_step *t);
/* Empty out and scratch folders for a fresh attempt. */
int fw_step_prepare(struct fw_step *t, struct fw_err *err);
/* Checks every output against the contract, digests them and puts them into the cache: fills
 * t->result, t->rc and t->err. */
void fw_step_check_work(struct fw_step *t);
/* What the engine does itself (nodes without a stage): makes the output, then as above. */
void fw_step_builtin_work(struct fw_step *t);
/* {"name": {"path": absolute, "digest"}} from a cached result. New reference. */
json_t *fw_step_outputs(const struct fw_step *t);

#endif
