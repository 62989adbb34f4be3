/*
 * libgit2, opened with dlopen on first use.
 *
 * Loading and initialising libgit2 costs 8 ms, more than many commands take in all, so nothing is
 * linked with it. fw_git2_load() opens it once for the process; after that the names below are the
 * functions of the library and the code reads like plain libgit2. A function that is used but not
 * listed fails to link, so the list cannot fall behind.
 */
#ifndef FW_SNAP_GIT2_H
#define FW_SNAP_GIT2_H

#include <git2.h>

#include "pipeline/base/err.h"

#define FW_GIT2_FUNCTIONS(X)                                                                       \
    X(git_libgit2_init)                                                                            \
    X(git_libgit2_opts)                                                                            \
    X(git_libgit2_version)                                                                         \
    X(git_error_last)                                                                              \
    X(git_error_clear)                                                                             \
    X(git_repository_init_ext)                                                                     \
    X(git_repository_open_ext)                                                                     \
    X(git_repository_free)                                                                         \
    X(git_repository_is_bare)                                                                      \
    X(git_repository_commondir)                                                                    \
    X(git_repository_path)                                                                         \
    X(git_repository_odb)                                                                          \
    X(git_repository_config_snapshot)                                                              \
    X(git_config_get_string)                                                                       \
    X(git_config_free)                                                                             \
    X(git_odb_free)                                                                                \
    X(git_odb_read)                                                                                \
    X(git_odb_read_header)                                                                         \
    X(git_odb_object_data)                                                                         \
    X(git_odb_object_size)                                                                         \
    X(git_odb_object_type)                                                                         \
    X(git_odb_object_free)                                                                         \
    X(git_odb_exists_ext)                                                                          \
    X(git_odb_hash)                                                                                \
    X(git_odb_refresh)                                                                             \
    X(git_tree_lookup)                                                                             \
    X(git_tree_free)                                                                               \
    X(git_tree_entrycount)                                                                         \
    X(git_tree_entry_byindex)                                                                      \
    X(git_tree_entry_byname)                                                                       \
    X(git_tree_entry_name)                                                                         \
    X(git_tree_entry_id)                                                                           \
    X(git_tree_entry_type)                                                                         \
    X(git_tree_entry_filemode)                                                                     \
    X(git_commit_lookup)                                                                           \
    X(git_commit_free)                                                                             \
    X(git_commit_id)                                                                               \
    X(git_commit_tree_id)                                                                          \
    X(git_commit_parentcount)                                                                      \
    X(git_commit_parent_id)                                                                        \
    X(git_commit_time)                                                                             \
    X(git_commit_message)                                                                          \
    X(git_commit_summary)                                                                          \
    X(git_reference_name_to_id)                                                                    \
    X(git_reference_create)                                                                        \
    X(git_reference_create_matching)                                                               \
    X(git_reference_lookup)                                                                        \
    X(git_reference_free)                                                                          \
    X(git_branch_is_checked_out)                                                                   \
    X(git_revparse_single)                                                                         \
    X(git_object_lookup_prefix)                                                                    \
    X(git_object_peel)                                                                             \
    X(git_object_id)                                                                               \
    X(git_object_free)                                                                             \
    X(git_revwalk_new)                                                                             \
    X(git_revwalk_free)                                                                            \
    X(git_revwalk_push)                                                                            \
    X(git_revwalk_push_glob)                                                                       \
    X(git_revwalk_sorting)                                                                         \
    X(git_revwalk_simplify_first_parent)                                                           \
    X(git_revwalk_next)                                                                            \
    X(git_message_trailers)                                                                        \
    X(git_message_trailer_array_free)                                                              \
    X(git_oid_fromstr)                                                                             \
    X(git_oid_fromstrn)                                                                            \
    X(git_oid_tostr)                                                                               \
    X(git_oid_cmp)                                                                                 \
    X(git_oid_equal)

struct fw_git2 {
#define FW_GIT2_POINTER(name) __typeof__(name) *name;
    FW_GIT2_FUNCTIONS(FW_GIT2_POINTER)
#undef FW_GIT2_POINTER
};

extern struct fw_git2 fw_git2;

/* Opens and initialises the library (durable writes on); cheap after the first time. FW_EIO with
 * the package to install when it is missing or of another version. Any thread. */
int fw_git2_load(struct fw_err *err);
/* The same from a named library, without the once: for the test of the missing library. */
int fw_git2_load_from(const char *soname, struct fw_err *err);

