#include "pipeline/exec/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pipeline/exec/exec.h"

/* Facts of the process as a whole: its children, its CPUs, its being a subreaper. */
static struct {
    pthread_mutex_t mutex;
    struct fw_tree_group *groups;
    uint64_t busy_since; /* clock ticks since boot, when the first of the groups was entered */
    unsigned count;
    uint64_t started; /* of this process, clock ticks since boot */
    pid_t pid; /* who this is about: a fork of us begins anew */
    cpu_set_t cpus; /* those we may use */
    int load[CPU_SETSIZE];
} all = {.mutex = PTHREAD_MUTEX_INITIALIZER};

struct proc {
    pid_t pid, ppid, pgrp, session;
    char state;
    bool member;
    uint64_t start; /* clock ticks since boot */
    uint64_t rss;   /* bytes */
};

struct procs {
    struct proc *v;
    size_t n, cap;
};

static ssize_t read_proc(char *to, size_t size, const char *fmt, int pid)
{
    char path[64];
    snprintf(path, sizeof path, fmt, pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    size_t got = 0;
    for (ssize_t n; got < size - 1 && (n = read(fd, to + got, size - 1 - got)) > 0;)
        got += (size_t)n;
    close(fd);
    to[got] = '\0';
    return (ssize_t)got;
}

static bool read_stat(pid_t pid, struct proc *p)
{
    char text[1024];
    unsigned long long start = 0;
    long rss = 0;
    if (read_proc(text, sizeof text, "/proc/%d/stat", pid) <= 0)
        return false;
    const char *end = strrchr(text, ')'); /* the name before it may hold anything */
    *p = (struct proc){.pid = pid};
    if (!end || sscanf(end + 1,
                       " %c %d %d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d "
                       "%llu %*u %ld",
                       &p->state, &p->ppid, &p->pgrp, &p->session, &start, &rss) != 6)
        return false;
    p->start = start;
    p->rss = rss > 0 ? (uint64_t)rss * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
    return true;
}

static int by_pid(const void *a, const void *b)
{
    const struct proc *x = a, *y = b;
    return x->pid < y->pid ? -1 : x->pid > y->pid;
}

static void scan(struct procs *out)
{
    DIR *d = opendir("/proc");
    for (struct dirent *e; d && (e = readdir(d));) {
        if (e->d_name[0] < '0' || e->d_name[0] > '9')
            continue;
        if (out->n == out->cap) {
            size_t cap = out->cap ? out->cap * 2 : 256;
            struct proc *v = realloc(out->v, cap * sizeof *v);
            if (!v)
                break;
            out->v = v;
            out->cap = cap;
        }
        out->n += read_stat((pid_t)atol(e->d_name), &out->v[out->n]);
    }
    if (d)
        closedir(d);
    if (out->n)
        qsort(out->v, out->n, sizeof *out->v, by_pid);
}

static const struct proc *find(const struct procs *procs, pid_t pid)
{
    struct proc key = {.pid = pid};
    return procs->n ? bsearch(&key, procs->v, procs->n, sizeof key, by_pid) : NULL;
}

/* ---- the token ---- */

/* Tokens nest: a flywheel inside a stage of another puts its own behind the outer one. */
static void make_token(struct fw_tree_group *g)
{
    const char *outer = getenv("FLYWHEEL_TOKEN");
    if (!outer || strlen(outer) > 80)
        outer = "";
    /* The engine's number and when it started name it for as long as the machine is up. */
    snprintf(g->token, sizeof g->token, "FLYWHEEL_TOKEN=%s/%d.%llu.%u", outer, (int)getpid(),
             (unsigned long long)all.started, all.count++);
}

/* The environment a process was started with: strings one after another. NULL when it may not be
 * read, or there is none: kernel threads and zombies. */
static char *read_env(pid_t pid, size_t *n)
{
    enum { MOST = 1 << 20 };
    char *env = malloc(MOST);
    ssize_t len = env ? read_proc(env, MOST, "/proc/%d/environ", pid) : -1;
    if (len <= 0) {
        free(env);
        return NULL;
    }
    *n = (size_t)len;
    return env;
}

static const char *env_get(const char *env, size_t n, const char *name)
{
    size_t len = strlen(name);
    for (const char *p = env; p < env + n; p += strlen(p) + 1)
        if (strncmp(p, name, len) == 0 && p[len] == '=')
            return p + len + 1;
    return NULL;
}

static bool has_token(pid_t pid, const char *token)
{
    size_t n = 0, name = strlen("FLYWHEEL_TOKEN="), len = strlen(token) - name;
    char *env = read_env(pid, &n);
    const char *value = env ? env_get(env, n, "FLYWHEEL_TOKEN") : NULL;
    bool found = value && strncmp(value, token + name, len) == 0 &&
                 (value[len] == '\0' || value[len] == '/');
    free(env);
    return found;
}

/* ---- entering and leaving ---- */

static void get_ready(void)
{
    all.pid = getpid();
    all.groups = NULL;
    memset(all.load, 0, sizeof all.load);
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    struct proc self;
    if (read_stat(getpid(), &self))
        all.started = self.start;
    /* Where our starter left it ignored the kernel would reap children by itself. */
    struct sigaction sa;
    if (sigaction(SIGCHLD, NULL, &sa) == 0 && sa.sa_handler == SIG_IGN)
        signal(SIGCHLD, SIG_DFL);
    if (sched_getaffinity(0, sizeof all.cpus, &all.cpus) != 0)
        CPU_ZERO(&all.cpus);
}

static void pick_cpus(struct fw_tree_group *g, double n_cpus)
{
    int want = (int)ceil(n_cpus);
    if (n_cpus <= 0 || want >= CPU_COUNT(&all.cpus))
        return;
    CPU_ZERO(&g->cpus);
    g->has_cpus = true;
    for (; want > 0; want--) {
        int best = -1;
        for (int i = 0; i < CPU_SETSIZE; i++)
            if (CPU_ISSET(i, &all.cpus) && !CPU_ISSET(i, &g->cpus) &&
                (best < 0 || all.load[i] < all.load[best]))
                best = i;
        CPU_SET(best, &g->cpus);
        all.load[best]++;
    }
}

void fw_tree_enter(struct fw_tree_group *g, double n_cpus)
{
    pthread_mutex_lock(&all.mutex);
    if (all.pid != getpid())
        get_ready();
    if (!all.groups) {
        struct timespec now;
        clock_gettime(CLOCK_BOOTTIME, &now);
        uint64_t hz = (uint64_t)sysconf(_SC_CLK_TCK);
        all.busy_since = (uint64_t)now.tv_sec * hz + (uint64_t)now.tv_nsec * hz / 1000000000;
    }
    make_token(g);
    pick_cpus(g, n_cpus);
    g->next = all.groups;
    all.groups = g;
    pthread_mutex_unlock(&all.mutex);
}

void fw_tree_started(struct fw_tree_group *g, pid_t pid)
{
    pthread_mutex_lock(&all.mutex);
    g->pid = pid;
    pthread_mutex_unlock(&all.mutex);
}

void fw_tree_leave(struct fw_tree_group *g)
{
    pthread_mutex_lock(&all.mutex);
    for (struct fw_tree_group **at = &all.groups; *at; at = &(*at)->next) {
        if (*at != g)
            continue;
        *at = g->next;
        break;
    }
    for (int i = 0; g->has_cpus && i < CPU_SETSIZE; i++)
        all.load[i] -= CPU_ISSET(i, &g->cpus) != 0;
    pthread_mutex_unlock(&all.mutex);
}

/* ---- whose is it? ---- */

static bool is_leader(pid_t pid)
{
    for (const struct fw_tree_group *g = all.groups; g; g = g->next)
        if (g->pid == pid)
            return true;
    return false;
}

static bool is_starting(void) /* on another thread: a child of ours may be a leader to be */
{
    for (const struct fw_tree_group *g = all.groups; g; g = g->next)
        if (!g->pid)
            return true;
    return false;
}

/* An orphan that became our child, not started by us: ours lead no session or are known. */
static bool is_foreign(const struct proc *p)
{
    return p->ppid == getpid() && !is_leader(p->pid) && p->session != getsid(0) &&
           p->start >= all.busy_since;
}

static bool belongs(const struct fw_tree_group *g, const struct proc *p)
{
    if (p->pid == g->pid)
        return false;
    if (p->pgrp == g->pid || p->session == g->pid)
        return true;
    if (p->ppid != getpid() || is_leader(p->pid))
        return false;
    if (has_token(p->pid, g->token))
        return true;
    return all.groups == g && !g->next && is_foreign(p);
}

/* Marks what belongs to the group: by itself, or for being a descendant of what does. */
static void mark(const struct fw_tree_group *g, struct procs *procs)
{
    for (size_t i = 0; i < procs->n; i++)
        procs->v[i].member = belongs(g, &procs->v[i]);
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < procs->n; i++) {
            struct proc *p = &procs->v[i];
            if (p->member || p->pid == g->pid)
                continue;
            const struct proc *parent = find(procs, p->ppid);
            p->member = parent && (parent->member || parent->pid == g->pid);
            more |= p->member;
        }
    }
}

