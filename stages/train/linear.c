#include "stages/train/linear.h"

#include <linear.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/rng.h"

static void quiet(const char *text)
{
    (void)text;
}

/* The samples in liblinear's form, in shuffled order. */
struct fit {
    struct problem problem;
    struct feature_node *nodes;
    size_t *order;
};

static void fit_release(struct fit *f)
{
    free(f->nodes);
    free(f->order);
    free(f->problem.x);
    free(f->problem.y);
}

static int fit_fill(struct fit *f, const struct fw_matrix *x, uint64_t seed, struct fw_err *err)
{
    size_t total = x->start ? x->start[x->n] : x->n * x->dim;
    struct fw_rng rng;

    f->nodes = malloc((total + 2 * x->n) * sizeof *f->nodes);
    f->order = malloc(x->n * sizeof *f->order);
    f->problem.x = malloc(x->n * sizeof *f->problem.x);
    f->problem.y = malloc(x->n * sizeof *f->problem.y);
    if (!f->nodes || !f->order || !f->problem.x || !f->problem.y)
        return fw_err_nomem(err);
    f->problem.l = (int)x->n;
    f->problem.n = (int)x->dim + 1;
    f->problem.bias = 1;
    for (size_t i = 0; i < x->n; i++)
        f->order[i] = i;
    fw_rng_seed_named(&rng, seed, "order");
    fw_rng_shuffle(&rng, f->order, x->n);

    struct feature_node *node = f->nodes;
    for (size_t i = 0; i < x->n; i++) {
        const uint32_t *col;
        const float *val;
        size_t n = fw_matrix_row(x, f->order[i], &col, &val);
        f->problem.x[i] = node;
        for (size_t k = 0; k < n; k++)
            if (val[k] != 0)
                *node++ = (struct feature_node){(int)(col ? col[k] : k) + 1, (double)val[k]};
        *node++ = (struct feature_node){(int)x->dim + 1, 1};
        *node++ = (struct feature_node){-1, 0};
    }
    return FW_OK;
}

static int call_liblinear(struct fit *f, const struct parameter *p, uint64_t seed,
                          struct model **out, struct fw_err *err)
{
    const char *wrong = check_parameter(&f->problem, p);
    if (wrong)
        return fw_err_set(err, FW_EINVAL, "liblinear refuses the settings: %s", wrong);
    set_print_string_function(quiet);
    srand((unsigned)(seed ^ (seed >> 32)));
    *out = train(&f->problem, p);
    return *out ? FW_OK : fw_err_nomem(err);
}

/* liblinear keeps w as (dim + 1) × nr_w and the classes in the order it met them. */
static int take_classes(struct fw_linear *m, const struct model *model, struct fw_err *err)
{
    size_t width = (size_t)m->ex->dim + 1;
    int nr = model->nr_class, nr_w = nr == 2 ? 1 : nr;

    m->rows = nr == 2 ? 1 : m->n_classes;
    m->w = calloc(m->rows * width, sizeof *m->w);
    if (!m->w)
        return fw_err_nomem(err);
    for (int c = 0; c < nr_w; c++) {
        /* One vector points to label[0]; ours points to the greater class. */
        double sign = nr == 2 && model->label[0] < model->label[1] ? -1 : 1;
        float *row = m->w + (nr == 2 ? 0 : (size_t)model->label[c]) * width;
        for (size_t j = 0; j < width; j++)
            row[j] = (float)(sign * model->w[j * (size_t)nr_w + (size_t)c]);
    }
    return FW_OK;
}

