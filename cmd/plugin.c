/* flywheel plugin list|describe|new|test */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "pipeline/base/fs.h"
#include "pipeline/config/units.h"
#include "pipeline/exec/conform.h"
#include "pipeline/exec/describe.h"
#include "pipeline/plugin/plugin.h"
#include "pipeline/plugin/scaffold.h"

static const char help[] =
    "usage: flywheel plugin list [--json]\n"
    "       flywheel plugin describe NAME|PATH [--json]\n"
    "       flywheel plugin new NAME --kind KIND --lang sh|python|c [--dir DIR]\n"
    "       flywheel plugin test NAME|PATH [--with PARAM=VALUE]... [--model PATH]\n"
    "                       [--timeout DURATION] [--keep] [--json]\n"
    "\n"
    "A plugin is any executable that carries out a stage. They are looked for in ./plugins,\n"
    "in each folder of $FLYWHEEL_PLUGIN_PATH, and among those that come with flywheel.\n"
    "\n"
    "  list      every plugin that is found, and what it does\n"
    "  describe  what a plugin says of itself: kinds, inputs, outputs, parameters\n"
    "  new       write a small plugin that works, to start from, in DIR/NAME (DIR: plugins);\n"
    "            nothing is ever overwritten\n"
    "  test      run a plugin on a tiny made-up dataset and check that it keeps to the protocol;\n"
    "            exit 0 when it does, 1 when it does not. Its project folder has pool/ and\n"
    "            truth.jsonl, e.g. for --with path=pool\n"
    "\n"
    "  --kind KIND            train, evaluate, error-analysis, targeted-collection, augment,\n"
    "                         relabel, drift or custom\n"
    "  --lang LANG            sh, python or c\n"
    "  --dir DIR              where `new` writes; default plugins\n"
    "  --with PARAM=VALUE     test: a parameter, for those without a default\n"
    "  --model PATH           test: a model for a plugin that evaluates but does not train\n"
    "  --timeout DURATION     test: the longest one run may take; default 60s\n"
    "  --keep                 test: leave the folder with requests, outputs and logs\n"
    "  --json                 answer as JSON\n";

struct options {
    const char *kind, *lang, *dir, *model;
    bool json, keep;
    int64_t timeout_ms;
    json_t *params;
    const char *subject; /* NAME or PATH */
};

typedef int subcommand_fn(const struct options *o, const char *root);

static int usage(const char *message, const char *what)
{
    struct fw_err err = {0};
    fw_err_set(&err, FW_EINVAL, "plugin: %s%s%s%s", message, what ? " '" : "", what ? what : "",
               what ? "'" : "");
    fw_err_hint(&err, "see `flywheel plugin --help`");
    return cmd_fail(&err);
}

/* PARAM=VALUE: the value as JSON when it is some, else as text. */
static int take_params(struct options *o, const struct cmd_list *with)
{
    for (size_t i = 0; i < with->n; i++) {
        const char *equals = strchr(with->v[i], '=');
        char *name = equals && equals > with->v[i]
                         ? strndup(with->v[i], (size_t)(equals - with->v[i]))
                         : NULL;
        json_t *value = name ? json_loads(equals + 1, JSON_DECODE_ANY, NULL) : NULL;
        if (name && !value)
            value = json_string(equals + 1);
        int failed = !name || json_object_set_new(o->params, name, value) != 0;
        free(name);
        if (failed)
            return usage("--with wants PARAM=VALUE, not", with->v[i]);
    }
    return 0;
}

/* "train, evaluate"; "train" when there is one. */
static void list_names(const json_t *names, struct fw_buf *out)
{
    size_t i;
    json_t *name;
    if (json_is_string(names))
        fw_buf_puts(out, json_string_value(names));
    json_array_foreach (names, i, name)
        fw_buf_printf(out, "%s%s", i ? ", " : "", json_string_value(name));
}

static void describe_each(json_t *plugins, const char *root)
{
    json_t *plugin, *describe;
    size_t i;
    json_array_foreach (plugins, i, plugin) {
        struct fw_err err = {0};
        char *path = NULL;
        if (fw_describe_run(root, json_string_value(json_object_get(plugin, "path")), &path,
                            &describe, &err) == FW_OK)
            json_object_set_new(plugin, "describe", describe);
        else
            json_object_set_new(plugin, "error", json_string(err.msg));
        free(path);
    }
}

static const char *text_of(const json_t *object, const char *key, const char *otherwise)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : otherwise;
}

