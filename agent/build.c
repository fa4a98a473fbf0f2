#include "agent/build.h"

#include "sim/board/virt.h"
#include "sim/device/net_switch.h"
#include "storage/base/clock.h"
#include "storage/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Files read for one board; released once the board holds their bytes. */
struct software {
    struct buf firmware;
    struct buf kernel;
    struct buf initrd;
};

static bool read_if_named(const char *path, const char *what, struct buf *out, struct err *err)
{
    if (path == NULL)
        return true;
    if (!file_read(path, out, err))
        return err_wrap(err, "the %s", what);
    if (out->size == 0)
        return err_set(err, ERR_INVALID, "the %s %s is empty", what, path);
    return true;
}

static uint64_t whole_chunks(uint64_t size)
{
    return (size + IMAGE_CHUNK_SIZE - 1) / IMAGE_CHUNK_SIZE * IMAGE_CHUNK_SIZE;
}

/* Copies the file into the image, leaving holes and zeros untouched so that they cost nothing. */
static bool fill_image(struct image *image, int fd, uint64_t size, const char *path,
                       struct err *err)
{
    uint8_t *piece = mem_alloc(IMAGE_CHUNK_SIZE);
    bool ok = true;

    for (uint64_t at = 0; ok && at < size; at += IMAGE_CHUNK_SIZE) {
        size_t step = size - at < IMAGE_CHUNK_SIZE ? (size_t)(size - at) : IMAGE_CHUNK_SIZE;
        ok = file_read_at(fd, piece, step, at, path, err);
        if (!ok || bytes_are_zero(piece, step))
            continue;
        memcpy(image->data + at, piece, step);
        image_touch(image, at, step);
    }
    mem_free(piece);
    return ok;
}

static bool image_from_file(const char *path, uint64_t image_size, uint64_t size,
                            struct image **out, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool ok;

    if (fd < 0)
        return err_set_errno(err, errno, "cannot open the disk %s", path);
    ok = image_new(image_size, out, err);
    if (ok && !fill_image(*out, fd, size, path, err)) {
        image_free(*out);
        ok = false;
    }
    close(fd);
    return ok;
}

static bool disk_slot(const struct machine_device *device, struct virt_slot *slot, struct err *err)
{
    uint64_t file_bytes = 0, size = device->size_bytes;

    slot->kind = VIRT_SLOT_BLOCK;
    slot->read_only = device->read_only;
    if (device->kind == MACHINE_DEVICE_JOB_DISK) {
        size = size != 0 ? size : BUILD_JOB_DISK;
        return image_new(whole_chunks(size), &slot->image,
                         err); /* capacity 0 until a payload comes */
    }
    if (device->file != NULL && !file_size(device->file, &file_bytes, err))
        return err_wrap(err, "the disk %s", device->name);
    if (size == 0)
        size = (file_bytes + 511) / 512 * 512;
    if (size == 0)
        return err_set(err, ERR_INVALID, "the disk %s is empty: %s has no bytes", device->name,
                       device->file);
    if (file_bytes > size)
        return err_set(err, ERR_INVALID, "the disk %s: %s has %llu bytes, more than its size %llu",
                       device->name, device->file, (unsigned long long)file_bytes,
                       (unsigned long long)size);
    slot->capacity_bytes = size;
    if (device->file == NULL)
        return image_new(whole_chunks(size), &slot->image, err);
    return image_from_file(device->file, whole_chunks(size), file_bytes, &slot->image, err);
}

static bool fill_slot(const struct machine_device *device, struct virt_slot *slot, struct err *err)
{
    slot->name = device->name;
    switch (device->kind) {
    case MACHINE_DEVICE_BLOCK:
    case MACHINE_DEVICE_JOB_DISK:
    case MACHINE_DEVICE_RESULT_DISK:
        return disk_slot(device, slot, err);
    case MACHINE_DEVICE_CONSOLE:
        slot->kind = VIRT_SLOT_CONSOLE;
        return true;
    case MACHINE_DEVICE_NET:
        slot->kind = VIRT_SLOT_NET;
        slot->link = device->link;
        memcpy(slot->mac, device->mac, sizeof slot->mac);
        return true;
    case MACHINE_DEVICE_RNG:
    default:
        slot->kind = VIRT_SLOT_RNG;
        return true;
    }
}

