/* The guest programs of tests/guests: the self-checking instruction tests, and the stress program
 * in ways that must agree. Without a cross compiler there are none, and the tests are skipped. */
#include "tests/sim/hart/rig.h"

#include <dirent.h>
#include <unistd.h>

/* The guests lie beside the tests in the build folder. */
static void guests_folder(char *path, size_t size, const char *folder)
{
    char self[1024];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);

    assert_true(length > 0);
    self[length] = 0;
    *strrchr(self, '/') = 0;
    snprintf(path, size, "%s/../guests/%s", self, folder);
}

static struct span read_guest(const char *path)
{
    FILE *file = fopen(path, "rb");

    if (file == NULL)
        return (struct span){0};
    uint8_t *bytes = malloc(1 << 22);
    size_t size = fread(bytes, 1, 1 << 22, file);

    fclose(file);
    return (struct span){bytes, size};
}

static uint64_t exit_code(const struct rig *rig)
{
    const struct machine_state *state = rig->machine->objects[0]->state;

    return state->exit_code;
}

static void instruction_tests_pass(void **context)
{
    char folder[2048], path[4096];
    uint32_t count = 0;

    (void)context;
    guests_folder(folder, sizeof folder, "isa");
    DIR *directory = opendir(folder);

    if (directory == NULL)
        skip();
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        if (strstr(entry->d_name, ".elf") == NULL)
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        struct span file = read_guest(path);
        struct rig rig;

        rig_open(&rig, file, 1);
        if (rig_run(&rig, 100000000) != MACHINE_STOP_HALTED || exit_code(&rig) != 0)
            fail_msg("%s: ended with %llu", entry->d_name, (unsigned long long)exit_code(&rig));
        rig_close(&rig);
        free((void *)(uintptr_t)file.data);
        count++;
    }
    closedir(directory);
    assert_true(count >= 10);
}

/* Runs to `total` instructions in pieces of at most `piece_max`; the digest there. */
static struct hash stress(struct span file, uint32_t harts, uint64_t piece_max, bool flush)
{
    struct rig rig;
    uint64_t seed = piece_max, done = 0, total = 2000000;

    rig_open(&rig, file, harts);
    while (done < total) {
        uint64_t piece = piece_max == total ? total : 1 + rig_random(&seed) % piece_max;

        if (piece > total - done)
            piece = total - done;
        assert_int_equal(rig_run(&rig, piece), MACHINE_STOP_INSTRUCTIONS);
        done += piece;
        if (flush)
            machine_flush(rig.machine);
    }
    struct hash digest = rig_digest(&rig);

    rig_close(&rig);
    return digest;
}

static void stress_program_goes_the_same_way_in_any_pieces(void **context)
{
    char folder[2048], path[4096];

    (void)context;
    guests_folder(folder, sizeof folder, "bare");
    snprintf(path, sizeof path, "%s/stress-forever.elf", folder);
    struct span file = read_guest(path);

    if (file.size == 0)
        skip();
    for (uint32_t harts = 1; harts <= 3; harts += 2) {
        struct hash whole = stress(file, harts, 2000000, false);
        struct hash pieces = stress(file, harts, 1000, false);
        struct hash flushed = stress(file, harts, 5000, true);

        assert_true(hash_equal(&whole, &pieces));
        assert_true(hash_equal(&whole, &flushed));
    }
    free((void *)(uintptr_t)file.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instruction_tests_pass),
        cmocka_unit_test(stress_program_goes_the_same_way_in_any_pieces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
