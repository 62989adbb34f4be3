#include "stages/error_analysis/slice.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/arena.h"
#include "pipeline/base/suggest.h"

enum { MAX_DEPTH = 64, MAX_TEXT = 4096 };

enum op { HAS, MISSING, EQ, NE, LT, LE, GT, GE, IN, CONTAINS, STARTS, AND, OR, NOT };

struct value {
    enum fw_type type; /* FW_NUMBER, FW_STRING or FW_BOOL */
    double number;
    bool boolean;
    const char *text;
    size_t len;
    struct value *next; /* in a list */
};

struct node {
    enum op op;
    const char *field;
    long index; /* of the list's element; -1: the field itself */
    struct value *values;
    struct node *a, *b;
};

struct fw_slice {
    struct fw_arena arena;
    struct node *root;
};

struct parser {
    const char *text, *p;
    struct fw_arena *arena;
    struct fw_err *err;
    int depth;
};

static void *fail(struct parser *ps, const char *at, const char *what)
{
    fw_err_set(ps->err, FW_EINVAL, "%s", what);
    fw_err_at(ps->err, "", 1, (int)(at - ps->text) + 1);
    return NULL;
}

static void *no_memory(struct parser *ps)
{
    fw_err_nomem(ps->err);
    return NULL;
}

static void skip(struct parser *ps)
{
    while (*ps->p == ' ' || *ps->p == '\t')
        ps->p++;
}

static bool name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static size_t name_len(const char *p)
{
    size_t n = 0;
    if (!name_start(*p))
        return 0;
    while (name_start(p[n]) || (p[n] >= '0' && p[n] <= '9') || p[n] == '-' || p[n] == '.')
        n++;
    return n;
}

/* Is the next word this keyword? Takes it when it is. */
static bool keyword(struct parser *ps, const char *word)
{
    skip(ps);
    size_t n = strlen(word);
    if (name_len(ps->p) != n || strncmp(ps->p, word, n) != 0)
        return false;
    ps->p += n;
    return true;
}

static bool symbol(struct parser *ps, const char *s)
{
    skip(ps);
    size_t n = strlen(s);
    if (strncmp(ps->p, s, n) != 0)
        return false;
    ps->p += n;
    return true;
}

static struct node *make(struct parser *ps, enum op op, struct node *a, struct node *b)
{
    struct node *n = fw_arena_alloc(ps->arena, sizeof *n);
    if (!n)
        return no_memory(ps);
    n->op = op;
    n->index = -1;
    n->a = a;
    n->b = b;
    return n;
}

static struct value *parse_value(struct parser *ps)
{
    skip(ps);
    const char *at = ps->p;
    struct value *v = fw_arena_alloc(ps->arena, sizeof *v);
    if (!v)
        return no_memory(ps);
    if (*at == '\'' || *at == '"') {
        const char *end = strchr(at + 1, *at);
        if (!end)
            return fail(ps, at, "this text has no closing quote");
        v->type = FW_STRING;
        v->len = (size_t)(end - at) - 1;
        v->text = fw_arena_strndup(ps->arena, at + 1, v->len);
        ps->p = end + 1;
        return v->text ? v : no_memory(ps);
    }
    if (keyword(ps, "true") || keyword(ps, "false")) {
        v->type = FW_BOOL;
        v->boolean = *at == 't';
        return v;
    }
    char *end;
    if (strchr("+-.0123456789", *at) && *at) {
        v->type = FW_NUMBER;
        v->number = strtod(at, &end);
        if (end != at && isfinite(v->number) && !name_start(*end)) {
            ps->p = end;
            return v;
        }
    }
    if (name_len(at))
        return fail(ps, at, "a value is a number, true, false, or a text in quotes");
    return fail(ps, at, *at ? "here a value should stand" : "a value is missing at the end");
}

static struct value *parse_list(struct parser *ps)
{
    struct value *first = NULL, **next = &first;
    if (!symbol(ps, "["))
        return fail(ps, ps->p, "after 'in' comes a list: [a, b]");
    do {
        if (!(*next = parse_value(ps)))
            return NULL;
        next = &(*next)->next;
    } while (symbol(ps, ","));
    if (!symbol(ps, "]"))
        return fail(ps, ps->p, "the list should end here with ']'");
    return first;
}

