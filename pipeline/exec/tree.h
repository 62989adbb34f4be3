/*
 * What belongs to a running process: its group, its session, and descendants that left both.
 *
 * The engine is made a subreaper, so an orphaned descendant becomes a child of ours. Whose it was
 * is told by a token in its environment, or, when it has cleared that, by there being one candidate
 * only. What cannot be told is ended when the last stage ends. Linux /proc; where that is not
 * mounted only the group is ended.
 */
#ifndef FW_EXEC_TREE_H
#define FW_EXEC_TREE_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct fw_tree_group {
    struct fw_tree_group *next;
    pid_t pid;       /* the leader: also its group and session */
    char token[160]; /* FLYWHEEL_TOKEN=... */
    cpu_set_t cpus;
    bool has_cpus;
};

/* Makes the token and, for 0 < n_cpus < the machine's, picks the least used CPUs. Then the process
 * is started and its pid told; fw_tree_leave() in every case. Thread-safe, as all of this. */
void fw_tree_enter(struct fw_tree_group *g, double n_cpus);
void fw_tree_started(struct fw_tree_group *g, pid_t pid);
void fw_tree_leave(struct fw_tree_group *g);

/* How many of its processes still run when the leader has ended; they get KILL when `end` is set.
 * Reaps the orphans that have ended. The leader must not be reaped yet: it keeps its number from
 * being given to another. The common case, nothing left, costs one small read. */
size_t fw_tree_left(struct fw_tree_group *g, bool end);

/* Bytes of memory in use by all of it: resident, and where that is above `limit` the proportional
 * share, which counts pages shared between forked workers once. */
uint64_t fw_tree_memory(struct fw_tree_group *g, uint64_t limit);

#endif
