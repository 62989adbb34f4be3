#include "cmd/progress.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cmd/cmd.h"

static void clear(struct cmd_progress *p)
{
    if (p->line_open)
        fputs("\r\033[K", stderr);
    p->line_open = false;
}

static void draw(struct cmd_progress *p)
{
    char line[512];
    size_t n = 0;
    if (!p->live || !p->n_running)
        return;
    line[0] = '\0';
    for (int i = 0; i < p->n_running && n < sizeof line - 1; i++)
        n += (size_t)snprintf(line + n, sizeof line - n, "%s%s%s%s", i ? ", " : "  ", p->running[i],
                              p->detail[i][0] ? " " : "", p->detail[i]);
    fprintf(stderr, "\r\033[K%.*s", p->columns - 1, line);
    fflush(stderr);
    p->line_open = true;
}

static void set_running(struct cmd_progress *p, const char *node, bool runs)
{
    int i = 0;
    while (i < p->n_running && strcmp(p->running[i], node))
        i++;
    if (runs && i == p->n_running && i < 8) {
        snprintf(p->running[i], sizeof p->running[i], "%s", node);
        p->detail[i][0] = '\0';
        p->n_running++;
    } else if (!runs && i < p->n_running) {
        p->n_running--;
        memmove(p->running[i], p->running[i + 1],
                (size_t)(p->n_running - i) * sizeof p->running[0]);
        memmove(p->detail[i], p->detail[i + 1], (size_t)(p->n_running - i) * sizeof p->detail[0]);
    }
}

static void on_node(struct cmd_progress *p, const json_t *e)
{
    const char *state = cmd_text(e, "state"), *label = cmd_text(e, "label");
    char took[32], name[128];
    snprintf(name, sizeof name, "%s%s%s%s", cmd_text(e, "node"), *label ? " (" : "", label,
             *label ? ")" : "");
    set_running(p, name, !strcmp(state, "running"));
    bool good = !strcmp(state, "done") || !strcmp(state, "cached");
    if (!strcmp(state, "running") || (!strcmp(state, "cached") && !p->verbose))
        return;
    /* What succeeds in a moment is not worth a line of its own. */
    if (good && (p->quiet || (!p->verbose && (cmd_number(e, "seconds") < 2 || *label))))
        return;
    clear(p);
    fprintf(stderr, "  %-28s %s%s%s", name, !good && p->colour ? "\033[31m" : "", state,
            !good && p->colour ? "\033[0m" : "");
    if (cmd_number(e, "seconds") > 0)
        fprintf(stderr, "  %s", cmd_seconds(cmd_number(e, "seconds"), took, sizeof took));
    if (*cmd_text(e, "error"))
        fprintf(stderr, "  %s", cmd_text(e, "error"));
    fputc('\n', stderr);
}

static void on_progress(struct cmd_progress *p, const json_t *e)
{
    for (int i = 0; i < p->n_running; i++) {
        size_t n = strlen(cmd_text(e, "node"));
        if (strncmp(p->running[i], cmd_text(e, "node"), n))
            continue;
        snprintf(p->detail[i], sizeof p->detail[i], "%.0f/%.0f %s", cmd_number(e, "done"),
                 cmd_number(e, "total"), cmd_text(e, "unit"));
    }
}

static void print_interval(const char *what, const json_t *o, double scale, const char *sign)
{
    fprintf(stderr, "%s", what);
    fprintf(stderr, *sign ? "%+.2f" : "%.4f", scale * cmd_number(o, *sign ? "gain" : "value"));
    if (json_is_number(json_object_get(o, "low")))
        fprintf(stderr, *sign ? " (%+.2f to %+.2f)" : " (%.4f to %.4f)",
                scale * cmd_number(o, "low"), scale * cmd_number(o, "high"));
}

static void on_gate(struct cmd_progress *p, const json_t *e)
{
    const json_t *gate = json_object_get(e, "gate");
    const char *verdict = cmd_text(gate, "verdict");
    const char *colour = !strcmp(verdict, "improved") ? "\033[32m"
                         : !strcmp(verdict, "worse")  ? "\033[31m"
                                                      : "\033[33m";
    size_t i;
    json_t *fix;
    json_array_foreach (json_object_get(e, "ablation"), i, fix) {
        fprintf(stderr, "  apart: %s", cmd_text(fix, "part"));
        if (json_is_number(json_object_get(fix, "gain")))
            print_interval(" ", fix, 100, "+");
        fprintf(stderr, " points, %s\n",
                json_is_true(json_object_get(fix, "kept")) ? "kept" : "dropped");
    }
    if (json_array_size(json_object_get(e, "fixes")) > 1) {
        json_array_foreach (json_object_get(e, "fixes"), i, fix) {
            if (json_is_number(json_object_get(fix, "gain"))) {
                fprintf(stderr, "  alone: %s", cmd_text(fix, "part"));
                print_interval(" ", fix, 100, "+");
                fputs(" points\n", stderr);
            }
        }
    }
    fprintf(stderr, "  %s%s%s: %s; %s\n", p->colour ? colour : "", verdict,
            p->colour ? "\033[0m" : "", cmd_text(gate, "reason"), cmd_text(e, "state"));
}

