/* cmd_shell.c — `thaw shell`: an interactive console on a thawed machine: freeze, undo, quit. */
#include "cli/commands.h"

#include "agent/runner.h"
#include "cli/base/output.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define SLICE_NS    UINT64_C(10000000) /* of virtual time between looks at the keyboard */
#define SLICE_MAX   UINT64_C(20000000) /* instructions */
#define KEY_COMMAND 1                  /* Ctrl-A begins a command, as in QEMU's -nographic */
#define FROZEN_MAX  256

struct shell {
    struct session session;
    struct store *store;
    struct image_cache *cache;
    struct object *console;
    const char *name; /* as the user gave it */
    struct hash last; /* where undo goes back to */
    json_t *frozen;
    FILE *screen; /* where the guest's console goes: standard output is --json's */
    struct termios saved;
    bool raw;      /* the terminal was changed */
    bool end_seen; /* of standard input */
    bool quit;
    bool command; /* Ctrl-A came */
    uint32_t count;
    uint8_t typed[4096]; /* not yet taken by the guest */
    size_t typed_size;
};

static void on_console(void *context, struct object *object, const uint8_t *bytes, size_t size)
{
    const struct shell *shell = context;

    if (object != shell->console)
        return;
    fwrite(bytes, 1, size, shell->screen);
    fflush(shell->screen);
}

/* A line of our own among the guest's. */
static void say(const struct shell *shell, const char *text)
{
    fprintf(stderr, "%s[thaw] %s%s", shell->raw ? "\r\n" : "", text, shell->raw ? "\r\n" : "\n");
}

static bool shell_thaw(struct shell *shell, const char *name, struct err *err)
{
    session_init(&shell->session, shell->store, shell->cache);
    if (!session_thaw(&shell->session, name, err))
        return false;
    shell->console = runner_console(&shell->session);
    if (shell->console == NULL)
        return err_set(err, ERR_USAGE, "%s has no console", name);
    shell->session.machine->host = (struct host){.context = shell, .console = on_console};
    shell->last = shell->session.parent;
    return true;
}

static bool shell_freeze(struct shell *shell, struct err *err)
{
    struct checkpoint_ids ids;
    struct store_tag tag;
    char name[STORE_NAME_MAX + 1], text[STORE_NAME_MAX + 64];
    bool ok;

    if (shell->count == FROZEN_MAX)
        return err_set(err, ERR_USAGE, "%d checkpoints in one shell are enough", FROZEN_MAX);
    snprintf(name, sizeof name, "%.100s-%u", shell->name, ++shell->count);
    store_tag_init(&tag, name, &clock_host);
    for (size_t i = 0; i < shell->session.facts.fact_count; i++)
        if (strcmp(shell->session.facts.facts[i].key, FACT_AT_PROMPT) != 0)
            store_tag_set_fact(&tag, shell->session.facts.facts[i].key,
                               shell->session.facts.facts[i].text);
    tag.parent = shell->session.parent;
    ok = session_freeze(&shell->session, &tag, &ids, err);
    store_tag_release(&tag);
    if (!ok)
        return false;
    shell->last = ids.checkpoint_id;
    json_array_append_new(shell->frozen, json_string(name));
    snprintf(text, sizeof text, "frozen: %s  %s", name, id_text(&ids.checkpoint_id).text);
    say(shell, text);
    return true;
}

static bool shell_undo(struct shell *shell, struct err *err)
{
    struct hash last = shell->last;

    session_release(&shell->session);
    shell->typed_size = 0;
    if (!shell_thaw(shell, hash_hex(&last).text, err))
        return false;
    say(shell, "back at the last frozen moment");
    return true;
}

static bool shell_command(struct shell *shell, uint8_t key, struct err *err)
{
    shell->command = false;
    switch (key) {
    case 'f':
        return shell_freeze(shell, err);
    case 'u':
        return shell_undo(shell, err);
    case 'q':
    case 'x':
        shell->quit = true;
        return true;
    default:
        say(shell, "Ctrl-A f: freeze   Ctrl-A u: undo to the last frozen moment   Ctrl-A q: quit   "
                   "Ctrl-A a: send Ctrl-A");
        return true;
    }
}

static bool take_key(struct shell *shell, uint8_t key, struct err *err)
{
    if (shell->command && key != 'a' && key != KEY_COMMAND)
        return shell_command(shell, key, err);
    if (!shell->command && key == KEY_COMMAND) {
        shell->command = true;
        return true;
    }
    if (shell->command)
        key = KEY_COMMAND;
    shell->command = false;
    if (key == '\n' && !shell->raw)
        key = '\r'; /* as the Enter key of a terminal */
    if (shell->typed_size < sizeof shell->typed)
        shell->typed[shell->typed_size++] = key;
    return true;
}

