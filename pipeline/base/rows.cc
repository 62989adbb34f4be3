// The one C++ file: simdjson behind rows.h. No exception leaves it.
#include "pipeline/base/rows.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <simdjson.h>
#include <vector>

namespace dom = simdjson::dom;

struct fw_rows {
    dom::parser parser;
    std::vector<char> padded;
    std::vector<fw_field> fields;
};

struct fw_rows *fw_rows_new(void)
{
    return new (std::nothrow) fw_rows;
}

void fw_rows_free(struct fw_rows *rows)
{
    delete rows;
}

static const char *plain(simdjson::error_code e, const char *line, size_t len)
{
    if (e == simdjson::UTF8_ERROR)
        return "bytes that are not UTF-8";
    if (memmem(line, len, "NaN", 3) || memmem(line, len, "nan", 3) ||
        memmem(line, len, "Infinity", 8))
        return "NaN or Infinity, which JSON does not have (leave the field out or write null)";
    if (e == simdjson::INCORRECT_TYPE || e == simdjson::EMPTY)
        return "not a JSON object";
    if (e == simdjson::NUMBER_ERROR)
        return "a number that is not valid JSON or does not fit a double";
    if (e == simdjson::DEPTH_ERROR)
        return "nested too deeply";
    return "not valid JSON";
}

// The spans below walk text that simdjson has already found valid, so no check is repeated.
static const char *skip_space(const char *p)
{
    while (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')
        p++;
    return p;
}

static const char *skip_string(const char *p) // from the opening quote to behind the closing one
{
    for (p++; *p != '"'; p++)
        if (*p == '\\')
            p++;
    return p + 1;
}

static const char *skip_value(const char *p)
{
    if (*p == '"')
        return skip_string(p);
    if (*p != '[' && *p != '{')
        return p + strcspn(p, ",]} \t\r\n");
    int depth = 0;
    for (;;) {
        if (*p == '"') {
            p = skip_string(p);
            continue;
        }
        depth += (*p == '[' || *p == '{') - (*p == ']' || *p == '}');
        p++;
        if (depth == 0)
            return p;
    }
}

static simdjson::error_code read_value(dom::element v, fw_field *f)
{
    switch (v.type()) {
    case dom::element_type::STRING: {
        std::string_view s;
        f->type = FW_STRING;
        auto e = v.get(s);
        f->str = s.data(); // simdjson ends its strings with a NUL
        f->str_len = s.size();
        return e;
    }
    case dom::element_type::INT64:
    case dom::element_type::UINT64:
    case dom::element_type::DOUBLE:
        f->type = FW_NUMBER;
        return v.get(f->number);
    case dom::element_type::BOOL:
        f->type = FW_BOOL;
        return v.get(f->boolean);
    case dom::element_type::ARRAY:
        f->type = FW_ARRAY;
        return simdjson::SUCCESS;
    case dom::element_type::OBJECT:
        f->type = FW_OBJECT;
        return simdjson::SUCCESS;
    default:
        f->type = FW_NULL;
        return simdjson::SUCCESS;
    }
}

static int parse(fw_rows *r, const char *line, size_t len, fw_row *out, fw_err *err)
{
    r->padded.resize(len + simdjson::SIMDJSON_PADDING);
    if (len)
        memcpy(r->padded.data(), line, len);
    memset(r->padded.data() + len, 0, simdjson::SIMDJSON_PADDING);
    r->fields.clear();
    const char *base = r->padded.data();
    dom::object object;
    if (auto e = r->parser.parse(base, len, false).get(object))
        return fw_err_set(err, FW_EINVAL, "%s", plain(e, line, len));
    const char *p = skip_space(base) + 1;
    for (auto member : object) {
        fw_field f = {};
        f.key = member.key.data();
        if (auto e = read_value(member.value, &f))
            return fw_err_set(err, FW_EINVAL, "%s", plain(e, line, len));
        p = skip_space(skip_space(skip_string(skip_space(p))) + 1);
        const char *end = skip_value(p);
        f.raw = line + (p - base);
        f.raw_len = (size_t)(end - p);
        p = skip_space(end) + 1;
        for (const fw_field &g : r->fields)
            if (!strcmp(f.key, g.key))
                return fw_err_set(err, FW_EINVAL, "field '%.200s' appears twice", f.key);
        r->fields.push_back(f);
    }
    *out = {line, len, r->fields.data(), r->fields.size()};
    return FW_OK;
}

int fw_row_parse(struct fw_rows *rows, const char *line, size_t len, struct fw_row *out,
                 struct fw_err *err)
{
    try {
        return parse(rows, line, len, out, err);
    } catch (const std::bad_alloc &) {
        return fw_err_nomem(err);
    } catch (...) {
        return fw_err_set(err, FW_EINVAL, "not valid JSON");
    }
}

const struct fw_field *fw_row_get(const struct fw_row *row, const char *key)
{
    for (size_t i = 0; i < row->n; i++)
        if (!strcmp(row->fields[i].key, key))
            return &row->fields[i];
    return NULL;
}

const char *fw_row_str(const struct fw_row *row, const char *key)
{
    const struct fw_field *f = fw_row_get(row, key);
    return f && f->type == FW_STRING ? f->str : NULL;
}

static int numbers(const struct fw_field *field, std::vector<double> &v, struct fw_err *err)
{
    dom::parser parser;
    dom::array array;
    if (parser.parse(simdjson::padded_string(field->raw, field->raw_len)).get(array))
        return fw_err_set(err, FW_EINVAL, "not an array of numbers");
    for (dom::element item : array) {
        double x;
        if (item.get(x))
            return fw_err_set(err, FW_EINVAL, "not an array of numbers");
        v.push_back(x);
    }
    return FW_OK;
}

int fw_field_numbers(const struct fw_field *field, double **out, size_t *n, struct fw_err *err)
{
    try {
        std::vector<double> v;
        int rc = numbers(field, v, err);
        if (rc != FW_OK)
            return rc;
        double *p = (double *)malloc((v.size() ? v.size() : 1) * sizeof *p);
        if (!p)
            return fw_err_nomem(err);
        if (!v.empty())
            memcpy(p, v.data(), v.size() * sizeof *p);
        *out = p;
        *n = v.size();
        return FW_OK;
    } catch (const std::bad_alloc &) {
        return fw_err_nomem(err);
    } catch (...) {
        return fw_err_set(err, FW_EINVAL, "not an array of numbers");
    }
}

static bool blank(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != ' ' && p[i] != '\t' && p[i] != '\r')
            return false;
    return true;
}