/* Have we a child that is no leader? The leader has ended but is not reaped yet, so what it left is
 * ours by now, or stands below what is. May say yes for nothing. */
static bool maybe_left(void)
{
    char text[4096];
    ssize_t n = read_proc(text, sizeof text, "/proc/self/task/%d/children", getpid());
    if (n < 0 || (size_t)n == sizeof text - 1)
        return true;
    char *end;
    for (char *p = text;; p = end) {
        long pid = strtol(p, &end, 10);
        if (end == p)
            return false;
        if (!is_leader((pid_t)pid))
            return true;
    }
}

size_t fw_tree_left(struct fw_tree_group *g, bool end)
{
    size_t left = 0;
    struct procs procs = {0};
    pthread_mutex_lock(&all.mutex);
    if (!maybe_left())
        goto out;
    scan(&procs);
    mark(g, &procs);
    for (size_t i = 0; i < procs.n; i++) {
        const struct proc *p = &procs.v[i];
        bool ours = p->ppid == getpid() && p->pid != g->pid;
        if (p->state == 'Z' || p->state == 'X') {
            /* The environment of a zombie is gone, so those of no known stage are reaped as well.
             */
            if (ours && (p->member || (is_foreign(p) && !is_starting())))
                (void)waitpid(p->pid, NULL, WNOHANG);
            continue;
        }
        if (!p->member)
            continue;
        left++;
        if (end)
            (void)kill(p->pid, SIGKILL);
    }
out:
    pthread_mutex_unlock(&all.mutex);
    free(procs.v);
    return left;
}

