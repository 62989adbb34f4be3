#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "pipeline/base/fs.h"
#include "pipeline/loop/record.h"

bool cmd_colour(int fd)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(fd) && !(no && *no) && !(term && !strcmp(term, "dumb"));
}

int cmd_exit_code(int rc)
{
    switch (rc) {
    case FW_OK:
        return FW_EXIT_OK;
    case FW_EINVAL:
    case FW_ENOTFOUND:
    case FW_EEXISTS:
        return FW_EXIT_USAGE;
    case FW_EREFUSED:
        return FW_EXIT_REFUSED;
    case FW_EWAITING:
        return FW_EXIT_PARKED;
    case FW_EBUSY:
        return FW_EXIT_BUSY;
    default:
        return FW_EXIT_FAILED;
    }
}

int cmd_fail(const struct fw_err *err)
{
    char text[8192];
    bool colour = cmd_colour(STDERR_FILENO);
    fw_err_format(err, text, sizeof text);
    fprintf(stderr, "%s%s:%s %s\n", colour ? "\033[1;31m" : "",
            err->code == FW_EWAITING ? "waiting" : "error", colour ? "\033[0m" : "", text);
    return cmd_exit_code(err->code);
}

int cmd_fail_problems(struct fw_problems *problems)
{
    struct fw_buf out = {0};
    fw_problems_format(problems, cmd_colour(STDERR_FILENO), &out);
    fputs(out.p ? out.p : "error: out of memory\n", stderr);
    fw_buf_release(&out);
    fw_problems_release(problems);
    return FW_EXIT_USAGE;
}

int cmd_print_json(json_t *value)
{
    char *text = json_dumps(value, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
    json_decref(value);
    if (!text) {
        fputs("error: out of memory\n", stderr);
        return FW_EXIT_FAILED;
    }
    int bad = puts(text) == EOF || fflush(stdout) != 0;
    free(text);
    return bad ? FW_EXIT_FAILED : FW_EXIT_OK;
}

const char *cmd_text(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

double cmd_number(const json_t *o, const char *key)
{
    return json_number_value(json_object_get(o, key));
}

const char *cmd_seconds(double seconds, char *out, size_t size)
{
    if (seconds < 0.9995)
        snprintf(out, size, "%.0f ms", 1000 * seconds);
    else if (seconds < 60)
        snprintf(out, size, "%.1f s", seconds);
    else if (seconds < 3600)
        snprintf(out, size, "%d min %02d s", (int)seconds / 60, (int)seconds % 60);
    else
        snprintf(out, size, "%d h %02d min", (int)seconds / 3600, (int)seconds / 60 % 60);
    return out;
}

void cmd_table_row(struct cmd_table *t, size_t cols, ...)
{
    va_list ap;
    if (!t->cols)
        t->cols = cols;
    if (t->n == t->cap) {
        size_t cap = t->cap ? 2 * t->cap : 16;
        char **cells = realloc(t->cells, cap * t->cols * sizeof *cells);
        if (!cells)
            return;
        t->cells = cells;
        t->cap = cap;
    }
    va_start(ap, cols);
    for (size_t i = 0; i < t->cols; i++)
        t->cells[t->n * t->cols + i] = i < cols ? strdup(va_arg(ap, const char *)) : NULL;
    va_end(ap);
    t->n++;
}

/* Columns on a terminal: bytes that do not continue a UTF-8 sequence. */
static size_t width(const char *s)
{
    size_t n = 0;
    for (; s && *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

/* A number, perhaps with a unit or an interval behind it; "7c37ea" and "2026-11-22" are none. */
static bool is_number(const char *s)
{
    char *end;
    if (!s || !strpbrk(s, "0123456789"))
        return false;
    (void)strtod(s, &end);
    return end > s && (!*end || *end == ' ');
}

void cmd_table_print(struct cmd_table *t, const char *indent)
{
    size_t *w = calloc(t->cols + 1, sizeof *w);
    bool *right = calloc(t->cols + 1, sizeof *right);
    for (size_t r = 0; w && right && r < t->n; r++)
        for (size_t c = 0; c < t->cols; c++) {
            const char *cell = t->cells[r * t->cols + c];
            if (width(cell) > w[c])
                w[c] = width(cell);
            if (r > 0 && cell && *cell && strcmp(cell, "-"))
                right[c] = is_number(cell);
        }
    for (size_t r = 0; w && right && r < t->n; r++) {
        fputs(indent, stdout);
        for (size_t c = 0; c < t->cols; c++) {
            const char *cell = t->cells[r * t->cols + c];
            int pad = (int)(w[c] - width(cell));
            bool last = c + 1 == t->cols;
            if (right[c])
                printf("%*s%s%s", pad, "", cell ? cell : "", last ? "" : "  ");
            else
                printf("%s%*s%s", cell ? cell : "", last ? 0 : pad, "", last ? "" : "  ");
        }
        putchar('\n');
    }
    for (size_t i = 0; i < t->n * t->cols; i++)
        free(t->cells[i]);
    free(t->cells);
    free(w);
    free(right);
    *t = (struct cmd_table){0};
}

const char *cmd_find_yaml(const char *given)
{
    static char found[PATH_MAX + 16];
    char dir[PATH_MAX];
    if (given)
        return given;
    if (access("flywheel.yaml", F_OK) == 0 || !getcwd(dir, sizeof dir))
        return "flywheel.yaml";
    for (char *slash; (slash = strrchr(dir, '/'));) {
        snprintf(found, sizeof found, "%s/flywheel.yaml", dir);
        if (access(found, F_OK) == 0)
            return found;
        *slash = '\0';
    }
    return "flywheel.yaml";
}

int cmd_state_dir(const char *given, char **dir, struct fw_err *err)
{
    struct fw_buf b = {0};
    const char *yaml = cmd_find_yaml(given), *slash = strrchr(yaml, '/');
    if (!fw_fs_exists(yaml)) {
        if (given)
            fw_err_set(err, FW_ENOTFOUND, "there is no %s", given);
        else
            fw_err_set(err, FW_ENOTFOUND,
                       "there is no flywheel.yaml in this folder or one above it");
        fw_err_hint(err, "go to the project's folder, name the file with --file, or run `flywheel "
                         "init` to make one");
        return FW_ENOTFOUND;
    }
    fw_buf_add(&b, yaml, slash ? (size_t)(slash - yaml) + 1 : 0);
    fw_buf_puts(&b, ".flywheel");
    return (*dir = fw_buf_steal(&b)) ? FW_OK : fw_err_nomem(err);
}

int cmd_record(const char *file, const char *run, json_t **record, struct fw_err *err)
{
    char *state = NULL, *id = NULL;
    int rc = cmd_state_dir(file, &state, err);
    if (rc == FW_OK)
        rc = fw_run_resolve(state, run ? run : "", &id, err);
    if (rc == FW_OK)
        rc = fw_run_record(state, id, record, err);
    free(state);
    free(id);
    return rc;
}

int cmd_write_report(const json_t *record, const char *path, struct fw_err *err)
{
    struct fw_buf html = {0};
    int rc = fw_report_html(record, &html, err);
    if (rc == FW_OK)
        rc = fw_fs_write_atomic(path, html.p, html.len, err);
    fw_buf_release(&html);
    return rc;
}
