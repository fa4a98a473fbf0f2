#include "tests/support/queue_seeds.h"

#include "tests/support/base_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __SANITIZE_ADDRESS__ /* every world costs several times as much */
#define SEEDS 1000
#else
#define SEEDS 10000
#endif

/* An empty queue as a file, so that not every world makes its own tables. */
static void *make_image(struct queue_disk *disk, size_t *size)
{
    struct queue_options options = {
        .path = "queue.db", .vfs = QUEUE_DISK_VFS, .clock = &clock_host};
    struct queue *queue;
    struct err err = ERR_INIT;

    BASE_OK(queue_open(&options, &queue, &err), &err);
    queue_close(queue);
    const void *bytes = queue_disk_get(disk, "queue.db", size);
    void *image = mem_alloc(*size);
    memcpy(image, bytes, *size);
    return image;
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text ? strtoull(text, NULL, 10) : otherwise;
}

struct sum {
    uint64_t commits, crashes, messages, seconds;
};

static bool run_seed(struct queue_disk *disk, const void *image, size_t size, struct world *world,
                     uint64_t seed)
{
    queue_disk_reset(disk, seed);
    queue_disk_put(disk, "queue.db", image, size);
    if (queue_world_run(world, disk, seed))
        return true;
    print_error("seed %llu: %s (have it again with THAW_SEED=%llu)\n", (unsigned long long)seed,
                world->problem, (unsigned long long)seed);
    return false;
}

void queue_seeds_run(const struct world_agents *agents)
{
    struct queue_disk *disk = queue_disk_new(1);
    struct world *world = mem_alloc(sizeof(*world));
    uint64_t only = number_from("THAW_SEED", 0), failed = 0;
    uint64_t count = number_from("THAW_SEEDS", SEEDS);
    uint64_t first = only ? only : 1, last = only ? only : count;
    struct sum sum = {0};
    size_t size;
    void *image = make_image(disk, &size);

    world->agents_are = agents;
    world->talks = only != 0;
    for (uint64_t seed = first; seed <= last && failed < 5; seed++) {
        failed += !run_seed(disk, image, size, world, seed);
        sum.commits += world->commits;
        sum.crashes += world->crashes;
        sum.messages += world->messages;
        sum.seconds += world->now_ms / 1000;
    }
    print_message("%llu worlds: %llu s, %llu commits, %llu crashes, %llu messages\n",
                  (unsigned long long)(last - first + 1), (unsigned long long)sum.seconds,
                  (unsigned long long)sum.commits, (unsigned long long)sum.crashes,
                  (unsigned long long)sum.messages);
    mem_free(image);
    mem_free(world);
    queue_disk_free(disk);
    assert_int_equal(failed, 0);
}

void queue_seeds_calm(const struct world_agents *agents, uint64_t count)
{
    struct queue_disk *disk = queue_disk_new(1);
    struct world *world = mem_alloc(sizeof(*world));
    uint64_t failed = 0;
    size_t size;
    void *image = make_image(disk, &size);

    world->agents_are = agents;
    world->calm = true;
    for (uint64_t seed = 1; seed <= count; seed++)
        failed += !run_seed(disk, image, size, world, seed);
    mem_free(image);
    mem_free(world);
    queue_disk_free(disk);
    assert_int_equal(failed, 0);
}

void queue_seeds_repeat(const struct world_agents *agents, uint64_t seed)
{
    struct queue_disk *disk = queue_disk_new(1);
    struct world *world = mem_alloc(sizeof(*world));
    uint64_t messages[2], ends[2];
    size_t size;
    void *image = make_image(disk, &size);

    world->agents_are = agents;
    for (size_t i = 0; i < 2; i++) {
        assert_true(run_seed(disk, image, size, world, seed));
        messages[i] = world->messages;
        ends[i] = world->now_ms;
    }
    assert_int_equal(messages[0], messages[1]);
    assert_int_equal(ends[0], ends[1]);
    mem_free(image);
    mem_free(world);
    queue_disk_free(disk);
}