/* name or name[3], into n. */
static bool parse_field(struct parser *ps, struct node *n)
{
    skip(ps);
    const char *at = ps->p;
    size_t len = name_len(at);
    if (!len) {
        fail(ps, at, *at ? "here a field name should stand" : "a condition is missing at the end");
        return false;
    }
    if (!(n->field = fw_arena_strndup(ps->arena, at, len))) {
        no_memory(ps);
        return false;
    }
    ps->p += len;
    if (*ps->p != '[')
        return true;
    n->index = 0;
    for (ps->p++; *ps->p >= '0' && *ps->p <= '9' && n->index < 100000000; ps->p++)
        n->index = n->index * 10 + (*ps->p - '0');
    if (*ps->p != ']' || ps->p[-1] == '[') {
        fail(ps, ps->p, "an element is a whole number in brackets: features[3]");
        return false;
    }
    ps->p++;
    return true;
}

/* The rest of `field is [not] missing`. */
static struct node *parse_missing(struct parser *ps, struct node *n)
{
    bool negate = keyword(ps, "not");
    n->op = MISSING;
    skip(ps);
    if (!keyword(ps, "missing"))
        return fail(ps, ps->p, "after 'is' comes 'missing' or 'not missing'; write == to compare");
    return negate ? make(ps, NOT, n, NULL) : n;
}

static struct node *parse_text_test(struct parser *ps, struct node *n, enum op op)
{
    skip(ps);
    const char *at = ps->p;
    n->op = op;
    n->values = parse_value(ps);
    if (n->values && n->values->type != FW_STRING)
        return fail(ps, at, "here a text in quotes should stand");
    return n->values ? n : NULL;
}

static struct node *parse_comparison(struct parser *ps)
{
    static const struct {
        const char *text;
        enum op op;
    } ops[] = {{"==", EQ}, {"!=", NE}, {"<=", LE}, {">=", GE}, {"<", LT}, {">", GT}};
    struct node *n = make(ps, HAS, NULL, NULL);
    if (!n || !parse_field(ps, n))
        return NULL;
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        if (symbol(ps, ops[i].text)) {
            n->op = ops[i].op;
            n->values = parse_value(ps);
            return n->values ? n : NULL;
        }
    }
    if (*ps->p == '=')
        return fail(ps, ps->p, "write == to compare");
    if (keyword(ps, "is"))
        return parse_missing(ps, n);
    if (keyword(ps, "contains"))
        return parse_text_test(ps, n, CONTAINS);
    if (keyword(ps, "starts_with"))
        return parse_text_test(ps, n, STARTS);
    bool negate = keyword(ps, "not");
    if (keyword(ps, "in")) {
        n->op = IN;
        n->values = parse_list(ps);
        if (!n->values)
            return NULL;
        return negate ? make(ps, NOT, n, NULL) : n;
    }
    if (negate)
        return fail(ps, ps->p, "after 'not' here comes 'in [..]'");
    if (n->index >= 0)
        return fail(ps, ps->p, "an element of a list needs a comparison");
    return n;
}

static struct node *parse_or(struct parser *ps);

static struct node *parse_not(struct parser *ps)
{
    struct node *n;
    if (++ps->depth > MAX_DEPTH)
        return fail(ps, ps->p, "nested too deeply");
    skip(ps);
    const char *at = ps->p;
    if (keyword(ps, "not")) {
        n = parse_not(ps);
        n = n ? make(ps, NOT, n, NULL) : NULL;
    } else if (symbol(ps, "(")) {
        n = parse_or(ps);
        if (n && !symbol(ps, ")"))
            n = fail(ps, at, "this parenthesis is not closed");
    } else {
        n = parse_comparison(ps);
    }
    ps->depth--;
    return n;
}

static struct node *parse_and(struct parser *ps)
{
    struct node *a = parse_not(ps);
    while (a && keyword(ps, "and")) {
        struct node *b = parse_not(ps);
        a = b ? make(ps, AND, a, b) : NULL;
    }
    return a;
}

static struct node *parse_or(struct parser *ps)
{
    struct node *a = parse_and(ps);
    while (a && keyword(ps, "or")) {
        struct node *b = parse_and(ps);
        a = b ? make(ps, OR, a, b) : NULL;
    }
    return a;
}

/* A bare field is a whole condition, not a part of one: `a and b` was not meant. */
static bool has_bare(const struct node *n)
{
    return n && (n->op == HAS || has_bare(n->a) || has_bare(n->b));
}

/* A condition was read, and something follows. */
static void *stray(struct parser *ps)
{
    static const char *const words[] = {"and", "or",       "in",          "not",
                                        "is",  "contains", "starts_with", "missing"};
    char word[32];
    size_t len = name_len(ps->p);
    fail(ps, ps->p, "here the condition should end, or go on with and / or");
    if (len && len < sizeof word) {
        memcpy(word, ps->p, len);
        word[len] = '\0';
        const char *meant = fw_suggest(word, words, sizeof words / sizeof *words);
        if (meant)
            fw_err_hint(ps->err, "did you mean '%s'?", meant);
    } else if (*ps->p == '&' || *ps->p == '|') {
        fw_err_hint(ps->err, "write '%s'", *ps->p == '&' ? "and" : "or");
    }
    return NULL;
}