static void release_slots(struct virt_options *options)
{
    for (size_t i = 0; i < VIRT_SLOTS; i++)
        image_free(options->slots[i].image);
}

static bool read_software(const struct machine_board *board, struct software *files,
                          struct virt_software *out, struct err *err)
{
    const char *kernel = board->elf != NULL ? board->elf : board->kernel;

    if (!read_if_named(board->firmware, "firmware", &files->firmware, err) ||
        !read_if_named(kernel, board->elf != NULL ? "program" : "kernel", &files->kernel, err) ||
        !read_if_named(board->initrd, "initrd", &files->initrd, err))
        return false;
    *out = (struct virt_software){.firmware = buf_span(&files->firmware),
                                  .kernel = buf_span(&files->kernel),
                                  .kernel_is_raw = board->kernel_is_raw,
                                  .initrd = buf_span(&files->initrd),
                                  .command_line = board->command_line,
                                  .firmware_name = board->firmware,
                                  .kernel_name = kernel};
    return true;
}

static bool add_board(struct machine *machine, const struct machine_board *board, struct err *err)
{
    struct software files = {BUF_INIT(BUILD_SOFTWARE_MAX), BUF_INIT(BUILD_SOFTWARE_MAX),
                             BUF_INIT(BUILD_SOFTWARE_MAX)};
    struct virt_options options = {.name = board->name,
                                   .ram_bytes = board->memory_bytes,
                                   .hart_count = board->hart_count,
                                   .satp_mode_max = board->satp_mode_max,
                                   .svadu = board->svadu,
                                   .rtc_start_ns = board->rtc_seconds * NS_PER_S};
    struct virt_software software;
    bool ok = read_software(board, &files, &software, err);

    for (uint32_t i = 0; ok && i < board->device_count; i++)
        ok = fill_slot(&board->devices[i], &options.slots[i], err);
    if (ok)
        ok = virt_build(machine, &options, &software, err);
    else
        release_slots(&options);
    buf_release(&files.firmware);
    buf_release(&files.kernel);
    buf_release(&files.initrd);
    return ok;
}

static bool add_switch(struct machine *machine, const char *name, struct err *err)
{
    struct net_switch_config wire = {.latency_ns = NET_LATENCY_NS};
    struct image *frames;
    struct object *object;

    if (!machine_add(machine, name, "thaw-switch", &wire, &object, err) ||
        !image_new(NET_FRAMES_SIZE, &frames, err))
        return false;
    if (object_take_image(object, "frames", frames, err))
        return true;
    image_free(frames);
    return false;
}

static bool add_all(struct machine *machine, const struct machine_file *file, struct err *err)
{
    struct machine_config config = {
        .clock_hz = file->clock_hz, .quantum = file->quantum, .seed = file->seed};

    if (!machine_add(machine, "machine", "thaw-machine", &config, NULL, err))
        return false;
    for (uint32_t i = 0; i < file->switch_count; i++)
        if (!add_switch(machine, file->switches[i], err))
            return false;
    for (uint32_t i = 0; i < file->board_count; i++)
        if (!add_board(machine, &file->boards[i], err))
            return false;
    return machine_open(machine, err);
}

bool build_machine(const struct registry *registry, const struct machine_file *file,
                   struct machine **out, struct err *err)
{
    struct machine *machine = machine_new(registry);

    if (!add_all(machine, file, err)) {
        machine_free(machine);
        return err_wrap(err, "%s", file->path);
    }
    machine_reset(machine);
    *out = machine;
    return true;
}
