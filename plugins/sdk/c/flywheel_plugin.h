/*
 * Write a flywheel plugin in C or C++: one header, jansson the only dependency, POSIX.
 *
 * Define FLYWHEEL_PLUGIN_IMPLEMENTATION before including it in one source file. Build:
 *
 *     cc -O2 -o majority majority.c $(pkg-config --cflags --libs jansson)
 *
 * A complete plugin, which predicts the commonest class:
 *
 *     #define FLYWHEEL_PLUGIN_IMPLEMENTATION
 *     #include "flywheel_plugin.h"
 *
 *     static const char description[] =
 *         "{\"protocol\": 1, \"name\": \"majority\", \"version\": \"1\","
 *         " \"kind\": [\"train\", \"evaluate\"], \"inputs\": [\"model\", \"dataset\"],"
 *         " \"outputs\": [\"model\", \"predictions\"], \"params\": {}, \"deterministic\": true}";
 *
 *     static int train(const struct fwp_request *r)
 *     {
 *         json_t *counts = json_object(), *row;
 *         struct fwp_rows *rows = fwp_samples(r, "dataset");
 *         while ((row = fwp_next(rows))) {
 *             const char *label = json_string_value(json_object_get(row, "label"));
 *             json_int_t n = json_integer_value(json_object_get(counts, label));
 *             json_object_set_new(counts, label, json_integer(n + 1));
 *         }
 *         int rc = fwp_rows_close(rows);
 *         if (rc == FWP_OK)
 *             rc = fwp_write_json(fwp_out(r, "model"), counts);
 *         json_decref(counts);
 *         return rc;
 *     }
 *
 *     static int evaluate(const struct fwp_request *r)
 *     {
 *         json_t *counts = fwp_load(fwp_in(r, "model")), *n, *row;
 *         const char *label, *commonest = NULL;
 *         json_object_foreach (counts, label, n) {
 *             json_t *most = json_object_get(counts, commonest ? commonest : label);
 *             if (!commonest || json_integer_value(n) > json_integer_value(most))
 *                 commonest = label;
 *         }
 *         struct fwp_rows *rows = fwp_samples(r, "dataset");
 *         struct fwp_lines *out = fwp_lines_open(fwp_out(r, "predictions"), "predictions.jsonl");
 *         while ((row = fwp_next(rows)))
 *             fwp_prediction(out, r, json_string_value(json_object_get(row, "id")),
 *                            fwp_class(r, commonest), NULL);
 *         int rc = fwp_rows_close(rows), written = fwp_lines_close(out);
 *         json_decref(counts);
 *         return rc != FWP_OK ? rc : written;
 *     }
 *
 *     static int run(const struct fwp_request *r)
 *     {
 *         return strcmp(r->kind, "train") == 0 ? train(r) : evaluate(r);
 *     }
 *
 *     int main(int argc, char **argv) { return fwp_main(argc, argv, description, run); }
 *
 * A stage returns FWP_OK, FWP_WAITING (after fwp_waiting()) or fwp_fail("reason"). What is printed
 * goes to the stage's log. A helper that fails has said why on stderr already.
 */
#ifndef FLYWHEEL_PLUGIN_H
#define FLYWHEEL_PLUGIN_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { FWP_PROTOCOL = 1, FWP_OK = 0, FWP_FAILED = 1, FWP_WAITING = 75 };

/* What flywheel asks for. Everything belongs to json and is valid while run() runs. */
struct fwp_request {
    json_t *json;
    const char *run, *stage, *node, *kind, *task, *split, *project, *scratch; /* "" = not given */
    int iteration;
    uint64_t seed;
    json_t *params;  /* checked, with defaults filled in */
    json_t *classes; /* an array of names; empty for regression */
};

typedef int fwp_run_fn(const struct fwp_request *request);
/* The whole of main(): answers `describe` with the text, `run` by calling run(). */
int fwp_main(int argc, char **argv, const char *description, fwp_run_fn *run);

