#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"

bool cmd_help(int argc, char **argv, const char *text)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--"); i++) {
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
            fputs(text, stdout);
            return true;
        }
    }
    return false;
}

static const struct cmd_opt *find(const struct cmd_opt *opts, const char *arg, const char **value)
{
    *value = NULL;
    for (const struct cmd_opt *o = opts; o->name; o++) {
        if (arg[1] != '-') {
            if (o->letter && arg[1] == o->letter) {
                *value = arg[2] ? arg + 2 : NULL;
                return o;
            }
            continue;
        }
        size_t n = strcspn(arg + 2, "=");
        if (strlen(o->name) == n && !strncmp(o->name, arg + 2, n)) {
            *value = arg[2 + n] ? arg + 3 + n : NULL;
            return o;
        }
    }
    return NULL;
}

static int store(const char *command, const struct cmd_opt *o, const char *value)
{
    char *end;
    if (o->type == CMD_TEXT) {
        *(const char **)o->to = value;
    } else if (o->type == CMD_LIST) {
        struct cmd_list *list = o->to;
        if (list->n == sizeof list->v / sizeof *list->v) {
            fprintf(stderr, "flywheel %s: too many --%s\n", command, o->name);
            return -1;
        }
        list->v[list->n++] = value;
    } else {
        errno = 0;
        long v = strtol(value, &end, 10);
        if (errno || *end || end == value || v < 0 || v > INT_MAX) {
            fprintf(stderr, "flywheel %s: --%s wants a whole number, not '%s'\n", command, o->name,
                    value);
            return -1;
        }
        *(int *)o->to = (int)v;
    }
    return 0;
}

int cmd_parse(int argc, char **argv, const struct cmd_opt *opts, const char *help, int max_operands,
              int *n_operands)
{
    int n = 0;
    bool options = true;
    if (cmd_help(argc, argv, help))
        return 1;
    for (int i = 1; i < argc; i++) {
        if (options && !strcmp(argv[i], "--")) {
            options = false;
            continue;
        }
        if (!options || argv[i][0] != '-' || !argv[i][1]) {
            argv[++n] = argv[i];
            continue;
        }
        const char *value, *arg = argv[i];
        const struct cmd_opt *o = find(opts, arg, &value);
        if (!o) {
            fprintf(stderr, "flywheel %s: unknown option '%s'; see `flywheel %s --help`\n", argv[0],
                    arg, argv[0]);
            return -1;
        }
        if (o->type == CMD_FLAG) {
            if (value) {
                fprintf(stderr, "flywheel %s: --%s takes no value\n", argv[0], o->name);
                return -1;
            }
            *(bool *)o->to = true;
            continue;
        }
        if (!value && i + 1 < argc)
            value = argv[++i];
        if (!value) {
            fprintf(stderr, "flywheel %s: --%s wants a value\n", argv[0], o->name);
            return -1;
        }
        if (store(argv[0], o, value) != 0)
            return -1;
    }
    if (n > max_operands) {
        fprintf(stderr, "flywheel %s: unexpected '%s'; see `flywheel %s --help`\n", argv[0],
                argv[max_operands + 1], argv[0]);
        return -1;
    }
    if (n_operands)
        *n_operands = n;
    return 0;
}
