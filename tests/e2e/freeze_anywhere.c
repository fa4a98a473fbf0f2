/* freeze_anywhere.c — a machine that ran on and one that was frozen, and thawed in another process,
 * cannot differ.
 *
 *   freeze_anywhere MACHINE.yaml --until N [--from N] [--points N] [--seed N] [--store FOLDER]
 *
 * 1. Runs straight to N instructions in a process of its own: the id at the end is what counts.
 * 2. Runs again, freezing at seeded random points on the way: the end must be the same.
 * 3. Thaws each of them in a process of its own: the id must be the one frozen, freezing again must
 * give it again, and running on must lead to the next point's id. Prints one line a failure, with
 * both ids, and ends with 1 if there was any. */
#include "agent/build.h"
#include "agent/session.h"
#include "storage/base/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define POINTS_MAX  4096
#define CACHE_BYTES (UINT64_C(1) << 30)

struct options {
    const char *machine;
    const char *store;
    uint64_t from;
    uint64_t until;
    uint64_t seed;
    uint64_t points;
    const char *thaw; /* the third step's child: id to begin from */
};

struct point {
    uint64_t instructions;
    struct checkpoint_ids ids;
};

static _Noreturn void give_up(const struct err *err)
{
    fprintf(stderr, "freeze_anywhere: %s\n", err->text);
    exit(3);
}

