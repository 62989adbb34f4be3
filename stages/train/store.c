/*
 * The model's file:
 *
 *   0   "FWLINEAR"
 *   8   u32 version (1)
 *   12  u32 zero
 *   16  u64 length of the body
 *   24  u64 XXH3 of the body
 *   32  body: task, extractor, classes, weights, as write_body() puts them
 *
 * Numbers are little-endian; a big-endian machine refuses (it could not read the arrays in place).
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/hash.h"
#include "stages/train/hog.h"
#include "stages/train/linear.h"

enum { VERSION = 1, HEADER = 32 };
static const char magic[8] = {'F', 'W', 'L', 'I', 'N', 'E', 'A', 'R'};

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the model file is little-endian; add byte swapping here"
#endif

static void put32(struct fw_buf *b, uint32_t v)
{
    fw_buf_add(b, &v, sizeof v);
}

static void put_array(struct fw_buf *b, const void *v, size_t n)
{
    fw_buf_add(b, v, n * 4);
}

static void write_body(const struct fw_linear *m, struct fw_buf *b)
{
    const struct fw_extractor *ex = m->ex;
    const struct fw_extract_params *p = &ex->params;
    uint32_t settings[] = {(uint32_t)m->task,
                           (uint32_t)p->input,
                           (uint32_t)p->image_size,
                           (uint32_t)p->ngrams.words,
                           (uint32_t)p->ngrams.chars,
                           (uint32_t)p->ngrams.hash_bits,
                           (uint32_t)p->min_df,
                           ex->edges != NULL,
                           (uint32_t)p->bins,
                           ex->raw_dim,
                           ex->dim,
                           m->n_classes,
                           m->rows};

    put_array(b, settings, sizeof settings / sizeof *settings);
    if (ex->vocab) {
        put_array(b, ex->vocab, ex->dim);
        put_array(b, ex->idf, ex->dim);
    } else {
        put_array(b, ex->mean, ex->raw_dim);
        put_array(b, ex->scale, ex->raw_dim);
    }
    if (ex->edges) {
        put_array(b, ex->edge_start, (size_t)ex->raw_dim + 1);
        put_array(b, ex->edges, ex->edge_start[ex->raw_dim]);
    }
    for (uint32_t c = 0; c < m->n_classes; c++) {
        size_t n = strlen(m->classes[c]);
        put32(b, m->present[c]);
        put32(b, (uint32_t)n);
        fw_buf_add(b, m->classes[c], n);
    }
    if (m->rows)
        put_array(b, m->w, m->rows * ((size_t)ex->dim + 1));
    fw_buf_add(b, &m->target_mean, sizeof m->target_mean);
    fw_buf_add(b, &m->target_sd, sizeof m->target_sd);
}

int fw_linear_encode(const struct fw_linear *m, struct fw_buf *out, struct fw_err *err)
{
    struct fw_buf body = {0};

    write_body(m, &body);
    if (!body.failed) {
        uint64_t n = body.len, sum = fw_hash64(body.p, body.len, VERSION);
        fw_buf_add(out, magic, sizeof magic);
        put32(out, VERSION);
        put32(out, 0);
        fw_buf_add(out, &n, sizeof n);
        fw_buf_add(out, &sum, sizeof sum);
        fw_buf_add(out, body.p, body.len);
    }
    int rc = body.failed || out->failed ? fw_err_nomem(err) : FW_OK;
    fw_buf_release(&body);
    return rc;
}

struct reader {
    const unsigned char *p;
    size_t left;
    const char *wrong; /* the first thing that was */
};

static bool take(struct reader *r, void *to, size_t n)
{
    if (r->wrong)
        return false;
    if (r->left < n) {
        r->wrong = "it is cut short";
        return false;
    }
    if (n)
        memcpy(to, r->p, n);
    r->p += n;
    r->left -= n;
    return true;
}

/* n numbers of 4 bytes; never allocates more than the file holds. */
static void *take_array(struct reader *r, size_t n, bool floats)
{
    if (r->wrong || n > r->left / 4) {
        r->wrong = r->wrong ? r->wrong : "it is cut short";
        return NULL;
    }
    void *v = malloc(n ? n * 4 : 1);
    if (!v) {
        r->wrong = "there is no memory for it";
        return NULL;
    }
    take(r, v, n * 4);
    for (size_t i = 0; floats && i < n; i++)
        if (!isfinite(((const float *)v)[i]))
            r->wrong = "it holds a number that is not finite";
    return v;
}

enum { TASK, INPUT, SIZE, WORDS, CHARS, BITS, MIN_DF, BINNED, BINS, RAW, DIM, CLASSES, ROWS, N };

static const char *check_settings(const uint32_t s[N])
{
    if (s[TASK] > FW_REGRESSION || s[INPUT] < FW_INPUT_IMAGE || s[INPUT] > FW_INPUT_FEATURES ||
        s[SIZE] < FW_LOOK_MIN_SIDE || s[SIZE] > 1024 || s[WORDS] > 8 || s[CHARS] > 8 ||
        s[BITS] < 8 || s[BITS] > 24 || s[MIN_DF] > INT32_MAX || s[BINNED] > 1 || s[BINS] < 2 ||
        s[BINS] > 256)
        return "a setting is out of range";
    if ((s[INPUT] == FW_INPUT_IMAGE && s[RAW] != FW_LOOK_DIM) ||
        (s[INPUT] == FW_INPUT_TEXT && s[RAW] != 1u << s[BITS]) || s[RAW] > 1u << 24)
        return "its width does not fit its input";
    if (s[BINNED] && s[INPUT] != FW_INPUT_FEATURES)
        return "only features are binned";
    if (s[INPUT] != FW_INPUT_TEXT && !s[BINNED] && s[DIM] != s[RAW])
        return "its width does not fit its input";
    if (s[TASK] == FW_REGRESSION
            ? s[CLASSES] || s[ROWS] > 1
            : !s[CLASSES] || s[CLASSES] > 65535 || (s[ROWS] > 1 && s[ROWS] != s[CLASSES]))
        return "its classes do not fit its weights";
    return NULL;
}

