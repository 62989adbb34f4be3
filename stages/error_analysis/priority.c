#include "stages/error_analysis/priority.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

double fw_worth(double gap, double share)
{
    return gap * share;
}

double fw_priority(double gap, double share, double importance, double ease)
{
    return fw_worth(gap, share) * importance * ease;
}

static bool probabilistic(const struct fw_metric *m)
{
    return m->id == FW_LOG_LOSS || m->id == FW_BRIER;
}

static double cost_of(const struct fw_worth_base *b, size_t i)
{
    const struct fw_worth_rows *r = b->rows;
    const float *p = r->probs + r->at[i] * r->k;
    return b->metric.id == FW_BRIER ? fw_brier_of(p, r->k, r->truth[i])
                                    : fw_log_loss_of(p, r->k, r->truth[i]);
}

static void add_classes(struct fw_worth_base *b)
{
    const struct fw_worth_rows *r = b->rows;
    double right = 0;
    for (size_t i = 0; i < r->n; i++) {
        if (r->left_out && r->left_out[i])
            continue;
        b->n++;
        b->margins[r->truth[i]] += r->truth[i] == r->pred[i];
        b->margins[r->k + (size_t)r->truth[i]]++;
        b->margins[2 * r->k + (size_t)r->pred[i]]++;
        if (!probabilistic(&b->metric))
            continue;
        double cost = r->probs ? cost_of(b, i) : NAN;
        b->cost += cost;
        b->right += r->truth[i] == r->pred[i] ? cost : 0;
        right += r->truth[i] == r->pred[i];
    }
    b->right = right > 0 ? b->right / right : 0;
    b->value = probabilistic(&b->metric) ? b->cost / b->n
               : !fw_metric_from_confusion(&b->metric)
                   ? NAN
                   : fw_metric_of_margins(&b->metric, b->margins, b->margins + r->k,
                                          b->margins + 2 * r->k, r->k);
}

static double regression_value(const struct fw_worth_base *b, double absolute, double square)
{
    if (b->metric.id == FW_MAE)
        return absolute / b->n;
    if (b->metric.id == FW_RMSE)
        return sqrt(fmax(0, square) / b->n);
    if (b->metric.id != FW_R2)
        return NAN;
    return b->spread > 0 ? 1 - square / b->spread : NAN;
}

static void add_values(struct fw_worth_base *b)
{
    const struct fw_worth_rows *r = b->rows;
    double mean = 0;
    for (size_t i = 0; i < r->n; i++) {
        if (r->left_out && r->left_out[i])
            continue;
        b->n++;
        b->absolute += r->loss[i];
        b->square += r->loss[i] * r->loss[i];
        mean += r->value ? r->value[i] : 0;
    }
    mean = b->n > 0 ? mean / b->n : 0;
    for (size_t i = 0; r->value && i < r->n; i++)
        if (!r->left_out || !r->left_out[i])
            b->spread += (r->value[i] - mean) * (r->value[i] - mean);
    b->value = b->n > 0 ? regression_value(b, b->absolute, b->square) : NAN;
}

int fw_worth_open(const struct fw_metric *m, const struct fw_worth_rows *rows,
                  struct fw_worth_base *out, struct fw_err *err)
{
    struct fw_worth_base b = {.rows = rows, .metric = *m};
    b.margins = calloc(3 * rows->k + 1, sizeof *b.margins);
    b.scratch = calloc(2 * rows->k + 1, sizeof *b.scratch);
    if (!b.margins || !b.scratch) {
        fw_worth_close(&b);
        return fw_err_nomem(err);
    }
    if (rows->truth)
        add_classes(&b);
    else
        add_values(&b);
    *out = b;
    return FW_OK;
}

void fw_worth_close(struct fw_worth_base *b)
{
    free(b->margins);
    free(b->scratch);
    memset(b, 0, sizeof *b);
}

static double after_classes(struct fw_worth_base *b, const uint32_t *row, size_t n, double f)
{
    const struct fw_worth_rows *r = b->rows;
    double *diag = b->scratch, *col = b->scratch + r->k, cost = b->cost;
    memcpy(diag, b->margins, r->k * sizeof *diag);
    memcpy(col, b->margins + 2 * r->k, r->k * sizeof *col);
    for (size_t i = 0; i < n; i++) {
        size_t at = row[i];
        if (r->left_out && r->left_out[at])
            continue;
        diag[r->truth[at]] += f;
        col[r->truth[at]] += f;
        col[r->pred[at]] -= f;
        if (probabilistic(&b->metric) && r->probs)
            cost += f * (b->right - cost_of(b, at));
    }
    if (probabilistic(&b->metric))
        return cost / b->n;
    if (!fw_metric_from_confusion(&b->metric))
        return NAN;
    return fw_metric_of_margins(&b->metric, diag, b->margins + r->k, col, r->k);
}

static double after_values(const struct fw_worth_base *b, const uint32_t *row, size_t n, double f)
{
    const struct fw_worth_rows *r = b->rows;
    double absolute = 0, square = 0;
    for (size_t i = 0; i < n; i++) {
        if (r->left_out && r->left_out[row[i]])
            continue;
        absolute += r->loss[row[i]];
        square += r->loss[row[i]] * r->loss[row[i]];
    }
    return regression_value(b, b->absolute - f * absolute,
                            b->square - (1 - (1 - f) * (1 - f)) * square);
}

double fw_worth_metric(struct fw_worth_base *b, const uint32_t *row, size_t n_rows, double f)
{
    double after = b->n > 0 ? b->rows->truth ? after_classes(b, row, n_rows, f)
                                             : after_values(b, row, n_rows, f)
                            : NAN;
    return fw_metric_higher_is_better(&b->metric) ? after - b->value : b->value - after;
}

static double mean_loss(const struct fw_priority_slice *s, const double *loss)
{
    double sum = 0;
    for (size_t i = 0; i < s->n_rows; i++)
        sum += loss[s->row[i]];
    return s->n ? sum / (double)s->n : 0;
}

int fw_priority_order(const struct fw_priority_slice *v, size_t n_slices, const double *loss,
                      size_t n_rows, size_t most, size_t *order, double *next, size_t *n,
                      struct fw_err *err)
{
    double *left = malloc((n_rows + 1) * sizeof *left);
    double *gap = malloc((n_slices + 1) * sizeof *gap);
    bool *done = calloc(n_slices + 1, sizeof *done);
    if (!left || !gap || !done) {
        free(left);
        free(gap);
        free(done);
        return fw_err_nomem(err);
    }
    memcpy(left, loss, n_rows * sizeof *left);
    for (size_t s = 0; s < n_slices; s++)
        gap[s] = mean_loss(&v[s], loss) - v[s].human_loss;
    for (*n = 0; *n < most;) {
        size_t best = n_slices;
        double worth = 0, rank = 0, remains = 0;
        for (size_t s = 0; s < n_slices; s++) {
            if (done[s] || !(gap[s] > 0) || !(v[s].worth * v[s].weight > rank))
                continue; /* it can only have become less */
            double now = mean_loss(&v[s], left);
            double here = v[s].worth * fmax(0, now - v[s].human_loss) / gap[s];
            if (here * v[s].weight <= rank)
                continue;
            rank = here * v[s].weight;
            worth = here;
            remains = v[s].human_loss / now;
            best = s;
        }
        if (best == n_slices || !(worth > 1e-12))
            break;
        for (size_t i = 0; i < v[best].n_rows; i++)
            left[v[best].row[i]] *= remains;
        done[best] = true;
        order[*n] = best;
        next[(*n)++] = worth;
    }
    free(left);
    free(gap);
    free(done);
    return FW_OK;
}
