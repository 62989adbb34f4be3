#include "stages/train/hog.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PI 3.14159265358979323846f

static int check_size(int w, int h, struct fw_err *err)
{
    if (w < FW_LOOK_MIN_SIDE || h < FW_LOOK_MIN_SIDE)
        return fw_err_set(err, FW_EINVAL,
                          "an image of %d × %d pixels is too small; at least %d × %d", w, h,
                          FW_LOOK_MIN_SIDE, FW_LOOK_MIN_SIDE);
    return FW_OK;
}

/* Centred differences [-1, 0, 1], the kernel Dalal and Triggs found best; edges repeat. */
static void gradient(const float *g, int w, int h, int x, int y, float *dx, float *dy)
{
    int l = x > 0 ? x - 1 : 0, r = x < w - 1 ? x + 1 : w - 1;
    int u = y > 0 ? y - 1 : 0, d = y < h - 1 ? y + 1 : h - 1;

    *dx = g[(size_t)y * w + r] - g[(size_t)y * w + l];
    *dy = g[(size_t)d * w + x] - g[(size_t)u * w + x];
}

/* Where a coordinate falls between cell centres: the lower cell (may be -1) and the upper's share.
 */
struct between {
    int cell;
    float upper;
};

static void place(struct between *out, int n, int cells)
{
    for (int i = 0; i < n; i++) {
        float at = ((float)i + 0.5f) * (float)cells / (float)n - 0.5f;
        float low = floorf(at);
        out[i] = (struct between){(int)low, at - low};
    }
}

/* The angle of (dx, dy) modulo π, as a place among the orientation bins in 0..FW_HOG_BINS: a
 * light-dark edge counts as a dark-light one. The polynomial (Abramowitz and Stegun 4.4.49) is
 * within 1e-5 of atan and, unlike the C library's, the same on every machine. */
static float orientation(float dx, float dy)
{
    float ax = fabsf(dx), ay = fabsf(dy), q = ax > ay ? ay / ax : ax / ay, z = q * q;
    float a = q * (0.9998660f +
                   z * (-0.3302995f + z * (0.1801410f + z * (-0.0851330f + z * 0.0208351f))));
    if (ay > ax)
        a = PI / 2 - a;
    if ((dx < 0) != (dy < 0))
        a = PI - a;
    return a * (FW_HOG_BINS / PI);
}

typedef float hog_row[FW_HOG_CELLS][FW_HOG_BINS];

/* Votes of one row of pixels, shared out between orientations and columns of cells; the caller
 * shares them between rows of cells. */
static void vote_row(const float *gray, int w, int h, int y, const struct between *at, hog_row row)
{
    for (int x = 0; x < w; x++) {
        float dx, dy;
        gradient(gray, w, h, x, y, &dx, &dy);
        float strength = sqrtf(dx * dx + dy * dy);
        if (!(strength > 0))
            continue;
        float place = orientation(dx, dy) - 0.5f + FW_HOG_BINS;
        int bin = (int)place;
        float upper = place - (float)bin;
        int b0 = bin % FW_HOG_BINS, b1 = (b0 + 1) % FW_HOG_BINS, cell = at[x].cell;
        float right = strength * at[x].upper, left = strength - right;
        if (cell >= 0) {
            row[cell][b0] += left * (1 - upper);
            row[cell][b1] += left * upper;
        }
        if (cell + 1 < FW_HOG_CELLS) {
            row[cell + 1][b0] += right * (1 - upper);
            row[cell + 1][b1] += right * upper;
        }
    }
}

static void add_row(hog_row to, hog_row from, float share)
{
    for (int c = 0; c < FW_HOG_CELLS; c++)
        for (int b = 0; b < FW_HOG_BINS; b++)
            to[c][b] += share * from[c][b];
}

static void l2(float *v, int n)
{
    float sum = 1e-6f;
    for (int i = 0; i < n; i++)
        sum += v[i] * v[i];
    float scale = 1 / sqrtf(sum);
    for (int i = 0; i < n; i++)
        v[i] *= scale;
}

int fw_hog(const float *gray, int w, int h, float *out, struct fw_err *err)
{
    float cells[FW_HOG_CELLS][FW_HOG_CELLS][FW_HOG_BINS] = {0};
    const int block = 4 * FW_HOG_BINS;
    int rc = check_size(w, h, err);
    if (rc != FW_OK)
        return rc;
    struct between *at = malloc(((size_t)w + h) * sizeof *at);
    if (!at)
        return fw_err_nomem(err);
    place(at, w, FW_HOG_CELLS);
    place(at + w, h, FW_HOG_CELLS);

    for (int y = 0; y < h; y++) {
        hog_row row = {{0}};
        vote_row(gray, w, h, y, at, row);
        int cell = at[w + y].cell;
        if (cell >= 0)
            add_row(cells[cell], row, 1 - at[w + y].upper);
        if (cell + 1 < FW_HOG_CELLS)
            add_row(cells[cell + 1], row, at[w + y].upper);
    }
    free(at);

    for (int y = 0; y + 1 < FW_HOG_CELLS; y++) {
        for (int x = 0; x + 1 < FW_HOG_CELLS; x++, out += block) {
            for (int k = 0; k < 4; k++)
                memcpy(out + k * FW_HOG_BINS, cells[y + k / 2][x + k % 2],
                       FW_HOG_BINS * sizeof *out);
            l2(out, block);
            for (int i = 0; i < block; i++)
                out[i] = out[i] > 0.2f ? 0.2f : out[i];
            l2(out, block);
        }
    }
    return FW_OK;
}