/* ---- memory ---- */

static uint64_t proportional(pid_t pid, uint64_t otherwise)
{
    char text[2048];
    unsigned long long kb;
    const char *line = NULL;
    if (read_proc(text, sizeof text, "/proc/%d/smaps_rollup", pid) > 0)
        line = strstr(text, "\nPss:");
    return line && sscanf(line, " Pss: %llu", &kb) == 1 ? kb * 1024 : otherwise;
}

uint64_t fw_tree_memory(struct fw_tree_group *g, uint64_t limit)
{
    struct procs procs = {0};
    uint64_t rss = 0, pss = 0;
    scan(&procs);
    pthread_mutex_lock(&all.mutex);
    mark(g, &procs);
    pthread_mutex_unlock(&all.mutex);
    for (size_t i = 0; i < procs.n; i++) {
        struct proc *p = &procs.v[i];
        p->member |= p->pid == g->pid;
        rss += p->member ? p->rss : 0;
    }
    for (size_t i = 0; i < procs.n && rss > limit; i++)
        if (procs.v[i].member)
            pss += proportional(procs.v[i].pid, procs.v[i].rss);
    free(procs.v);
    return rss > limit ? pss : rss;
}

/* ---- what a killed engine left ---- */

/* Is the engine that made the token's last part gone? */
static bool engine_is_gone(const char *token)
{
    const char *last = strrchr(token, '/');
    int pid;
    unsigned long long started;
    struct proc engine;
    if (!last || sscanf(last, "/%d.%llu.", &pid, &started) != 2)
        return false;
    return !read_stat(pid, &engine) || engine.start != started || engine.state == 'Z';
}

static bool is_orphan_of(pid_t pid, const char *project)
{
    size_t n = 0;
    char *env = read_env(pid, &n);
    const char *token = env ? env_get(env, n, "FLYWHEEL_TOKEN") : NULL;
    const char *whose = token ? env_get(env, n, "FLYWHEEL_PROJECT") : NULL;
    bool is = whose && strcmp(whose, project) == 0 && engine_is_gone(token);
    free(env);
    return is;
}

int fw_exec_end_orphans(const char *project)
{
    enum { ROUNDS = 100, NAP_MS = 10 };
    int ended = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct procs procs = {0};
        int left = 0;
        scan(&procs);
        for (size_t i = 0; i < procs.n; i++) {
            const struct proc *p = &procs.v[i];
            if (p->pid == getpid() || p->rss == 0 || !is_orphan_of(p->pid, project))
                continue;
            left++;
            ended += kill(p->pid, SIGKILL) == 0 && round == 0;
        }
        free(procs.v);
        if (left == 0)
            break;
        nanosleep(&(struct timespec){.tv_nsec = NAP_MS * 1000000L}, NULL);
    }
    return ended;
}