static int cmd_list(const struct options *o, const char *root)
{
    json_t *plugins = fw_plugin_list(root), *plugin;
    struct cmd_table table = {0};
    size_t i;
    if (!plugins) {
        struct fw_err err = {0};
        fw_err_nomem(&err);
        return cmd_fail(&err);
    }
    describe_each(plugins, root);
    if (o->json)
        return cmd_print_json(plugins);
    cmd_table_row(&table, 4, "NAME", "VERSION", "KIND", "DESCRIPTION");
    json_array_foreach (plugins, i, plugin) {
        const json_t *d = json_object_get(plugin, "describe");
        struct fw_buf kinds = {0};
        list_names(json_object_get(d, "kind"), &kinds);
        cmd_table_row(&table, 4, text_of(plugin, "name", ""), text_of(d, "version", "-"),
                      kinds.p ? kinds.p : "-",
                      d ? text_of(d, "description", "") : text_of(plugin, "error", ""));
        fw_buf_release(&kinds);
    }
    cmd_table_print(&table, "");
    json_decref(plugins);
    return FW_EXIT_OK;
}

static void print_param(const char *name, const json_t *schema, bool required)
{
    const json_t *type = json_object_get(schema, "type"), *value;
    const char *about = json_string_value(json_object_get(schema, "description"));
    struct fw_buf kind = {0};
    list_names(type, &kind);
    printf("  %s: %s", name, kind.p ? kind.p : "any");
    fw_buf_release(&kind);
    static const char *const keys[] = {"default", "minimum", "maximum", "enum"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        value = json_object_get(schema, keys[i]);
        char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(12)) : NULL;
        if (text)
            printf(", %s %s", strcmp(keys[i], "enum") == 0 ? "one of" : keys[i], text);
        free(text);
    }
    printf("%s\n", required ? ", required" : "");
    if (about)
        printf("      %s\n", about);
}

static bool is_required(const json_t *describe, const char *name, const json_t *schema)
{
    size_t i;
    json_t *v;
    json_array_foreach (json_object_get(describe, "required"), i, v)
        if (json_is_string(v) && strcmp(json_string_value(v), name) == 0)
            return true;
    return json_is_true(json_object_get(schema, "required"));
}

static void print_describe(const char *path, const json_t *describe)
{
    static const char *const lists[] = {"kind", "inputs", "outputs", "code"};
    const char *about = text_of(describe, "description", NULL), *name;
    json_t *schema;
    printf("%s %s\n", text_of(describe, "name", ""), text_of(describe, "version", ""));
    if (about)
        printf("  %s\n", about);
    printf("path: %s\n", path);
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        struct fw_buf names = {0};
        list_names(json_object_get(describe, lists[i]), &names);
        if (names.len)
            printf("%s: %s\n", lists[i], names.p);
        fw_buf_release(&names);
    }
    printf("deterministic: %s\nnetwork: %s\nparameters:\n",
           json_is_false(json_object_get(describe, "deterministic")) ? "no" : "yes",
           json_is_true(json_object_get(describe, "network")) ? "yes" : "no");
    json_object_foreach (json_object_get(describe, "params"), name, schema)
        print_param(name, schema, is_required(describe, name, schema));
}

static int cmd_describe(const struct options *o, const char *root)
{
    struct fw_err err = {0};
    char *path = NULL;
    json_t *describe = NULL;
    if (fw_describe_run(root, o->subject, &path, &describe, &err) != FW_OK)
        return cmd_fail(&err);
    int rc = FW_EXIT_OK;
    if (o->json) {
        rc = cmd_print_json(describe);
    } else {
        print_describe(path, describe);
        json_decref(describe);
    }
    free(path);
    return rc;
}

static int cmd_new(const struct options *o, const char *root)
{
    (void)root;
    struct fw_err err = {0};
    enum fw_kind kind;
    enum fw_lang lang;
    const char *dir = o->dir ? o->dir : "plugins", *name = o->subject;
    if (!o->kind || !o->lang)
        return usage(o->kind ? "new needs --lang" : "new needs --kind", NULL);
    if (fw_kind_parse(o->kind, &kind) != FW_OK)
        return usage("unknown kind", o->kind);
    if (fw_lang_parse(o->lang, &lang) != FW_OK)
        return usage("unknown language", o->lang);
    if (fw_scaffold_write(dir, name, kind, lang, &err) != FW_OK)
        return cmd_fail(&err);
    printf("%s/%s/%s%s\n", dir, name, name, lang == FW_LANG_C ? ".c" : "");
    if (lang == FW_LANG_C)
        fprintf(stderr, "build it:  make -C %s/%s\n", dir, name);
    fprintf(stderr, "try it:    flywheel plugin test %s/%s/%s\n", dir, name, name);
    if (strcmp(dir, "plugins") == 0)
        fprintf(stderr, "use it:    in flywheel.yaml, plugin: %s\n", name);
    else
        fprintf(stderr, "use it:    in flywheel.yaml, plugin: %s/%s/%s\n", dir, name, name);
    return FW_EXIT_OK;
}

static void print_indented(const char *text)
{
    while (*text) {
        size_t n = strcspn(text, "\n");
        printf("#   | %.*s\n", (int)n, text);
        text += n + (text[n] == '\n');
    }
}

