/*
 * The flywheel command: one short file per subcommand. Only this folder prints; it parses
 * arguments, calls the engine, and picks the exit code.
 *
 * To add a command: write cmd/NAME.c with cmd_NAME(), declare it here, add its row to the table in
 * main.c, its --help text beside it, and a script in tests/cli.
 */
#ifndef FW_CMD_CMD_H
#define FW_CMD_CMD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "pipeline/base/err.h"
#include "pipeline/loop/project.h"

enum {
    FW_EXIT_OK = 0,
    FW_EXIT_FAILED = 1,  /* a stage or the run failed */
    FW_EXIT_USAGE = 2,   /* usage or configuration */
    FW_EXIT_REFUSED = 3, /* model or evaluation set changed, branch moved */
    FW_EXIT_PARKED = 4,  /* waiting for people */
    FW_EXIT_BUSY = 5     /* another run holds the project */
};

int cmd_agree(int argc, char **argv);
int cmd_analyse(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_drift(int argc, char **argv);
int cmd_init(int argc, char **argv);
int cmd_log(int argc, char **argv);
int cmd_plan(int argc, char **argv);
int cmd_plugin(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_resume(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_schema(int argc, char **argv);
int cmd_show(int argc, char **argv);
int cmd_snapshot(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_validate(int argc, char **argv);
int cmd_version(int argc, char **argv);

/* args.c: one table per command. Options stand anywhere; "--" ends them; "-x", "--name",
 * "--name=value". */
enum cmd_opt_type { CMD_FLAG, CMD_TEXT, CMD_INT, CMD_LIST };

struct cmd_list {
    size_t n;
    const char *v[64];
};

struct cmd_opt {
    const char *name; /* without dashes */
    char letter;      /* or 0 */
    enum cmd_opt_type type;
    void *to; /* bool *, const char **, int *, struct cmd_list * */
};

/* Parses argv[1..]; operands are moved to argv[1..*n_operands]. Prints help and returns 1 when
 * --help was given; prints the mistake and returns −1 on one; else 0. opts ends with a NULL name.
 */
int cmd_parse(int argc, char **argv, const struct cmd_opt *opts, const char *help, int max_operands,
              int *n_operands);
/* true when --help or -h was given; prints the text. */
bool cmd_help(int argc, char **argv, const char *text);

/* output.c */
/* Prints the error to stderr and gives the exit code that belongs to it. */
int cmd_fail(const struct fw_err *err);
int cmd_exit_code(int rc);
int cmd_fail_problems(struct fw_problems *problems); /* prints, releases, gives FW_EXIT_USAGE */
bool cmd_colour(int fd);
/* A JSON value on stdout, pretty, with a newline. Frees it. */
int cmd_print_json(json_t *value);
/* A member of a JSON object; "" and 0 when it is not there or of another type. */
const char *cmd_text(const json_t *o, const char *key);
double cmd_number(const json_t *o, const char *key);
/* "12.3 s", "4 min 05 s". Returns out. */
const char *cmd_seconds(double seconds, char *out, size_t size);

/* A table of text: columns are as wide as they must be; numbers (cells that begin with a digit,
 * sign or dot) are set to the right. Zero-initialise. */
struct cmd_table {
    size_t cols, n, cap;
    char **cells;
};
void cmd_table_row(struct cmd_table *t, size_t cols, ...);     /* const char * each */
void cmd_table_print(struct cmd_table *t, const char *indent); /* first row is the head; frees */

/* project.c */
/* The flywheel.yaml named with --file, or the nearest one from here upwards. "flywheel.yaml" when
 * there is none, so that the error names it. */
const char *cmd_find_yaml(const char *given);
/* The project's state folder without loading the plan, for commands that only read records;
 * malloc'd. FW_ENOTFOUND: there is no flywheel.yaml. */
int cmd_state_dir(const char *given, char **dir, struct fw_err *err);
/* The record of the run named (or the newest). */
int cmd_record(const char *file, const char *run, json_t **record, struct fw_err *err);
/* Writes the report of a record; path malloc'd when NULL was given. */
int cmd_write_report(const json_t *record, const char *path, struct fw_err *err);

#endif