static int train_classes(struct fw_linear *m, struct fit *f, const int *klass, size_t n,
                         const struct fw_linear_params *params, struct fw_err *err)
{
    struct parameter p = {.solver_type = L2R_LR_DUAL, .C = params->C, .eps = params->tolerance};
    struct model *model = NULL;
    size_t present = 0, *count = calloc(m->n_classes, sizeof *count);
    int *labels = malloc(m->n_classes * sizeof *labels);
    double *weights = malloc(m->n_classes * sizeof *weights);
    int rc = count && labels && weights ? FW_OK : fw_err_nomem(err);

    for (size_t i = 0; rc == FW_OK && i < n; i++) {
        int c = klass[f->order[i]];
        if (c < 0 || (uint32_t)c >= m->n_classes)
            rc = fw_err_set(err, FW_EINVAL, "train sample %zu has no class", f->order[i]);
        else
            count[c]++;
        f->problem.y[i] = c;
    }
    for (uint32_t c = 0; rc == FW_OK && c < m->n_classes; c++) {
        if (!count[c])
            continue;
        m->present[c] = 1;
        labels[present] = (int)c;
        weights[present++] = (double)count[c];
    }
    if (rc == FW_OK && present > 1) {
        for (size_t c = 0; c < present; c++)
            weights[c] = (double)n / ((double)present * weights[c]);
        if (params->balanced) {
            p.nr_weight = (int)present;
            p.weight_label = labels;
            p.weight = weights;
        }
        rc = call_liblinear(f, &p, params->seed, &model, err);
        if (rc == FW_OK)
            rc = take_classes(m, model, err);
    }
    if (model)
        free_and_destroy_model(&model);
    free(count);
    free(labels);
    free(weights);
    return rc;
}

static int train_values(struct fw_linear *m, struct fit *f, const double *value, size_t n,
                        const struct fw_linear_params *params, struct fw_err *err)
{
    struct parameter p = {.solver_type = L2R_L2LOSS_SVR, .C = params->C, .eps = params->tolerance};
    struct model *model = NULL;
    size_t width = (size_t)m->ex->dim + 1;
    double sum = 0, square = 0;

    for (size_t i = 0; i < n; i++) {
        if (!isfinite(value[i]))
            return fw_err_set(err, FW_EINVAL, "train sample %zu has no finite value", i);
        sum += value[i];
    }
    m->target_mean = sum / (double)n;
    for (size_t i = 0; i < n; i++)
        square += (value[i] - m->target_mean) * (value[i] - m->target_mean);
    m->target_sd = sqrt(square / (double)n);
    if (!(m->target_sd > 0))
        return FW_OK; /* rows 0: always the mean */
    for (size_t i = 0; i < n; i++)
        f->problem.y[i] = (value[f->order[i]] - m->target_mean) / m->target_sd;
    int rc = call_liblinear(f, &p, params->seed, &model, err);
    if (rc == FW_OK) {
        m->rows = 1;
        m->w = malloc(width * sizeof *m->w);
        if (!m->w)
            rc = fw_err_nomem(err);
        for (size_t j = 0; m->w && j < width; j++)
            m->w[j] = (float)model->w[j];
    }
    if (model)
        free_and_destroy_model(&model);
    return rc;
}

static int name_classes(struct fw_linear *m, const struct fw_task_info *task, struct fw_err *err)
{
    if (task->task != FW_CLASSIFICATION)
        return FW_OK;
    if (task->n_classes == 0 || task->n_classes > 65535)
        return fw_err_set(err, FW_EINVAL, "a model of %zu classes cannot be trained here",
                          task->n_classes);
    m->classes = calloc(task->n_classes, sizeof *m->classes);
    m->present = calloc(task->n_classes, 1);
    if (!m->classes || !m->present)
        return fw_err_nomem(err);
    for (size_t c = 0; c < task->n_classes; c++) {
        m->classes[c] = strdup(task->classes[c]);
        if (!m->classes[c])
            return fw_err_nomem(err);
        m->n_classes++;
    }
    return FW_OK;
}

int fw_linear_train(const struct fw_matrix *x, const int *klass, const double *value,
                    const struct fw_task_info *task, const struct fw_linear_params *params,
                    struct fw_extractor *ex, struct fw_linear **out, struct fw_err *err)
{
    struct fit f = {0};
    struct fw_linear *m = NULL;
    int rc = FW_OK;

