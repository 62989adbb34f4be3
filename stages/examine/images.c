/* Pictures that are broken, or not like the others. */
#include <math.h>

#include "stages/examine/examine.h"
#include "stages/quality/image_issues.h"

int fw_examine_images(const struct fw_examine *x, struct fw_err *err)
{
    const struct fw_labelled *l = x->l;
    struct fw_image_issues im = {.n = 0};
    size_t flagged = 0;
    if (!l->data)
        return FW_OK;
    int rc = fw_image_issues_find(l->data, NULL, &im, err);
    if (rc != FW_OK)
        return rc;
    if (im.n_images == 0) {
        fw_image_issues_release(&im);
        return FW_OK;
    }
    json_t *kinds = json_array(), *list = json_array();
    for (int k = 0; k < FW_IMAGE_ISSUES; k++)
        json_array_append_new(kinds, json_pack("{s:s, s:I, s:b}", "issue",
                                               fw_image_issue_name((enum fw_image_issue)k), "n",
                                               (json_int_t)im.count[k], "usual", im.trait[k]));
    for (size_t i = 0; i < im.n; i++) {
        if (!im.v[i].flags)
            continue;
        flagged++;
        json_t *issues = json_array();
        double least = 1;
        for (int k = 0; k < FW_IMAGE_ISSUES; k++)
            if (im.v[i].flags & 1u << k) {
                json_array_append_new(issues,
                                      json_string(fw_image_issue_name((enum fw_image_issue)k)));
                least = fmin(least, (double)im.v[i].score[k]);
            }
        const char *file = l->data->samples[i].file_name;
        json_array_append_new(list, json_pack("{s:s, s:s?, s:o, s:f}", "id", l->data->samples[i].id,
                                              "file", file, "issues", issues, "score", least));
    }
    json_t *part = json_pack("{s:I, s:I, s:o, s:o}", "images", (json_int_t)im.n_images, "flagged",
                             (json_int_t)flagged, "kinds", kinds, "samples", list);
    if (json_object_set_new(x->out, "images", part) != 0)
        rc = fw_err_nomem(err);
    if (rc == FW_OK)
        rc = fw_examine_figure(x, "image_issues", (double)flagged / (double)im.n_images, err);
    fw_image_issues_release(&im);
    return rc;
}
