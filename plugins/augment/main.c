/*
 * augment: new train samples made from old ones by changes that leave the label alone. Which changes
 * do is the task's to say (the list `transforms`); of each copy it is measured whether it looks like
 * the data, whether models still see the label in it, and whether the model needs it
 * (stages/augment/checklist.h); whether a kind of change helps is the gate's, kind by kind.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/fs.h"
#include "plugins/augment/augment.h"
#include "stages/error_analysis/analysis.h"

static const char describe[] =
    "{\"protocol\": 1, \"name\": \"augment\", \"version\": \"1.1.0\",\n"
    " \"kind\": \"augment\",\n"
    " \"description\": \"adds changed copies of train samples (images, texts and tables), for the "
    "weak slices first; samples with a suspicious label are left out, and so are copies that do "
    "not "
    "look like the data, that models take for another class, or that the model needs no more of; "
    "each "
    "kind of change is gated apart\",\n"
    " \"inputs\": [\"analysis\", \"dataset\", \"history\", \"out_of_fold\"], \"outputs\": "
    "[\"patch\"],\n"
    " \"deterministic\": true, \"network\": false, \"code\": [],\n"
    " \"params\": {\n"
    "  \"transforms\": {\"type\": \"array\", \"default\": [],\n"
    "   \"description\": \"which changes keep the label in this task. Images: flip-horizontal, "
    "flip-vertical, rotate, brightness, contrast, shift, crop, noise, blur. Texts: case, typos, "
    "drop-words, whitespace, punctuation. Tables: interpolate (towards a near sample of the same "
    "class, SMOTE), jitter. Empty: brightness, contrast, shift and noise for images, case, typos "
    "and "
    "whitespace for texts, both for tables\"},\n"
    "  \"budget\": {\"type\": \"integer\", \"default\": 100, \"minimum\": 0, \"maximum\": "
    "1000000,\n"
    "   \"description\": \"most samples to add in one iteration\"},\n"
    "  \"per_sample\": {\"type\": \"integer\", \"default\": 1, \"minimum\": 1, \"maximum\": 100,\n"
    "   \"description\": \"most copies of one sample in one iteration\"},\n"
    "  \"aim\": {\"type\": \"string\", \"default\": \"weak\", \"enum\": [\"weak\", \"all\"],\n"
    "   \"description\": \"weak: only samples of the weak slices of the analysis, in proportion to "
    "their priority; all: any train sample\"},\n"
    "  \"realistic\": {\"type\": \"number\", \"default\": 0.01, \"minimum\": 0, \"maximum\": 1,\n"
    "   \"description\": \"a copy is left out when fewer than this share of the real samples lie "
    "as far "
    "from their neighbours as it does; 0 = not asked\"},\n"
    "  \"confident\": {\"type\": \"number\", \"default\": 0.7, \"minimum\": 0, \"maximum\": 1,\n"
    "   \"description\": \"a copy is left out when its nearest samples and models that have not "
    "seen "
    "its parent give another class this much of their votes, unless they got the parent wrong as "
    "well; "
    "1 = not asked\"},\n"
    "  \"poor\": {\"type\": \"number\", \"default\": 1, \"minimum\": 0, \"maximum\": 1000,\n"
    "   \"description\": \"a copy is left out when the loss on it and on its slice is less than "
    "this "
    "many times the mean; 0 = not asked\"}\n"
    " }}";

static void job_release(struct job *j)
{
    fw_dataset_free(j->ds);
    fw_known_free(j->known);
    fw_known_free(j->suspects);
    fw_aims_release(&j->aims);
    check_close(j);
    free(j->rows);
    free(j->used);
}

static void want(struct kinds *k, int how)
{
    for (int i = 0; i < k->n; i++)
        if (k->how[i] == how)
            return;
    k->how[k->n++] = how;
}

static bool add_change(struct job *j, const char *name)
{
    for (int i = 0; i < KINDS; i++) {
        if (strcmp(name, j->kind[i].name) != 0)
            continue;
        if (i < FW_TEXT_CHANGES)
            want(&j->texts, i);
        else if (i < FW_TEXT_CHANGES + FW_IMAGE_CHANGES)
            want(&j->images, i - FW_TEXT_CHANGES);
        else
            want(&j->numbers, i - FW_TEXT_CHANGES - FW_IMAGE_CHANGES);
        return true;
    }
    return false;
}

static int read_changes(struct job *j, struct fw_err *err)
{
    static const char *const safe[] = {"brightness", "contrast",   "shift",       "noise", "case",
                                       "typos",      "whitespace", "interpolate", "jitter"};
    const json_t *list = json_object_get(j->r->params, "transforms"), *v;
    struct kind *next = j->kind;
    size_t i;

    for (int how = 0; how < FW_TEXT_CHANGES; how++)
        next++->name = fw_text_change_name((enum fw_text_change)how);
    for (int how = 0; how < FW_IMAGE_CHANGES; how++)
        next++->name = fw_image_change_name((enum fw_image_change)how);
    for (int how = 0; how < FW_NUMBERS_CHANGES; how++)
        next++->name = fw_numbers_change_name((enum fw_numbers_change)how);
    if (json_array_size(list) == 0) {
        for (i = 0; i < sizeof safe / sizeof *safe; i++)
            add_change(j, safe[i]);
        return FW_OK;
    }
    json_array_foreach (list, i, v) {
        const char *name = json_string_value(v);
        if (!name || !add_change(j, name)) {
            fw_err_set(err, FW_EINVAL, "unknown transform '%s'", name ? name : "(not a text)");
            return fw_err_hint(err, "images: flip-horizontal, flip-vertical, rotate, brightness, "
                                    "contrast, shift, crop, noise, blur; texts: case, typos, "
                                    "drop-words, whitespace, punctuation; tables: interpolate, "
                                    "jitter");
        }
    }
    return FW_OK;
}

static int read_suspects(struct job *j, const json_t *analysis, struct fw_err *err)
{
    const json_t *entry;
    size_t i;
    int rc = FW_OK;

    json_array_foreach (json_object_get(analysis, "suspects"), i, entry) {
        const char *id = json_string_value(json_object_get(entry, "id"));
        if (rc == FW_OK && id)
            rc = fw_known_add(j->suspects, id, NULL, err);
    }
    return rc;
}

/* Parents: labelled train samples that are neither suspicious nor copies themselves. */
static int find_parents(struct job *j, struct fw_err *err)
{
    size_t n = 0, kept = 0;
    struct fw_rng rng;
    int rc = fw_train_rows(j->ds, &j->r->task, &j->rows, &n, err);

    for (size_t i = 0; rc == FW_OK && i < j->ds->n; i++)
        rc = fw_known_add(j->known, j->ds->samples[i].id, NULL, err);
    for (size_t i = 0; rc == FW_OK && i < n; i++) {
        const struct fw_sample *s = &j->ds->samples[j->rows[i]];
        json_t *row = json_loadb(s->raw, s->raw_len, 0, NULL);
        bool copy = json_object_get(row, "parent") && json_object_get(row, "augmented");
        json_decref(row);
        if (!copy && !fw_known_has(j->suspects, s->id) && (s->text || s->file_name || s->features))
            j->rows[kept++] = j->rows[i];
    }
    if (rc != FW_OK)
        return rc;
    j->n = kept;
    fw_rng_seed_named(&rng, j->r->seed + (uint64_t)j->r->iteration, "parents");
    fw_rng_shuffle(&rng, j->rows, kept);
    j->used = calloc(kept ? kept : 1, sizeof *j->used);
    return j->used ? FW_OK : fw_err_nomem(err);
}

