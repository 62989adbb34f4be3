#include <stdlib.h>

#include "pipeline/base/fs.h"
#include "pipeline/snap/repo.h"

int fw_repo_init(const char *root, bool *made, struct fw_err *err)
{
    git_repository *git = NULL;
    int rc = fw_git2_load(err);
    if (rc != FW_OK)
        return rc;
    *made = false;
    int grc = git_repository_open_ext(&git, root, 0, NULL);
    if (grc == GIT_ENOTFOUND) {
        git_repository_init_options o = {.version = GIT_REPOSITORY_INIT_OPTIONS_VERSION};
        o.flags = GIT_REPOSITORY_INIT_NO_REINIT | GIT_REPOSITORY_INIT_MKPATH;
        o.initial_head = "main";
        grc = git_repository_init_ext(&git, root, &o);
        *made = grc == 0;
    }
    if (grc != 0)
        rc = fw_git_fail(err, grc, "cannot make a git repository in %s", root);
    git_repository_free(git);
    return rc;
}