static int one_line(fw_rows *rows, const char *name, const char *p, size_t n, int line,
                    fw_row_fn *fn, void *ctx, fw_err *err)
{
    fw_row row;
    if (blank(p, n))
        return FW_OK;
    int rc = fw_row_parse(rows, p, n, &row, err);
    if (rc != FW_OK) {
        fw_err_at(err, name, line, 0);
        return rc;
    }
    return fn(ctx, &row, line, err);
}

int fw_rows_each_mem(const char *name, const char *data, size_t n, fw_row_fn *fn, void *ctx,
                     struct fw_err *err)
{
    fw_rows *rows = fw_rows_new();
    if (!rows)
        return fw_err_nomem(err);
    int rc = FW_OK, line = 0;
    for (size_t at = 0; at < n && rc == FW_OK;) {
        const char *nl = (const char *)memchr(data + at, '\n', n - at);
        size_t len = nl ? (size_t)(nl - data) - at : n - at;
        rc = one_line(rows, name, data + at, len, ++line, fn, ctx, err);
        at += len + 1;
    }
    fw_rows_free(rows);
    return rc;
}

static int each_fd(int fd, fw_rows *rows, const char *path, fw_row_fn *fn, void *ctx, fw_err *err)
{
    std::vector<char> buf(1 << 20);
    size_t have = 0;
    int line = 0;
    for (bool end = false; !end;) {
        if (have == buf.size())
            buf.resize(buf.size() * 2);
        ssize_t got = read(fd, buf.data() + have, buf.size() - have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fw_err_sys(err, errno, "cannot read %s", path);
        end = got == 0;
        have += (size_t)got;
        size_t at = 0;
        while (at < have) {
            char *nl = (char *)memchr(buf.data() + at, '\n', have - at);
            if (!nl && !end)
                break;
            size_t len = nl ? (size_t)(nl - buf.data()) - at : have - at;
            int rc = one_line(rows, path, buf.data() + at, len, ++line, fn, ctx, err);
            if (rc != FW_OK)
                return rc;
            at += len + (nl ? 1 : 0);
        }
        memmove(buf.data(), buf.data() + at, have - at);
        have -= at;
    }
    return FW_OK;
}

int fw_rows_each(const char *path, fw_row_fn *fn, void *ctx, struct fw_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fw_err_sys(err, errno, "cannot open %s", path);
    fw_rows *rows = fw_rows_new();
    int rc;
    try {
        rc = rows ? each_fd(fd, rows, path, fn, ctx, err) : fw_err_nomem(err);
    } catch (const std::bad_alloc &) {
        rc = fw_err_nomem(err);
    }
    fw_rows_free(rows);
    close(fd);
    return rc;
}