static void on_proposed(const json_t *e)
{
    static const char *const ops[] = {"relabel",   "add",     "remove",
                                      "guideline", "confirm", "set_aside"};
    static const char *const words[] = {"relabelled",        "added",     "removed",
                                        "guidelines edited", "confirmed", "set aside"};
    size_t i;
    json_t *part;
    json_array_foreach (json_object_get(e, "parts"), i, part) {
        const json_t *counts = json_object_get(part, "counts");
        bool any = false;
        fprintf(stderr, "  %s: ", cmd_text(part, "stage"));
        for (size_t op = 0; op < sizeof ops / sizeof *ops; op++) {
            if (cmd_number(counts, ops[op]) <= 0)
                continue;
            fprintf(stderr, "%s%.0f %s", any ? ", " : "", cmd_number(counts, ops[op]), words[op]);
            any = true;
        }
        fprintf(stderr, "%s", any ? "" : "nothing");
        if (cmd_number(part, "labels") > 0)
            fprintf(stderr, " (%.0f labels)", cmd_number(part, "labels"));
        fputc('\n', stderr);
    }
}

static void on_import(const json_t *e)
{
    fprintf(stderr, "imported %.0f train, %.0f dev, %.0f test samples as %.12s\n",
            cmd_number(e, "train"), cmd_number(e, "dev"), cmd_number(e, "test"),
            cmd_text(e, "commit"));
    fputs(cmd_text(e, "warnings"), stderr);
}

static void on_iteration(const json_t *e)
{
    if (cmd_number(e, "iteration") > 0)
        fprintf(stderr, "iteration %.0f%s\n", cmd_number(e, "iteration"),
                json_is_true(json_object_get(e, "recorded")) ? " (from the record)" : "");
    else
        fputs("baseline\n", stderr);
}

static void on_event(void *ctx, const json_t *e)
{
    struct cmd_progress *p = ctx;
    const char *type = cmd_text(e, "event");
    if (!strcmp(type, "node"))
        on_node(p, e);
    else if (!strcmp(type, "progress"))
        on_progress(p, e);
    else if (!strcmp(type, "message")) {
        bool warning = strcmp(cmd_text(e, "level"), "info") != 0;
        if (warning || !p->quiet) {
            clear(p);
            fprintf(stderr, "  %s%s%s%s%s\n", warning ? cmd_text(e, "level") : "",
                    warning ? ": " : "", cmd_text(e, "node"), *cmd_text(e, "node") ? ": " : "",
                    cmd_text(e, "text"));
        }
    } else if (!p->quiet) {
        clear(p);
        if (!strcmp(type, "run"))
            fprintf(stderr, "run %s%s\n", cmd_text(e, "run"),
                    json_is_true(json_object_get(e, "resumed")) ? " resumed" : "");
        else if (!strcmp(type, "import"))
            on_import(e);
        else if (!strcmp(type, "iteration"))
            on_iteration(e);
        else if (!strcmp(type, "phase") && p->verbose)
            fprintf(stderr, " %s\n", cmd_text(e, "phase"));
        else if (!strcmp(type, "measured")) {
            print_interval("  score ", json_object_get(e, "score"), 1, "");
            fputc('\n', stderr);
        } else if (!strcmp(type, "proposed"))
            on_proposed(e);
        else if (!strcmp(type, "gate"))
            on_gate(p, e);
        else if (!strcmp(type, "stop"))
            fprintf(stderr, "stopped: %s\n", cmd_text(e, "text"));
    }
    draw(p);
}

void cmd_progress_init(struct cmd_progress *p, bool quiet, bool verbose)
{
    struct winsize ws;
    *p = (struct cmd_progress){.quiet = quiet, .verbose = verbose, .columns = 80};
    const char *term = getenv("TERM");
    p->live = isatty(STDERR_FILENO) && !quiet && term && strcmp(term, "dumb");
    p->colour = cmd_colour(STDERR_FILENO);
    if (p->live && ioctl(STDERR_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col > 20)
        p->columns = ws.ws_col;
}

struct fw_observer cmd_progress_observer(struct cmd_progress *p)
{
    return (struct fw_observer){.on_event = on_event, .ctx = p};
}

void cmd_progress_end(struct cmd_progress *p)
{
    clear(p);
}
