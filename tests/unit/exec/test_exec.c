#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pipeline/base/clock.h"
#include "pipeline/base/fs.h"
#include "pipeline/exec/exec.h"

static char dir[64], logfile[96];

struct seen {
    int exits, events, progress;
    struct fw_exit exit;
    char text[4096]; /* the events' types and texts */
    struct fw_exec *exec;
};

/* ---- each test ends with no process of ours left and nothing open ---- */

static int open_fds(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static int fds_before;

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/fw-exec-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(logfile, sizeof logfile, "%s/log", dir);
    fds_before = open_fds();
    return 0;
}

/* Processes with the test's folder in their environment. */
static int leftovers(void)
{
    int n = 0;
    DIR *d = opendir("/proc");
    for (struct dirent *e; (e = readdir(d));) {
        char path[300], env[65536];
        snprintf(path, sizeof path, "/proc/%s/environ", e->d_name);
        int fd = e->d_name[0] >= '1' && e->d_name[0] <= '9' ? open(path, O_RDONLY) : -1;
        ssize_t len = fd >= 0 ? read(fd, env, sizeof env) : 0;
        if (fd >= 0)
            close(fd);
        if (len > 0 && memmem(env, (size_t)len, dir, strlen(dir)))
            n++;
    }
    closedir(d);
    return n;
}

static int teardown(void **state)
{
    (void)state;
    if (leftovers() != 0) {
        print_error("a process is left over\n");
        return -1;
    }
    if (waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD) {
        print_error("a child was not reaped\n");
        return -1;
    }
    if (open_fds() != fds_before) {
        print_error("a descriptor is left open\n");
        return -1;
    }
    return fw_fs_remove(dir, NULL);
}

/* ---- running one ---- */

static void on_event(void *ctx, const json_t *event)
{
    struct seen *seen = ctx;
    const char *type = json_string_value(json_object_get(event, "type"));
    const char *text = json_string_value(json_object_get(event, "text"));
    size_t n = strlen(seen->text);
    seen->events++;
    seen->progress += !strcmp(type, "progress");
    snprintf(seen->text + n, sizeof seen->text - n, "%s:%s\n", type, text ? text : "");
}

static void on_exit_(void *ctx, const struct fw_exit *exit)
{
    struct seen *seen = ctx;
    seen->exits++;
    seen->exit = *exit;
    seen->exec = NULL;
}

static const char *script(const char *text)
{
    static char path[96];
    snprintf(path, sizeof path, "%s/script", dir);
    FILE *f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
    chmod(path, 0755);
    return path;
}

static void stop_now(uv_timer_t *timer)
{
    struct seen *seen = timer->data;
    if (seen->exec) {
        fw_exec_stop(seen->exec);
        fw_exec_stop(seen->exec);
    }
    uv_close((uv_handle_t *)timer, NULL);
}

