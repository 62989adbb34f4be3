#include "stages/quality/image_issues.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/parallel.h"
#include "stages/quality/robust.h"

enum { SIDE = 256, LEVELS = 256, SLACK = 2, CLASS_LEAST = 10 };

/* an issue is a score below it; those of 0 or 1 alone need only lie between */
const float fw_image_thresholds[FW_IMAGE_ISSUES] = {0.5f, 0.5f,  0.32f, 0.05f, 0.3f,
                                                    0.5f, 0.35f, 0.5f,  0.5f};

const char *fw_image_issue_name(enum fw_image_issue i)
{
    static const char *const names[FW_IMAGE_ISSUES] = {"undecodable", "empty",           "dark",
                                                       "light",       "low_information", "blurry",
                                                       "odd_aspect",  "odd_size",        "gray"};
    return names[i];
}

void fw_image_issues_release(struct fw_image_issues *x)
{
    free(x->v);
    *x = (struct fw_image_issues){0};
}

static void blank(struct fw_image_measure *m)
{
    *m = (struct fw_image_measure){.klass = -1, .laplacian = NAN};
    for (int i = 0; i < FW_IMAGE_ISSUES; i++)
        m->score[i] = 1;
}

/* The smallest level that at least `share` of the pixels do not exceed. */
static int percentile(const size_t count[LEVELS], size_t n, double share)
{
    size_t seen = 0;
    for (int l = 0; l < LEVELS; l++)
        if ((double)(seen += count[l]) >= share * (double)n)
            return l;
    return LEVELS - 1;
}

static double entropy_bits(const size_t count[LEVELS], size_t n)
{
    double h = 0;
    for (int l = 0; l < LEVELS; l++) {
        double p = (double)count[l] / (double)n;
        h -= p > 0 ? p * log2(p) : 0;
    }
    return h;
}

static double laplacian_variance(const float *g, int w, int h)
{
    double sum = 0, sum2 = 0, n = (double)(w - 2) * (h - 2);
    if (w < 3 || h < 3)
        return NAN;
    for (int y = 1; y < h - 1; y++) {
        const float *p = g + (size_t)y * w;
        for (int x = 1; x < w - 1; x++) {
            double v = 255.0 * ((double)p[x - 1] + p[x + 1] + p[x - w] + p[x + w] - 4.0 * p[x]);
            sum += v;
            sum2 += v * v;
        }
    }
    return fmax(0, sum2 / n - sum / n * (sum / n));
}

static bool is_gray(const struct fw_image *im)
{
    size_t n = (size_t)im->w * im->h;
    for (size_t i = 0; im->channels >= 3 && i < n; i++) {
        const unsigned char *p = im->px + i * im->channels;
        if (abs(p[0] - p[1]) > SLACK || abs(p[1] - p[2]) > SLACK || abs(p[0] - p[2]) > SLACK)
            return false;
    }
    return true;
}

static void measure_luminance(const float *g, int w, int h, struct fw_image_measure *m)
{
    size_t count[LEVELS] = {0}, n = (size_t)w * h;
    int low = LEVELS - 1, high = 0;
    for (size_t i = 0; i < n; i++) {
        float v = g[i] * 255.0f + 0.5f;
        int l = v < 0 ? 0 : v > 255 ? 255 : (int)v;
        count[l]++;
        low = l < low ? l : low;
        high = l > high ? l : high;
    }
    if (high - low <= SLACK) {
        m->score[FW_IMAGE_EMPTY] = 0;
        return;
    }
    m->score[FW_IMAGE_DARK] = (float)percentile(count, n, 0.99) / 255;
    m->score[FW_IMAGE_LIGHT] = 1 - (float)percentile(count, n, 0.05) / 255;
    m->score[FW_IMAGE_LOW_INFORMATION] = (float)(entropy_bits(count, n) / 8);
    m->laplacian = laplacian_variance(g, w, h);
    if (!isnan(m->laplacian))
        m->score[FW_IMAGE_BLURRY] = (float)(m->laplacian / (m->laplacian + 100));
}

