/* External artifacts of a graph: names to paths and digests. Each is resolved once per process. */
#ifndef FW_LOOP_ARTIFACT_H
#define FW_LOOP_ARTIFACT_H

#include "pipeline/loop/runner.h"

enum { FW_SANITY_SAMPLES = 48 }; /* "dataset:sanity": a few dozen */

struct fw_artifacts;

struct fw_artifact {
    const char *path; /* absolute */
    char digest[65];
};

struct fw_artifacts *fw_artifacts_new(const struct fw_project *project, struct fw_repo *repo);
void fw_artifacts_free(struct fw_artifacts *a);
/* The artifact `ref` names for this job (see graph.h). Borrowed until fw_artifacts_free. */
int fw_artifacts_get(struct fw_artifacts *a, const struct fw_job *job, const char *ref,
                     const struct fw_artifact **out, struct fw_err *err);

#endif
