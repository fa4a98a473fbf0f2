#include "agent/farm/worker_exec.h"

#include "agent/farm/child.h"
#include "storage/base/file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define PROGRAM    "thaw-farm"
#define OUTCOME_FD 3
#define WORDS_MAX  64
#define TEXT_MAX   4096

struct words {
    char *list[WORDS_MAX + 1];
    size_t count;
};

static bool add(struct words *words, const char *word)
{
    if (words->count == WORDS_MAX)
        return false;
    words->list[words->count++] = (char *)(uintptr_t)word;
    return true;
}

static bool ends_in_program(const char *word)
{
    size_t size = strlen(word), own = strlen(PROGRAM);

    return size >= own && strcmp(word + size - own, PROGRAM) == 0 &&
           (size == own || word[size - own - 1] == '/');
}

/* The wrapper's words, then the program unless it is among them. */
static bool add_program(struct words *words, char *wrapper, char *self)
{
    char *rest;
    bool ok = true;

    for (char *word = strtok_r(wrapper, " ", &rest); word != NULL && ok;
         word = strtok_r(NULL, " ", &rest))
        ok = add(words, word);
    if (ok && (words->count == 0 || !ends_in_program(words->list[words->count - 1]))) {
        ssize_t size = readlink("/proc/self/exe", self, TEXT_MAX - 1);
        self[size > 0 ? size : 0] = 0;
        ok = size > 0 && add(words, self);
    }
    return ok;
}

static bool add_order(struct words *words, const struct worker_place *place,
                      const struct worker_order *order, struct hash_hex hex[2], char *wall)
{
    bool ok = add(words, WORKER_COMMAND) && add(words, "--store") && add(words, place->store) &&
              add(words, "--kind") && add(words, job_kind_name((enum job_kind)order->kind)) &&
              add(words, "--spec") && add(words, hex[0].text) && add(words, "--wall-ms") &&
              add(words, wall) && add(words, "--fd") && add(words, "3");

    if (hash_is_zero(&order->checkpoint))
        return ok;
    return ok && add(words, "--checkpoint") && add(words, hex[1].text);
}

int worker_exec(const struct worker_place *place, const struct worker_order *order, int fd)
{
    struct hash_hex hex[2] = {hash_hex(&order->spec), hash_hex(&order->checkpoint)};
    struct worker_outcome *outcome = mem_alloc(sizeof *outcome);
    struct buf bytes = BUF_INIT(OUTCOME_BYTES_MAX);
    char *wrapper = mem_text(place->wrapper);
    char self[TEXT_MAX], wall[32], why[TEXT_MAX];
    struct words words = {.count = 0};
    struct err err = ERR_INIT;

    snprintf(wall, sizeof wall, "%" PRIu64, order->wall_ms);
    (void)setpriority(PRIO_PROCESS, 0, WORKER_NICE);
    errno = E2BIG;
    if (add_program(&words, wrapper, self) && add_order(&words, place, order, hex, wall) &&
        (fd == OUTCOME_FD || dup2(fd, OUTCOME_FD) == OUTCOME_FD)) {
        /* dup2 clears close-on-exec, an equal descriptor keeps it. */
        int copy = fd == OUTCOME_FD ? dup(fd) : -1;
        if (copy >= 0 && dup2(copy, OUTCOME_FD) == OUTCOME_FD)
            close(copy);
        execvp(words.list[0], words.list);
    }
    snprintf(why, sizeof why, "cannot start `%.400s`: %s", place->wrapper, strerror(errno));
    outcome_init(outcome);
    outcome_set(outcome, VERDICT_INFRA, why);
    if (outcome_encode(outcome, &bytes, &err))
        (void)file_write_all(fd, buf_span(&bytes), "the outcome", &err);
    buf_release(&bytes);
    mem_free(wrapper);
    mem_free(outcome);
    return 0;
}

struct parsed {
    struct worker_place place;
    struct worker_order order;
    int fd;
};

static bool parse_one(struct parsed *parsed, const char *name, const char *value, struct err *err)
{
    if (strcmp(name, "--store") == 0)
        parsed->place.store = value;
    else if (strcmp(name, "--spec") == 0)
        return hash_parse(value, &parsed->order.spec, err);
    else if (strcmp(name, "--checkpoint") == 0)
        return hash_parse(value, &parsed->order.checkpoint, err);
    else if (strcmp(name, "--wall-ms") == 0)
        parsed->order.wall_ms = strtoull(value, NULL, 10);
    else if (strcmp(name, "--fd") == 0)
        parsed->fd = (int)strtol(value, NULL, 10);
    else if (strcmp(name, "--kind") == 0 && strcmp(value, job_kind_name(JOB_BOOT)) == 0)
        parsed->order.kind = JOB_BOOT;
    else if (strcmp(name, "--kind") == 0 && strcmp(value, job_kind_name(JOB_TEST)) == 0)
        parsed->order.kind = JOB_TEST;
    else
        return err_set(err, ERR_USAGE, "a worker knows no %s %s", name, value);
    return true;
}

static bool run(struct parsed *parsed, int *status, struct err *err)
{
    struct image_cache *cache = NULL;
    struct store *store = NULL;
    struct session session;
    bool thawed = !hash_is_zero(&parsed->order.checkpoint), ok;

    parsed->order.ordered_ns = clock_monotonic_ns(&clock_host);
    ok = store_open(parsed->place.store, NULL, &store, err) &&
         image_cache_new(store, NULL, &cache, err);
    session_init(&session, store, cache);
    if (ok && thawed)
        ok = session_thaw(&session, hash_hex(&parsed->order.checkpoint).text, err);
    if (ok)
        *status = worker_run(&parsed->place, &parsed->order, thawed ? &session : NULL, parsed->fd);
    session_release(&session);
    image_cache_free(cache);
    if (store != NULL)
        store_close(store);
    return ok;
}

/* What went wrong before there was a worker is an outcome too. */
static int tell(int fd, const struct err *why)
{
    struct worker_outcome *outcome = mem_alloc(sizeof *outcome);
    struct buf bytes = BUF_INIT(OUTCOME_BYTES_MAX);
    struct err err = ERR_INIT;
    bool ok;

    outcome_init(outcome);
    outcome_set(outcome, VERDICT_INFRA, why->text);
    ok = outcome_encode(outcome, &bytes, &err) &&
         file_write_all(fd, buf_span(&bytes), "the outcome", &err);
    buf_release(&bytes);
    mem_free(outcome);
    return ok ? 0 : 1;
}

int worker_command(int argc, char **argv)
{
    struct parsed parsed = {.fd = OUTCOME_FD};
    struct err err = ERR_INIT;
    bool ok = argc % 2 == 1;
    int status = 1;

    if (!ok)
        err_set(&err, ERR_USAGE, "a worker takes names and values");
    for (int i = 1; ok && i + 1 < argc; i += 2)
        ok = parse_one(&parsed, argv[i], argv[i + 1], &err);
    if (ok && parsed.place.store == NULL)
        ok = err_set(&err, ERR_USAGE, "a worker needs a store");
    ok = ok && run(&parsed, &status, &err);
    return ok ? status : tell(parsed.fd, &err);
}
