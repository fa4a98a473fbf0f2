/* freeze_at_marks.c — a bare-metal guest frozen where it says that it hurts, thawed in other
 * processes, and judged by itself.
 *
 *   freeze_at_marks MACHINE.yaml
 *
 * The guest stores to the magic word where a freeze would hurt. It runs once without a stop; its
 * end is what counts. It runs again and is frozen at each mark and between the AFTER instructions
 * that follow; where the mark's value says that the hart sleeps so many cycles later, there too.
 * Each of these checkpoints is thawed in a process of its own and runs on to the end, twice in that
 * process: the guest must pass, in the very same state. Prints one line a failure; ends with 1 if
 * there was any. */
#include "agent/build.h"
#include "agent/session.h"
#include "storage/base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define POINTS_MAX       4096
#define POINTS_MIN       200 /* fewer: the guest no longer marks what it should */
#define AFTER            10
#define INSTRUCTIONS_MAX UINT64_C(100000000)
#define CACHE_BYTES      (UINT64_C(1) << 30)

/* One store and the session that is open in it. */
struct place {
    struct store *store;
    struct image_cache *cache;
    struct session session;
};

struct point {
    uint64_t instructions;
    uint64_t cycle;
    struct hash id;
};

struct marks {
    struct machine *machine;
    uint64_t asleep_after;
};

struct points {
    struct point items[POINTS_MAX];
    uint32_t count;
    uint32_t asleep; /* how many of them in the midst of a wait */
};

static _Noreturn void give_up(const char *text)
{
    fprintf(stderr, "freeze_at_marks: %s\n", text);
    exit(3);
}

static void must(bool ok, const struct err *err)
{
    if (!ok)
        give_up(err->text);
}

static void place_open(struct place *place, const char *folder)
{
    struct image_cache_options cache = {.max_bytes = CACHE_BYTES};
    struct store_options create = {.create = true};
    struct err err = ERR_INIT;

    must(store_open(folder, &create, &place->store, &err), &err);
    must(image_cache_new(place->store, &cache, &place->cache, &err), &err);
    session_init(&place->session, place->store, place->cache);
}

static void place_close(struct place *place)
{
    session_release(&place->session);
    image_cache_free(place->cache);
    store_close(place->store);
}

static struct machine *place_build(struct place *place, const char *path)
{
    struct machine_file *file = NULL;
    struct err err = ERR_INIT;

    must(machine_file_load(path, &variables_environment, &file, NULL, &err), &err);
    must(build_machine(&place->session.registry, file, &place->session.machine, &err), &err);
    machine_file_free(file);
    return place->session.machine;
}

static void on_console(void *context, struct object *object, const uint8_t *bytes, size_t size)
{
    (void)context;
    (void)object;
    fwrite(bytes, 1, size, stderr);
}

/* To the end of the guest, which must be a pass; its state there. */
static bool run_to_end(struct machine *machine, struct hash *out)
{
    struct machine_limits limits = {INSTRUCTIONS_MAX, UINT64_MAX};
    const struct machine_state *state = machine->objects[0]->state;
    struct checkpoint_ids ids;
    struct err err = ERR_INIT;
    enum machine_stop stop = machine_run(machine, &limits);

    if (stop != MACHINE_STOP_HALTED || state->exit_code != 0) {
        printf("the guest ended with stop %d, code %llu after %llu instructions\n", (int)stop,
               (unsigned long long)state->exit_code,
               (unsigned long long)machine_instructions(machine));
        return false;
    }
    must(machine_digest(machine, &ids, &err), &err);
    *out = ids.state_id;
    return true;
}

static void on_magic(void *context, struct object *object, uint64_t value)
{
    struct marks *marks = context;

    (void)object;
    marks->asleep_after = value;
    machine_stop(marks->machine);
}

static void freeze(struct session *session, struct points *points)
{
    struct machine *machine = session->machine;
    struct point *point = &points->items[points->count];
    struct checkpoint_ids ids;
    struct store_tag tag;
    struct err err = ERR_INIT;
    char name[32];

    if (points->count == POINTS_MAX)
        give_up("more marks than there is room for");
    snprintf(name, sizeof name, "point-%u", points->count);
    store_tag_init(&tag, name, &clock_host);
    must(session_freeze(session, &tag, &ids, &err), &err);
    store_tag_release(&tag);
    *point =
        (struct point){machine_instructions(machine), machine_cycle(machine), ids.checkpoint_id};
    points->count++;
}

