#include "examples/steel/texture.h"

#include <math.h>
#include <string.h>

enum { S = TEXTURE_SIZE };

static double uniform(struct fw_rng *r, double lo, double hi)
{
    return lo + (hi - lo) * fw_rng_double(r);
}

static int between(struct fw_rng *r, int lo, int hi)
{
    return lo + (int)fw_rng_below(r, (uint64_t)(hi - lo + 1));
}

/* Adds `amount` where (x, y) lies within `width` of the segment, with a soft edge. */
static void draw_segment(double *p, double x0, double y0, double x1, double y1, double width,
                         double amount)
{
    double dx = x1 - x0, dy = y1 - y0, len2 = dx * dx + dy * dy + 1e-9;
    for (int y = 0; y < S; y++) {
        for (int x = 0; x < S; x++) {
            double t = ((x - x0) * dx + (y - y0) * dy) / len2;
            t = t < 0 ? 0 : t > 1 ? 1 : t;
            double ex = x - x0 - t * dx, ey = y - y0 - t * dy;
            double d2 = (ex * ex + ey * ey) / (width * width);
            if (d2 < 9)
                p[y * S + x] += amount * exp(-d2);
        }
    }
}

static void draw_ellipse(double *p, double cx, double cy, double rx, double ry, double angle,
                         double amount)
{
    double c = cos(angle), s = sin(angle);
    for (int y = 0; y < S; y++) {
        for (int x = 0; x < S; x++) {
            double u = ((x - cx) * c + (y - cy) * s) / rx, v = ((y - cy) * c - (x - cx) * s) / ry;
            double d = u * u + v * v;
            if (d < 4)
                p[y * S + x] += amount / (1 + exp(8 * (d - 1)));
        }
    }
}

/* Smooth random field: values on a coarse grid, interpolated with a cosine. */
static void draw_field(struct fw_rng *r, double *out, int cells)
{
    double grid[17 * 17];
    for (int i = 0; i < (cells + 1) * (cells + 1); i++)
        grid[i] = fw_rng_normal(r);
    for (int y = 0; y < S; y++) {
        for (int x = 0; x < S; x++) {
            double gx = (double)x * cells / S, gy = (double)y * cells / S;
            int ix = (int)gx, iy = (int)gy;
            double fx = (1 - cos((gx - ix) * M_PI)) / 2, fy = (1 - cos((gy - iy) * M_PI)) / 2;
            const double *g = grid + iy * (cells + 1) + ix;
            out[y * S + x] = (g[0] * (1 - fx) + g[1] * fx) * (1 - fy) +
                             (g[cells + 1] * (1 - fx) + g[cells + 2] * fx) * fy;
        }
    }
}

/* A net of fine dark cracks: the borders between the cells of random points. */
static void draw_crazing(struct fw_rng *r, double *p, double k)
{
    double px[40], py[40];
    int n = between(r, 16, 34);
    for (int i = 0; i < n; i++) {
        px[i] = uniform(r, -6, S + 6);
        py[i] = uniform(r, -6, S + 6);
    }
    for (int y = 0; y < S; y++) {
        for (int x = 0; x < S; x++) {
            double first = 1e9, second = 1e9;
            for (int i = 0; i < n; i++) {
                double d = hypot(x - px[i], y - py[i]);
                if (d < first) {
                    second = first;
                    first = d;
                } else if (d < second) {
                    second = d;
                }
            }
            double edge = second - first;
            p[y * S + x] -= 0.2 * k * exp(-edge * edge / 1.6);
        }
    }
}

/* A few long dark streaks along the direction of rolling. */
static void draw_inclusion(struct fw_rng *r, double *p, double k)
{
    int n = between(r, 1, 4);
    for (int i = 0; i < n; i++)
        draw_ellipse(p, uniform(r, 8, S - 8), uniform(r, 12, S - 12), uniform(r, 1.2, 2.6),
                     uniform(r, 8, 22), uniform(r, -0.2, 0.2), -0.24 * k);
}

/* Large dark areas with ragged borders. */
static void draw_patches(struct fw_rng *r, double *p, double k)
{
    double field[S * S], level = uniform(r, 0.35, 0.8);
    draw_field(r, field, between(r, 4, 6));
    for (int i = 0; i < S * S; i++)
        p[i] -= 0.22 * k / (1 + exp(-9 * (field[i] - level)));
}

/* Many small dark pits, in swarms. */
static void draw_pitted(struct fw_rng *r, double *p, double k)
{
    int swarms = between(r, 2, 4);
    for (int s = 0; s < swarms; s++) {
        double cx = uniform(r, 10, S - 10), cy = uniform(r, 10, S - 10);
        int n = between(r, 8, 18);
        for (int i = 0; i < n; i++) {
            double radius = uniform(r, 0.9, 1.9);
            draw_ellipse(p, cx + 8 * fw_rng_normal(r), cy + 8 * fw_rng_normal(r), radius, radius, 0,
                         -0.26 * k);
        }
    }
}

/* Scale pressed into the sheet: short crescents, dark on one side and bright on the other. */
static void draw_rolled_in(struct fw_rng *r, double *p, double k)
{
    int n = between(r, 9, 18);
    for (int i = 0; i < n; i++) {
        double cx = uniform(r, 2, S - 2), cy = uniform(r, 2, S - 2), angle = uniform(r, -0.6, 0.6);
        double rx = uniform(r, 3, 7), ry = uniform(r, 1, 1.8);
        draw_ellipse(p, cx, cy, rx, ry, angle, -0.2 * k);
        draw_ellipse(p, cx, cy + 1.8 * ry, rx * 0.9, ry * 0.8, angle, 0.12 * k);
    }
}

/* Long thin bright lines, roughly along the direction of rolling. */
static void draw_scratches(struct fw_rng *r, double *p, double k)
{
    int n = between(r, 1, 5);
    double lean = uniform(r, -0.7, 0.7);
    for (int i = 0; i < n; i++) {
        double x = uniform(r, 4, S - 4), y = uniform(r, -4, 20), len = uniform(r, 24, 62);
        double angle = lean + uniform(r, -0.12, 0.12);
        draw_segment(p, x, y, x + len * sin(angle), y + len * cos(angle), uniform(r, 0.8, 1.5),
                     0.24 * k);
    }
}

void texture_draw(struct fw_rng *rng, enum defect defect, const struct surface *surface,
                  unsigned char *pixels)
{
    static void (*const draw[DEFECTS])(struct fw_rng *, double *, double) = {
        draw_crazing, draw_inclusion, draw_patches, draw_pitted, draw_rolled_in, draw_scratches};
    double p[S * S], light[S * S], streak[S];
    draw_field(rng, light, 2); /* uneven light */
    for (int x = 0; x < S; x++)
        streak[x] = fw_rng_normal(rng); /* the rolls leave faint streaks */
    for (int i = 0; i < S * S; i++)
        p[i] = surface->brightness + 0.05 * light[i] + 0.012 * streak[i % S];
    draw[defect](rng, p, surface->contrast);
    for (int i = 0; i < S * S; i++) {
        double v = 255 * (p[i] + surface->noise * fw_rng_normal(rng));
        pixels[i] = (unsigned char)(v < 0 ? 0 : v > 255 ? 255 : v + 0.5);
    }
}
