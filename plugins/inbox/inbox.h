/*
 * inbox: labelling by people through files.
 *
 * Round 1 writes one task file per labeller, NAME.1.todo.csv (and .2.): a person fills in the column
 * `label` and saves the file as NAME.1.done.csv. When two labellers disagree, round 2 asks a third,
 * NAME.3., about these samples alone. NAME is <run>-<iteration>-<stage>. Samples that are files are
 * copied to the folder NAME/, where people can open them. Files that exist are never written again.
 */
#ifndef FW_PLUGIN_INBOX_H
#define FW_PLUGIN_INBOX_H

#include "stages/data/request.h"
#include "stages/relabel/candidates.h"

enum { THIRD = 2, MOST_LABELLERS = 3 };

struct inbox {
    const struct fw_request *r;
    const struct fw_dataset *data;
    const struct fw_candidate *asked; /* n samples */
    size_t n;
    size_t labellers; /* of the first round: 1 or 2 */
    bool json;
    char *dir; /* absolute */
};

/* One labeller's answers: a class per asked sample, -1 = none. */
struct answers {
    int *klass;
    char **by; /* the name that was filled in, or NULL */
};

/* dir/NAME.<who + 1>.<state>.<csv|jsonl>; malloc'd, NULL when memory is out. */
char *inbox_path(const struct inbox *in, size_t who, const char *state);
/* What a person looks at: the text; or, for a file, the path of its copy in NAME/ from the folder of
 * the task files, made when it is not there yet. Another file of the same base name gets a number.
 * "" when the sample has neither. *out: malloc'd. */
int inbox_content(const struct inbox *in, const struct fw_sample *s, char **out,
                  struct fw_err *err);
/* Writes the task file of labeller `who` about the samples that `take` marks (NULL: all), unless it
 * or its answer exists. Also README.txt, once. */
int inbox_write(const struct inbox *in, size_t who, const bool *take, struct fw_err *err);
/* Reads the answers; FW_ENOTFOUND when there is no done file yet. FW_EINVAL with file and line: an
 * id that was not asked, an unknown class, an id twice. */
int inbox_read(const struct inbox *in, size_t who, struct answers *out, struct fw_err *err);
void answers_release(struct answers *a, size_t n);

#endif