/* The Test Anything Protocol, which build servers read. */
static void print_checks(const struct fw_conform *c)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct fw_check *k = &c->checks[i];
        bool failed = k->verdict == FW_VERDICT_FAILED;
        printf("%s %zu - %s", failed ? "not ok" : "ok", i + 1, k->name);
        if (k->verdict == FW_VERDICT_SKIPPED)
            printf(" # SKIP %s", k->reason);
        else if (!failed && k->reason[0])
            printf(" (%s)", k->reason);
        printf("\n");
        if (failed) {
            printf("#   %s\n", k->reason);
            print_indented(k->detail);
        }
    }
    printf("1..%zu\n", c->n);
}

static int print_checks_json(const char *path, const struct fw_conform *c, bool keep)
{
    static const char *const verdicts[] = {"ok", "failed", "skipped"};
    json_t *checks = json_array();
    for (size_t i = 0; i < c->n; i++) {
        const struct fw_check *k = &c->checks[i];
        json_array_append_new(checks, json_pack("{s:s,s:s,s:s,s:s}", "check", k->name, "verdict",
                                                verdicts[k->verdict], "reason", k->reason, "detail",
                                                k->detail));
    }
    json_t *all =
        json_pack("{s:s,s:b,s:o,s:O?,s:s?}", "plugin", path, "ok", c->failed == 0, "checks", checks,
                  "describe", c->describe, "folder", keep ? c->folder : NULL);
    return cmd_print_json(all);
}

static int cmd_test(const struct options *o, const char *root)
{
    struct fw_err err = {0};
    struct fw_conform found = {0};
    char *path = NULL, *model = o->model ? realpath(o->model, NULL) : NULL;
    if (o->model && !model)
        return usage("there is no model at", o->model);
    int rc = FW_EXIT_OK;
    if (fw_plugin_find(root, o->subject, &path, &err) != FW_OK) {
        rc = cmd_fail(&err);
        goto out;
    }
    struct fw_conform_options options = {.path = path,
                                         .params = o->params,
                                         .model = model,
                                         .timeout_ms = o->timeout_ms,
                                         .keep = o->keep};
    if (fw_conform(&options, &found, &err) != FW_OK) {
        rc = cmd_fail(&err);
        goto out;
    }
    if (o->json)
        rc = print_checks_json(path, &found, o->keep);
    else
        print_checks(&found);
    if (!o->json && found.failed)
        fprintf(stderr, "%zu of %zu checks failed\n", found.failed, found.n);
    if (!o->json && o->keep && found.folder)
        fprintf(stderr, "everything stands in %s\n", found.folder);
    if (found.failed)
        rc = FW_EXIT_FAILED;
out:
    fw_conform_release(&found);
    free(path);
    free(model);
    return rc;
}

static int run_subcommand(const char *what, struct options *o, const char *root)
{
    static const struct {
        const char *name;
        subcommand_fn *fn;
        bool needs_subject;
    } all[] = {{"list", cmd_list, false},
               {"describe", cmd_describe, true},
               {"new", cmd_new, true},
               {"test", cmd_test, true}};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (strcmp(what, all[i].name) != 0)
            continue;
        if (all[i].needs_subject != (o->subject != NULL))
            return o->subject ? usage("unexpected", o->subject)
                              : usage("the plugin's name is missing after", what);
        return all[i].fn(o, root);
    }
    return usage("there is no", what);
}

int cmd_plugin(int argc, char **argv)
{
    struct options o = {0};
    const char *timeout = NULL;
    struct cmd_list with = {0};
    int n = 0;
    const struct cmd_opt opts[] = {{"kind", 0, CMD_TEXT, &o.kind},
                                   {"lang", 0, CMD_TEXT, &o.lang},
                                   {"dir", 0, CMD_TEXT, &o.dir},
                                   {"with", 0, CMD_LIST, &with},
                                   {"model", 0, CMD_TEXT, &o.model},
                                   {"timeout", 0, CMD_TEXT, &timeout},
                                   {"keep", 0, CMD_FLAG, &o.keep},
                                   {"json", 0, CMD_FLAG, &o.json},
                                   {0}};
    int got = cmd_parse(argc, argv, opts, help, 2, &n);
    if (got)
        return got > 0 ? FW_EXIT_OK : FW_EXIT_USAGE;
    if (n == 0)
        return usage("say list, describe, new or test", NULL);
    if (timeout && (!fw_duration_parse(timeout, &o.timeout_ms) || o.timeout_ms <= 0))
        return usage("--timeout wants a duration such as 90s, not", timeout);
    o.subject = n > 1 ? argv[2] : NULL;
    o.params = json_object();
    char *root = realpath(".", NULL);
    int rc = take_params(&o, &with);
    if (rc == FW_EXIT_OK)
        rc = run_subcommand(argv[1], &o, root ? root : ".");
    json_decref(o.params);
    free(root);
    return rc;
}
