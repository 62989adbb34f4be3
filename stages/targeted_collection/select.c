#include "stages/targeted_collection/select.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/rng.h"
#include "stages/targeted_collection/pick.h"

int fw_strategy_parse(const char *name, enum fw_strategy *out, struct fw_err *err)
{
    static const struct {
        const char *name;
        enum fw_strategy strategy;
    } known[] = {{"mixed", FW_MIXED},       {"uncertainty", FW_UNCERTAINTY},
                 {"k-centre", FW_K_CENTRE}, {"diversity", FW_K_CENTRE},
                 {"random", FW_RANDOM},     {"density", FW_DENSITY},
                 {"typical", FW_TYPICAL}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(name, known[i].name) == 0) {
            *out = known[i].strategy;
            return FW_OK;
        }
    return fw_err_set(err, FW_EINVAL,
                      "unknown strategy '%s'; one of mixed, uncertainty, density, k-centre, "
                      "typical, random",
                      name);
}

bool fw_strategy_scores(enum fw_strategy strategy)
{
    return strategy == FW_MIXED || strategy == FW_UNCERTAINTY || strategy == FW_DENSITY;
}

static int check(const struct fw_select_params *params, const struct fw_candidates *c,
                 const struct fw_aim *aims, size_t n_aims, struct fw_err *err)
{
    if (c->known->n && (c->known->dim != c->pool->dim || !c->known->start != !c->pool->start))
        return fw_err_set(err, FW_EINVAL, "pool and train have features of different kinds");
    if (!(params->quota_share >= 0 && params->quota_share <= 1) || !(params->near_share >= 0))
        return fw_err_set(err, FW_EINVAL, "quota_share must be 0 to 1, near_share at least 0");
    if (!(params->density_weight >= 0 && isfinite(params->density_weight)))
        return fw_err_set(err, FW_EINVAL, "density_weight must be at least 0");
    if (c->pool->n >= UINT32_MAX)
        return fw_err_set(err, FW_EINVAL, "a pool of %zu samples is too large", c->pool->n);
    if (!c->score && fw_strategy_scores(params->strategy))
        return fw_err_set(err, FW_EINVAL, "the strategy needs the uncertainty of each candidate");
    for (size_t i = 0; fw_strategy_scores(params->strategy) && i < c->pool->n; i++)
        if (!(c->score[i] >= 0 && isfinite(c->score[i])))
            return fw_err_set(err, FW_EINVAL, "candidate %zu has no number as score", i);
    for (size_t a = 0; a < n_aims; a++) {
        if (aims[a].klass >= (long)c->k || (aims[a].klass < 0 && !aims[a].member))
            return fw_err_set(err, FW_EINVAL, "aim %zu has neither a class nor members", a);
        if (aims[a].klass >= 0 && !c->probs)
            return fw_err_set(err, FW_EINVAL, "aims by class need probabilities");
    }
    return FW_OK;
}

static int pick_all(struct fw_pick *p, const struct fw_aim *aims, size_t n_aims, struct fw_err *err)
{
    enum fw_strategy how = p->params->strategy;
    int rc = FW_OK;
    if ((how == FW_MIXED || how == FW_DENSITY) && p->params->near_share > 0)
        rc = fw_pick_measure_near(p, err);
    if (rc != FW_OK)
        return rc;
    switch (how) {
    case FW_MIXED:
        return fw_pick_mixed(p, aims, n_aims, err);
    case FW_DENSITY:
        return fw_pick_dense(p, err);
    case FW_K_CENTRE:
        return fw_pick_k_centre(p, err);
    case FW_TYPICAL:
        return fw_pick_typical(p, err);
    default: /* at random every score is 0, and the jitter decides */
        return fw_pick_by_score(p, err);
    }
}

int fw_select(const struct fw_select_params *params, const struct fw_candidates *c,
              const struct fw_aim *aims, size_t n_aims, struct fw_choice *out, size_t *n_out,
              struct fw_err *err)
{
    struct fw_pick p = {.params = params, .c = c, .n = c->pool->n, .near2 = -1, .out = out};
    struct fw_rng rng;
    size_t room = p.n ? p.n : 1;
    int rc = check(params, c, aims, n_aims, err);

    if (rc != FW_OK)
        return rc;
    p.score = calloc(room, sizeof *p.score);
    p.jitter = calloc(room, sizeof *p.jitter);
    p.taken = calloc(room, sizeof *p.taken);
    p.near = calloc(room, sizeof *p.near);
    if (!p.score || !p.taken || !p.near || !p.jitter)
        rc = fw_err_nomem(err);

    fw_rng_seed_named(&rng, params->seed, "select");
    for (size_t i = 0; rc == FW_OK && i < p.n; i++)
        p.jitter[i] = fw_rng_double(&rng);
    if (rc == FW_OK && fw_strategy_scores(params->strategy) && p.n)
        memcpy(p.score, c->score, p.n * sizeof *p.score);
    if (rc == FW_OK && p.n)
        rc = pick_all(&p, aims, n_aims, err);
    if (rc == FW_OK)
        *n_out = p.n_out;
    free(p.score);
    free(p.jitter);
    free(p.taken);
    free(p.near);
    return rc;
}