/* From a mark on: each instruction, then the wait. A mark among them is one of the points. */
static void freeze_around(struct session *session, struct marks *marks, struct points *points)
{
    uint64_t asleep_after = marks->asleep_after;

    freeze(session, points);
    for (uint32_t i = 0; i < AFTER && asleep_after == 0; i++) {
        struct machine_limits next = {machine_instructions(session->machine) + 1, UINT64_MAX};
        if (machine_run(session->machine, &next) == MACHINE_STOP_HALTED)
            return;
        freeze(session, points);
    }
    if (asleep_after != 0) {
        struct machine_limits later = {UINT64_MAX, machine_cycle(session->machine) + asleep_after};
        if (machine_run(session->machine, &later) != MACHINE_STOP_CYCLE)
            give_up("the guest marked a wait that is none");
        freeze(session, points);
        points->asleep++;
    }
}

static void freeze_all(struct session *session, struct points *points, struct hash *end)
{
    struct machine_limits limits = {INSTRUCTIONS_MAX, UINT64_MAX};
    struct marks marks = {.machine = session->machine};

    session->machine->host = (struct host){.context = &marks, .magic = on_magic};
    while (machine_run(session->machine, &limits) == MACHINE_STOP_REQUEST)
        freeze_around(session, &marks, points);
    if (!run_to_end(session->machine, end))
        give_up("the guest fails where it is frozen on the way");
}

/* The child: twice from nothing but the id, for a process may thaw more than once. */
static int thaw_and_end(const char *store, const char *id)
{
    struct hash end[2];
    struct err err = ERR_INIT;
    struct place place;

    place_open(&place, store);
    for (uint32_t i = 0; i < 2; i++) {
        session_release(&place.session);
        session_init(&place.session, place.store, place.cache);
        must(session_thaw(&place.session, id, &err), &err);
        place.session.machine->host.console = on_console;
        if (!run_to_end(place.session.machine, &end[i]))
            return 1;
    }
    place_close(&place);
    if (!hash_equal(&end[0], &end[1])) {
        printf("thawed twice in one process, another end\n");
        return 1;
    }
    printf("%s\n", hash_hex(&end[0]).text);
    return 0;
}

static bool check_point(const char *self, const char *store, const struct point *point,
                        const struct hash *end)
{
    char command[4096], line[256] = "";
    FILE *child;
    int status;

    snprintf(command, sizeof command, "exec ${THAW_EMULATOR-} '%s' --thaw '%s' %s", self, store,
             hash_hex(&point->id).text);
    child = popen(command, "r");
    if (child == NULL || fgets(line, sizeof line, child) == NULL)
        line[0] = 0;
    status = child != NULL ? pclose(child) : -1;
    line[strcspn(line, "\n")] = 0;
    if (status == 0 && strcmp(line, hash_hex(end).text) == 0)
        return true;
    printf("frozen after %llu instructions, at cycle %llu: %s, not %s\n",
           (unsigned long long)point->instructions, (unsigned long long)point->cycle, line,
           hash_hex(end).text);
    return false;
}

static int whole(const char *self, const char *path, const char *store)
{
    static struct points points;
    struct hash straight, end;
    struct place place;
    uint32_t failed = 0;

    place_open(&place, store);
    if (!run_to_end(place_build(&place, path), &straight))
        return 1;
    session_release(&place.session);
    session_init(&place.session, place.store, place.cache);
    place_build(&place, path);
    freeze_all(&place.session, &points, &end);
    place_close(&place);
    if (!hash_equal(&straight, &end)) {
        printf("frozen on the way, the guest ends in %s, not %s\n", hash_hex(&end).text,
               hash_hex(&straight).text);
        failed++;
    }
    for (uint32_t i = 0; i < points.count; i++)
        failed += !check_point(self, store, &points.items[i], &straight);
    printf("%u points, %u of them asleep, %u failed\n", points.count, points.asleep, failed);
    if (points.count < POINTS_MIN || points.asleep == 0) {
        printf("too few points: where are the guest's marks?\n");
        return 1;
    }
    return failed == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    char folder[] = "/tmp/thaw-marks-XXXXXX";
    struct err err = ERR_INIT;
    int status;

    if (argc == 4 && strcmp(argv[1], "--thaw") == 0)
        return thaw_and_end(argv[2], argv[3]);
    if (argc != 2) {
        fprintf(stderr, "usage: freeze_at_marks MACHINE.yaml\n");
        return 2;
    }
    if (mkdtemp(folder) == NULL) {
        perror("freeze_at_marks");
        return 3;
    }
    status = whole(argv[0], argv[1], folder);
    (void)file_remove(folder, &err);
    return status;
}
