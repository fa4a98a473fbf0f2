#include "jobs/machine_device.h"

#include <string.h>

#define SECTOR 512u
#define KINDS  4u

static const char *const kind_names[KINDS] = {"blk", "console", "net", "rng"};
static const char *const default_names[KINDS] = {"disk", "console", "net", "rng"};

static struct machine_device *device_add(struct yaml *yaml, const struct yaml_node *node,
                                         struct machine_board *board)
{
    if (board->device_count == MACHINE_FILE_DEVICES_MAX) {
        yaml_error(
            yaml, node,
            "more than %d devices on one board (the job disk and the result disk are among them)",
            MACHINE_FILE_DEVICES_MAX);
        return NULL;
    }
    return &board->devices[board->device_count++];
}

static bool is_disk(const struct machine_device *device)
{
    return device->kind == MACHINE_DEVICE_BLOCK || device->kind == MACHINE_DEVICE_JOB_DISK ||
           device->kind == MACHINE_DEVICE_RESULT_DISK;
}

/* Linux names virtio disks in the order of the slots. */
static const char *guest_name(struct yaml *yaml, const struct machine_board *board,
                              const struct machine_device *device)
{
    char letter = 'a';

    for (const struct machine_device *d = board->devices; d != device; d++)
        letter = (char)(letter + (is_disk(d) ? 1 : 0));
    return pool_format(yaml_pool(yaml), "/dev/vd%c", letter);
}

static const char *default_name(struct yaml *yaml, const struct machine_board *board,
                                const struct machine_device *device)
{
    unsigned int number = 0;

    for (const struct machine_device *d = board->devices; d != device; d++)
        number += d->kind == device->kind ? 1 : 0;
    return pool_format(yaml_pool(yaml), "%s%u", default_names[device->kind], number);
}

/* Of the board itself; `virtio0` and so on are its empty slots. */
bool machine_device_is_of_board(const char *name)
{
    static const char *const taken[] = {"ram", "rom",      "clint", "plic", "uart0",
                                        "rtc", "finisher", "magic", "htif"};
    static const char *const numbered[] = {"hart", "virtio"};

    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        if (strcmp(taken[i], name) == 0)
            return true;
    }
    for (size_t i = 0; i < sizeof numbered / sizeof numbered[0]; i++) {
        size_t size = strlen(numbered[i]);

        if (strncmp(numbered[i], name, size) == 0 && name[size] >= '0' && name[size] <= '7' &&
            name[size + 1] == '\0')
            return true;
    }
    return false;
}

