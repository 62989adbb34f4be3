#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <stdbool.h>

#include "pipeline/exec/exec.h"

/* What only a shell can do. '=' in the first word (A=1 cmd), '~' and '#' at the start of one.
 * Braces stay: {name} stands for a path, and a plain shell does not expand braces either. */
static bool needs_shell(char c, bool word_start, bool first_word)
{
    return strchr("|<>$*?;&`()[]\n", c) || (word_start && (c == '~' || c == '#')) ||
           (first_word && c == '=');
}

/* Words that a shell knows and the system does not. */
static bool is_shell_word(const char *word)
{
    static const char *const words[] = {"!",     ".",     ":",     "alias",  "case",  "cd",
                                        "eval",  "exec",  "exit",  "export", "for",   "if",
                                        "read",  "set",   "shift", "source", "trap",  "ulimit",
                                        "umask", "unset", "until", "wait",   "while", "{"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i], word) == 0)
            return true;
    return false;
}

static int shell(char c, struct fw_err *err)
{
    char shown[3] = {c == '\n' ? '\\' : c, c == '\n' ? 'n' : '\0', '\0'};
    return fw_err_set(err, FW_ENOTFOUND, "the command needs a shell for '%s'", shown);
}

/* Writes the words one after another, each with its NUL, and counts them. */
static int scan(const char *p, char *to, size_t *words, struct fw_err *err)
{
    *words = 0;
    for (;;) {
        p += strspn(p, " \t");
        if (!*p)
            return FW_OK;
        const char *start = p;
        for (char quote = '\0'; quote || (*p && *p != ' ' && *p != '\t'); p++) {
            if (!*p)
                return fw_err_set(err, FW_EINVAL, "a %s is not closed",
                                  quote == '"' ? "double quote" : "single quote");
            if (*p == '\\' && quote != '\'') {
                if (!p[1])
                    return fw_err_set(err, FW_EINVAL, "it ends in a backslash");
                if (p[1] == '\n')
                    return shell('\n', err);
                if (quote && !strchr("\"\\$`", p[1]))
                    *to++ = *p; /* within double quotes other backslashes stand for themselves */
                *to++ = *++p;
            } else if (*p == quote) {
                quote = '\0';
            } else if (!quote && (*p == '\'' || *p == '"')) {
                quote = *p;
            } else if (quote == '"' && (*p == '$' || *p == '`')) {
                return shell(*p, err);
            } else if (!quote && needs_shell(*p, p == start, *words == 0)) {
                return shell(*p, err);
            } else {
                *to++ = *p;
            }
        }
        *to++ = '\0';
        ++*words;
    }
}

char **fw_exec_split(const char *command, struct fw_err *err)
{
    size_t n = strlen(command), most = n / 2 + 2, words;
    /* One block: the pointers, then the words. A word of one byte takes a blank or the end too. */
    char **argv = malloc(most * sizeof *argv + 2 * n + 2);
    if (!argv) {
        fw_err_nomem(err);
        return NULL;
    }
    char *text = (char *)(argv + most);
    int rc = scan(command, text, &words, err);
    if (rc == FW_OK && words == 0)
        rc = fw_err_set(err, FW_EINVAL, "the command is empty");
    else if (rc == FW_OK && is_shell_word(text))
        rc = fw_err_set(err, FW_ENOTFOUND, "the command needs a shell for '%s'", text);
    if (rc != FW_OK) {
        free(argv);
        return NULL;
    }
    for (size_t i = 0; i < words; i++) {
        argv[i] = text;
        text += strlen(text) + 1;
    }
    argv[words] = NULL;
    return argv;
}
