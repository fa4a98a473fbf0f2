#include "sim/board/virt.h"

#include "sim/board/map.h"
#include "sim/board/memory.h"
#include "sim/board/slots.h"
#include "sim/board/tree.h"
#include "sim/device/clint.h"
#include "sim/device/devices.h"
#include "sim/device/finisher.h"
#include "sim/device/htif.h"
#include "sim/device/magic.h"
#include "sim/device/plic.h"
#include "sim/device/ram.h"
#include "sim/device/rtc.h"
#include "sim/device/uart.h"
#include "sim/hart/hart.h"

#include <stdio.h>
#include <string.h>

#define ROM_IMAGE_SIZE 0x10000 /* MAP_ROM_SIZE in whole chunks */

void registry_standard(struct registry *registry)
{
    memset(registry, 0, sizeof *registry);
    registry_add(registry, &machine_model);
    registry_add(registry, &hart_fast_model);
    devices_register(registry);
}

/* What the steps of a build share. */
struct build {
    struct machine *machine;
    const struct virt_options *options;
    struct loaded loaded;
    struct err *err;
};

struct path {
    char text[OBJECT_PATH_MAX];
};

static struct path path_of(const struct build *build, const char *name)
{
    struct path path;

    snprintf(path.text, sizeof path.text, "%s.%s", build->options->name, name);
    return path;
}

static bool add(struct build *build, const char *name, const char *model, const void *config,
                struct object **out)
{
    return machine_add(build->machine, path_of(build, name).text, model, config, out, build->err);
}

static bool check_options(const struct virt_options *options, struct err *err)
{
    if (options->ram_bytes < VIRT_RAM_MIN || options->ram_bytes > VIRT_RAM_MAX ||
        options->ram_bytes % IMAGE_CHUNK_SIZE != 0)
        return err_set(err, ERR_USAGE, "%llu bytes of RAM: a multiple of %u from %llu to %llu",
                       (unsigned long long)options->ram_bytes, IMAGE_CHUNK_SIZE,
                       (unsigned long long)VIRT_RAM_MIN, (unsigned long long)VIRT_RAM_MAX);
    if (options->hart_count < 1 || options->hart_count > VIRT_HARTS_MAX)
        return err_set(err, ERR_USAGE, "%u harts: 1 to %d are possible", options->hart_count,
                       VIRT_HARTS_MAX);
    if (options->satp_mode_max < 8 || options->satp_mode_max > 10)
        return err_set(err, ERR_USAGE, "satp mode %u: 8 (Sv39), 9 (Sv48) or 10 (Sv57)",
                       options->satp_mode_max);
    return true;
}

static bool add_image(struct build *build, struct object *object, uint64_t size, struct image **out)
{
    if (!image_new(size, out, build->err))
        return err_wrap(build->err, "%s", object->path);
    if (object_take_image(object, "bytes", *out, build->err))
        return true;
    image_free(*out);
    return false;
}

static bool add_memory(struct build *build, const struct virt_software *software)
{
    struct ram_config rom = {.base = MAP_ROM, .size = MAP_ROM_SIZE, .read_only = 1};
    struct ram_config ram = {.base = VIRT_RAM_BASE, .size = build->options->ram_bytes};
    struct tree_facts facts = {.options = build->options, .command_line = software->command_line};
    struct buf tree = BUF_INIT(1u << 20);
    struct image *rom_image, *ram_image;
    struct object *object;
    bool ok;

    rom.size = ROM_IMAGE_SIZE - MAP_ROM;
    rom.size -= rom.size % IMAGE_CHUNK_SIZE;
    if (!add(build, "rom", "ram", &rom, &object) ||
        !add_image(build, object, rom.size, &rom_image) ||
        !add(build, "ram", "ram", &ram, &object) ||
        !add_image(build, object, ram.size, &ram_image) ||
        !memory_load(software, ram_image, ram.size, &build->loaded, build->err))
        return false;
    facts.initrd_start = build->loaded.initrd_start;
    facts.initrd_end = build->loaded.initrd_end;
    facts.seed = machine_config(build->machine)->seed;
    memory_boot_rom(&build->loaded, rom_image);
    ok = tree_write(&facts, &tree, build->err) &&
         memory_put(ram_image, ram.size, build->loaded.tree, buf_span(&tree), "the device tree",
                    build->err);
    buf_release(&tree);
    return ok;
}

static bool add_harts(struct build *build)
{
    struct path timer = path_of(build, "clint");

    for (uint32_t i = 0; i < build->options->hart_count; i++) {
        struct hart_config config = {.hart_id = i,
                                     .reset_pc = MAP_ROM,
                                     .satp_mode_max = build->options->satp_mode_max,
                                     .svadu = build->options->svadu};
        struct object *hart;
        char name[16];
        snprintf(name, sizeof name, "hart%u", i);
        if (!add(build, name, "rv64-fast", &config, &hart) ||
            !object_link(hart, "timer", timer.text, build->err))
            return false;
    }
    return true;
}

static bool link_harts(struct build *build, struct object *object)
{
    for (uint32_t i = 0; i < build->options->hart_count; i++) {
        char name[16];
        snprintf(name, sizeof name, "hart%u", i);
        if (!object_link(object, name, path_of(build, name).text, build->err))
            return false;
    }
    return true;
}

static bool link_interrupts(struct build *build, struct object *object)
{
    return object_link(object, "interrupts", path_of(build, "plic").text, build->err);
}

static bool add_devices(struct build *build)
{
    uint32_t harts = build->options->hart_count;
    struct clint_config clint = {
        .base = MAP_CLINT, .timebase_hz = VIRT_TIMEBASE_HZ, .hart_count = harts};
    struct plic_config plic = {.base = MAP_PLIC, .hart_count = harts};
    struct finisher_config finisher = {.base = MAP_FINISHER};
    struct magic_config magic = {.base = MAP_MAGIC};
    struct rtc_config rtc = {
        .base = MAP_RTC, .start_ns = build->options->rtc_start_ns, .irq = IRQ_RTC};
    struct uart_config uart = {.base = MAP_UART, .irq = IRQ_UART};
    struct object *object;

    return add(build, "clint", "sifive-clint", &clint, &object) && link_harts(build, object) &&
           add(build, "plic", "sifive-plic", &plic, &object) && link_harts(build, object) &&
           add(build, "finisher", "sifive-test", &finisher, NULL) &&
           add(build, "magic", "thaw-magic", &magic, NULL) &&
           add(build, "rtc", "goldfish-rtc", &rtc, &object) && link_interrupts(build, object) &&
           add(build, "uart0", "ns16550", &uart, &object) && link_interrupts(build, object);
}

static bool add_htif(struct build *build)
{
    struct htif_config config = {.tohost = build->loaded.tohost,
                                 .fromhost = build->loaded.fromhost};

    return !build->loaded.has_htif || add(build, "htif", "htif", &config, NULL);
}

bool virt_build(struct machine *machine, const struct virt_options *options,
                const struct virt_software *software, struct err *err)
{
    struct build build = {.machine = machine, .options = options, .err = err};
    bool ok = check_options(options, err) && add_memory(&build, software) && add_harts(&build) &&
              add_devices(&build) && add_htif(&build);

    for (uint32_t i = 0; i < VIRT_SLOTS; i++) {
        struct slot_place place = {machine, options->name, MAP_VIRTIO + i * MAP_PAGE,
                                   IRQ_VIRTIO + i, i};
        if (ok)
            ok = slot_add(&place, &options->slots[i], err);
        else
            image_free(options->slots[i].image);
    }
    return ok || err_wrap(err, "board %s", options->name);
}