int fw_image_measure_of(const struct fw_image *im, struct fw_image_measure *out, struct fw_err *err)
{
    struct fw_image_measure m;
    int w = im->w, h = im->h, longer = w > h ? w : h;
    if (w < 1 || h < 1 || !im->px)
        return fw_err_set(err, FW_EINVAL, "the image has no pixels (%d × %d)", w, h);
    blank(&m);
    m.looked_at = true;
    m.w = w;
    m.h = h;
    m.score[FW_IMAGE_ODD_ASPECT] = (float)(w < h ? w : h) / (float)longer;
    if (longer > SIDE) {
        w = (int)fmax(1, round((double)w * SIDE / longer));
        h = (int)fmax(1, round((double)h * SIDE / longer));
    }
    float *g = malloc((size_t)w * h * sizeof *g);
    int rc = g ? fw_image_gray(im, w, h, g, err) : fw_err_nomem(err);
    if (rc == FW_OK) {
        measure_luminance(g, w, h, &m);
        if (m.score[FW_IMAGE_EMPTY] > 0)
            m.score[FW_IMAGE_GRAY] = !is_gray(im);
        *out = m;
    }
    free(g);
    return rc;
}

/* ---- judging ---- */

static double log_side(const struct fw_image_measure *m)
{
    return m->w > 0 ? 0.5 * (log(m->w) + log(m->h)) : NAN;
}

static bool judged_alone(int issue)
{
    return issue != FW_IMAGE_BLURRY && issue != FW_IMAGE_ODD_SIZE;
}

struct sharpness {
    int klass;
    double laplacian;
};

static int by_class(const void *a, const void *b)
{
    const struct sharpness *x = a, *y = b;
    if (x->klass != y->klass)
        return x->klass < y->klass ? -1 : 1;
    return (x->laplacian > y->laplacian) - (x->laplacian < y->laplacian);
}

static double middle(const struct sharpness *v, size_t n)
{
    return n % 2 ? v[n / 2].laplacian : (v[n / 2 - 1].laplacian + v[n / 2].laplacian) / 2;
}

/* out: n, the median variance of the Laplacian that each image is judged by. all: the dataset's. */
static int usual_sharpness(const struct fw_image_issues *x, double all, double *out,
                           struct fw_err *err)
{
    size_t n = 0, classes = 0;
    for (size_t s = 0; s < x->n; s++)
        if (x->v[s].klass >= 0 && (size_t)x->v[s].klass >= classes)
            classes = (size_t)x->v[s].klass + 1;
    struct sharpness *v = calloc(x->n ? x->n : 1, sizeof *v);
    double *of_class = calloc(classes ? classes : 1, sizeof *of_class);
    int rc = v && of_class ? FW_OK : fw_err_nomem(err);
    for (size_t s = 0; rc == FW_OK && s < x->n; s++)
        if (x->v[s].klass >= 0 && isfinite(x->v[s].laplacian))
            v[n++] = (struct sharpness){x->v[s].klass, x->v[s].laplacian};
    for (size_t c = 0; rc == FW_OK && c < classes; c++)
        of_class[c] = all;
    if (rc == FW_OK)
        qsort(v, n, sizeof *v, by_class);
    for (size_t i = 0, from = 0; rc == FW_OK && i < n; i++)
        if (i + 1 == n || v[i + 1].klass != v[i].klass) {
            if (i + 1 - from >= CLASS_LEAST)
                of_class[v[i].klass] = middle(v + from, i + 1 - from);
            from = i + 1;
        }
    for (size_t s = 0; rc == FW_OK && s < x->n; s++)
        out[s] = x->v[s].klass >= 0 ? of_class[x->v[s].klass] : all;
    free(v);
    free(of_class);
    return rc;
}

static void judge_one(struct fw_image_measure *m, const float *thresholds,
                      const struct fw_robust *size, double sharp)
{
    double off = fabs(log_side(m) - size->median);
    m->flags = 0;
    if (isfinite(off))
        m->score[FW_IMAGE_ODD_SIZE] = (float)exp(-off);
    for (int i = 0; i < FW_IMAGE_ISSUES; i++)
        if (judged_alone(i) && m->score[i] < thresholds[i])
            m->flags |= 1u << i;
    /* An image without detail at all counts as blurry only beside ones that have some. */
    if (m->score[FW_IMAGE_BLURRY] < thresholds[FW_IMAGE_BLURRY] && m->laplacian < 0.1 * sharp)
        m->flags |= 1u << FW_IMAGE_BLURRY;
    if (m->score[FW_IMAGE_ODD_SIZE] < thresholds[FW_IMAGE_ODD_SIZE] && off > 3.5 * size->spread)
        m->flags |= 1u << FW_IMAGE_ODD_SIZE;
}