/* Fills in what the test left open, runs it to the end, checks that the loop closes. */
static struct seen run(struct fw_exec_spec spec, const char *text, uint64_t stop_after)
{
    struct seen seen = {0};
    struct fw_err err = {0};
    uv_loop_t loop;
    uv_timer_t timer = {.data = &seen};
    char where[96];
    snprintf(where, sizeof where, "WHERE=%s", dir);
    const char *argv[] = {script(text), NULL};
    const char *env[] = {"PATH=/usr/local/bin:/usr/bin:/bin", where, NULL};
    if (!spec.argv)
        spec.argv = argv;
    spec.env = env;
    spec.cwd = dir;
    spec.log_path = logfile;
    spec.on_event = on_event;
    spec.on_exit = on_exit_;
    spec.ctx = &seen;
    assert_int_equal(uv_loop_init(&loop), 0);
    if (fw_exec_start(&loop, &spec, &seen.exec, &err) != FW_OK)
        fail_msg("%s", err.msg);
    assert_true(fw_exec_pid(seen.exec) > 0);
    if (stop_after) {
        uv_timer_init(&loop, &timer);
        uv_timer_start(&timer, stop_now, stop_after, 0);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    assert_int_equal(seen.exits, 1);
    return seen;
}

static char *read_log(void)
{
    struct fw_buf b = {0};
    assert_int_equal(fw_fs_read(logfile, 0, &b, NULL), FW_OK);
    return fw_buf_steal(&b);
}

static void expect_log(const char *want)
{
    char *text = read_log();
    assert_string_equal(text, want);
    free(text);
}

/* The shell may tell of a child that was ended. */
static void expect_in_log(const char *want)
{
    char *text = read_log();
    assert_non_null(strstr(text, want));
    free(text);
}

/* ---- the ordinary ---- */

static void test_runs_and_logs(void **state)
{
    (void)state;
    struct seen s =
        run((struct fw_exec_spec){0}, "#!/bin/sh\necho out\necho err >&2\npwd\nexit 7\n", 0);
    assert_int_equal(s.exit.kind, FW_EXIT_CODE);
    assert_int_equal(s.exit.code, 7);
    char want[128];
    snprintf(want, sizeof want, "out\nerr\n%s\n", dir);
    expect_log(want);
    run((struct fw_exec_spec){0}, "#!/bin/sh\necho again\n", 0); /* appends */
    snprintf(want, sizeof want, "out\nerr\n%s\nagain\n", dir);
    expect_log(want);
}

static void test_a_clean_start(void **state)
{
    (void)state;
    int leak = open("/dev/zero", O_RDONLY); /* on purpose without close-on-exec */
    fds_before++;
    signal(SIGPIPE, SIG_IGN);
    sigset_t usr1;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    sigprocmask(SIG_BLOCK, &usr1, NULL);
    run((struct fw_exec_spec){0},
        "#!/bin/sh\nls /proc/$$/fd >fds\nsort -n fds | grep -v '^1[0-9]' | tr '\\n' ' '\n"
        "test -p /proc/$$/fd/3 && echo pipe\nreadlink /proc/$$/fd/0\n"
        "sed -nE 's/^(SigBlk|SigIgn):.*(.{7})$/\\1 \\2/p' /proc/$$/status | tr '\\n\\t' '  '\n"
        "awk '{print ($1 == $5) ($1 == $6)}' /proc/$$/stat\n",
        0);
    sigprocmask(SIG_UNBLOCK, &usr1, NULL);
    signal(SIGPIPE, SIG_DFL);
    close(leak);
    fds_before--;
    expect_log("0 1 2 3 pipe\n/dev/null\nSigBlk 0000000 SigIgn 0000000 11\n");
}

static void test_events(void **state)
{
    (void)state;
    struct seen s = run((struct fw_exec_spec){0},
                        "#!/bin/sh\n"
                        "echo '{\"type\":\"progress\",\"done\":1,\"total\":9}' >&3\n"
                        "echo '{\"type\":\"metric\",\"name\":\"loss\",\"value\":0.5}' >&3\n"
                        "echo '{\"type\":\"message\",\"level\":\"info\",\"text\":\"hello\"}' >&3\n"
                        "printf '{\"type\":\"waiting\",\"reason\":\"people\"}' >&3\n"
                        "exit 75\n",
                        0);
    assert_int_equal(s.exit.code, 75);
    assert_string_equal(s.text, "progress:\nmetric:\nmessage:hello\nwaiting:\n");
}

static void test_killed_by_a_signal(void **state)
{
    (void)state;
    struct seen s = run((struct fw_exec_spec){0}, "#!/bin/sh\nkill -SEGV $$\n", 0);
    assert_int_equal(s.exit.kind, FW_EXIT_SIGNAL);
    assert_int_equal(s.exit.signal, SIGSEGV);
}

static void test_many_at_once(void **state)
{
    (void)state;
    enum { N = 40 };
    struct seen seen[N];
    memset(seen, 0, sizeof seen);
    uv_loop_t loop;
    assert_int_equal(uv_loop_init(&loop), 0);
    for (int i = 0; i < N; i++) {
        char code[32];
        snprintf(code, sizeof code, "echo x; exit %d", i);
        const char *argv[] = {"sh", "-c", code, NULL}, *env[] = {"PATH=/bin:/usr/bin", NULL};
        struct fw_exec_spec spec = {.argv = argv,
                                    .env = env,
                                    .cwd = "/",
                                    .log_path = logfile,
                                    .on_exit = on_exit_,
                                    .ctx = &seen[i]};
        assert_int_equal(fw_exec_start(&loop, &spec, &seen[i].exec, NULL), FW_OK);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    for (int i = 0; i < N; i++) {
        assert_int_equal(seen[i].exits, 1);
        assert_int_equal(seen[i].exit.code, i);
    }
    char *text = read_log();
    assert_int_equal(strlen(text), 2 * N);
    free(text);
}

/* ---- the hostile ---- */

static void test_timeout(void **state)
{
    (void)state;
    struct seen s = run((struct fw_exec_spec){.timeout_ms = 100}, "#!/bin/sh\nsleep 60\n", 0);
    assert_int_equal(s.exit.kind, FW_EXIT_TIMEOUT);
    assert_in_range(s.exit.wall_ms, 90, 3000);
}

static void test_ignores_term(void **state)
{
    (void)state;
    struct seen s = run((struct fw_exec_spec){.timeout_ms = 100, .grace_ms = 200},
                        "#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 1; done\n", 0);
    assert_int_equal(s.exit.kind, FW_EXIT_TIMEOUT);
    assert_int_equal(s.exit.signal, SIGKILL);
    assert_in_range(s.exit.wall_ms, 290, 3000);
}

static void test_ends_well_on_term(void **state)
{
    (void)state;
    struct seen s =
        run((struct fw_exec_spec){0},
            "#!/bin/sh\ntrap 'echo bye; exit 0' TERM\nwhile :; do sleep 0.05; done\n", 200);
    assert_int_equal(s.exit.kind, FW_EXIT_STOPPED);
    assert_int_equal(s.exit.code, 0);
    expect_in_log("bye\n");
}

/* The leader goes at once, a child of the group needs time to save: it gets the grace. */
static void test_the_group_has_the_grace(void **state)
{
    (void)state;
    struct seen s = run((struct fw_exec_spec){.grace_ms = 5000, .drain_ms = 50},
                        "#!/bin/sh\n"
                        "sh -c \"trap 'sleep 0.4; echo saved; exit' TERM; "
                        "while :; do sleep 0.05; done\" &\nwait\n",
                        200);
    assert_int_equal(s.exit.kind, FW_EXIT_STOPPED);
    expect_in_log("saved\n");
}

static void test_a_stopped_process_can_be_stopped(void **state)
{
    (void)state;
    int64_t t0 = fw_clock_ms();
    struct seen s =
        run((struct fw_exec_spec){.grace_ms = 20000}, "#!/bin/sh\nkill -STOP $$\n", 200);
    assert_int_equal(s.exit.kind, FW_EXIT_STOPPED);
    assert_in_range(fw_clock_ms() - t0, 100, 10000);
}

static void test_leaves_children_in_the_group(void **state)
{
    (void)state;
    int64_t t0 = fw_clock_ms();
    struct seen s = run((struct fw_exec_spec){0},
                        "#!/bin/sh\nsleep 60 3>&- &\n(trap '' TERM; sleep 60) 3>&- &\nexit 0\n", 0);
    assert_int_equal(s.exit.kind, FW_EXIT_CODE);
    assert_in_range(fw_clock_ms() - t0, 0, 900); /* nobody holds the pipe: no drain */
}

static void test_holds_the_event_pipe(void **state)
{
    (void)state;
    int64_t t0 = fw_clock_ms();
    struct seen s =
        run((struct fw_exec_spec){.drain_ms = 300},
            "#!/bin/sh\n(sleep 0.1; echo '{\"type\":\"message\",\"text\":\"late\"}' >&3; "
            "sleep 60) &\nexit 0\n",
            0);
    assert_int_equal(s.exit.kind, FW_EXIT_CODE);
    assert_in_range(fw_clock_ms() - t0, 290, 5000);
    assert_string_equal(s.text, "message:late\n");
}

static void test_stop_ends_the_drain(void **state)
{
    (void)state;
    int64_t t0 = fw_clock_ms();
    struct seen s =
        run((struct fw_exec_spec){.drain_ms = 20000}, "#!/bin/sh\nsleep 60 &\nexit 3\n", 200);
    assert_int_equal(s.exit.kind, FW_EXIT_CODE);
    assert_int_equal(s.exit.code, 3);
    assert_in_range(fw_clock_ms() - t0, 100, 10000);
}

static void test_forks_away(void **state)
{
    (void)state;
    run((struct fw_exec_spec){0},
        "#!/bin/sh\nsetsid sh -c 'sleep 60 & sleep 60' 3>&- &\nsleep 0.1\n", 0);
    /* a daemon, two forks and a session of its own, that shields itself from TERM */
    run((struct fw_exec_spec){0},
        "#!/bin/sh\n(setsid sh -c \"trap '' TERM HUP; (sleep 61 &) ; sleep 60\" 3>&- &)\nsleep "
        "0.1\n",
        0);
    /* the same while it is stopped */
    run((struct fw_exec_spec){.timeout_ms = 200, .grace_ms = 200},
        "#!/bin/sh\ntrap '' TERM\n(setsid sleep 60 &)\nwhile :; do sleep 1; done\n", 0);
}

/* With its environment cleared it can still be told: no other stage runs. */
static void test_forks_away_without_a_trace(void **state)
{
    (void)state;
    struct fw_buf pid = {0};
    char path[96];
    run((struct fw_exec_spec){0},
        "#!/bin/sh\n(env -i setsid sh -c 'echo $$ >pid; exec sleep 60' 3>&- &)\nsleep 0.2\n", 0);
    snprintf(path, sizeof path, "%s/pid", dir);
    assert_int_equal(fw_fs_read(path, 0, &pid, NULL), FW_OK);
    assert_int_equal(kill((pid_t)atoi(pid.p), 0), -1);
    fw_buf_release(&pid);
}

/* What is not of the stage stays alone, though it is a child of this process. */
static void test_spares_others(void **state)
{
    (void)state;
    pid_t other = fork();
    if (other == 0) {
        execlp("sleep", "sleep", "60", (char *)NULL);
        _exit(127);
    }
    run((struct fw_exec_spec){0}, "#!/bin/sh\n(setsid sleep 60 3>&- &)\nsleep 0.1\n", 0);
    assert_int_equal(waitpid(other, NULL, WNOHANG), 0);
    kill(other, SIGKILL);
    assert_int_equal(waitpid(other, NULL, 0), other);
}

/* Two at once: what one leaves behind is not taken from the other. */
static void test_two_stages_apart(void **state)
{
    (void)state;
    struct seen slow = {0}, fast = {0};
    uv_loop_t loop;
    assert_int_equal(uv_loop_init(&loop), 0);
    char where[96];
    snprintf(where, sizeof where, "WHERE=%s", dir);
    const char *env[] = {"PATH=/bin:/usr/bin", where, NULL};
    const char *one[] = {"sh", "-c", "(setsid sh -c 'sleep 0.6; echo mine' 3>&- &); sleep 0.9",
                         NULL};
    const char *two[] = {"sh", "-c", "(setsid sleep 60 3>&- &); sleep 0.1", NULL};
    struct fw_exec_spec spec = {.argv = one,
                                .env = env,
                                .cwd = "/",
                                .log_path = logfile,
                                .on_exit = on_exit_,
                                .ctx = &slow};
    assert_int_equal(fw_exec_start(&loop, &spec, &slow.exec, NULL), FW_OK);
    spec.argv = two;
    spec.ctx = &fast;
    assert_int_equal(fw_exec_start(&loop, &spec, &fast.exec, NULL), FW_OK);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    assert_true(fast.exit.wall_ms < 500 && slow.exit.wall_ms > 800);
    expect_log("mine\n");
}

static void test_floods_its_log(void **state)
{
    (void)state;
    struct seen s =
        run((struct fw_exec_spec){.log_limit = 100000}, "#!/bin/sh\nexec yes flood\n", 0);
    assert_int_equal(s.exit.kind, FW_EXIT_LOG_LIMIT);
    struct stat st;
    assert_int_equal(stat(logfile, &st), 0);
    assert_int_equal(st.st_size, 100000);
}

static void test_floods_its_events(void **state)
{
    (void)state;
    struct seen s =
        run((struct fw_exec_spec){.timeout_ms = 700}, "#!/bin/sh\nexec yes flood >&3\n", 0);
    assert_int_equal(s.exit.kind, FW_EXIT_TIMEOUT);
    assert_int_equal(s.events, 1);
    assert_non_null(
        strstr(s.text, "event lines were dropped; the first because it is not a JSON object"));
    s = run((struct fw_exec_spec){0},
            "#!/bin/sh\nyes '{\"type\":\"progress\",\"done\":1}' | head -n 100000 >&3\n", 0);
    assert_in_range(s.progress, 1, 90000); /* passed on by the read, not by the line */
    assert_int_equal(s.progress, s.events);
}

static void test_closes_or_floods_without_newline(void **state)
{
    (void)state;
    struct seen s = run((struct fw_exec_spec){0}, "#!/bin/sh\nexec 3>&-\nsleep 0.2\nexit 4\n", 0);
    assert_int_equal(s.exit.code, 4);
    assert_in_range(s.exit.wall_ms, 190, 5000);
    s = run((struct fw_exec_spec){0},
            "#!/bin/sh\nhead -c 3000000 /dev/zero >&3\nprintf '\\n{\"type\":\"message\","
            "\"text\":\"after\"}\\n' >&3\n",
            0);
    assert_non_null(strstr(s.text, "message:after\n"));
    assert_non_null(strstr(s.text, "1 event line was dropped; the first because it is longer"));
}

static void test_over_its_memory(void **state)
{
    (void)state;
    struct seen s = run((struct fw_exec_spec){.memory = 60 << 20, .timeout_ms = 20000},
                        "#!/bin/sh\nhead -c 200000000 /dev/zero | tail -c 150000000 | sleep 9 &\n"
                        "wait\n",
                        0);
    assert_int_equal(s.exit.kind, FW_EXIT_OOM);
    assert_true(s.exit.max_rss > 60u << 20);
    s = run((struct fw_exec_spec){.memory = 1u << 30}, "#!/bin/sh\nsleep 0.4\n", 0);
    assert_int_equal(s.exit.kind, FW_EXIT_CODE);
    assert_true(s.exit.max_rss > 100000 && s.exit.max_rss < 100 << 20);
}

/* Workers forked from one big process share its pages: they count once. */
static void test_shared_memory_counts_once(void **state)
{
    (void)state;
    if (system("python3 -c '' 2>/dev/null") != 0)
        skip();
    struct seen s =
        run((struct fw_exec_spec){.memory = 150 << 20, .timeout_ms = 20000},
            "#!/usr/bin/env python3\nimport os, time\nx = b'x' * (60 << 20)\n"
            "for i in range(5):\n    if os.fork() == 0:\n        time.sleep(1); os._exit(0)\n"
            "for i in range(5): os.wait()\n",
            0);
    assert_int_equal(s.exit.kind, FW_EXIT_CODE);
    assert_int_equal(s.exit.code, 0);
}

static void test_cpus_and_nice(void **state)
{
    (void)state;
    struct seen s = run((struct fw_exec_spec){.cpus = 0.5, .nice = 7},
                        "#!/bin/sh\nnproc\nsleep 0.05\nnice\n", 0);
    assert_int_equal(s.exit.code, 0);
    expect_log("1\n7\n");
}

/* An engine killed with -9 leaves its stage running; the next one ends it. */
static void test_orphans_of_a_killed_engine(void **state)
{
    (void)state;
    int ready[2];
    char project[96], pid_text[16];
    assert_int_equal(pipe(ready), 0);
    snprintf(project, sizeof project, "FLYWHEEL_PROJECT=%s", dir);
    pid_t engine = fork();
    if (engine == 0) {
        uv_loop_t loop;
        struct fw_exec *x;
        const char *argv[] = {"sleep", "60", NULL};
        const char *env[] = {"PATH=/bin:/usr/bin", project, NULL};
        struct fw_exec_spec spec = {.argv = argv, .env = env, .cwd = "/", .log_path = logfile};
        if (uv_loop_init(&loop) == 0 && fw_exec_start(&loop, &spec, &x, NULL) == FW_OK) {
            int n = snprintf(pid_text, sizeof pid_text, "%d", fw_exec_pid(x));
            if (write(ready[1], pid_text, (size_t)n + 1) > 0)
                pause();
        }
        _exit(1);
    }
    assert_true(read(ready[0], pid_text, sizeof pid_text) > 1);
    pid_t stage = (pid_t)atoi(pid_text);
    close(ready[0]);
    close(ready[1]);
    assert_int_equal(fw_exec_end_orphans(dir), 0); /* its engine lives */
    kill(engine, SIGKILL);
    assert_int_equal(waitpid(engine, NULL, 0), engine);
    assert_int_equal(fw_exec_end_orphans("/another/project"), 0);
    assert_int_equal(kill(stage, 0), 0);
    assert_int_equal(fw_exec_end_orphans(dir), 1);
    (void)waitpid(stage, NULL, 0); /* ours, since we are a subreaper */
    assert_int_equal(kill(stage, 0), -1);
}

/* ---- what cannot be started ---- */

static void refuse(const char *path, const char *cwd, int code, const char *says, const char *hint)
{
    struct fw_err err = {0};
    struct seen seen = {0};
    uv_loop_t loop;
    assert_int_equal(uv_loop_init(&loop), 0);
    const char *argv[] = {path, NULL}, *env[] = {"PATH=/usr/bin:/bin", NULL};
    struct fw_exec_spec spec = {.argv = argv,
                                .env = env,
                                .cwd = cwd,
                                .log_path = logfile,
                                .on_exit = on_exit_,
                                .ctx = &seen};
    int rc = fw_exec_start(&loop, &spec, &seen.exec, &err);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    if (rc != code || !strstr(err.msg, says) || !strstr(err.hint, hint))
        fail_msg("%d '%s' hint '%s'", rc, err.msg, err.hint);
    assert_int_equal(seen.exits, 0);
    assert_null(seen.exec);
}

static void test_cannot_start(void **state)
{
    (void)state;
    refuse("/no/such/plugin", dir, FW_ENOTFOUND, "there is no such file", "");
    refuse("no-such-command", dir, FW_ENOTFOUND, "'no-such-command': it is not found", "install");
    refuse(script("#!/no/interpreter -x\n"), dir, FW_EINVAL,
           "interpreter /no/interpreter does not exist", "install it");
    refuse(script("#!/bin/sh\r\necho\r\n"), dir, FW_EINVAL, "CR LF", "sed -i");
    refuse(script("echo no first line\n"), dir, FW_EINVAL, "neither a program nor a script",
           "add #!/bin/sh as the first line");
    refuse(script("\177ELF rubbish"), dir, FW_EINVAL, "another machine", "");
    refuse(script("#!/bin/sh\n"), "/no/folder", FW_ENOTFOUND, "working folder /no/folder", "");
    refuse(dir, "/", FW_EINVAL, "it is a folder", "");
    const char *path = script("#!/bin/sh\n");
    chmod(path, 0644);
    refuse(path, dir, FW_EINVAL, "not executable", "chmod +x");
    snprintf(logfile, sizeof logfile, "%s/no/log", dir);
    refuse("true", dir, FW_EIO, "cannot open the log", "");
}

/* With one descriptor more each time, until there are enough: a clear error or success, and never
 * anything left behind. */
static void test_no_descriptors_left(void **state)
{
    (void)state;
    struct rlimit old, few;
    bool started = false;
    int refused = 0;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    for (rlim_t n = 3; !started && n < 64; n++) {
        struct seen seen = {0};
        struct fw_err err = {0};
        uv_loop_t loop;
        const char *argv[] = {"true", NULL}, *env[] = {"PATH=/bin:/usr/bin", NULL};
        struct fw_exec_spec spec = {.argv = argv,
                                    .env = env,
                                    .cwd = "/",
                                    .log_path = logfile,
                                    .on_exit = on_exit_,
                                    .ctx = &seen};
        assert_int_equal(uv_loop_init(&loop), 0);
        few = old;
        few.rlim_cur = n;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        int rc = fw_exec_start(&loop, &spec, &seen.exec, &err);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
        assert_int_equal(uv_loop_close(&loop), 0);
        started = rc == FW_OK;
        refused += rc == FW_EIO && strstr(err.hint, "ulimit -n");
        assert_int_equal(seen.exits, started);
        assert_true(started || rc == FW_EIO);
    }
    assert_true(started && refused > 3);
    assert_int_equal(leftovers(), 0);
}

/* ---- capture ---- */

static int capture(const char *command, int64_t timeout_ms, size_t most, char **out, char **errors,
                   struct fw_exit *exit)
{
    const char *argv[] = {"/bin/sh", "-c", command, NULL};
    const char *env[] = {"PATH=/usr/bin:/bin", NULL};
    size_t n = 0;
    int rc = fw_exec_capture(argv, env, NULL, timeout_ms, most, out, &n, errors, exit, NULL);
    if (rc == FW_OK)
        assert_int_equal(n, strlen(*out));
    return rc;
}

static void test_capture(void **state)
{
    (void)state;
    char *out = NULL, *errors = NULL;
    struct fw_exit exit = {0};
    assert_int_equal(capture("echo hello; echo oops >&2; exit 3", 5000, 100, &out, &errors, &exit),
                     FW_OK);
    assert_string_equal(out, "hello\n");
    assert_string_equal(errors, "oops\n");
    assert_int_equal(exit.code, 3);
    free(out);
    free(errors);
    assert_int_equal(capture("yes", 5000, 100, &out, NULL, &exit), FW_OK);
    assert_int_equal(exit.kind, FW_EXIT_LOG_LIMIT);
    assert_int_equal(strlen(out), 100);
    free(out);
    assert_int_equal(capture("echo x; trap '' TERM; sleep 60", 100, 100, &out, NULL, &exit), FW_OK);
    assert_int_equal(exit.kind, FW_EXIT_TIMEOUT);
    assert_string_equal(out, "x\n");
    free(out);
    assert_int_equal(capture("(setsid sleep 60 &) ; echo y", 5000, 100, &out, NULL, &exit), FW_OK);
    assert_string_equal(out, "y\n");
    free(out);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    /* libuv opens what it keeps for all loops on first use; let it do so before we count. */
    struct fw_exit exit;
    char *out = NULL;
    if (capture("exit 0", 5000, 10, &out, NULL, &exit) != FW_OK)
        return 1;
    free(out);
    const struct CMUnitTest tests[] = {
        T(test_runs_and_logs),
        T(test_a_clean_start),
        T(test_events),
        T(test_killed_by_a_signal),
        T(test_many_at_once),
        T(test_timeout),
        T(test_ignores_term),
        T(test_ends_well_on_term),
        T(test_the_group_has_the_grace),
        T(test_a_stopped_process_can_be_stopped),
        T(test_leaves_children_in_the_group),
        T(test_holds_the_event_pipe),
        T(test_stop_ends_the_drain),
        T(test_forks_away),
        T(test_forks_away_without_a_trace),
        T(test_spares_others),
        T(test_two_stages_apart),
        T(test_floods_its_log),
        T(test_floods_its_events),
        T(test_closes_or_floods_without_newline),
        T(test_over_its_memory),
        T(test_shared_memory_counts_once),
        T(test_cpus_and_nice),
        T(test_orphans_of_a_killed_engine),
        T(test_cannot_start),
        T(test_no_descriptors_left),
        T(test_capture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
