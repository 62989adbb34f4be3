#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "pipeline/base/csv.h"
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
           ends_with(name, ".bmp") || ends_with(name, ".pgm") || ends_with(name, ".ppm");
}

/* What the columns of a list of samples say it holds. */
struct columns {
    size_t n;
    bool label, file_name, text;
};

static void add_column(struct columns *c, const char *name)
{
    c->n++;
    c->label = c->label || !strcmp(name, "label");
    c->file_name = c->file_name || !strcmp(name, "file_name");
    c->text = c->text || !strcmp(name, "text");
}

static int header(void *ctx, const struct fw_csv_field *fields, size_t n, int line,
                  struct fw_err *err)
{
    (void)line;
    (void)err;
    for (size_t i = 0; i < n; i++)
        add_column(ctx, fields[i].p);
    return 1; /* one row is enough */
}

/* The header of a table; the first row of JSON lines. */
static int read_columns(const char *path, const char *head, size_t len, struct columns *c,
                        struct fw_err *err)
{
    if (!ends_with(path, ".jsonl") && !ends_with(path, ".ndjson")) {
        int rc =
            fw_csv_each_mem(path, head, len, ends_with(path, ".tsv") ? '\t' : ',', header, c, err);
        return rc > 0 ? FW_OK : rc;
    }
    if (len >= 3 && !memcmp(head, "\xef\xbb\xbf", 3)) {
        head += 3;
        len -= 3;
    }
    json_error_t why;
    json_t *row = json_loadb(head, len, JSON_DISABLE_EOF_CHECK, &why), *value;
    const char *key;
    if (!json_is_object(row)) {
        fw_err_set(err, FW_EINVAL, "the first row is not a JSON object%s%s", row ? "" : ": ",
                   row ? "" : why.text);
        json_decref(row);
        return fw_err_at(err, path, 1, 0);
    }
    json_object_foreach (row, key, value)
        add_column(c, key);
    json_decref(row);
    return FW_OK;
}

/* Which template a list of samples is for. Only its beginning is read: FW_EINVAL, with what is
 * wrong, when that cannot be one. */
static int look_at_list(const char *path, const char **kind, struct fw_err *err)
{
    enum { HEAD = 16 << 20 };
    struct columns c = {0};
    if (!ends_with(path, ".csv") && !ends_with(path, ".tsv") && !ends_with(path, ".jsonl") &&
        !ends_with(path, ".ndjson")) {
        fw_err_set(err, FW_EINVAL, "'%s' is neither a .csv, .tsv nor .jsonl file", path);
        return fw_err_hint(err, "the data is a folder per class, or a list of samples in one of "
                                "these forms");
    }
    char *head = malloc(HEAD);
    FILE *f = fopen(path, "re");
    int rc = FW_OK, e = errno;
    size_t len = f && head ? fread(head, 1, HEAD, f) : 0;
    if (!head)
        rc = fw_err_nomem(err);
    else if (!f || ferror(f))
        rc = fw_err_sys(err, f ? errno : e, "cannot read %s", path);
    if (rc == FW_OK)
        rc = read_columns(path, head, len, &c, err);
    if (rc == FW_OK && !(c.n > 1 && c.label)) {
        fw_err_set(err, FW_EINVAL,
                   c.n > 1 ? "there is no column `label`"
                           : "this is not a list of samples with their labels");
        fw_err_at(err, path, 1, 0);
        rc = fw_err_hint(err, "a list has the class of each sample in `label`, and what the sample "
                              "is in `file_name`, `text` or columns of numbers");
    }
    *kind = c.file_name ? "images" : c.text ? "text" : "table";
    if (f)
        fclose(f);
    free(head);
    return rc;
}

/* Looks for images or texts in folders, `depth` levels below path. */
static const char *look_at_folder(const char *path, int depth)
{
    const char *found = NULL;
    DIR *d = opendir(path);
    for (struct dirent *ent; d && !found && (ent = readdir(d));) {
        char *below = ent->d_name[0] == '.' ? NULL : fw_fs_join(path, ent->d_name);
        if (below && is_image(ent->d_name))
            found = "images";
        else if (below && ends_with(ent->d_name, ".txt"))
            found = "text";
        else if (below && depth > 0 && fw_fs_is_dir(below))
            found = look_at_folder(below, depth - 1);
        free(below);
    }
    if (d)
        closedir(d);
    return found;
}

/* images, text or table; NULL when nothing is recognised. */
static int guess(const char *path, const char **kind, struct fw_err *err)
{
    static const char *const lists[] = {"samples.jsonl", "metadata.jsonl", "samples.csv",
                                        "metadata.csv"};
    if (!fw_fs_is_dir(path))
        return look_at_list(path, kind, err);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        char *file = fw_fs_join(path, lists[i]);
        if (!file)
            return fw_err_nomem(err);
        bool there = fw_fs_exists(file);
        int rc = there ? look_at_list(file, kind, err) : FW_OK;
        free(file);
        if (there)
            return rc;
    }
    *kind = look_at_folder(path, 2);
    return FW_OK;
}

/* Letters, digits, '-' and '_', the first a letter or digit: what a branch name may hold. */
static void make_name(const char *from, char *out, size_t size)
{
    size_t n = 0;
    for (; *from && n + 1 < size; from++) {
        bool good =
            strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", *from);
        if (n || (good && !strchr("-_", *from)))
            out[n++] = good ? *from : '-';
    }
    out[n] = '\0';
    if (!n)
        snprintf(out, size, "dataset");
}

/* A text in double quotes, so that no path or name means anything else to YAML. */
static void put_quoted(struct fw_buf *b, const char *s)
{
    fw_buf_putc(b, '"');
    for (const unsigned char *p = (const unsigned char *)s; *p; p++) {
        if (*p == '"' || *p == '\\')
            fw_buf_putc(b, '\\');
        if (*p < ' ' || *p == 0x7f)
            fw_buf_printf(b, "\\x%02x", *p);
        else if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0) /* control characters too */
            fw_buf_printf(b, "\\x%02x", *++p);
        else
            fw_buf_putc(b, (char)*p);
    }
    fw_buf_putc(b, '"');
}

static void write_yaml(struct fw_buf *b, const char *name, const char *data, const char *kind)
{
    fw_buf_puts(b, "flywheel: 1\nname: ");
    put_quoted(b, name);
    fw_buf_puts(b, "\n\ndataset:\n  import: ");
    put_quoted(b, data);
    fw_buf_printf(
        b,
        "             # read once, by the first run; later runs go on from the "
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
        "macro_f1",
        !strcmp(kind, "images") ? "image"
        : !strcmp(kind, "text") ? "text"
                                : "features");
}

static bool is_text(const char *s)
{
    json_t *v = json_string(s); /* NULL for what is not UTF-8 */
    json_decref(v);
    return v != NULL;
}

static bool known(const char *kind)
{
    return kind && (!strcmp(kind, "images") || !strcmp(kind, "text") || !strcmp(kind, "table"));
}

int cmd_init(int argc, char **argv)
{
    const char *kind = NULL, *name = NULL;
    char cwd[4096], made_name[65];
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
    const char *looks = NULL;
    if (!is_text(data)) {
        fputs("error: the path of the data is not UTF-8, so flywheel.yaml cannot hold it\n",
              stderr);
        return FW_EXIT_USAGE;
    }
    if (guess(data, &looks, &err) != FW_OK)
        return cmd_fail(&err);
    if (!kind && !(kind = looks)) {
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
