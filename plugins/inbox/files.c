/* The task files and the answers. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/csv.h"
#include "pipeline/base/fs.h"
#include "plugins/inbox/inbox.h"

static const char readme[] =
    "Labels to give\n"
    "==============\n"
    "\n"
    "Each file NAME.todo.csv (or .todo.jsonl) is a list of samples that one labeller looks at.\n"
    "\n"
    "1. Open it. `content` is the text, or the path of the file to look at (a copy, in a folder\n"
    "   beside this file); `present` is the label that the sample has now, `suggested` what the "
    "model\n"
    "   thinks.\n"
    "2. Write the right class into the column `label`. Leave it empty when you do not know.\n"
    "   You may write your name into `labeller`.\n"
    "3. Save it beside the first under the same name with `done` in place of `todo`, for example\n"
    "   NAME.1.done.csv. Keep the column names; other columns and the order do not matter.\n"
    "4. Run `flywheel resume`.\n"
    "\n"
    "Files that end in .1 and .2 belong to two labellers who should not see each other's answers. "
    "A\n"
    "file that ends in .3 asks a third labeller about the samples on which the two differ.\n"
    "flywheel never changes a file in this folder after writing it.\n";

char *inbox_path(const struct inbox *in, size_t who, const char *state)
{
    struct fw_buf b = {0};
    fw_buf_printf(&b, "%s/%s-%d-%s.%zu.%s.%s", in->dir, in->r->run, in->r->iteration, in->r->stage,
                  who + 1, state, in->json ? "jsonl" : "csv");
    return fw_buf_steal(&b);
}

static void put_csv(struct fw_buf *out, const char *text, char end)
{
    if (text && text[0])
        fw_csv_put(out, text, strlen(text), ',');
    fw_buf_putc(out, end);
}

static void put_json(struct fw_buf *out, const char *key, const char *text)
{
    fw_buf_printf(out, "\"%s\":", key);
    if (text)
        fw_buf_json_str(out, text, strlen(text));
    else
        fw_buf_puts(out, "null");
}

static void put_task(struct fw_buf *out, const struct inbox *in, const struct fw_candidate *c,
                     const char *content)
{
    if (!in->json) {
        put_csv(out, c->sample->id, ',');
        put_csv(out, content, ',');
        put_csv(out, c->sample->label, ',');
        put_csv(out, c->suggested, ',');
        fw_buf_puts(out, ",\n");
        return;
    }
    fw_buf_putc(out, '{');
    put_json(out, "id", c->sample->id);
    fw_buf_putc(out, ',');
    put_json(out, "content", content);
    fw_buf_putc(out, ',');
    put_json(out, "present", c->sample->label);
    fw_buf_putc(out, ',');
    put_json(out, "suggested", c->suggested);
    fw_buf_puts(out, ",\"label\":null,\"labeller\":null}\n");
}

static int write_readme(const struct inbox *in, struct fw_err *err)
{
    char *path = fw_fs_join(in->dir, "README.txt");
    int rc = path ? FW_OK : fw_err_nomem(err);
    if (rc == FW_OK && !fw_fs_exists(path))
        rc = fw_fs_write_atomic(path, readme, sizeof readme - 1, err);
    free(path);
    return rc;
}

int inbox_write(const struct inbox *in, size_t who, const bool *take, struct fw_err *err)
{
    struct fw_buf out = {0};
    char *todo = inbox_path(in, who, "todo"), *done = inbox_path(in, who, "done");
    int rc = todo && done ? fw_fs_mkdirs(in->dir, err) : fw_err_nomem(err);
    if (rc == FW_OK)
        rc = write_readme(in, err);
    if (rc != FW_OK || fw_fs_exists(todo) || fw_fs_exists(done))
        goto out;
    if (!in->json)
        fw_buf_puts(&out, "id,content,present,suggested,label,labeller\n");
    for (size_t i = 0; i < in->n && rc == FW_OK; i++) {
        if (take && !take[i])
            continue;
        char *content = NULL;
        rc = inbox_content(in, in->asked[i].sample, &content, err);
        if (rc == FW_OK)
            put_task(&out, in, &in->asked[i], content);
        free(content);
    }
    if (rc == FW_OK && out.failed)
        rc = fw_err_nomem(err);
    if (rc == FW_OK)
        rc = fw_fs_write_atomic(todo, out.p, out.len, err);
out:
    fw_buf_release(&out);
    free(todo);
    free(done);
    return rc;
}

struct reading {
    const struct inbox *in;
    struct answers *out;
    struct fw_ids ids; /* of the asked samples */
    bool *seen;
    const char *path;
    bool header;
    size_t id, label, by; /* CSV columns */
};

static int refuse(struct reading *rd, int line, struct fw_err *err)
{
    fw_err_at(err, rd->path, line, 0);
    return FW_EINVAL;
}