static void traits(struct fw_image_issues *x)
{
    static const enum fw_image_issue kinds[] = {FW_IMAGE_DARK, FW_IMAGE_LIGHT,
                                                FW_IMAGE_LOW_INFORMATION, FW_IMAGE_ODD_ASPECT,
                                                FW_IMAGE_GRAY};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        enum fw_image_issue i = kinds[k];
        x->trait[i] = 2 * x->count[i] > x->n_images;
        for (size_t s = 0; x->trait[i] && s < x->n; s++)
            x->v[s].flags &= ~(1u << i);
        x->count[i] = x->trait[i] ? 0 : x->count[i];
    }
}

int fw_image_judge(struct fw_image_issues *x, const float thresholds[FW_IMAGE_ISSUES],
                   struct fw_err *err)
{
    const float *t = thresholds ? thresholds : fw_image_thresholds;
    struct fw_robust size, sharp;
    double *v = calloc(x->n ? x->n : 1, sizeof *v);
    if (!v)
        return fw_err_nomem(err);
    for (size_t s = 0; s < x->n; s++)
        v[s] = log_side(&x->v[s]);
    int rc = fw_robust_of(v, x->n, &size, err);
    for (size_t s = 0; s < x->n; s++)
        v[s] = x->v[s].laplacian;
    rc = rc == FW_OK ? fw_robust_of(v, x->n, &sharp, err) : rc;
    rc = rc == FW_OK ? usual_sharpness(x, sharp.median, v, err) : rc;
    if (rc != FW_OK) {
        free(v);
        return rc;
    }
    memset(x->count, 0, sizeof x->count);
    memset(x->trait, 0, sizeof x->trait);
    x->n_images = 0;
    for (size_t s = 0; s < x->n; s++) {
        if (!x->v[s].looked_at)
            continue;
        judge_one(&x->v[s], t, &size, v[s]);
        x->n_images++;
        for (int i = 0; i < FW_IMAGE_ISSUES; i++)
            x->count[i] += x->v[s].flags >> i & 1;
    }
    traits(x);
    free(v);
    return FW_OK;
}

/* ---- reading ---- */

struct reading {
    const struct fw_dataset *ds;
    struct fw_image_measure *v;
    struct fw_buf *bytes; /* one a worker */
};

static int image_work(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    const struct reading *r = ctx;
    struct fw_buf *bytes = &r->bytes[chunk->worker];
    for (size_t i = chunk->from; i < chunk->to; i++) {
        struct fw_image_measure *m = &r->v[i];
        struct fw_image im = {0};
        struct fw_err why = {0};
        blank(m);
        if (!r->ds->samples[i].file_name)
            continue;
        fw_buf_clear(bytes);
        int rc = fw_image_read_file(r->ds->root, r->ds->samples[i].file_name, bytes, &why);
        rc = rc == FW_OK ? fw_image_decode(bytes->p, bytes->len, &im, &why) : rc;
        rc = rc == FW_OK ? fw_image_measure_of(&im, m, &why) : rc;
        fw_image_release(&im);
        m->klass = r->ds->samples[i].klass;
        if (rc == FW_ENOMEM)
            return fw_err_nomem(err);
        if (rc != FW_OK) {
            m->looked_at = true;
            m->score[FW_IMAGE_UNDECODABLE] = 0;
        }
    }
    return FW_OK;
}

int fw_image_issues_find(const struct fw_dataset *ds, const float thresholds[FW_IMAGE_ISSUES],
                         struct fw_image_issues *out, struct fw_err *err)
{
    struct fw_image_issues x = {.n = ds->n};
    size_t workers = fw_parallel_workers();
    struct reading r = {ds, calloc(ds->n ? ds->n : 1, sizeof *r.v),
                        calloc(workers, sizeof *r.bytes)};
    x.v = r.v;
    int rc = r.v && r.bytes ? fw_parallel(ds->n, 4, image_work, &r, err) : fw_err_nomem(err);
    rc = rc == FW_OK ? fw_image_judge(&x, thresholds, err) : rc;
    for (size_t i = 0; r.bytes && i < workers; i++)
        fw_buf_release(&r.bytes[i]);
    free(r.bytes);
    if (rc == FW_OK)
        *out = x;
    else
        fw_image_issues_release(&x);
    return rc;
}
