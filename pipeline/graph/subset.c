#include <stdlib.h>

#include "pipeline/graph/graph.h"

int fw_graph_only(const struct fw_graph *graph, enum fw_kind kind, struct fw_graph **out,
                  struct fw_err *err)
{
    bool *keep = calloc(graph->n + 1, sizeof *keep);
    int *at = calloc(graph->n + 1, sizeof *at);
    struct fw_graph *g = calloc(1, sizeof *g);
    struct fw_node *nodes = NULL;
    int rc = keep && at && g ? FW_OK : fw_err_nomem(err);
    /* Nodes stand in topological order, so one walk from the back finds all that lead to the kind.
     */
    for (size_t i = graph->n; rc == FW_OK && i-- > 0;) {
        const struct fw_node *n = &graph->nodes[i];
        keep[i] = keep[i] || (n->stage && n->stage->kind == kind);
        for (size_t j = 0; keep[i] && j < n->n_needs; j++)
            keep[n->needs[j]] = true;
    }
    if (rc == FW_OK && !(nodes = fw_arena_array(&g->arena, graph->n + 1, sizeof *nodes)))
        rc = fw_err_nomem(err);
    for (size_t i = 0; rc == FW_OK && i < graph->n; i++) {
        if (!keep[i])
            continue;
        struct fw_node *n = &nodes[g->n];
        *n = graph->nodes[i];
        at[i] = (int)g->n++;
        struct fw_input *in = fw_arena_array(&g->arena, n->n_in + 1, sizeof *in);
        int *needs = fw_arena_array(&g->arena, n->n_needs + 1, sizeof *needs);
        if (!in || !needs) {
            rc = fw_err_nomem(err);
            break;
        }
        for (size_t j = 0; j < n->n_in; j++) {
            in[j] = n->in[j];
            in[j].node = in[j].node >= 0 ? at[in[j].node] : -1;
        }
        for (size_t j = 0; j < n->n_needs; j++)
            needs[j] = at[n->needs[j]];
        n->in = in;
        n->needs = needs;
    }
    free(keep);
    free(at);
    if (rc != FW_OK) {
        fw_graph_free(g);
        return rc;
    }
    g->nodes = nodes;
    *out = g;
    return FW_OK;
}
