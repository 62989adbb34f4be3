/* Any bytes as flywheel.yaml: read, check, and, when they make a plan, expand every phase. */
#include <stdint.h>
#include <string.h>

#include "pipeline/graph/graph.h"

static int describe(void *ctx, const char *root, const char *plugin, char **path, json_t **out,
                    struct fw_err *err)
{
    (void)ctx;
    (void)root;
    if (strcmp(plugin, "none") == 0)
        return fw_err_set(err, FW_ENOTFOUND, "no plugin is named 'none'");
    *out = json_loads("{\"kind\":[\"train\",\"evaluate\",\"error-analysis\",\"relabel\"],"
                      "\"params\":{\"C\":{\"type\":\"number\",\"default\":1},"
                      "\"n\":{\"type\":\"array\",\"items\":{\"type\":\"integer\"}}}}",
                      0, NULL);
    struct fw_buf b = {0};
    fw_buf_puts(&b, "/p");
    *path = fw_buf_steal(&b);
    return FW_OK;
}

static void expand(const struct fw_plan *plan)
{
    static const enum fw_phase phases[] = {FW_PHASE_SANITY, FW_PHASE_MEASURE, FW_PHASE_IMPROVE,
                                           FW_PHASE_TEST};
    for (size_t i = 0; i < sizeof phases / sizeof *phases; i++) {
        struct fw_graph *graph = NULL;
        struct fw_err err = {0};
        if (fw_graph_expand(plan, phases[i], &graph, &err) == FW_OK)
            fw_graph_free(graph);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* A first line that begins with "#set " is an override for the rest. */
    const char *text = (const char *)data;
    const char *line_end =
        size > 5 && memcmp(text, "#set ", 5) == 0 ? memchr(text, '\n', size) : NULL;
    struct fw_buf set = {0}, said = {0};
    struct fw_problems problems = {0};
    struct fw_plan *plan = NULL;
    struct fw_plan_options options = {.describe = describe};
    if (line_end && !memchr(text, '\0', (size_t)(line_end - text))) {
        fw_buf_add(&set, text + 5, (size_t)(line_end - text) - 5);
        options.n_sets = 1;
        options.sets = (const char *const *)&set.p;
    }
    if (options.n_sets && !set.p)
        options.n_sets = 0;
    if (fw_plan_load_text("flywheel.yaml", text, size, &options, &plan, &problems) == FW_OK) {
        if (fw_graph_check(plan, &problems) == FW_OK)
            expand(plan);
        fw_plan_free(plan);
    }
    fw_problems_format(&problems, true, &said);
    fw_problems_release(&problems);
    fw_buf_release(&said);
    fw_buf_release(&set);
    return 0;
}