bool in_aim(const struct job *j, const struct fw_aim *aim, size_t i)
{
    if (!aim)
        return true;
    return aim->klass >= 0 ? j->ds->samples[j->rows[i]].klass == aim->klass : aim->member[i];
}

/* Up to quota copies of samples in the aim (NULL: any), round by round so that no sample gets a
 * second copy before the others got one. Ends after ten tries for each copy that is wanted. */
static int copy_quota(struct job *j, const struct fw_aim *aim, const char *slice, size_t quota,
                      struct fw_err *err)
{
    int most = (int)fw_request_num(j->r, "per_sample"), rc = FW_OK;
    size_t end = j->written + quota, tries = 0;

    check_slice(j, aim);
    for (int round = 0; rc == FW_OK && round < most; round++)
        for (size_t i = 0; rc == FW_OK && i < j->n && j->written < end && tries < 10 * quota; i++)
            if (j->used[i] <= round && in_aim(j, aim, i)) {
                tries++;
                rc = copy_one(j, i, slice, err);
                fw_event_progress((double)j->written, (double)end, "samples");
            }
    return rc;
}

static int copy_all(struct job *j, struct fw_err *err)
{
    const char *aim = fw_request_str(j->r, "aim");
    size_t budget = (size_t)fw_request_num(j->r, "budget");
    if (aim && strcmp(aim, "all") == 0)
        return copy_quota(j, NULL, NULL, budget, err);

    size_t n = j->aims.n;
    double *weight = calloc(n ? n : 1, sizeof *weight);
    size_t *quota = calloc(n ? n : 1, sizeof *quota);
    int rc = weight && quota ? FW_OK : fw_err_nomem(err);
    for (size_t a = 0; rc == FW_OK && a < n; a++)
        weight[a] = j->aims.v[a].weight;
    if (rc == FW_OK)
        fw_quotas(weight, n, budget, quota);
    for (size_t a = 0; rc == FW_OK && a < n; a++)
        rc = copy_quota(j, &j->aims.v[a], j->aims.names[a], quota[a], err);
    if (rc == FW_OK && n == 0)
        fw_event_message("info", "the analysis names no weak slice: nothing to augment");
    free(weight);
    free(quota);
    return rc;
}

