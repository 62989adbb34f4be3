/* Any bytes as given boxes, in both forms: refused, or boxes with classes and sides that make sense. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "stages/data/boxes.h"
#include "stages/evaluate/detection.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void load(const char *path)
{
    struct fw_box_sets s;
    struct fw_detection_scores scores;
    if (fw_box_sets_load(path, NULL, &s, NULL) != FW_OK)
        return;
    if (fw_detection_score(&s.given, &s.given, s.k, &scores, NULL, NULL) == FW_EINVAL && s.k)
        abort();
    fw_box_sets_release(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const endings[] = {".jsonl", ".json"};
    for (int form = 0; form < 2; form++) {
        char path[64];
        snprintf(path, sizeof path, "/tmp/fw-fuzz-XXXXXX%s", endings[form]);
        int fd = mkstemps(path, form ? 5 : 6);
        if (fd < 0 || write(fd, data, size) != (ssize_t)size)
            abort();
        load(path);
        close(fd);
        unlink(path);
    }
    return 0;
}
