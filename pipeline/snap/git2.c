#include "pipeline/snap/git2.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

struct fw_git2 fw_git2;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int once_rc;
static struct fw_err once_err;

/* In the order of the struct, which is nothing but pointers. */
static const char *const names[] = {
#define FW_GIT2_NAME(name) #name,
    FW_GIT2_FUNCTIONS(FW_GIT2_NAME)
#undef FW_GIT2_NAME
};

enum { FUNCTIONS = sizeof names / sizeof *names };
_Static_assert(sizeof(struct fw_git2) == FUNCTIONS * sizeof(void *), "one pointer a function");

static int missing(struct fw_err *err, const char *soname, const char *why)
{
    fw_err_set(err, FW_EIO, "cannot use libgit2 (%s): %s", soname, why);
    fw_err_hint(err, "install libgit2 %d.%d (Debian 12: apt install libgit2-1.5)",
                LIBGIT2_VER_MAJOR, LIBGIT2_VER_MINOR);
    return FW_EIO;
}

int fw_git2_load_from(const char *soname, struct fw_err *err)
{
    struct fw_git2 found;
    void *lib = dlopen(soname, RTLD_NOW | RTLD_LOCAL);
    if (!lib)
        return missing(err, soname, dlerror());
    for (size_t i = 0; i < FUNCTIONS; i++) {
        void *f = dlsym(lib, names[i]);
        if (!f)
            return missing(err, soname, dlerror());
        memcpy((char *)&found + i * sizeof f, &f, sizeof f);
    }
    fw_git2 = found;
    int major = 0, minor = 0, rev = 0;
    git_libgit2_version(&major, &minor, &rev);
    /* structs passed to it are laid out as the headers of one minor version say */
    if (major != LIBGIT2_VER_MAJOR || minor != LIBGIT2_VER_MINOR)
        return missing(err, soname, "another version than the program was built for");
    if (git_libgit2_init() < 0 || git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1) < 0)
        return missing(err, soname, "it cannot be initialised");
    return FW_OK;
}

static void load_once(void)
{
    once_rc = fw_git2_load_from(FW_GIT2_SONAME, &once_err);
}

int fw_git2_load(struct fw_err *err)
{
    pthread_once(&once, load_once);
    if (once_rc != FW_OK && err)
        *err = once_err;
    return once_rc;
}