/* Paths of inputs and of outputs to create; NULL when the request has none of that name. */
const char *fwp_in(const struct fwp_request *r, const char *name);
const char *fwp_out(const struct fwp_request *r, const char *name);
double fwp_num(const struct fwp_request *r, const char *param);
const char *fwp_str(const struct fwp_request *r, const char *param); /* NULL when absent */
int fwp_bool(const struct fwp_request *r, const char *param);
/* The index of a class name, or -1. */
int fwp_class(const struct fwp_request *r, const char *name);

/* Prints "error: ..." to stderr, the stage's log, and returns FWP_FAILED. */
int fwp_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Events. They never fail a stage. */
void fwp_progress(double done, double total, const char *unit);
void fwp_metric(const char *name, double value, int step);
void fwp_message(const char *level, const char *text); /* "info", "warning", "error" */
int fwp_waiting(const char *reason, int count, int poll_after_seconds); /* returns FWP_WAITING */

/* JSON lines, read one object at a time. A failure is said on stderr, ends the rows and is
 * returned by fwp_rows_close(). */
struct fwp_rows;
struct fwp_rows *fwp_samples(const struct fwp_request *r, const char *input); /* a dataset */
struct fwp_rows *fwp_predictions(const struct fwp_request *r, const char *input);
struct fwp_rows *fwp_rows_open(const char *path);
json_t *fwp_next(struct fwp_rows *rows); /* borrowed until the next call; NULL at the end */
int fwp_rows_close(struct fwp_rows *rows);
json_t *fwp_load(const char *path); /* one JSON document, a new reference, or NULL */

/* JSON lines, written. fwp_lines_open() makes the folder dir and dir/name; NULL dir: name alone. */
struct fwp_lines;
struct fwp_lines *fwp_lines_open(const char *dir, const char *name);
int fwp_lines_add(struct fwp_lines *lines, json_t *object /* stolen */);
int fwp_lines_close(struct fwp_lines *lines); /* in every case; FWP_FAILED when any line failed */
int fwp_write_json(const char *path, const json_t *value);

/* One line of predictions.jsonl. probs: one number a class, in order, or NULL. */
int fwp_prediction(struct fwp_lines *lines, const struct fwp_request *r, const char *id, int klass,
                   const double *probs);
/* Copies a file into a patch: to dir/files/file_name. */
int fwp_patch_file(const char *dir, const char *from, const char *file_name);

#ifdef __cplusplus
}
#endif