/* Maps each of the 256 patterns to 0..57 when it is uniform (at most two changes around the
 * circle), else to 58. */
static void uniform_table(unsigned char table[256])
{
    unsigned char next = 0;

    for (int p = 0; p < 256; p++) {
        int turned = ((p << 1) | (p >> 7)) & 255, changes = __builtin_popcount(p ^ turned);
        table[p] = changes <= 2 ? next++ : FW_LBP_PATTERNS - 1;
    }
}

/* Mean of the 2 × 2 blocks: noise at the smallest radius would drown the pattern at a larger one.
 */
static void halve(const float *in, int w, int h, float *out)
{
    for (int y = 0; y < h / 2; y++)
        for (int x = 0; x < w / 2; x++) {
            const float *p = in + (size_t)2 * y * w + 2 * x;
            out[(size_t)y * (w / 2) + x] = 0.25f * (p[0] + p[1] + p[w] + p[w + 1]);
        }
}

static void lbp_level(const float *g, int w, int h, const unsigned char *table, float *out)
{
    unsigned hist[4][FW_LBP_PATTERNS] = {{0}};
    float total[4], all = 0;

    for (int y = 1; y < h - 1; y++) {
        const float *c = g + (size_t)y * w;
        for (int x = 1; x < w - 1; x++) {
            float v = c[x];
            int pattern = (c[x + 1] >= v) | (c[x + w + 1] >= v) << 1 | (c[x + w] >= v) << 2 |
                          (c[x + w - 1] >= v) << 3 | (c[x - 1] >= v) << 4 |
                          (c[x - w - 1] >= v) << 5 | (c[x - w] >= v) << 6 |
                          (c[x - w + 1] >= v) << 7;
            hist[(y >= h / 2) * 2 + (x >= w / 2)][table[pattern]]++;
        }
    }
    for (int q = 0; q < 4; q++) {
        total[q] = 0;
        for (int p = 0; p < FW_LBP_PATTERNS; p++)
            total[q] += (float)hist[q][p];
    }
    for (int q = 0; q < 4; q++)
        all += total[q];
    for (int p = 0; p < FW_LBP_PATTERNS; p++) {
        float sum = 0;
        for (int q = 0; q < 4; q++) {
            sum += (float)hist[q][p];
            out[(q + 1) * FW_LBP_PATTERNS + p] = sqrtf((float)hist[q][p] / fmaxf(total[q], 1));
        }
        out[p] = sqrtf(sum / fmaxf(all, 1));
    }
}

int fw_lbp(const float *gray, int w, int h, float *out, struct fw_err *err)
{
    unsigned char table[256];
    int rc = check_size(w, h, err);
    if (rc != FW_OK)
        return rc;
    float *half = malloc((size_t)w * h / 2 * sizeof *half);
    if (!half)
        return fw_err_nomem(err);
    uniform_table(table);

    const float *level = gray;
    float *next = half;
    for (int r = 0; r < FW_LBP_SCALES; r++, out += FW_LBP_REGIONS * FW_LBP_PATTERNS) {
        lbp_level(level, w, h, table, out);
        if (r + 1 == FW_LBP_SCALES)
            break;
        halve(level, w, h, next);
        w /= 2;
        h /= 2;
        level = next;
        next += (size_t)w * h;
    }
    free(half);
    return FW_OK;
}

int fw_tones(const float *gray, int w, int h, float *out, struct fw_err *err)
{
    double sum[5] = {0}, square[5] = {0}, rough[5] = {0}, n[5] = {0};
    int rc = check_size(w, h, err);
    if (rc != FW_OK)
        return rc;

    memset(out, 0, FW_TONE_DIM * sizeof *out);
    for (int y = 0; y < h; y++) {
        for (int half = 0; half < 2; half++) {
            int from = half ? w / 2 : 0, to = half ? w : w / 2, r = 1 + (y >= h / 2) * 2 + half;
            float s = 0, q = 0, g = 0;
            for (int x = from; x < to; x++) {
                float v = gray[(size_t)y * w + x], dx, dy;
                int bin = (int)(v * FW_TONE_BINS);
                gradient(gray, w, h, x, y, &dx, &dy);
                out[bin < 0 ? 0 : bin >= FW_TONE_BINS ? FW_TONE_BINS - 1 : bin] += 1;
                s += v;
                q += v * v;
                g += fabsf(dx) + fabsf(dy);
            }
            sum[r] += s;
            square[r] += q;
            rough[r] += g;
            n[r] += to - from;
        }
    }
    for (int r = 1; r < 5; r++) {
        sum[0] += sum[r];
        square[0] += square[r];
        rough[0] += rough[r];
        n[0] += n[r];
    }
    for (int i = 0; i < FW_TONE_BINS; i++)
        out[i] = sqrtf(out[i] / (float)n[0]);
    out += FW_TONE_BINS;
    for (int r = 0; r < 5; r++, out += 3) {
        double mean = sum[r] / n[r], var = square[r] / n[r] - mean * mean;
        out[0] = (float)mean;
        out[1] = (float)sqrt(var > 0 ? var : 0);
        out[2] = (float)(rough[r] / n[r]);
    }
    return FW_OK;
}

int fw_look(const float *gray, int w, int h, float *out, struct fw_err *err)
{
    int rc = fw_hog(gray, w, h, out, err);
    if (rc == FW_OK)
        rc = fw_lbp(gray, w, h, out + FW_HOG_DIM, err);
    if (rc == FW_OK)
        rc = fw_tones(gray, w, h, out + FW_HOG_DIM + FW_LBP_DIM, err);
    return rc;
}
