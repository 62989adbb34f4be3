#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "pipeline/base/fs.h"
#include "pipeline/snap/snap.h"

static const char help[] =
    "usage: flywheel init [DATA] [--template images|text|table] [--name NAME]\n\n"
    "Writes a flywheel.yaml in this folder for the data in DATA, and makes the folder a git "
    "repository\n"
    "when it is not in one. DATA is a folder per class, or a folder with samples.jsonl, "
    "metadata.jsonl or\n"
    "metadata.csv, or a .jsonl or .csv file (default: data/). It is only looked at, not "
    "changed.\n\n"
    "      --template T  images, text or table (default: what DATA looks like)\n"
    "      --name NAME   of the dataset and its branch flywheel/NAME (default: this folder's "
    "name)\n\n"
    "The pipeline it writes trains the built-in linear model, analyses its errors, and writes "
    "suspect\n"
    "labels to inbox/ for you to check; `flywheel run` then parks until you have answered.\n";

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n > m && !strcasecmp(name + n - m, end);
}

static bool is_image(const char *name)
{
    return ends_with(name, ".jpg") || ends_with(name, ".jpeg") || ends_with(name, ".png") ||
           ends_with(name, ".bmp") || ends_with(name, ".pgm");
}

/* The first lines tell what a file of rows holds. */
static const char *guess_rows(const char *path)
{
    char line[65536];
    FILE *f = fopen(path, "r");
    const char *kind = "table";
    if (!f)
        return NULL;
    if (fgets(line, sizeof line, f)) {
        if (strstr(line, "file_name"))
            kind = "images";
        else if (strstr(line, "text"))
            kind = "text";
    }
    fclose(f);
    return kind;
}

/* images, text or table; NULL when nothing is recognised. depth: folders below that are looked into. */
static const char *guess(const char *path, int depth)
{
    static const char *const rows[] = {"samples.jsonl", "metadata.jsonl", "metadata.csv",
                                       "samples.csv"};
    const char *found = NULL;
    if (!fw_fs_is_dir(path))
        return is_image(path)                     ? "images"
               : fw_fs_exists(path) && depth == 2 ? guess_rows(path)
                                                  : NULL;
    for (size_t i = 0; i < sizeof rows / sizeof *rows && !found; i++) {
        char *file = fw_fs_join(path, rows[i]);
        if (file && fw_fs_exists(file))
            found = guess_rows(file);
        free(file);
    }
    DIR *d = depth > 0 && !found ? opendir(path) : NULL;
    for (struct dirent *ent; d && !found && (ent = readdir(d));) {
        char *below = ent->d_name[0] == '.' ? NULL : fw_fs_join(path, ent->d_name);
        if (below && is_image(ent->d_name))
            found = "images";
        else if (below && ends_with(ent->d_name, ".txt"))
            found = "text";
        else if (below && fw_fs_is_dir(below))
            found = guess(below, depth - 1);
        free(below);
    }
    if (d)
        closedir(d);
    return found;
}

/* Letters, digits, '-' and '_': what a branch name may hold. */
static void make_name(const char *from, char *out, size_t size)
{
    size_t n = 0;
    for (; *from && n + 1 < size; from++) {
        bool good =
            strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", *from);
        out[n++] = good ? *from : '-';
    }
    out[n] = '\0';
    if (!n)
        snprintf(out, size, "dataset");
}

static void write_yaml(struct fw_buf *b, const char *name, const char *data, const char *kind)
{
    fw_buf_printf(
        b,
        "flywheel: 1\n"
        "name: %s\n\n"
        "dataset:\n"
        "  import: %s             # read once, by the first run; later runs go on from the "
        "snapshots\n"
        "  task: classification\n"
        "  # classes: [a, b]      # found in the data when left out\n"
        "  # slices: [line, \"width < 900\"]   # metadata fields and conditions to watch\n"
        "  eval: {dev: 0.2, test: 0.2}\n\n"
        "metric: {name: %s}       # or accuracy, balanced_accuracy, \"f1:CLASS\"; target: 0.95\n\n"
        "stages:\n"
        "  train:\n"
        "    kind: train\n"
        "    plugin: linear\n"
        "    with: {input: %s}\n"
        "    seeds: [1, 2, 3]\n"
        "    folds: 5             # out-of-fold predictions, to find wrong labels in train\n"
        "  evaluate: {kind: evaluate, plugin: linear, model: train}\n"
        "  analyse: {kind: error-analysis, plugin: analyse}\n"
        "  relabel:               # suspect labels go to inbox/ for you to check\n"
        "    kind: relabel\n"
        "    plugin: inbox\n"
        "    with: {samples: 50}\n"
        "  # collect:             # samples for the weak slices, from a folder you have\n"
        "  #   kind: targeted-collection\n"
        "  #   plugin: pool\n"
        "  #   with: {path: pool/, budget: 100}\n\n"
        "loop:\n"
        "  patience: 2\n"
        "  max_iterations: 10\n"
        "  gate: {rule: spend, confidence: 0.95}\n",
        name, data, "macro_f1",
        !strcmp(kind, "images") ? "image"
        : !strcmp(kind, "text") ? "text"
                                : "features");
}

static bool known(const char *kind)
{
    return kind && (!strcmp(kind, "images") || !strcmp(kind, "text") || !strcmp(kind, "table"));
}

int cmd_init(int argc, char **argv)
{
    const char *kind = NULL, *name = NULL;
    char cwd[4096], made_name[128];
    int n = 0;
    const struct cmd_opt opts[] = {
        {"template", 0, CMD_TEXT, &kind}, {"name", 0, CMD_TEXT, &name}, {0}};
    int got = cmd_parse(argc, argv, opts, help, 1, &n);
    if (got)
        return got > 0 ? FW_EXIT_OK : FW_EXIT_USAGE;
    struct fw_err err = {0};
    const char *data = n ? argv[1] : "data/";
    if (kind && !known(kind)) {
        fprintf(stderr, "flywheel init: there is no template '%s'; choose images, text or table\n",
                kind);
        return FW_EXIT_USAGE;
    }
    if (fw_fs_exists("flywheel.yaml")) {
        fputs("error: there is a flywheel.yaml here already; it is left as it is\n", stderr);
        return FW_EXIT_USAGE;
    }
    if (!fw_fs_exists(data)) {
        fprintf(stderr, "error: there is no data in '%s'\n  hint: flywheel init FOLDER\n", data);
        return FW_EXIT_USAGE;
    }
    if (!kind && !(kind = guess(data, 2))) {
        fprintf(
            stderr,
            "error: cannot tell what '%s' holds\n"
            "  hint: say it with --template images|text|table; the data is a folder per class, or "
            "has samples.jsonl or metadata.csv\n",
            data);
        return FW_EXIT_USAGE;
    }
    if (!getcwd(cwd, sizeof cwd))
        snprintf(cwd, sizeof cwd, "dataset");
    make_name(name ? name : fw_fs_base(cwd), made_name, sizeof made_name);
    struct fw_buf yaml = {0};
    bool made = false;
    write_yaml(&yaml, made_name, data, kind);
    int rc = yaml.failed ? fw_err_nomem(&err) : fw_repo_init(".", &made, &err);
    if (rc == FW_OK)
        rc = fw_fs_write_atomic("flywheel.yaml", yaml.p, yaml.len, &err);
    fw_buf_release(&yaml);
    if (rc != FW_OK)
        return cmd_fail(&err);
    printf("wrote flywheel.yaml for %s in %s%s\nnext: flywheel validate, then flywheel run\n", kind,
           data, made ? ", and made a git repository" : "");
    return FW_EXIT_OK;
}