static char *trimmed(const char *p)
{
    while (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')
        p++;
    size_t n = strlen(p);
    while (n && strchr(" \t\r\n", p[n - 1]))
        n--;
    return strndup(p, n);
}

static void name_classes(const struct fw_task_info *task, struct fw_err *err)
{
    struct fw_buf b = {0};
    for (size_t c = 0; c < task->n_classes && b.len < 400; c++)
        fw_buf_printf(&b, "%s%s", c ? ", " : "", task->classes[c]);
    fw_err_hint(err, "classes are %s", b.p ? b.p : "");
    fw_buf_release(&b);
}

static int take_answer(struct reading *rd, const char *id, const char *label, const char *by,
                       int line, struct fw_err *err)
{
    const struct fw_task_info *task = &rd->in->r->task;
    long at = fw_ids_find(&rd->ids, id);
    int klass = -1;
    if (at < 0) {
        fw_err_set(err, FW_EINVAL, "nobody was asked about a sample '%.200s'", id);
        return refuse(rd, line, err);
    }
    if (rd->seen[at]) {
        fw_err_set(err, FW_EINVAL, "sample '%.200s' appears twice", id);
        return refuse(rd, line, err);
    }
    rd->seen[at] = true;
    char *own = trimmed(label), *name = trimmed(by);
    if (!own || !name) {
        free(own);
        free(name);
        return fw_err_nomem(err);
    }
    for (size_t c = 0; c < task->n_classes; c++)
        if (!strcmp(own, task->classes[c]))
            klass = (int)c;
    bool wrong = own[0] && klass < 0;
    if (wrong) {
        fw_err_set(err, FW_EINVAL, "'%.200s' is not a class", own);
        name_classes(task, err);
    }
    free(own);
    rd->out->klass[at] = klass;
    if (name[0])
        rd->out->by[at] = name;
    else
        free(name);
    return wrong ? refuse(rd, line, err) : FW_OK;
}

static int on_record(void *ctx, const struct fw_csv_field *f, size_t n, int line,
                     struct fw_err *err)
{
    struct reading *rd = ctx;
    if (rd->header)
        return take_answer(rd, rd->id < n ? f[rd->id].p : "", rd->label < n ? f[rd->label].p : "",
                           rd->by < n ? f[rd->by].p : "", line, err);
    rd->header = true;
    rd->id = rd->label = rd->by = SIZE_MAX;
    for (size_t i = 0; i < n; i++) {
        if (!strcmp(f[i].p, "id"))
            rd->id = i;
        else if (!strcmp(f[i].p, "label"))
            rd->label = i;
        else if (!strcmp(f[i].p, "labeller"))
            rd->by = i;
    }
    if (rd->id < n && rd->label < n)
        return FW_OK;
    fw_err_set(err, FW_EINVAL, "the header row needs the columns id and label");
    return refuse(rd, line, err);
}

static int on_row(void *ctx, const struct fw_row *row, int line, struct fw_err *err)
{
    struct reading *rd = ctx;
    const struct fw_field *label = fw_row_get(row, "label");
    const char *id = fw_row_str(row, "id"), *by = fw_row_str(row, "labeller");
    if (label && label->type != FW_STRING && label->type != FW_NULL) {
        fw_err_set(err, FW_EINVAL, "the label is neither a text nor null");
        return refuse(rd, line, err);
    }
    return take_answer(rd, id ? id : "", label && label->type == FW_STRING ? label->str : "",
                       by ? by : "", line, err);
}

/* Spreadsheets of some countries write semicolons: the header row shows it. */
static int read_csv(struct reading *rd, struct fw_err *err)
{
    struct fw_buf text = {0};
    int rc = fw_fs_read(rd->path, 0, &text, err);
    if (rc == FW_OK && text.len) {
        size_t head = strcspn(text.p, "\r\n");
        char sep = !memchr(text.p, ',', head) && memchr(text.p, ';', head) ? ';' : ',';
        rc = fw_csv_each_mem(rd->path, text.p, text.len, sep, on_record, rd, err);
    }
    fw_buf_release(&text);
    return rc;
}

int inbox_read(const struct inbox *in, size_t who, struct answers *out, struct fw_err *err)
{
    struct reading rd = {.in = in, .out = out};
    char *path = inbox_path(in, who, "done");
    int rc = path ? FW_OK : fw_err_nomem(err);
    if (path && !fw_fs_exists(path)) {
        free(path);
        return FW_ENOTFOUND;
    }
    rd.path = path;
    out->klass = malloc((in->n + 1) * sizeof *out->klass);
    out->by = calloc(in->n + 1, sizeof *out->by);
    rd.seen = calloc(in->n + 1, sizeof *rd.seen);
    if (!out->klass || !out->by || !rd.seen)
        rc = fw_err_nomem(err);
    for (size_t i = 0; i < in->n && rc == FW_OK; i++) {
        out->klass[i] = -1;
        if (fw_ids_add(&rd.ids, in->asked[i].sample->id) < 0)
            rc = fw_err_nomem(err);
    }
    if (rc == FW_OK)
        rc = in->json ? fw_rows_each(path, on_row, &rd, err) : read_csv(&rd, err);
    fw_ids_release(&rd.ids);
    free(rd.seen);
    free(path);
    return rc;
}

void answers_release(struct answers *a, size_t n)
{
    for (size_t i = 0; a->by && i < n; i++)
        free(a->by[i]);
    free(a->by);
    free(a->klass);
    memset(a, 0, sizeof *a);
}
