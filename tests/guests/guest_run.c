/* guest_run.c - runs one guest program on the board `virt` to its end: what ctest calls for each
 * program here.
 *
 *   guest_run [--harts N] [--ram MIB] [--disk MIB|FILE] [--rng] [--limit INSTRUCTIONS]
 *             [--firmware FILE] [--initrd FILE] [--append TEXT] [--raw] [--svade]
 *             [--at TEXT ANSWER]... [--until TEXT] KERNEL
 *
 * --at waits for the text on the console, then types the answer; in order. --until ends the run, as
 * a pass, once the text was seen after that. Exit status: 0 the guest passed or the text came, 1 it
 * failed, 2 usage, 3 the machine cannot be made, 4 the limit came first. */
#include "sim/board/virt.h"
#include "sim/hart/hart.h"
#include "storage/base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 256 << 20, STEPS_MAX = 64, SEEN_MAX = 1 << 16 };

struct step {
    const char *text, *answer; /* answer NULL: the end */
};

struct run {
    struct machine *machine;
    struct virt_options options;
    struct buf firmware, kernel, initrd;
    const char *kernel_path, *append;
    uint64_t limit;
    bool raw;
    struct step steps[STEPS_MAX];
    uint32_t step_count, step;
    bool matched;
    char seen[SEEN_MAX];
    size_t seen_size;
};

static void on_console(void *context, struct object *object, const uint8_t *bytes, size_t size)
{
    struct run *run = context;

    (void)object;
    fwrite(bytes, 1, size, stdout);
    fflush(stdout);
    if (run->step == run->step_count || run->matched)
        return;
    for (size_t i = 0; i < size; i++) {
        if (run->seen_size == SEEN_MAX - 1) {
            memmove(run->seen, run->seen + SEEN_MAX / 2, SEEN_MAX / 2 - 1);
            run->seen_size = SEEN_MAX / 2 - 1;
        }
        run->seen[run->seen_size++] = (char)(bytes[i] == 0 ? ' ' : bytes[i]);
    }
    run->seen[run->seen_size] = '\0';
    run->matched = strstr(run->seen, run->steps[run->step].text) != NULL;
    if (run->matched)
        machine_stop(run->machine);
}

static bool build(struct run *run, struct registry *registry, struct err *err)
{
    struct virt_software software = {.firmware = buf_span(&run->firmware),
                                     .kernel = buf_span(&run->kernel),
                                     .kernel_is_raw = run->raw,
                                     .initrd = buf_span(&run->initrd),
                                     .command_line = run->append};
    struct machine_config config = {.clock_hz = 1000000000, .quantum = 10000, .seed = 1};

    registry_standard(registry);
    run->machine = machine_new(registry);
    run->machine->host = (struct host){.context = run, .console = on_console};
    if (!machine_add(run->machine, "machine", "thaw-machine", &config, NULL, err) ||
        !virt_build(run->machine, &run->options, &software, err) ||
        !machine_open(run->machine, err))
        return false;
    machine_reset(run->machine);
    return true;
}

/* The text came: types the answer. Long ones go in as the guest takes them. */
static bool answer(struct run *run, struct err *err)
{
    const char *text = run->steps[run->step].answer;
    struct object *uart = machine_find(run->machine, "board0.uart0");
    size_t left = strlen(text);

    run->matched = false;
    run->step++;
    run->seen_size = 0;
    run->seen[0] = '\0';
    while (left > 0) {
        size_t taken = 0;
        struct machine_limits limits = {machine_instructions(run->machine) + 20000, UINT64_MAX};

        if (!machine_input(run->machine, uart, "console",
                           (struct span){(const uint8_t *)text, left}, &taken, err))
            return false;
        text += taken;
        left -= taken;
        if (left > 0)
            machine_run(run->machine, &limits);
    }
    return true;
}

/* Where each hart is: the first thing to know of a run that did not end. */
static void print_harts(const struct run *run)
{
    for (uint32_t i = 0; i < run->machine->cpu_count; i++) {
        const struct hart_state *hart = run->machine->cpus[i]->state;

        fprintf(
            stderr,
            "guest_run: %s pc %llx mode %u waiting %u mepc %llx mcause %llx mtval %llx sepc %llx "
            "scause %llx stval %llx\n",
            run->machine->cpus[i]->path, (unsigned long long)hart->pc, hart->privilege,
            hart->waiting, (unsigned long long)hart->mepc, (unsigned long long)hart->mcause,
            (unsigned long long)hart->mtval, (unsigned long long)hart->sepc,
            (unsigned long long)hart->scause, (unsigned long long)hart->stval);
    }
}

