#include "pipeline/config/plan.h"

#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/base/fs.h"
#include "pipeline/config/keys.h"

static void set_defaults(struct fw_plan *p)
{
    p->seed = 1;
    p->dataset.dev = p->dataset.test = 0.2;
    p->dataset.near_copies = true;
    p->metric.human_default = NAN;
    p->loop.patience = 2;
    p->loop.max_iterations = 10;
    p->loop.confidence = 0.95;
    p->loop.ablate = p->loop.measure_parts = p->loop.sanity = true;
    p->loop.curve = true;
    p->loop.cost_label = p->loop.cost_sample = 1;
    p->loop.budget_labels = p->loop.budget_money = NAN;
    p->loop.stability_kappa = 0.99;
    p->notify.on_stopped = p->notify.on_failed = p->notify.on_waiting = true;

    cpu_set_t mine;
    p->limits.cpus = sched_getaffinity(0, sizeof mine, &mine) == 0 ? CPU_COUNT(&mine) : 1;
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGE_SIZE);
    if (pages > 0 && page > 0)
        p->limits.memory = (uint64_t)pages * (uint64_t)page;
}

/* The length of the UTF-8 sequence at s (RFC 3629), or 0. */
static size_t utf8_len(const unsigned char *s, size_t n)
{
    static const struct {
        unsigned char from, to, low, high; /* first byte; bounds of the second */
        size_t len;
    } forms[] = {
        {0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
        if (s[0] < forms[f].from || s[0] > forms[f].to)
            continue;
        if (forms[f].len > n || (forms[f].len > 1 && (s[1] < forms[f].low || s[1] > forms[f].high)))
            return 0;
        for (size_t i = 2; i < forms[f].len; i++)
            if ((s[i] & 0xc0) != 0x80)
                return 0;
        return forms[f].len;
    }
    return 0;
}

/* libyaml would stop as well, but without a place. No source line: its bytes cannot be shown. */
static bool check_utf8(struct fw_load *l, const char *text, size_t len)
{
    int line = 1, col = 1;
    for (size_t i = 0; i < len;) {
        size_t n = utf8_len((const unsigned char *)text + i, len - i);
        if (n == 0 || text[i] == '\0') {
            fw_err_at(fw_problem(l, NULL, n == 0 ? "not valid UTF-8" : "a NUL byte"), l->plan->path,
                      line, col);
            return false;
        }
        col = text[i] == '\n' ? 1 : col + 1;
        line += text[i] == '\n';
        i += n;
    }
    return true;
}

static int set_root(struct fw_load *l, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *dir = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
    char *real = dir ? realpath(dir, NULL) : NULL;
    if (dir)
        l->plan->root = fw_arena_strdup(l->arena, real ? real : dir);
    free(real);
    free(dir);
    return l->plan->root ? FW_OK : FW_ENOMEM;
}

static int by_name(const void *a, const void *b, void *stages)
{
    const struct fw_stage *s = stages;
    return strcmp(s[*(const uint32_t *)a].name, s[*(const uint32_t *)b].name);
}

static void index_stages(struct fw_load *l)
{
    uint32_t *index = fw_load_array(l, l->plan->n_stages, sizeof *index);
    if (!index)
        return;
    for (uint32_t i = 0; i < l->plan->n_stages; i++)
        index[i] = i;
    if (l->plan->n_stages > 0)
        qsort_r(index, l->plan->n_stages, sizeof *index, by_name,
                (void *)(uintptr_t)l->plan->stages);
    l->plan->by_name = index;
}

static size_t count(const struct fw_problems *p)
{
    return p->n + p->more;
}

/* Text to tree to values to checks; each step only when the one before made something of it. */
static void load(struct fw_load *l, const char *text, size_t len)
{
    struct fw_plan *plan = l->plan;
    const struct fw_plan_options *o = l->options;
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3;
        len -= 3;
    }
    if (len > FW_TREE_BYTES) {
        fw_problem(l, NULL, "the file is over 1 MiB");
        return;
    }
    const char *copy = fw_arena_strndup(l->arena, len ? text : "", len);
    if (!copy || fw_source_add(l, plan->path, copy, len) < 0) {
        l->nomem = true;
        return;
    }
    if (!check_utf8(l, copy, len))
        return;
    struct fw_tree *root = fw_tree_parse(l, 0, 0);
    if (!root)
        return;
    if (root->type != FW_TREE_MAP) {
        fw_problem(l, &root->pos, "expected keys and values, as in 'flywheel: 1'");
        return;
    }
    for (size_t i = 0; o && i < o->n_sets; i++)
        fw_tree_set(l, &root, o->sets[i]);
    l->root = root;
    fw_keys_read(l, root, fw_plan_keys, "the file", plan);
    if (!l->nomem)
        index_stages(l);
    if (!l->nomem)
        fw_plan_check(l);
}