/* splitmix64. */
static uint64_t next_random(uint64_t *seed)
{
    uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

struct place {
    struct store *store;
    struct image_cache *cache;
    struct session session;
};

static void place_open(struct place *place, const struct options *options)
{
    struct image_cache_options cache = {.max_bytes = CACHE_BYTES};
    struct store_options create = {.create = true};
    struct err err = ERR_INIT;

    if (!store_open(options->store, &create, &place->store, &err) ||
        !image_cache_new(place->store, &cache, &place->cache, &err))
        give_up(&err);
    session_init(&place->session, place->store, place->cache);
}

static void place_close(struct place *place)
{
    session_release(&place->session);
    image_cache_free(place->cache);
    store_close(place->store);
}

static void place_build(struct place *place, const struct options *options)
{
    struct machine_file *file = NULL;
    struct err err = ERR_INIT;

    if (!machine_file_load(options->machine, &variables_environment, &file, NULL, &err) ||
        !build_machine(&place->session.registry, file, &place->session.machine, &err))
        give_up(&err);
    machine_file_free(file);
}

static void run_to(struct machine *machine, uint64_t instructions)
{
    struct machine_limits limits = {instructions, UINT64_MAX};
    enum machine_stop stop = machine_run(machine, &limits);

    if (stop != MACHINE_STOP_INSTRUCTIONS) {
        fprintf(stderr, "freeze_anywhere: the machine stopped (%d) at %llu of %llu instructions\n",
                (int)stop, (unsigned long long)machine_instructions(machine),
                (unsigned long long)instructions);
        exit(3);
    }
}

static void digest(struct machine *machine, struct checkpoint_ids *ids)
{
    struct err err = ERR_INIT;

    if (!machine_digest(machine, ids, &err))
        give_up(&err);
}

/* The id at `until` of a run that nobody disturbed. In a process of its own, through a pipe. */
static void straight(const struct options *options, struct checkpoint_ids *out)
{
    int ends[2], status;
    pid_t child;

    if (pipe(ends) != 0 || (child = fork()) < 0) {
        perror("freeze_anywhere");
        exit(3);
    }
    if (child == 0) {
        struct place place;
        place_open(&place, options);
        place_build(&place, options);
        run_to(place.session.machine, options->until);
        digest(place.session.machine, out);
        place_close(&place);
        _exit(write(ends[1], out, sizeof *out) == (ssize_t)sizeof *out ? 0 : 3);
    }
    close(ends[1]);
    if (read(ends[0], out, sizeof *out) != (ssize_t)sizeof *out ||
        waitpid(child, &status, 0) != child || status != 0) {
        fprintf(stderr, "freeze_anywhere: the straight run failed\n");
        exit(3);
    }
    close(ends[0]);
}

static int compare_counts(const void *a, const void *b)
{
    const struct point *left = a, *right = b;

    return left->instructions < right->instructions ? -1 : left->instructions > right->instructions;
}

static void choose_points(const struct options *options, struct point *points)
{
    uint64_t seed = options->seed, width = options->until - options->from;

    for (uint64_t i = 0; i < options->points; i++)
        points[i].instructions = options->from + next_random(&seed) % width;
    qsort(points, (size_t)options->points, sizeof *points, compare_counts);
    points[options->points].instructions = options->until;
}

static void freeze_on_the_way(const struct options *options, struct point *points)
{
    struct err err = ERR_INIT;
    struct place place;

    place_open(&place, options);
    place_build(&place, options);
    for (uint64_t i = 0; i <= options->points; i++) {
        struct store_tag tag;
        char name[32];
        if (points[i].instructions > machine_instructions(place.session.machine))
            run_to(place.session.machine, points[i].instructions);
        snprintf(name, sizeof name, "point-%llu", (unsigned long long)i);
        store_tag_init(&tag, name, &clock_host);
        if (!session_freeze(&place.session, &tag, &points[i].ids, &err))
            give_up(&err);
        store_tag_release(&tag);
    }
    place_close(&place);
}

static bool same(const char *what, const struct point *at, const struct checkpoint_ids *a,
                 const struct checkpoint_ids *b)
{
    if (hash_equal(&a->checkpoint_id, &b->checkpoint_id))
        return true;
    printf("%s at %llu instructions: %s, not %s\n", what, (unsigned long long)at->instructions,
           hash_hex(&b->checkpoint_id).text, hash_hex(&a->checkpoint_id).text);
    return false;
}

/* The child of step 3: begins from nothing but the id. */
static int thaw_and_run_on(const struct options *options)
{
    struct checkpoint_ids ids, again;
    struct err err = ERR_INIT;
    struct place place;

    place_open(&place, options);
    if (!session_thaw(&place.session, options->thaw, &err))
        give_up(&err);
    digest(place.session.machine, &ids);
    if (!hash_equal(&ids.checkpoint_id, &place.session.parent)) {
        printf("thawed %s is %s\n", options->thaw, hash_hex(&ids.checkpoint_id).text);
        return 1;
    }
    if (!session_freeze(&place.session, NULL, &again, &err))
        give_up(&err);
    if (!hash_equal(&again.checkpoint_id, &ids.checkpoint_id)) {
        printf("frozen again, %s is %s\n", options->thaw, hash_hex(&again.checkpoint_id).text);
        return 1;
    }
    if (options->until > machine_instructions(place.session.machine))
        run_to(place.session.machine, options->until);
    digest(place.session.machine, &ids);
    printf("%s\n", hash_hex(&ids.checkpoint_id).text);
    place_close(&place);
    return 0;
}

static bool check_point(const struct options *options, const char *self, const struct point *point)
{
    struct hash_hex from = hash_hex(&point[0].ids.checkpoint_id);
    struct checkpoint_ids reached = point[1].ids;
    struct err err = ERR_INIT;
    char command[4096], line[256] = "";
    FILE *child;
    int status;

    snprintf(command, sizeof command,
             "exec ${THAW_EMULATOR-} '%s' '%s' --store '%s' --until %llu --thaw %s", self,
             options->machine, options->store, (unsigned long long)point[1].instructions,
             from.text);
    child = popen(command, "r");
    if (child == NULL || fgets(line, sizeof line, child) == NULL)
        line[0] = 0;
    status = child != NULL ? pclose(child) : -1;
    line[strcspn(line, "\n")] = 0;
    if (status != 0 || !hash_parse(line, &reached.checkpoint_id, &err)) {
        printf("thawed at %llu instructions: %s\n", (unsigned long long)point->instructions, line);
        return false;
    }
    return same("thawed in a new process, run on", &point[1], &point[1].ids, &reached);
}

static bool take_option(struct options *options, const char *name, const char *value)
{
    if (strcmp(name, "--until") == 0)
        options->until = strtoull(value, NULL, 10);
    else if (strcmp(name, "--from") == 0)
        options->from = strtoull(value, NULL, 10);
    else if (strcmp(name, "--points") == 0)
        options->points = strtoull(value, NULL, 10);
    else if (strcmp(name, "--seed") == 0)
        options->seed = strtoull(value, NULL, 10);
    else if (strcmp(name, "--store") == 0)
        options->store = value;
    else if (strcmp(name, "--thaw") == 0)
        options->thaw = value;
    else
        return false;
    return true;
}

static int whole(const struct options *options, const char *self)
{
    static struct point points[POINTS_MAX + 1];
    struct checkpoint_ids end;
    uint64_t failed = 0;

    straight(options, &end);
    choose_points(options, points);
    freeze_on_the_way(options, points);
    failed +=
        !same("frozen on the way", &points[options->points], &end, &points[options->points].ids);
    for (uint64_t i = 0; i < options->points; i++)
        failed += !check_point(options, self, &points[i]);
    printf("%llu points to %llu instructions, %llu failed; end %s\n",
           (unsigned long long)options->points, (unsigned long long)options->until,
           (unsigned long long)failed, hash_hex(&end.checkpoint_id).text);
    return failed == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    char folder[] = "/tmp/thaw-freeze-XXXXXX";
    struct options options = {.seed = 1, .points = 200};
    struct err err = ERR_INIT;
    int status;

    for (int i = 2; i + 1 < argc; i += 2)
        if (!take_option(&options, argv[i], argv[i + 1]))
            argc = 0;
    if (argc < 4 || options.until <= options.from || options.points > POINTS_MAX) {
        fprintf(stderr,
                "usage: freeze_anywhere MACHINE.yaml --until N [--from N] [--points N] [--seed N]"
                " [--store FOLDER]\n");
        return 2;
    }
    options.machine = argv[1];
    if (options.thaw != NULL)
        return thaw_and_run_on(&options);
    if (options.store == NULL) {
        options.store = mkdtemp(folder);
        if (options.store == NULL) {
            perror("freeze_anywhere");
            return 3;
        }
    }
    status = whole(&options, argv[0]);
    if (options.store == folder)
        (void)file_remove(folder, &err);
    return status;
}