int fw_slice_parse(const char *text, struct fw_slice **out, struct fw_err *err)
{
    struct fw_err own = {0};
    struct fw_slice *s = calloc(1, sizeof *s);
    if (!s)
        return fw_err_nomem(err);
    struct parser ps = {text, text, &s->arena, err ? err : &own, 0};
    bool fits = strlen(text) <= MAX_TEXT;
    s->root = fits ? parse_or(&ps) : fail(&ps, text, "the condition is too long");
    if (s->root) {
        skip(&ps);
        if (*ps.p)
            s->root = stray(&ps);
        else if (s->root->op != HAS && has_bare(s->root))
            s->root = fail(&ps, text, "a field within a condition needs a comparison");
    }
    if (!s->root) {
        int rc = ps.err->code;
        fw_slice_free(s);
        return rc;
    }
    *out = s;
    return FW_OK;
}

void fw_slice_free(struct fw_slice *s)
{
    if (!s)
        return;
    fw_arena_release(&s->arena);
    free(s);
}

const char *fw_slice_field(const struct fw_slice *s)
{
    return s->root->op == HAS ? s->root->field : NULL;
}

const struct fw_field *fw_slice_get(const struct fw_row *row, const char *field)
{
    return fw_row_get(row, strcmp(field, "class") ? field : "label");
}

/* -1, 0, 1; 2 when the two cannot be compared. */
static int compare(const struct fw_field *f, const struct value *v)
{
    if (f->type != v->type)
        return 2;
    if (v->type == FW_NUMBER)
        return f->number < v->number ? -1 : f->number > v->number;
    if (v->type == FW_BOOL)
        return (int)f->boolean - (int)v->boolean;
    size_t n = f->str_len < v->len ? f->str_len : v->len;
    int d = n ? memcmp(f->str, v->text, n) : 0;
    if (d)
        return d < 0 ? -1 : 1;
    return f->str_len < v->len ? -1 : f->str_len > v->len;
}

/* Element `index` of a list of numbers as a field of its own. */
static bool element(const struct fw_field *list, long index, struct fw_field *out)
{
    const char *p = list->raw, *end = list->raw + list->raw_len;
    if (list->type != FW_ARRAY)
        return false;
    for (p++; p < end; p++) {
        if (*p == '"' || *p == '[' || *p == '{' || *p == ']')
            return false;
        if (index == 0 && (*p == '-' || (*p >= '0' && *p <= '9'))) {
            *out = (struct fw_field){.type = FW_NUMBER, .number = strtod(p, NULL)};
            return true;
        }
        if (*p == ',' && index-- == 0)
            return false; /* true, false or null stood there */
    }
    return false;
}

static bool has_text(const struct fw_field *f, const struct value *v, bool start)
{
    if (f->type != FW_STRING || f->str_len < v->len)
        return false;
    return start ? memcmp(f->str, v->text, v->len) == 0
                 : !v->len || memmem(f->str, f->str_len, v->text, v->len) != NULL;
}

static bool match(const struct node *n, const struct fw_row *row)
{
    if (n->op == AND)
        return match(n->a, row) && match(n->b, row);
    if (n->op == OR)
        return match(n->a, row) || match(n->b, row);
    if (n->op == NOT)
        return !match(n->a, row);
    const struct fw_field *f = fw_slice_get(row, n->field);
    struct fw_field one;
    if (f && n->index >= 0)
        f = element(f, n->index, &one) ? &one : NULL;
    if (!f || f->type == FW_NULL)
        return n->op == MISSING;
    if (n->op == MISSING)
        return false;
    if (n->op == CONTAINS || n->op == STARTS)
        return has_text(f, n->values, n->op == STARTS);
    if (n->op == HAS)
        return true;
    if (n->op == IN) {
        for (const struct value *v = n->values; v; v = v->next)
            if (compare(f, v) == 0)
                return true;
        return false;
    }
    int d = compare(f, n->values);
    switch (n->op) {
    case EQ:
        return d == 0;
    case NE:
        return d != 0 && d != 2;
    case LT:
        return d == -1;
    case LE:
        return d == -1 || d == 0;
    case GT:
        return d == 1;
    default:
        return d == 1 || d == 0;
    }
}

bool fw_slice_match(const struct fw_slice *s, const struct fw_row *row)
{
    return match(s->root, row);
}