static int prepare(struct job *j, const char *data, struct fw_err *err)
{
    const char *path = fw_request_in(j->r, "analysis"), *history = fw_request_in(j->r, "history");
    json_t *analysis = NULL;
    int rc = read_changes(j, err);

    j->known = fw_known_new();
    j->suspects = fw_known_new();
    if (rc == FW_OK && (!j->known || !j->suspects))
        rc = fw_err_nomem(err);
    if (rc == FW_OK)
        rc = fw_dataset_load(data, &j->r->task, &j->ds, err);
    if (rc == FW_OK && path)
        rc = fw_analysis_load(path, &analysis, err);
    if (rc == FW_OK && history && fw_fs_exists(history))
        rc = fw_known_add_history(j->known, history, err);
    if (rc == FW_OK)
        rc = read_suspects(j, analysis, err);
    if (rc == FW_OK)
        rc = find_parents(j, err);
    if (rc == FW_OK && j->n)
        rc = check_open(j, err);
    if (rc == FW_OK)
        rc = fw_aims_read(analysis, &j->r->task, j->ds, j->rows, j->n, &j->aims, err);
    json_decref(analysis);
    return rc;
}

static void tell(const struct job *j)
{
    struct kind all = {0};
    for (int i = 0; i < KINDS; i++) {
        const struct kind *k = &j->kind[i];
        all.made += k->made;
        all.proposed += k->proposed;
        all.unrealistic += k->unrealistic;
        all.unclear += k->unclear;
        all.well += k->well;
        if (k->made)
            fw_event_message("info",
                             "%s: %zu of %zu copies proposed; %zu do not look like the data, %zu "
                             "look like another class, on %zu the model does well enough",
                             k->name, k->proposed, k->made, k->unrealistic, k->unclear, k->well);
    }
    fw_event_metric("copies_made", (double)all.made, j->r->iteration);
    fw_event_metric("copies_proposed", (double)all.proposed, j->r->iteration);
    fw_event_metric("copies_not_realistic", (double)all.unrealistic, j->r->iteration);
    fw_event_metric("copies_not_clear", (double)all.unclear, j->r->iteration);
    fw_event_metric("copies_not_needed", (double)all.well, j->r->iteration);
    if (j->n == 0)
        fw_event_message("warning",
                         "no train sample is an image, a text or a table row that can be "
                         "changed");
    if (j->broken)
        fw_event_message("warning",
                         "%zu samples cannot be read and were passed over; the first: %s",
                         j->broken, j->why);
}

static int run(const struct fw_request *r, struct fw_err *err)
{
    const char *data = fw_request_in(r, "dataset"), *out = fw_request_out(r, "patch");
    struct job j = {.r = r};

    if (!data || !out)
        return fw_err_set(err, FW_EINVAL, "the request names no %s",
                          data ? "output 'patch'" : "input 'dataset'");
    int rc = prepare(&j, data, err);
    if (rc == FW_OK)
        rc = fw_patch_writer_open(out, &j.w, err);
    if (rc == FW_OK) {
        rc = copy_all(&j, err);
        int closed = fw_patch_writer_close(j.w, rc == FW_OK ? err : NULL);
        rc = rc == FW_OK ? closed : rc;
    }
    if (rc == FW_OK)
        tell(&j);
    job_release(&j);
    return rc;
}

int main(int argc, char **argv)
{
    return fw_plugin_main(argc, argv, describe, run);
}
