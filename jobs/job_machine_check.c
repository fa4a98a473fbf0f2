/* job_machine_check.c — the rules of a machine that came in a job spec: all that parsing a machine
 * file would have refused. */
#include "jobs/job_spec_internal.h"
#include "jobs/machine_device.h"

#include <string.h>

#define SECTOR    512u
#define CLOCK_MIN UINT64_C(1000000)
#define SATP_MIN  8u
#define SATP_MAX  10u

bool job_object_name_is_valid(const char *name)
{
    size_t size = strlen(name);

    return size > 0 && size <= MACHINE_FILE_NAME_MAX && name[0] >= 'a' && name[0] <= 'z' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == size;
}

static bool is_disk(const struct machine_device *device)
{
    return device->kind == MACHINE_DEVICE_BLOCK || device->kind == MACHINE_DEVICE_JOB_DISK ||
           device->kind == MACHINE_DEVICE_RESULT_DISK;
}

static bool has_switch(const struct machine_file *machine, const char *name)
{
    for (uint32_t i = 0; i < machine->switch_count; i++) {
        if (strcmp(machine->switches[i], name) == 0)
            return true;
    }
    return false;
}

static bool check_device(const struct machine_file *machine, const struct machine_device *device,
                         struct err *err)
{
    if (device->name == NULL || !job_object_name_is_valid(device->name))
        return err_set(err, ERR_INVALID, "a device without a proper name");
    if (machine_device_is_of_board(device->name))
        return err_set(err, ERR_INVALID, "the board has a %s already", device->name);
    if (!is_disk(device) && (device->file != NULL || device->size_bytes != 0))
        return err_set(err, ERR_INVALID, "%s is no disk, and has a content", device->name);
    if (device->size_bytes % SECTOR != 0)
        return err_set(err, ERR_INVALID, "the size of %s is no multiple of %u bytes", device->name,
                       SECTOR);
    if (is_disk(device) && device->kind != MACHINE_DEVICE_JOB_DISK && device->file == NULL &&
        device->size_bytes == 0)
        return err_set(err, ERR_INVALID, "the disk %s has neither content nor size", device->name);
    if (device->kind == MACHINE_DEVICE_NET &&
        (device->link == NULL || !has_switch(machine, device->link)))
        return err_set(err, ERR_INVALID, "%s is plugged into no switch", device->name);
    return true;
}

static bool check_devices(const struct machine_file *machine, const struct machine_board *board,
                          struct err *err)
{
    for (uint32_t i = 0; i < board->device_count; i++) {
        if (!check_device(machine, &board->devices[i], err))
            return false;
        for (uint32_t j = 0; j < i; j++) {
            if (strcmp(board->devices[i].name, board->devices[j].name) == 0)
                return err_set(err, ERR_INVALID, "two devices named %s", board->devices[i].name);
        }
    }
    return true;
}

static bool check_board(const struct machine_file *machine, const struct machine_board *board,
                        struct err *err)
{
    bool software = board->firmware != NULL || board->kernel != NULL;

    if (board->name == NULL || !job_object_name_is_valid(board->name))
        return err_set(err, ERR_INVALID, "a board without a proper name");
    for (const struct machine_board *other = machine->boards; other != board; other++) {
        if (strcmp(other->name, board->name) == 0)
            return err_set(err, ERR_INVALID, "two boards named %s", board->name);
    }
    if (board->hart_count == 0 || board->hart_count > MACHINE_FILE_HARTS_MAX)
        return err_set(err, ERR_INVALID, "%s has %u harts", board->name, board->hart_count);
    if (board->memory_bytes < MACHINE_FILE_MEMORY_MIN ||
        board->memory_bytes > MACHINE_FILE_MEMORY_MAX ||
        board->memory_bytes % MACHINE_FILE_MEMORY_MIN != 0)
        return err_set(err, ERR_INVALID, "%s has %llu bytes of memory", board->name,
                       (unsigned long long)board->memory_bytes);
    if (board->satp_mode_max < SATP_MIN || board->satp_mode_max > SATP_MAX)
        return err_set(err, ERR_INVALID, "%s has an unknown mode of paging", board->name);
    if (software == (board->elf != NULL))
        return err_set(err, ERR_INVALID, "%s has either firmware and kernel, or a bare program",
                       board->name);
    if (board->initrd != NULL && board->kernel == NULL)
        return err_set(err, ERR_INVALID, "%s has an initrd without a kernel", board->name);
    return check_devices(machine, board, err);
}

bool job_machine_check(const struct machine_file *machine, struct err *err)
{
    if (machine->name == NULL || machine->console == NULL || machine->board_count == 0)
        return err_set(err, ERR_INVALID, "a machine without a name, a console or a board");
    if (machine->engine == NULL || strcmp(machine->engine, "interpreter") != 0)
        return err_set(err, ERR_UNSUPPORTED, "an unknown engine");
    if (machine->clock_hz < CLOCK_MIN || machine->quantum == 0)
        return err_set(err, ERR_INVALID, "a machine without a clock or a quantum");
    for (uint32_t i = 0; i < machine->switch_count; i++) {
        if (!job_object_name_is_valid(machine->switches[i]))
            return err_set(err, ERR_INVALID, "a switch without a proper name");
    }
    for (uint32_t i = 0; i < machine->board_count; i++) {
        if (!check_board(machine, &machine->boards[i], err))
            return false;
    }
    return job_monitors_check(machine->monitors, machine->monitor_count, err);
}