/* Waits at most `wait_ms` for keys. */
static bool read_keys(struct shell *shell, int wait_ms, struct err *err)
{
    struct pollfd keyboard = {STDIN_FILENO, POLLIN, 0};
    uint8_t keys[256];
    ssize_t got;

    if (shell->end_seen || shell->typed_size > sizeof shell->typed - sizeof keys)
        return true;
    if (poll(&keyboard, 1, wait_ms) <= 0)
        return true;
    got = read(STDIN_FILENO, keys, sizeof keys);
    if (got < 0)
        return errno == EINTR || err_set_errno(err, errno, "cannot read the keyboard");
    shell->end_seen = got == 0;
    for (ssize_t i = 0; i < got && !shell->quit; i++)
        if (!take_key(shell, keys[i], err))
            return false;
    return true;
}

static bool type(struct shell *shell, struct err *err)
{
    struct span bytes = {shell->typed, shell->typed_size};
    size_t taken;

    if (bytes.size == 0)
        return true;
    if (!machine_input(shell->session.machine, shell->console, "console", bytes, &taken, err))
        return false;
    memmove(shell->typed, shell->typed + taken, shell->typed_size - taken);
    shell->typed_size -= taken;
    return true;
}

/* One slice. Virtual time is held back to real time, so that an idle guest does not race through
 * its timers while somebody thinks; a busy one runs as fast as it can. Returns how long to wait for
 * keys. */
static int run_slice(struct shell *shell, enum machine_stop *stop)
{
    struct machine *machine = shell->session.machine;
    uint64_t hz = machine_config(machine)->clock_hz;
    uint64_t start = clock_monotonic_ns(&clock_host), virtual_start = machine_virtual_ns(machine);
    struct machine_limits limits = {machine_instructions(machine) + SLICE_MAX,
                                    machine_cycle(machine) + hz / (1000000000 / SLICE_NS)};
    uint64_t real, virtual_ns;

    *stop = machine_run(machine, &limits);
    if (*stop == MACHINE_STOP_IDLE)
        return 100;
    real = clock_monotonic_ns(&clock_host) - start;
    virtual_ns = machine_virtual_ns(machine) - virtual_start;
    return virtual_ns > real ? (int)((virtual_ns - real) / 1000000) : 0;
}

static bool interact(struct shell *shell, struct err *err)
{
    uint32_t idle = 0; /* slices at the end of a piped input in which nothing was left to type */

    while (!shell->quit) {
        enum machine_stop stop;
        int wait_ms = run_slice(shell, &stop);
        if (stop == MACHINE_STOP_HALTED) {
            say(shell, "the machine has powered off");
            return true;
        }
        if (shell->end_seen && shell->typed_size == 0 && ++idle > 100)
            return true;
        if (!read_keys(shell, shell->end_seen ? 0 : wait_ms, err) || !type(shell, err))
            return false;
    }
    return true;
}

static void make_raw(struct shell *shell)
{
    struct termios raw;

    if (tcgetattr(STDIN_FILENO, &shell->saved) != 0)
        return;
    raw = shell->saved;
    raw.c_iflag &= (tcflag_t) ~(ICRNL | IXON | ISTRIP | INLCR | IGNCR);
    raw.c_lflag &= (tcflag_t) ~(ECHO | ICANON | ISIG | IEXTEN);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    shell->raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

static bool take(void *input, int key, const char *value, struct err *err)
{
    const char **name = input;

    if (key == ARGP_KEY_END && *name == NULL)
        return err_set(err, ERR_USAGE, "shell takes a checkpoint");
    if (key != ARGP_KEY_ARG)
        return key == ARGP_KEY_END;
    if (*name != NULL)
        return err_set(err, ERR_USAGE, "\"%s\" is one argument too many", value);
    *name = value;
    return true;
}

int command_shell(int argc, char **argv)
{
    static const struct command_usage usage = {
        "shell", "CHECKPOINT",
        "Thaw a machine and sit at its console. Ctrl-A f freezes it, Ctrl-A u goes back to the "
        "last frozen "
        "moment, Ctrl-A q quits; the checkpoint itself never changes.\v"
        "Example:\n  thaw shell debian-booted\n  echo 'uname -a' | thaw shell debian-booted",
        NULL, take};
    struct shell shell = {.name = NULL};
    struct err err = ERR_INIT;
    struct common common;
    bool ok;

    common_parse(&usage, &common, argc, argv, &shell.name);
    shell.frozen = json_array();
    shell.screen = common.json ? stderr : stdout;
    ok = common_open_store(&common, &shell.store, &err) &&
         image_cache_new(shell.store, NULL, &shell.cache, &err) &&
         shell_thaw(&shell, shell.name, &err);
    if (ok) {
        make_raw(&shell);
        if (shell.raw)
            say(&shell, "thawed; Ctrl-A h for help, Enter for the prompt");
        ok = interact(&shell, &err);
        if (shell.raw)
            tcsetattr(STDIN_FILENO, TCSANOW, &shell.saved);
    }
    if (ok && common.json)
        print_json(json_pack("{s:O}", "frozen", shell.frozen));
    json_decref(shell.frozen);
    session_release(&shell.session);
    image_cache_free(shell.cache);
    store_close(shell.store);
    if (!ok)
        return common_fail(&common, &err);
    fputc('\n', shell.screen);
    return EXIT_PASS;
}