    if (x->n == 0)
        return fw_err_set(err, FW_EINVAL, "there is no labelled sample to train on");
    if (x->n > INT32_MAX / 2 || x->dim != ex->dim)
        return fw_err_set(err, FW_EINVAL, "cannot train on %zu samples of %zu features", x->n,
                          x->dim);
    if (!(params->C > 0) || !(params->tolerance > 0))
        return fw_err_set(err, FW_EINVAL, "C and tolerance must be greater than 0");
    m = calloc(1, sizeof *m);
    if (!m)
        return fw_err_nomem(err);
    m->task = task->task;
    m->ex = ex;
    rc = name_classes(m, task, err);
    if (rc == FW_OK)
        rc = fit_fill(&f, x, params->seed, err);
    if (rc == FW_OK)
        rc = task->task == FW_CLASSIFICATION ? train_classes(m, &f, klass, x->n, params, err)
                                             : train_values(m, &f, value, x->n, params, err);
    fit_release(&f);
    if (rc == FW_OK) {
        *out = m;
    } else {
        m->ex = NULL; /* stays the caller's */
        fw_linear_free(m);
    }
    return rc;
}

static double dot(const struct fw_linear *m, size_t row, const struct fw_matrix *x, size_t i)
{
    const float *w = m->w + row * ((size_t)m->ex->dim + 1), *val;
    const uint32_t *col;
    size_t n = fw_matrix_row(x, i, &col, &val);
    double sum = w[m->ex->dim];

    if (col)
        for (size_t k = 0; k < n; k++)
            sum += (double)w[col[k]] * val[k];
    else
        for (size_t k = 0; k < n; k++)
            sum += (double)w[k] * val[k];
    return sum;
}

static double sigmoid(double v)
{
    return 1 / (1 + exp(-v));
}

static void probs_of(const struct fw_linear *m, const struct fw_matrix *x, size_t i, float *p)
{
    double sum = 0, v[2];
    uint32_t k = m->n_classes;

    if (m->rows <= 1) {
        v[1] = m->rows ? sigmoid(dot(m, 0, x, i)) : 1;
        v[0] = 1 - v[1];
        for (uint32_t c = 0, seen = 0; c < k; c++)
            p[c] = m->present[c] ? (float)v[m->rows ? seen++ : 1] : 0;
        return;
    }
    for (uint32_t c = 0; c < k; c++) {
        p[c] = m->present[c] ? (float)sigmoid(dot(m, c, x, i)) : 0;
        sum += p[c];
    }
    /* Every class may be ruled out so firmly that the floats underflow; then the least unlikely is
     * unknown and each present class gets its share. */
    uint32_t present = 0;
    for (uint32_t c = 0; c < k; c++)
        present += m->present[c];
    for (uint32_t c = 0; c < k; c++)
        p[c] = sum > 1e-30 ? (float)(p[c] / sum) : m->present[c] ? 1.0f / (float)present : 0;
}

int fw_linear_probs(const struct fw_linear *m, const struct fw_matrix *x, float *probs,
                    struct fw_err *err)
{
    if (m->task != FW_CLASSIFICATION || x->dim != m->ex->dim)
        return fw_err_set(err, FW_EINVAL, "the model does not fit these samples");
    for (size_t i = 0; i < x->n; i++)
        probs_of(m, x, i, probs + i * m->n_classes);
    return FW_OK;
}

int fw_linear_values(const struct fw_linear *m, const struct fw_matrix *x, double *value,
                     struct fw_err *err)
{
    if (m->task != FW_REGRESSION || x->dim != m->ex->dim)
        return fw_err_set(err, FW_EINVAL, "the model does not fit these samples");
    for (size_t i = 0; i < x->n; i++)
        value[i] = m->target_mean + (m->rows ? m->target_sd * dot(m, 0, x, i) : 0);
    return FW_OK;
}

void fw_linear_free(struct fw_linear *m)
{
    if (!m)
        return;
    for (uint32_t c = 0; c < m->n_classes; c++)
        free(m->classes[c]);
    free(m->classes);
    free(m->present);
    free(m->w);
    fw_extractor_free(m->ex);
    free(m);
}