static int run_to_end(struct run *run, struct err *err)
{
    struct machine_limits limits = {run->limit, UINT64_MAX};

    for (;;) {
        enum machine_stop stop = machine_run(run->machine, &limits);
        struct machine_state *state = run->machine->objects[0]->state;

        if (stop == MACHINE_STOP_HALTED) {
            fprintf(stderr, "guest_run: halted %u, code %llu, %llu instructions\n", state->halted,
                    (unsigned long long)state->exit_code, (unsigned long long)state->instructions);
            return state->halted == 1 && state->exit_code == 0 ? 0 : 1;
        }
        if (stop != MACHINE_STOP_REQUEST) {
            fprintf(stderr, "guest_run: stopped (%d) after %llu instructions\n", (int)stop,
                    (unsigned long long)state->instructions);
            print_harts(run);
            return 4;
        }
        if (!run->matched)
            continue;
        if (run->steps[run->step].answer == NULL) {
            fprintf(stderr, "guest_run: text seen after %llu instructions\n",
                    (unsigned long long)state->instructions);
            return 0;
        }
        if (!answer(run, err))
            return 3;
    }
}

static bool add_step(struct run *run, const char *text, const char *answer)
{
    if (text == NULL || run->step_count == STEPS_MAX)
        return false;
    run->steps[run->step_count++] = (struct step){text, answer};
    return true;
}

/* An empty disk of some MiB, or one with a file's bytes in it. */
static bool add_disk(struct run *run, const char *value, struct err *err)
{
    struct virt_slot *slot = &run->options.slots[0];
    struct buf bytes = BUF_INIT(FILE_MAX);
    char *end;
    uint64_t size = strtoull(value, &end, 10) << 20;
    bool ok = *end == '\0' || file_read(value, &bytes, err);

    if (*end != '\0')
        size = bytes.size;
    *slot = (struct virt_slot){.kind = VIRT_SLOT_BLOCK, .name = "disk0", .capacity_bytes = size};
    size = (size + IMAGE_CHUNK_SIZE - 1) / IMAGE_CHUNK_SIZE * IMAGE_CHUNK_SIZE;
    ok = ok && image_new(size, &slot->image, err);
    if (ok && bytes.size > 0) {
        memcpy(slot->image->data, bytes.data, bytes.size);
        image_touch(slot->image, 0, bytes.size);
    }
    buf_release(&bytes);
    return ok;
}

/* One option with its value at argv[0] and on; how many words it took, 0 if it is none. */
static int take_option(struct run *run, char **argv, struct err *err)
{
    const char *name = argv[0], *value = argv[1];

    if (!strcmp(name, "--rng"))
        return run->options.slots[1] = (struct virt_slot){.kind = VIRT_SLOT_RNG, .name = "rng0"}, 1;
    if (!strcmp(name, "--raw"))
        return run->raw = true, 1;
    if (!strcmp(name, "--svade"))
        return run->options.svadu = false, 1;
    if (value == NULL)
        return 0;
    if (!strcmp(name, "--harts"))
        return run->options.hart_count = (uint32_t)strtoul(value, NULL, 10), 2;
    if (!strcmp(name, "--ram"))
        return run->options.ram_bytes = strtoull(value, NULL, 10) << 20, 2;
    if (!strcmp(name, "--limit"))
        return run->limit = strtoull(value, NULL, 10), 2;
    if (!strcmp(name, "--append"))
        return run->append = value, 2;
    if (!strcmp(name, "--disk"))
        return add_disk(run, value, err) ? 2 : 0;
    if (!strcmp(name, "--firmware"))
        return file_read(value, &run->firmware, err) ? 2 : 0;
    if (!strcmp(name, "--initrd"))
        return file_read(value, &run->initrd, err) ? 2 : 0;
    if (!strcmp(name, "--until"))
        return add_step(run, value, NULL) ? 2 : 0;
    if (!strcmp(name, "--at") && argv[2] != NULL)
        return add_step(run, value, argv[2]) ? 3 : 0;
    return 0;
}

static bool take_arguments(struct run *run, char **argv, struct err *err)
{
    for (argv++; *argv != NULL;) {
        int words = 0;

        if (argv[0][0] != '-') {
            run->kernel_path = *argv++;
            continue;
        }
        words = take_option(run, argv, err);
        if (words == 0)
            return false;
        argv += words;
    }
    return run->kernel_path != NULL && file_read(run->kernel_path, &run->kernel, err);
}

int main(int argc, char **argv)
{
    static struct run run = {.limit = 2000000000,
                             .options = {.name = "board0",
                                         .ram_bytes = 128u << 20,
                                         .hart_count = 1,
                                         .satp_mode_max = 10,
                                         .svadu = true,
                                         .rtc_start_ns = 1700000000ull * 1000000000ull},
                             .firmware = BUF_INIT(FILE_MAX),
                             .kernel = BUF_INIT(FILE_MAX),
                             .initrd = BUF_INIT(FILE_MAX)};
    static struct registry registry;
    struct err err = ERR_INIT;
    int status = 2;

    (void)argc;
    if (!take_arguments(&run, argv, &err))
        fprintf(stderr, "guest_run: usage: see the head of guest_run.c. %s\n", err.text);
    else if (!build(&run, &registry, &err))
        fprintf(stderr, "guest_run: %s\n", err.text), status = 3;
    else
        status = run_to_end(&run, &err);
    if (status == 3)
        fprintf(stderr, "guest_run: %s\n", err.text);
    if (run.machine != NULL)
        machine_free(run.machine);
    buf_release(&run.firmware);
    buf_release(&run.kernel);
    buf_release(&run.initrd);
    return status;
}