#ifdef FLYWHEEL_PLUGIN_IMPLEMENTATION

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int fwp_fail(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fputs("error: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    return FWP_FAILED;
}

/* "a/b", malloc'd; a may be NULL. */
static char *fwp_join(const char *a, const char *b)
{
    size_t n = a ? strlen(a) : 0, m = strlen(b);
    char *path = (char *)malloc(n + m + 2);
    if (!path)
        return NULL;
    if (n) {
        memcpy(path, a, n);
        path[n++] = '/';
    }
    memcpy(path + n, b, m + 1);
    return path;
}

/* Makes the folders above path, and path itself when `whole`. */
static int fwp_mkdirs(const char *path, int whole)
{
    char *p = fwp_join(NULL, path);
    int rc = p ? FWP_OK : fwp_fail("out of memory");
    for (char *at = p ? p + 1 : NULL; at && *at && rc == FWP_OK; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        if (mkdir(p, 0777) != 0 && errno != EEXIST)
            rc = fwp_fail("cannot make %s: %s", p, strerror(errno));
        *at = '/';
    }
    if (rc == FWP_OK && whole && mkdir(p, 0777) != 0 && errno != EEXIST)
        rc = fwp_fail("cannot make %s: %s", p, strerror(errno));
    free(p);
    return rc;
}

/* One event, one write: lines of several threads do not mix. */
static void fwp_event(json_t *event)
{
    const char *fd = getenv("FLYWHEEL_EVENTS_FD");
    char *text = fd && event ? json_dumps(event, JSON_COMPACT) : NULL;
    json_decref(event);
    if (!text)
        return;
    size_t n = strlen(text), at = 0;
    text[n++] = '\n'; /* over the NUL: the length is known */
    while (at < n) {
        ssize_t wrote = write(atoi(fd), text + at, n - at);
        if (wrote < 0 && errno != EINTR)
            break;
        at += wrote > 0 ? (size_t)wrote : 0;
    }
    free(text);
}

void fwp_progress(double done, double total, const char *unit)
{
    fwp_event(json_pack("{s:s,s:f,s:f,s:s}", "type", "progress", "done", done, "total", total,
                        "unit", unit ? unit : ""));
}

void fwp_metric(const char *name, double value, int step)
{
    fwp_event(json_pack("{s:s,s:s,s:f,s:i}", "type", "metric", "name", name, "value", value, "step",
                        step));
}

void fwp_message(const char *level, const char *text)
{
    fwp_event(json_pack("{s:s,s:s,s:s}", "type", "message", "level", level, "text", text));
}

int fwp_waiting(const char *reason, int count, int poll_after_seconds)
{
    fwp_event(json_pack("{s:s,s:s,s:i,s:i}", "type", "waiting", "reason", reason, "count", count,
                        "poll_after", poll_after_seconds));
    return FWP_WAITING;
}

static const char *fwp_named(const struct fwp_request *r, const char *group, const char *name)
{
    return json_string_value(json_object_get(json_object_get(r->json, group), name));
}

const char *fwp_in(const struct fwp_request *r, const char *name)
{
    return fwp_named(r, "inputs", name);
}

const char *fwp_out(const struct fwp_request *r, const char *name)
{
    return fwp_named(r, "outputs", name);
}

double fwp_num(const struct fwp_request *r, const char *param)
{
    return json_number_value(json_object_get(r->params, param));
}

const char *fwp_str(const struct fwp_request *r, const char *param)
{
    return json_string_value(json_object_get(r->params, param));
}

int fwp_bool(const struct fwp_request *r, const char *param)
{
    return json_is_true(json_object_get(r->params, param));
}

int fwp_class(const struct fwp_request *r, const char *name)
{
    for (size_t i = 0; name && i < json_array_size(r->classes); i++)
        if (strcmp(json_string_value(json_array_get(r->classes, i)), name) == 0)
            return (int)i;
    return -1;
}

struct fwp_rows {
    FILE *f;
    char *path, *line;
    size_t cap;
    long number;
    json_t *row;
    int rc;
};

/* In dir (may be NULL) the file `name`. Never NULL but when memory is out, which fwp_next() and
 * fwp_rows_close() know how to say. */
static struct fwp_rows *fwp_rows_at(const char *dir, const char *name)
{
    struct fwp_rows *rows = (struct fwp_rows *)calloc(1, sizeof(*rows));
    if (!rows)
        return NULL;
    rows->path = fwp_join(dir, name);
    rows->f = rows->path ? fopen(rows->path, "r") : NULL;
    if (!rows->f)
        rows->rc = fwp_fail("cannot read %s: %s", rows->path ? rows->path : name, strerror(errno));
    return rows;
}

struct fwp_rows *fwp_rows_open(const char *path)
{
    return fwp_rows_at(NULL, path);
}

static struct fwp_rows *fwp_rows_of_input(const struct fwp_request *r, const char *input,
                                          const char *name)
{
    const char *path = fwp_in(r, input);
    struct stat st;
    if (path && stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
        return fwp_rows_at(NULL, path);
    if (path)
        return fwp_rows_at(path, name);
    struct fwp_rows *rows = (struct fwp_rows *)calloc(1, sizeof(*rows));
    if (rows)
        rows->rc = fwp_fail("this stage was given no input '%s'", input);
    return rows;
}

struct fwp_rows *fwp_samples(const struct fwp_request *r, const char *input)
{
    return fwp_rows_of_input(r, input, "samples.jsonl");
}

struct fwp_rows *fwp_predictions(const struct fwp_request *r, const char *input)
{
    return fwp_rows_of_input(r, input, "predictions.jsonl");
}

json_t *fwp_next(struct fwp_rows *rows)
{
    json_error_t why;
    if (!rows || rows->rc != FWP_OK)
        return NULL;
    json_decref(rows->row);
    rows->row = NULL;
    for (;;) {
        ssize_t n = getline(&rows->line, &rows->cap, rows->f);
        if (n < 0) {
            if (ferror(rows->f))
                rows->rc = fwp_fail("cannot read %s: %s", rows->path, strerror(errno));
            return NULL;
        }
        rows->number++;
        if (strspn(rows->line, " \t\r\n") != (size_t)n)
            break;
    }
    rows->row = json_loads(rows->line, JSON_REJECT_DUPLICATES, &why);
    if (!json_is_object(rows->row))
        rows->rc = fwp_fail("%s:%ld: %s", rows->path, rows->number,
                            rows->row ? "not a JSON object" : why.text);
    return rows->rc == FWP_OK ? rows->row : NULL;
}

int fwp_rows_close(struct fwp_rows *rows)
{
    if (!rows)
        return fwp_fail("out of memory");
    int rc = rows->rc;
    if (rows->f)
        fclose(rows->f);
    json_decref(rows->row);
    free(rows->path);
    free(rows->line);
    free(rows);
    return rc;
}

json_t *fwp_load(const char *path)
{
    json_error_t why;
    json_t *value = path ? json_load_file(path, JSON_REJECT_DUPLICATES, &why) : NULL;
    if (!path)
        fwp_fail("an input is missing");
    else if (!value)
        fwp_fail("%s:%d: %s", path, why.line, why.text);
    return value;
}

struct fwp_lines {
    FILE *f;
    char *path;
    int rc;
};

struct fwp_lines *fwp_lines_open(const char *dir, const char *name)
{
    struct fwp_lines *lines = (struct fwp_lines *)calloc(1, sizeof(*lines));
    if (!lines)
        return NULL;
    lines->path = name ? fwp_join(dir, name) : NULL;
    if (!lines->path)
        lines->rc = fwp_fail("no place to write to");
    else if ((lines->rc = fwp_mkdirs(lines->path, 0)) == FWP_OK &&
             !(lines->f = fopen(lines->path, "w")))
        lines->rc = fwp_fail("cannot write %s: %s", lines->path, strerror(errno));
    return lines;
}

int fwp_lines_add(struct fwp_lines *lines, json_t *object)
{
    if (lines && lines->rc == FWP_OK &&
        (!object || json_dumpf(object, lines->f, JSON_COMPACT) != 0 || fputc('\n', lines->f) < 0))
        lines->rc = fwp_fail("cannot write a line of %s", lines->path);
    json_decref(object);
    return lines ? lines->rc : FWP_FAILED;
}

int fwp_lines_close(struct fwp_lines *lines)
{
    if (!lines)
        return fwp_fail("out of memory");
    int rc = lines->rc;
    if (lines->f && fclose(lines->f) != 0 && rc == FWP_OK)
        rc = fwp_fail("cannot write %s: %s", lines->path, strerror(errno));
    free(lines->path);
    free(lines);
    return rc;
}

int fwp_write_json(const char *path, const json_t *value)
{
    if (!path || !value)
        return fwp_fail("nothing to write, or no place to write to");
    if (json_dump_file(value, path, JSON_INDENT(1)) != 0)
        return fwp_fail("cannot write %s", path);
    return FWP_OK;
}

int fwp_prediction(struct fwp_lines *lines, const struct fwp_request *r, const char *id, int klass,
                   const double *probs)
{
    json_t *row =
        json_pack("{s:s?,s:O?}", "id", id, "prediction", json_array_get(r->classes, (size_t)klass));
    if (row && probs) {
        json_t *list = json_array();
        for (size_t i = 0; i < json_array_size(r->classes); i++)
            json_array_append_new(list, json_real(probs[i]));
        json_object_set_new(row, "probs", list);
    }
    return fwp_lines_add(lines, row);
}

int fwp_patch_file(const char *dir, const char *from, const char *file_name)
{
    char *files = fwp_join(dir, "files"), *to = files ? fwp_join(files, file_name) : NULL;
    char block[1 << 14];
    size_t n;
    FILE *in = NULL, *out = NULL;
    int rc = to ? fwp_mkdirs(to, 0) : fwp_fail("out of memory");
    if (rc == FWP_OK && (!(in = fopen(from, "rb")) || !(out = fopen(to, "wb"))))
        rc = fwp_fail("cannot copy %s to %s: %s", from, to, strerror(errno));
    while (rc == FWP_OK && (n = fread(block, 1, sizeof(block), in)) > 0)
        if (fwrite(block, 1, n, out) != n)
            rc = fwp_fail("cannot write %s: %s", to, strerror(errno));
    if (in && ferror(in) && rc == FWP_OK)
        rc = fwp_fail("cannot read %s", from);
    if (in)
        fclose(in);
    if (out && fclose(out) != 0 && rc == FWP_OK)
        rc = fwp_fail("cannot write %s: %s", to, strerror(errno));
    free(to);
    free(files);
    return rc;
}

static const char *fwp_text(const struct fwp_request *r, const char *key)
{
    const char *text = json_string_value(json_object_get(r->json, key));
    return text ? text : "";
}

int fwp_main(int argc, char **argv, const char *description, fwp_run_fn *run)
{
    struct fwp_request r;
    json_error_t why;
    const char *path = getenv("FLYWHEEL_REQUEST");
    if (argc == 2 && strcmp(argv[1], "describe") == 0)
        return puts(description) < 0 || fflush(stdout) != 0 ? FWP_FAILED : FWP_OK;
    if (argc != 2 || strcmp(argv[1], "run") != 0) {
        fprintf(stderr, "usage: %s describe|run\n", argc ? argv[0] : "plugin");
        return 2;
    }
    if (!path)
        return fwp_fail("FLYWHEEL_REQUEST is not set: this is a flywheel plugin, which flywheel "
                        "runs; try `flywheel plugin test`");
    memset(&r, 0, sizeof(r));
    signal(SIGPIPE, SIG_IGN); /* an engine that stopped listening is no reason to die */
    r.json = json_load_file(path, 0, &why);
    if (!r.json)
        return fwp_fail("%s:%d: %s", path, why.line, why.text);
    r.run = fwp_text(&r, "run");
    r.stage = fwp_text(&r, "stage");
    r.node = fwp_text(&r, "node");
    r.kind = fwp_text(&r, "kind");
    r.task = fwp_text(&r, "task");
    r.split = fwp_text(&r, "split");
    r.project = fwp_text(&r, "project");
    r.scratch = fwp_text(&r, "scratch");
    r.iteration = (int)json_integer_value(json_object_get(r.json, "iteration"));
    r.seed = (uint64_t)json_integer_value(json_object_get(r.json, "seed"));
    r.params = json_object_get(r.json, "params");
    r.classes = json_object_get(r.json, "classes");
    int rc = json_integer_value(json_object_get(r.json, "protocol")) == FWP_PROTOCOL
                 ? run(&r)
                 : fwp_fail("flywheel speaks another protocol than this plugin (%d)", FWP_PROTOCOL);
    json_decref(r.json);
    return rc;
}

#endif /* FLYWHEEL_PLUGIN_IMPLEMENTATION */
#endif
