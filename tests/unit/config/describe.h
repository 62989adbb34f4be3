/* Plugins for the tests: described here, never run. */
#ifndef FW_TEST_DESCRIBE_H
#define FW_TEST_DESCRIBE_H

#include <stdlib.h>
#include <string.h>

#include "pipeline/config/plan.h"

static const char *const test_plugins[][2] = {
    {"linear",
     "{\"name\":\"linear\",\"kind\":[\"train\",\"evaluate\"],\"deterministic\":true,\"params\":{"
     "\"C\":{\"type\":\"number\",\"default\":1,\"minimum\":0},"
     "\"solver\":{\"type\":\"string\",\"enum\":[\"l2\",\"l1\"],\"default\":\"l2\"},"
     "\"bins\":{\"type\":\"integer\",\"default\":9,\"minimum\":1,\"maximum\":64},"
     "\"ngrams\":{\"type\":\"array\",\"items\":{\"type\":\"integer\",\"minimum\":1}},"
     "\"verbose\":{\"type\":\"boolean\",\"default\":false}}}"},
    {"analyse", "{\"name\":\"analyse\",\"kind\":\"error-analysis\",\"params\":{\"suspects\":{"
                "\"type\":\"integer\",\"default\":100}}}"},
    {"labelling", "{\"name\":\"labelling\",\"kind\":[\"relabel\"],\"deterministic\":false,"
                  "\"params\":{\"budget\":{\"type\":\"integer\",\"minimum\":0},"
                  "\"labellers\":{\"type\":\"integer\",\"default\":2}},\"required\":[\"budget\"]}"},
    {"pool", "{\"name\":\"pool\",\"kind\":\"targeted-collection\",\"params\":{\"path\":{\"type\":"
             "\"string\",\"required\":true},\"budget\":{\"type\":\"integer\"}}}"},
    {"watch", "{\"name\":\"watch\",\"kind\":[\"drift\"],\"params\":{}}"},
    {"tool", "{\"name\":\"tool\",\"kind\":\"custom\",\"outputs\":[\"table\"],\"params\":{}}"},
};

static int test_describe(void *ctx, const char *root, const char *plugin, char **path,
                         json_t **describe, struct fw_err *err)
{
    (void)root;
    if (ctx)
        ++*(int *)ctx;
    for (size_t i = 0; i < sizeof test_plugins / sizeof *test_plugins; i++)
        if (strcmp(test_plugins[i][0], plugin) == 0) {
            struct fw_buf b = {0};
            fw_buf_printf(&b, "/plugins/%s", plugin);
            *path = fw_buf_steal(&b);
            *describe = json_loads(test_plugins[i][1], 0, NULL);
            return FW_OK;
        }
    fw_err_set(err, FW_ENOTFOUND, "no plugin is named '%s'", plugin);
    fw_err_hint(err, "did you mean 'linear'?");
    return FW_ENOTFOUND;
}

static inline struct fw_plan *test_load(const char *text, struct fw_problems *problems)
{
    struct fw_plan_options o = {.describe = test_describe};
    struct fw_plan *plan = NULL;
    fw_plan_load_text("flywheel.yaml", text, strlen(text), &o, &plan, problems);
    return plan;
}

#endif
