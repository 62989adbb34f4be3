/*
 * Reading a mapping by a table of its keys: types, bounds and where the value goes. The same tables
 * make the JSON Schema, so the parser and the schema cannot drift apart.
 */
#ifndef FW_CONFIG_KEYS_H
#define FW_CONFIG_KEYS_H

#include "pipeline/config/tree.h"

enum fw_key_type {
    FW_KEY_TEXT,     /* const char * */
    FW_KEY_INTEGER,  /* int, min..max */
    FW_KEY_SEED,     /* uint64_t */
    FW_KEY_NUMBER,   /* double, min..max */
    FW_KEY_SHARE,    /* double, min..max; a percentage is allowed */
    FW_KEY_BOOL,     /* bool */
    FW_KEY_DURATION, /* int64_t, milliseconds */
    FW_KEY_SIZE,     /* uint64_t, bytes */
    FW_KEY_CHOICE,   /* an enum: the index of the word in `words` */
    FW_KEY_TEXTS,    /* a list of texts: const char *const * and its count */
    FW_KEY_NUMBERS,  /* name → number: const struct fw_name_value * and its count */
    FW_KEY_FILES,    /* name → text: const struct fw_name_text * and its count */
    FW_KEY_MAPS,     /* a list of mappings, each with these keys; read() does it */
    FW_KEY_MAP,      /* a mapping of its own keys; offset is added to base */
    FW_KEY_OTHER     /* read() does it; `schema` is its JSON Schema */
};

struct fw_key;
/* where: the mapping's name in messages, "loop" or "stage 'train'". */
typedef void fw_key_fn(struct fw_load *l, const struct fw_tree *v, const char *where, void *base);

struct fw_key {
    const char *name;
    const char *doc;
    enum fw_key_type type;
    size_t offset, count; /* of the value and, for lists, of its number, below base */
    double min, max;
    const char *const *words;
    const struct fw_key *keys;
    fw_key_fn *read;
    const char *schema;
};

/* Reads each pair of the mapping v by its key; unknown keys and wrong values become problems. */
void fw_keys_read(struct fw_load *l, const struct fw_tree *v, const struct fw_key *keys,
                  const char *where, void *base);

/* Single values. False, with a problem added, when v is something else. `what` is the key. */
bool fw_read_text(struct fw_load *l, const struct fw_tree *v, const char *what, const char **out);
bool fw_read_share(struct fw_load *l, const struct fw_tree *v, const char *what, double min,
                   double max, double *out);
bool fw_read_number(struct fw_load *l, const struct fw_tree *v, const char *what, double min,
                    double max, double *out);
bool fw_read_size(struct fw_load *l, const struct fw_tree *v, const char *what, uint64_t *out);
bool fw_read_seed(struct fw_load *l, const struct fw_tree *v, const char *what, uint64_t *out);
/* Lists and mappings; shares allow "5%". */
bool fw_read_texts(struct fw_load *l, const struct fw_tree *v, const char *what, size_t *n,
                   const char *const **out);
bool fw_read_numbers(struct fw_load *l, const struct fw_tree *v, const char *what, size_t *n,
                     const struct fw_name_value **out);
bool fw_read_named_texts(struct fw_load *l, const struct fw_tree *v, const char *what, size_t *n,
                         const struct fw_name_text **out);
/* "expected X, got Y" at v. */
struct fw_err *fw_expected(struct fw_load *l, const struct fw_tree *v, const char *what,
                           const char *expected);
/* Adds "did you mean 'X'?" when a name is near. e may be NULL. */
void fw_did_you_mean(struct fw_err *e, const char *word, const char *const *names, size_t n);
/* n × size zeroed bytes of the plan's arena; NULL (and l->nomem) when memory is out. */
void *fw_load_array(struct fw_load *l, size_t n, size_t size);

/* The tables, and their readers. */
extern const struct fw_key fw_plan_keys[];
extern const struct fw_key fw_stage_keys[];
void fw_read_stages(struct fw_load *l, const struct fw_tree *v, const char *where, void *base);
/* Named resources beside cpus and memory (and nice, for a stage). */
void fw_read_stage_resources(struct fw_load *l, const struct fw_tree *v, const char *where,
                             void *base);
void fw_read_limits(struct fw_load *l, const struct fw_tree *v, const char *where, void *base);

/* A name that can stand in "stage.output" and in a folder name. */
bool fw_name_is_plain(const char *name);

/* stage_check.c: kinds, plugins and their parameters. */
void fw_stages_check(struct fw_load *l);
/* A slice condition (or field): its mistakes become problems at the place in the text. */
void fw_check_condition(struct fw_load *l, const struct fw_tree *v, const char *what);

/* audit_keys.c */
extern const struct fw_key fw_audit_keys[];
void fw_read_audit(struct fw_load *l, const struct fw_tree *v, const char *where, void *base);

/* plan_check.c: what needs more than one value to judge. */
void fw_plan_check(struct fw_load *l);

#endif
