/*
 * A project: the folder of flywheel.yaml, its plan, its state folder (.flywheel) and the names of
 * its runs. Opening loads and checks the plan with every plugin described.
 */
#ifndef FW_LOOP_PROJECT_H
#define FW_LOOP_PROJECT_H

#include "pipeline/config/plan.h"

struct fw_project {
    char *root;      /* absolute folder of flywheel.yaml */
    char *yaml;      /* its path as given */
    char *state_dir; /* root/.flywheel */
    struct fw_plan *plan;
    char *text; /* the bytes of flywheel.yaml */
};

/* Loads, validates (graph too), describes plugins. Problems with places go to *problems. */
int fw_project_open(const char *yaml, const char *const *sets, size_t n_sets,
                    struct fw_project **out, struct fw_problems *problems);
void fw_project_close(struct fw_project *p);
/* Makes .flywheel with a .gitignore that hides it. */
int fw_project_make_state(const struct fw_project *p, struct fw_err *err);

/* Names of runs in a state folder, oldest first: a JSON array of strings. Empty when there is none.
 */
int fw_runs_list(const char *state_dir, json_t **out, struct fw_err *err);
/* state/runs/<id>/journal.jsonl; malloc'd, NULL when memory is out. */
char *fw_run_path(const char *state_dir, const char *run, const char *rel);
/* Resolves "", "latest", a full id or a unique prefix to a run id (malloc'd). FW_ENOTFOUND lists.
 */
int fw_run_resolve(const char *state_dir, const char *text, char **id, struct fw_err *err);
/* Folds the journal of one run (record.h). A run that is "running" but whose lock nobody holds is
 * "interrupted". */
int fw_run_record(const char *state_dir, const char *run, json_t **record, struct fw_err *err);

#endif