#define git_libgit2_init (fw_git2.git_libgit2_init)
#define git_libgit2_opts (fw_git2.git_libgit2_opts)
#define git_libgit2_version (fw_git2.git_libgit2_version)
#define git_error_last (fw_git2.git_error_last)
#define git_error_clear (fw_git2.git_error_clear)
#define git_repository_init_ext (fw_git2.git_repository_init_ext)
#define git_repository_open_ext (fw_git2.git_repository_open_ext)
#define git_repository_free (fw_git2.git_repository_free)
#define git_repository_is_bare (fw_git2.git_repository_is_bare)
#define git_repository_commondir (fw_git2.git_repository_commondir)
#define git_repository_path (fw_git2.git_repository_path)
#define git_repository_odb (fw_git2.git_repository_odb)
#define git_repository_config_snapshot (fw_git2.git_repository_config_snapshot)
#define git_config_get_string (fw_git2.git_config_get_string)
#define git_config_free (fw_git2.git_config_free)
#define git_odb_free (fw_git2.git_odb_free)
#define git_odb_read (fw_git2.git_odb_read)
#define git_odb_read_header (fw_git2.git_odb_read_header)
#define git_odb_object_data (fw_git2.git_odb_object_data)
#define git_odb_object_size (fw_git2.git_odb_object_size)
#define git_odb_object_type (fw_git2.git_odb_object_type)
#define git_odb_object_free (fw_git2.git_odb_object_free)
#define git_odb_exists_ext (fw_git2.git_odb_exists_ext)
#define git_odb_hash (fw_git2.git_odb_hash)
#define git_odb_refresh (fw_git2.git_odb_refresh)
#define git_tree_lookup (fw_git2.git_tree_lookup)
#define git_tree_free (fw_git2.git_tree_free)
#define git_tree_entrycount (fw_git2.git_tree_entrycount)
#define git_tree_entry_byindex (fw_git2.git_tree_entry_byindex)
#define git_tree_entry_byname (fw_git2.git_tree_entry_byname)
#define git_tree_entry_name (fw_git2.git_tree_entry_name)
#define git_tree_entry_id (fw_git2.git_tree_entry_id)
#define git_tree_entry_type (fw_git2.git_tree_entry_type)
#define git_tree_entry_filemode (fw_git2.git_tree_entry_filemode)
#define git_commit_lookup (fw_git2.git_commit_lookup)
#define git_commit_free (fw_git2.git_commit_free)
#define git_commit_id (fw_git2.git_commit_id)
#define git_commit_tree_id (fw_git2.git_commit_tree_id)
#define git_commit_parentcount (fw_git2.git_commit_parentcount)
#define git_commit_parent_id (fw_git2.git_commit_parent_id)
#define git_commit_time (fw_git2.git_commit_time)
#define git_commit_message (fw_git2.git_commit_message)
#define git_commit_summary (fw_git2.git_commit_summary)
#define git_reference_name_to_id (fw_git2.git_reference_name_to_id)
#define git_reference_create (fw_git2.git_reference_create)
#define git_reference_create_matching (fw_git2.git_reference_create_matching)
#define git_reference_lookup (fw_git2.git_reference_lookup)
#define git_reference_free (fw_git2.git_reference_free)
#define git_branch_is_checked_out (fw_git2.git_branch_is_checked_out)
#define git_revparse_single (fw_git2.git_revparse_single)
#define git_object_lookup_prefix (fw_git2.git_object_lookup_prefix)
#define git_object_peel (fw_git2.git_object_peel)
#define git_object_id (fw_git2.git_object_id)
#define git_object_free (fw_git2.git_object_free)
#define git_revwalk_new (fw_git2.git_revwalk_new)
#define git_revwalk_free (fw_git2.git_revwalk_free)
#define git_revwalk_push (fw_git2.git_revwalk_push)
#define git_revwalk_push_glob (fw_git2.git_revwalk_push_glob)
#define git_revwalk_sorting (fw_git2.git_revwalk_sorting)
#define git_revwalk_simplify_first_parent (fw_git2.git_revwalk_simplify_first_parent)
#define git_revwalk_next (fw_git2.git_revwalk_next)
#define git_message_trailers (fw_git2.git_message_trailers)
#define git_message_trailer_array_free (fw_git2.git_message_trailer_array_free)
#define git_oid_fromstr (fw_git2.git_oid_fromstr)
#define git_oid_fromstrn (fw_git2.git_oid_fromstrn)
#define git_oid_tostr (fw_git2.git_oid_tostr)
#define git_oid_cmp (fw_git2.git_oid_cmp)
#define git_oid_equal (fw_git2.git_oid_equal)

#endif