static void read_extractor(struct reader *r, const uint32_t s[N], struct fw_extractor *ex)
{
    ex->params = (struct fw_extract_params){
        .input = (enum fw_input)s[INPUT],
        .image_size = (int)s[SIZE],
        .ngrams = {(int)s[WORDS], (int)s[CHARS], (int)s[BITS]},
        .min_df = (int)s[MIN_DF],
        .binned = s[BINNED],
        .bins = (int)s[BINS],
    };
    ex->raw_dim = s[RAW];
    ex->dim = s[DIM];
    if (s[INPUT] == FW_INPUT_TEXT) {
        ex->vocab = take_array(r, ex->dim, false);
        ex->idf = take_array(r, ex->dim, true);
        for (uint32_t v = 0; !r->wrong && v < ex->dim; v++)
            if (ex->vocab[v] >= ex->raw_dim || (v && ex->vocab[v] <= ex->vocab[v - 1]))
                r->wrong = "its vocabulary is out of order";
    } else {
        ex->mean = take_array(r, ex->raw_dim, true);
        ex->scale = take_array(r, ex->raw_dim, true);
    }
    if (!s[BINNED])
        return;
    ex->edge_start = take_array(r, (size_t)ex->raw_dim + 1, false);
    for (uint32_t j = 0; !r->wrong && j <= ex->raw_dim; j++)
        if (ex->edge_start[j] < (j ? ex->edge_start[j - 1] : 0) || (!j && ex->edge_start[0]))
            r->wrong = "its bins are out of order";
    if (!r->wrong)
        ex->edges = take_array(r, ex->edge_start[ex->raw_dim], true);
    if (!r->wrong && ex->dim != 2 * (uint64_t)ex->raw_dim + ex->edge_start[ex->raw_dim])
        r->wrong = "its width does not fit its bins";
}

static void read_classes(struct reader *r, uint32_t n, struct fw_linear *m)
{
    uint32_t present = 0;

    if (r->wrong || !n)
        return;
    m->classes = calloc(n, sizeof *m->classes);
    m->present = calloc(n, 1);
    if (!m->classes || !m->present) {
        r->wrong = "there is no memory for it";
        return;
    }
    for (uint32_t c = 0; c < n && !r->wrong; c++) {
        uint32_t head[2] = {0};
        if (!take(r, head, sizeof head))
            return;
        if (head[0] > 1 || head[1] > r->left || memchr(r->p, 0, head[1])) {
            r->wrong = "a class name is damaged";
            return;
        }
        m->classes[c] = strndup((const char *)r->p, head[1]);
        if (!m->classes[c]) {
            r->wrong = "there is no memory for it";
            return;
        }
        m->n_classes++;
        m->present[c] = (unsigned char)head[0];
        present += head[0];
        r->p += head[1];
        r->left -= head[1];
    }
    if (!r->wrong && (m->rows == 0            ? present != 1
                      : m->rows == 1 && n > 1 ? present != 2
                                              : present < 3))
        r->wrong = "its classes do not fit its weights";
}

static void read_body(struct reader *r, struct fw_linear *m)
{
    uint32_t s[N];

    if (!take(r, s, sizeof s))
        return;
    r->wrong = check_settings(s);
    m->ex = calloc(1, sizeof *m->ex);
    if (!r->wrong && !m->ex)
        r->wrong = "there is no memory for it";
    if (r->wrong)
        return;
    m->task = (enum fw_task)s[TASK];
    m->rows = s[ROWS];
    read_extractor(r, s, m->ex);
    read_classes(r, s[CLASSES], m);
    if (!r->wrong && m->rows)
        m->w = take_array(r, m->rows * ((size_t)m->ex->dim + 1), true);
    take(r, &m->target_mean, sizeof m->target_mean);
    take(r, &m->target_sd, sizeof m->target_sd);
    if (!r->wrong && (!isfinite(m->target_mean) || !isfinite(m->target_sd)))
        r->wrong = "it holds a number that is not finite";
    if (!r->wrong && r->left)
        r->wrong = "there are bytes after its end";
}

int fw_linear_decode(const void *bytes, size_t n, struct fw_linear **out, struct fw_err *err)
{
    struct reader r = {.p = bytes, .left = n};
    char head[8];
    uint32_t version[2];
    uint64_t body[2];

    if (!take(&r, head, sizeof head) || memcmp(head, magic, sizeof magic) != 0)
        return fw_err_set(err, FW_EINVAL, "not a model of the linear plugin");
    if (!take(&r, version, sizeof version) || version[0] != VERSION)
        return fw_err_set(err, FW_EINVAL,
                          "the model was written by another version of the linear plugin");
    if (!take(&r, body, sizeof body) || body[0] != r.left)
        return fw_err_set(err, FW_EINVAL, "the model file is cut short or has bytes after its end");
    if (fw_hash64(r.p, r.left, VERSION) != body[1])
        return fw_err_set(err, FW_EINVAL, "the model file is damaged (its checksum differs)");

    struct fw_linear *m = calloc(1, sizeof *m);
    if (!m)
        return fw_err_nomem(err);
    read_body(&r, m);
    if (r.wrong) {
        fw_linear_free(m);
        return fw_err_set(err, FW_EINVAL, "the model file is damaged: %s", r.wrong);
    }
    *out = m;
    return FW_OK;
}