int fw_plan_load_text(const char *path, const char *text, size_t len,
                      const struct fw_plan_options *options, struct fw_plan **out,
                      struct fw_problems *problems)
{
    struct fw_plan *plan = calloc(1, sizeof *plan);
    if (!plan)
        return fw_err_nomem(&problems->list[problems->n < FW_PROBLEMS ? problems->n++ : 0]);
    struct fw_load l = {
        .plan = plan, .arena = &plan->arena, .problems = problems, .options = options};
    size_t before = count(problems);
    set_defaults(plan);
    plan->path = fw_arena_strdup(l.arena, path);
    if (!plan->path || set_root(&l, path) != FW_OK)
        l.nomem = true;
    if (!l.nomem)
        load(&l, text, len);
    plan->sources = l.sources;
    plan->n_sources = l.n_sources;
    if (!l.nomem && count(problems) == before) {
        *out = plan;
        return FW_OK;
    }
    if (l.nomem) {
        fw_problems_release(problems);
        problems->n = 1;
        fw_err_nomem(&problems->list[0]);
    }
    fw_problems_sort(problems);
    fw_plan_free(plan);
    return l.nomem ? FW_ENOMEM : FW_EINVAL;
}

int fw_plan_load(const char *path, const struct fw_plan_options *options, struct fw_plan **out,
                 struct fw_problems *problems)
{
    struct fw_buf text = {0};
    struct fw_err err = {0};
    int rc = fw_fs_exists(path) ? fw_fs_read(path, FW_TREE_BYTES, &text, &err)
                                : fw_err_set(&err, FW_ENOTFOUND, "there is no such file");
    if (rc == FW_ENOTFOUND) {
        fw_err_at(&err, path, 0, 0);
        fw_err_hint(&err, "`flywheel init` writes one");
    }
    if (rc == FW_OK)
        rc = fw_plan_load_text(path, text.p ? text.p : "", text.len, options, out, problems);
    else if (problems->n < FW_PROBLEMS)
        problems->list[problems->n++] = err;
    fw_buf_release(&text);
    return rc;
}

void fw_plan_free(struct fw_plan *plan)
{
    if (!plan)
        return;
    for (size_t i = 0; i < plan->n_stages; i++) {
        json_decref(plan->stages[i].describe);
        json_decref(plan->stages[i].params);
    }
    fw_arena_release(&plan->arena);
    free(plan);
}

const struct fw_stage *fw_plan_stage(const struct fw_plan *plan, const char *name)
{
    size_t low = 0, high = plan->n_stages;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const struct fw_stage *s = &plan->stages[plan->by_name[mid]];
        int c = strcmp(s->name, name);
        if (c == 0)
            return s;
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

struct fw_task_info fw_plan_task(const struct fw_plan *plan)
{
    return (struct fw_task_info){.task = plan->dataset.task,
                                 .classes = plan->dataset.classes,
                                 .n_classes = plan->dataset.n_classes};
}
