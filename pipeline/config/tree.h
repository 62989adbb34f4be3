/*
 * YAML text as a tree with positions, read through libyaml's event interface.
 *
 * What is refused here: syntax errors, bytes that are not UTF-8, nesting over 64, more than 1 MiB,
 * aliases that blow the tree up, several documents, tags, merge keys, keys that are not text,
 * duplicate keys, undefined environment variables. `${VAR}` and `${VAR:-default}` are replaced in
 * scalar values, `$$` becomes `$`.
 *
 * Nodes live in an arena and are shared where the YAML uses aliases: never changed after the tree
 * is built (fw_tree_set copies the path that it changes).
 */
#ifndef FW_CONFIG_TREE_H
#define FW_CONFIG_TREE_H

#include <jansson.h>

#include "pipeline/config/plan.h"

enum { FW_TREE_DEPTH = 64, FW_TREE_BYTES = 1 << 20, FW_TREE_ALIASED = 10000 };

enum fw_tree_type { FW_TREE_SCALAR, FW_TREE_LIST, FW_TREE_MAP };

struct fw_tree_pair {
    const char *key;
    struct fw_pos pos; /* of the key */
    struct fw_tree *value;
};

struct fw_tree {
    enum fw_tree_type type;
    struct fw_pos pos;
    const char *text; /* scalar: after substitution */
    const char *raw;  /* scalar: as written, for messages (an environment may hold secrets) */
    bool plain;       /* scalar: not quoted */
    size_t n;         /* list and map */
    struct fw_tree **items;
    struct fw_tree_pair *pairs;
    const struct fw_tree_pair **sorted; /* map: by key, for look-ups; NULL in an overridden one */
    size_t size; /* nodes below and including this one, aliases counted each time */
    int height;  /* levels of lists and maps; 0 for a scalar */
};

/* Everything a load needs; sources grows with each --set. */
struct fw_load {
    struct fw_plan *plan;
    struct fw_arena *arena; /* the plan's */
    struct fw_problems *problems;
    const struct fw_plan_options *options;
    struct fw_source *sources;
    size_t n_sources;
    const struct fw_tree *root;
    bool nomem;
};

/* Parses source `index` from byte `start` on. NULL when there is no usable tree (problems say why,
 * or l->nomem). An empty document is a NULL with a problem. */
struct fw_tree *fw_tree_parse(struct fw_load *l, int index, size_t start);
/* Registers a text as a source; its index, or -1 when memory is out. Copies nothing. */
int fw_source_add(struct fw_load *l, const char *file, const char *text, size_t len);
/* Applies "a.b.c=value" to *root. A null or empty value takes the key away. */
void fw_tree_set(struct fw_load *l, struct fw_tree **root, const char *set);

const struct fw_tree_pair *fw_tree_pair(const struct fw_tree *map, const char *key); /* or NULL */
const struct fw_tree *fw_tree_get(const struct fw_tree *map, const char *key);       /* or NULL */
bool fw_tree_is_null(const struct fw_tree *v); /* plain empty, ~ or null */
/* The YAML 1.2 core types of plain scalars: null, booleans, decimal numbers; else text. New
 * reference, NULL when memory is out. */
json_t *fw_tree_json(const struct fw_tree *v);

/* Replaces `${VAR}` and friends in a scalar's text. NULL when memory is out or a problem was added.
 * The node's raw and pos must be set. */
const char *fw_env_expand(struct fw_load *l, const struct fw_tree *v);

/* problems.c */
struct fw_err *fw_problem(struct fw_load *l, const struct fw_pos *pos, const char *fmt, ...)
    FW_PRINTF(3, 4);
/* Text that came from a user, safe and short enough for one line of a message. */
struct fw_shown {
    char s[84];
};
const char *fw_show_into(struct fw_shown *to, const char *text);
#define FW_SHOW(text) fw_show_into(&(struct fw_shown){{0}}, (text))

#endif