static void check_name(struct yaml *yaml, const struct yaml_node *node,
                       const struct machine_board *board, const struct machine_device *device)
{
    for (const struct machine_device *d = board->devices; d != device; d++) {
        if (strcmp(d->name, device->name) == 0)
            yaml_error(yaml, node, "two devices named `%s`", device->name);
    }
    if (machine_device_is_of_board(device->name))
        yaml_error(yaml, node, "the board has a `%s` already", device->name);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool parse_mac(const char *text, uint8_t out[6])
{
    for (int i = 0; i < 6; i++, text += 3) {
        int high = hex_value(text[0]);
        int low = high < 0 ? -1 : hex_value(text[1]);

        if (low < 0 || text[2] != (i < 5 ? ':' : '\0'))
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static void read_link(struct yaml_map *map, const struct machine_file *file,
                      struct machine_device *device)
{
    if (!yaml_get_text(map, "link", &device->link)) {
        yaml_error(map->yaml, map->node,
                   "`link:` is missing: the switch that this card is plugged into");
        return;
    }
    for (uint32_t i = 0; i < file->switch_count; i++) {
        if (strcmp(file->switches[i], device->link) == 0)
            return;
    }
    yaml_error(map->yaml, yaml_map_find(map, "link"),
               "no switch `%.40s`: list it under `switches:`", device->link);
}

static void read_net(struct yaml_map *map, const struct machine_file *file,
                     const struct machine_board *board, struct machine_device *device)
{
    uint8_t board_index = (uint8_t)(board - file->boards);
    uint8_t slot = (uint8_t)(device - board->devices);
    const char *text;

    /* Locally administered, and no two alike in the file. */
    memcpy(device->mac, (const uint8_t[]){0x52, 0x54, 0x00, 0x74, board_index, slot}, 6);
    if (yaml_get_text(map, "mac", &text) && (!parse_mac(text, device->mac) || (device->mac[0] & 1)))
        yaml_error(map->yaml, yaml_map_find(map, "mac"),
                   "`%.40s` is not the address of one network card such as 52:54:00:12:34:56",
                   text);
    read_link(map, file, device);
}

static void read_disk(struct yaml_map *map, const struct path_reader *reader,
                      struct machine_device *device)
{
    paths_get(map, "file", reader, &device->file);
    yaml_get_bytes(map, "size", &device->size_bytes,
                   (struct yaml_range){SECTOR, MACHINE_FILE_DISK_MAX});
    if (device->size_bytes % SECTOR != 0)
        yaml_error(map->yaml, yaml_map_find(map, "size"), "`size:` is a multiple of %u bytes",
                   SECTOR);
    yaml_get_bool(map, "read_only", &device->read_only);
    yaml_get_text(map, "guest", &device->guest);
    if (yaml_map_key(map, "file") == NULL && yaml_map_key(map, "size") == NULL)
        yaml_error(map->yaml, map->node, "a disk needs `file:` or `size:`");
}

/* The settings of a device, or of one without any (`rng:`). */
static const struct yaml_node *body_or_empty(struct yaml *yaml, const struct yaml_node *body,
                                             const struct yaml_node *node)
{
    struct yaml_node *empty;

    if (body != NULL)
        return body;
    empty = pool_alloc(yaml_pool(yaml), sizeof *empty);
    *empty = (struct yaml_node){.kind = YAML_MAP,
                                .line = node->line,
                                .column = node->column,
                                .width = node->width,
                                .weight = 1};
    return empty;
}

static void read_settings(struct yaml_map *map, const struct path_reader *reader,
                          struct machine_file *file, struct machine_board *board,
                          struct machine_device *device)
{
    struct yaml *yaml = map->yaml;

    device->name = default_name(yaml, board, device);
    if (is_disk(device))
        device->guest = guest_name(yaml, board, device);
    if (yaml_get_text(map, "name", &device->name))
        machine_name_check(yaml, yaml_map_find(map, "name"), device->name);
    check_name(yaml, map->node, board, device);
    if (device->kind == MACHINE_DEVICE_BLOCK)
        read_disk(map, reader, device);
    if (device->kind == MACHINE_DEVICE_NET)
        read_net(map, file, board, device);
    yaml_map_close(map);
}

/* `{blk: {…}}` or `{rng:}`: a map of one pair whose key is the kind. */
static void read_device(struct yaml *yaml, const struct yaml_node *node,
                        const struct path_reader *reader, struct machine_file *file,
                        struct machine_board *board)
{
    struct machine_device *device = device_add(yaml, node, board);
    const struct yaml_node *body = NULL;
    struct yaml_map outer, map;
    bool known = false;

    if (device == NULL)
        return;
    device->name = "";
    if (!yaml_map_open(yaml, node, "a device", &outer))
        return;
    for (unsigned int i = 0; i < KINDS; i++) {
        const struct yaml_node *found = yaml_map_find(&outer, kind_names[i]);

        if (yaml_map_key(&outer, kind_names[i]) == NULL)
            continue;
        device->kind = (enum machine_device_kind)i;
        body = found;
        known = true;
    }
    yaml_map_close(&outer);
    if (node->count != 1)
        yaml_error(yaml, node,
                   "a device is one of `blk:`, `console:`, `net:`, `rng:` and its settings");
    else if (known &&
             yaml_map_open(yaml, body_or_empty(yaml, body, node), "a device's settings", &map))
        read_settings(&map, reader, file, board, device);
}

/* `job_disk: true` or `job_disk: {guest: /dev/vdb}`. */
static void read_job_disk(struct yaml_map *outer, struct machine_board *board)
{
    const struct yaml_node *node = yaml_map_find(outer, "job_disk");
    struct machine_device *device;
    struct yaml_map map;
    bool wanted = node != NULL && node->kind == YAML_MAP;

    if (node == NULL || (!wanted && (!yaml_get_bool(outer, "job_disk", &wanted) || !wanted)))
        return;
    device = device_add(outer->yaml, node, board);
    if (device == NULL)
        return;
    *device =
        (struct machine_device){.kind = MACHINE_DEVICE_JOB_DISK, .name = "job", .read_only = true};
    device->guest = guest_name(outer->yaml, board, device);
    check_name(outer->yaml, node, board, device);
    if (node->kind != YAML_MAP || !yaml_map_open(outer->yaml, node, "`job_disk:`", &map))
        return;
    yaml_get_text(&map, "guest", &device->guest);
    yaml_map_close(&map);
}

/* `result_disk: 4 MiB` or `result_disk: {size: 4 MiB, guest: /dev/vdc}`. */
static void read_result_disk(struct yaml_map *outer, struct machine_board *board)
{
    const struct yaml_range range = {SECTOR, MACHINE_FILE_DISK_MAX};
    const struct yaml_node *node = yaml_map_find(outer, "result_disk");
    struct machine_device *device;
    struct yaml_map map;

    if (node == NULL)
        return;
    device = device_add(outer->yaml, node, board);
    if (device == NULL)
        return;
    *device = (struct machine_device){.kind = MACHINE_DEVICE_RESULT_DISK, .name = "result"};
    device->guest = guest_name(outer->yaml, board, device);
    check_name(outer->yaml, node, board, device);
    if (node->kind != YAML_MAP) {
        yaml_get_bytes(outer, "result_disk", &device->size_bytes, range);
    } else if (yaml_map_open(outer->yaml, node, "`result_disk:`", &map)) {
        if (yaml_map_need(&map, "size") != NULL)
            yaml_get_bytes(&map, "size", &device->size_bytes, range);
        yaml_get_text(&map, "guest", &device->guest);
        yaml_map_close(&map);
    }
    if (device->size_bytes % SECTOR != 0)
        yaml_error(outer->yaml, node, "the result disk's size is a multiple of %u bytes", SECTOR);
}

void machine_devices_read(struct yaml_map *map, const struct path_reader *reader,
                          struct machine_file *file, struct machine_board *board)
{
    const struct yaml_node *list = yaml_get_list(map, "devices", MACHINE_FILE_DEVICES_MAX);

    for (size_t i = 0; i < yaml_list_count(list); i++)
        read_device(map->yaml, yaml_list_at(list, i), reader, file, board);
    read_job_disk(map, board);
    read_result_disk(map, board);
}
