#include "agent/farm/worker_exec.h"

#include "agent/farm/child.h"
#include "storage/base/file.h"
#include "storage/base/program.h"
#include "storage/base/words.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define PROGRAM       "thaw-farm"
#define OUTCOME_FD    3
#define WRAPPER_WORDS 32
#define WORDS_MAX     (32 + WRAPPER_WORDS + 2 * JOB_SPEC_BLOBS_MAX)
#define TEXT_MAX      4096

static bool add(struct words *words, const char *word)
{
    if (words->count == words->room)
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

bool worker_wrapper_check(const char *wrapper, struct err *err)
{
    char *list[WRAPPER_WORDS], *text = mem_text(wrapper);
    struct words words = {list, WRAPPER_WORDS, 0};
    bool ok = words_split(text, "--sim-wrapper", &words, err);

    mem_free(text);
    return ok;
}

/* The wrapper's words, then the program unless it is among them. */
static bool add_program(struct words *words, char *wrapper, char *self)
{
    struct err ignored = ERR_INIT; /* they were looked at before the agent began */
    bool ok = words_split(wrapper, "--sim-wrapper", words, &ignored);

    if (ok && (words->count == 0 || !ends_in_program(words->list[words->count - 1])))
        ok = program_path(self, TEXT_MAX) && add(words, self);
    return ok;
}

/* The texts that words point to. */
struct texts {
    char numbers[4][24];
    struct hash_hex hashes[2 + JOB_SPEC_BLOBS_MAX];
    char self[TEXT_MAX];
};

static bool add_pair(struct words *words, const char *name, const char *value)
{
    return add(words, name) && add(words, value);
}

static bool add_order(struct words *words, const struct worker_place *place,
                      const struct worker_order *order, struct texts *texts)
{
    static const char *const names[] = {"--wall-ms", "--guard-ms", "--machine-bytes",
                                        "--memory-bytes"};
    const uint64_t numbers[] = {order->wall_ms, order->guard_ms, order->machine_bytes,
                                place->memory_bytes};
    bool ok = add(words, WORKER_COMMAND) && add_pair(words, "--store", place->store) &&
              add_pair(words, "--kind", job_kind_name((enum job_kind)order->kind));

    for (size_t i = 0; ok && i < 4; i++) {
        snprintf(texts->numbers[i], sizeof texts->numbers[i], "%" PRIu64, numbers[i]);
        ok = add_pair(words, names[i], texts->numbers[i]);
    }
    texts->hashes[0] = hash_hex(&order->spec);
    texts->hashes[1] = hash_hex(&order->checkpoint);
    ok = ok && add_pair(words, "--spec", texts->hashes[0].text);
    if (!hash_is_zero(&order->checkpoint))
        ok = ok && add_pair(words, "--checkpoint", texts->hashes[1].text);
    for (uint32_t i = 0; ok && i < order->blob_count; i++) {
        texts->hashes[2 + i] = hash_hex(&order->blobs[i]);
        ok = add_pair(words, "--blob", texts->hashes[2 + i].text);
    }
    return ok && add_pair(words, "--fd", "3");
}

/* The outcome's descriptor gets its number, and stays open over exec. */
static bool place_fd(int fd)
{
    int copy = dup(fd); /* dup2 to itself would leave close-on-exec set */
    bool ok = copy >= 0 && dup2(copy, OUTCOME_FD) == OUTCOME_FD;

    if (copy >= 0 && copy != OUTCOME_FD)
        close(copy);
    return ok;
}

/* What went wrong before there was a worker is an outcome too. */
static int tell(int fd, const char *why)
{
    struct worker_outcome *outcome = mem_alloc(sizeof *outcome);
    struct buf bytes = BUF_INIT(OUTCOME_BYTES_MAX);
    struct err err = ERR_INIT;
    bool ok;

    outcome_init(outcome);
    outcome_set(outcome, VERDICT_INFRA, why);
    ok = outcome_encode(outcome, &bytes, &err) &&
         file_write_all(fd, buf_span(&bytes), "the outcome", &err);
    buf_release(&bytes);
    mem_free(outcome);
    return ok ? 0 : 1;
}

int worker_exec(const struct worker_place *place, const struct worker_order *order, int fd)
{
    struct texts *texts = mem_alloc(sizeof *texts);
    struct words words = {mem_array(WORDS_MAX + 1, sizeof(char *)), WORDS_MAX, 0}; /* and NULL */
    char *wrapper = mem_text(place->wrapper);
    char why[TEXT_MAX];
    int status;

    (void)setpriority(PRIO_PROCESS, 0, WORKER_NICE);
    errno = E2BIG;
    if (add_program(&words, wrapper, texts->self) && add_order(&words, place, order, texts) &&
        place_fd(fd))
        (void)execvp(words.list[0], words.list);
    snprintf(why, sizeof why, "cannot start `%.400s`: %s", place->wrapper, strerror(errno));
    status = tell(fd, why);
    mem_free(wrapper);
    mem_free(words.list);
    mem_free(texts);
    return status;
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
    else if (strcmp(name, "--blob") == 0 && parsed->order.blob_count < JOB_SPEC_BLOBS_MAX)
        return hash_parse(value, &parsed->order.blobs[parsed->order.blob_count++], err);
    else if (strcmp(name, "--wall-ms") == 0)
        parsed->order.wall_ms = strtoull(value, NULL, 10);
    else if (strcmp(name, "--guard-ms") == 0)
        parsed->order.guard_ms = strtoull(value, NULL, 10);
    else if (strcmp(name, "--machine-bytes") == 0)
        parsed->order.machine_bytes = strtoull(value, NULL, 10);
    else if (strcmp(name, "--memory-bytes") == 0)
        parsed->place.memory_bytes = strtoull(value, NULL, 10);
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
    struct confinement *confinement = NULL;
    struct image_cache *cache = NULL;
    struct store *store = NULL;
    struct session session;
    bool thawed = !hash_is_zero(&parsed->order.checkpoint), ok;

    parsed->order.ordered_ns = clock_monotonic_ns(&clock_host);
    ok = store_open(parsed->place.store, NULL, &store, err) &&
         image_cache_new(store, NULL, &cache, err) && confine_new(&confinement, err);
    parsed->place.confinement = confinement;
    session_init(&session, store, cache);
    if (ok && thawed)
        ok = session_thaw(&session, hash_hex(&parsed->order.checkpoint).text, err);
    if (ok)
        *status = worker_run(&parsed->place, &parsed->order, thawed ? &session : NULL, parsed->fd);
    session_release(&session);
    image_cache_free(cache);
    confine_free(confinement);
    if (store != NULL)
        store_close(store);
    return ok;
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
    return ok ? status : tell(parsed.fd, err.text);
}
