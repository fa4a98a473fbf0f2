#include "jobs/machine_file.h"

#include "jobs/job_keys.h"
#include "jobs/machine_device.h"
#include "storage/base/clock.h"

#include <string.h>

#define DEFAULT_CLOCK_HZ     UINT64_C(1000000000)
#define DEFAULT_QUANTUM      UINT64_C(10000)
#define DEFAULT_MEMORY       (UINT64_C(512) << 20)
#define DEFAULT_RTC          UINT64_C(1767225600) /* 2026-01-01T00:00:00Z */
#define DEFAULT_BOOT_LIMIT   UINT64_C(100000000000)
#define DEFAULT_BOOT_WALL_MS UINT64_C(1800000)
#define DEFAULT_TEST_LIMIT   UINT64_C(20000000000)
#define DEFAULT_TEST_WALL_MS UINT64_C(300000)

static void board_defaults(struct machine_board *board, const char *name)
{
    board->name = name;
    board->hart_count = 1;
    board->memory_bytes = DEFAULT_MEMORY;
    board->rtc_seconds = DEFAULT_RTC;
    board->svadu = true;
    board->satp_mode_max = 10;
}

static void file_defaults(struct machine_file *file, const char *path)
{
    file->path = pool_text(&file->pool, path);
    file->name = "machine";
    file->clock_hz = DEFAULT_CLOCK_HZ;
    file->quantum = DEFAULT_QUANTUM;
    file->engine = "interpreter";
    file->freeze.within = DEFAULT_BOOT_LIMIT;
    file->boot_wall_ms = DEFAULT_BOOT_WALL_MS;
    file->limits = (struct test_limits){DEFAULT_TEST_LIMIT, DEFAULT_TEST_WALL_MS};
}

static void read_isa(struct yaml_map *outer, struct machine_board *board)
{
    static const char *const modes[] = {"sv39", "sv48", "sv57"};
    const struct yaml_node *node = yaml_map_find(outer, "isa");
    struct yaml_map map;
    size_t mode;

    if (node == NULL || !yaml_map_open(outer->yaml, node, "`isa:`", &map))
        return;
    yaml_get_bool(&map, "svadu", &board->svadu);
    if (yaml_get_choice(&map, "paging", modes, 3, &mode))
        board->satp_mode_max = (uint32_t)mode + 8;
    yaml_map_close(&map);
}

static void read_software(struct yaml_map *map, const struct path_reader *reader,
                          struct machine_board *board)
{
    static const char *const formats[] = {"auto", "raw"};
    const struct yaml_node *node = yaml_map_find(map, "firmware");
    size_t format = 0;

    if (node != NULL && (node->kind != YAML_SCALAR || strcmp(node->text, "none") != 0))
        paths_node(map->yaml, node, reader, &board->firmware);
    paths_get(map, "kernel", reader, &board->kernel);
    if (yaml_get_choice(map, "kernel_format", formats, 2, &format))
        board->kernel_is_raw = format == 1;
    paths_get(map, "initrd", reader, &board->initrd);
    yaml_get_text(map, "command_line", &board->command_line);
    paths_get(map, "elf", reader, &board->elf);
    if (board->elf != NULL && (board->firmware != NULL || board->kernel != NULL))
        yaml_error(
            map->yaml, yaml_map_key(map, "elf"),
            "`elf:` is a bare-metal program that starts alone: give either it, or `firmware:` and "
            "`kernel:`");
    if (yaml_map_key(map, "kernel") == NULL && board->initrd != NULL)
        yaml_error(map->yaml, yaml_map_key(map, "initrd"), "`initrd:` without `kernel:`");
    if (yaml_map_key(map, "kernel") == NULL && yaml_map_key(map, "firmware") == NULL &&
        yaml_map_key(map, "elf") == NULL)
        yaml_error(map->yaml, map->node,
                   "nothing to run: `kernel:`, `firmware:` or `elf:` is missing");
}

/* Object paths are made of names: lower-case letters, digits, `_`, a letter first. */
bool machine_name_check(struct yaml *yaml, const struct yaml_node *node, const char *name)
{
    size_t size = strlen(name);

    if (size == 0 || size > MACHINE_FILE_NAME_MAX)
        return yaml_error(yaml, node, "a name has 1 to %d characters", MACHINE_FILE_NAME_MAX);
    for (size_t i = 0; i < size; i++) {
        bool letter = name[i] >= 'a' && name[i] <= 'z';
        bool other = (name[i] >= '0' && name[i] <= '9') || name[i] == '_';

        if (!letter && (i == 0 || !other))
            return yaml_error(
                yaml, node,
                "`%s` is not a name: lower-case letters, digits and `_`, a letter first", name);
    }
    return true;
}

static void read_board(struct yaml_map *map, const struct path_reader *reader,
                       struct machine_file *file, struct machine_board *board)
{
    static const char *const kinds[] = {"virt"};
    uint64_t harts = 1;
    size_t kind;

    yaml_get_choice(map, "board", kinds, 1, &kind);
    if (yaml_get_number(map, "harts", &harts, (struct yaml_range){1, MACHINE_FILE_HARTS_MAX}))
        board->hart_count = (uint32_t)harts;
    yaml_get_bytes(map, "memory", &board->memory_bytes,
                   (struct yaml_range){MACHINE_FILE_MEMORY_MIN, MACHINE_FILE_MEMORY_MAX});
    if (board->memory_bytes % MACHINE_FILE_MEMORY_MIN != 0)
        yaml_error(map->yaml, yaml_map_find(map, "memory"), "`memory:` is a multiple of 1 MiB");
    yaml_get_date(map, "rtc", &board->rtc_seconds);
    read_isa(map, board);
    read_software(map, reader, board);
    machine_devices_read(map, reader, file, board);
}

static void read_boards(struct yaml_map *map, const struct path_reader *reader,
                        struct machine_file *file)
{
    const struct yaml_node *list = yaml_get_list(map, "boards", MACHINE_FILE_BOARDS_MAX);
    size_t count = yaml_list_count(list);

    file->board_count = count == 0 ? 1 : (uint32_t)count;
    file->boards = pool_array(&file->pool, file->board_count, sizeof *file->boards);
    if (count == 0) {
        board_defaults(&file->boards[0], "board0");
        read_board(map, reader, file, &file->boards[0]);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct machine_board *board = &file->boards[i];
        struct yaml_map one;

        board_defaults(board, pool_format(&file->pool, "board%u", i));
        if (!yaml_map_open(map->yaml, yaml_list_at(list, i), "a board", &one))
            continue;
        if (yaml_get_text(&one, "name", &board->name))
            machine_name_check(map->yaml, yaml_map_find(&one, "name"), board->name);
        for (uint32_t j = 0; j < i; j++) {
            if (strcmp(file->boards[j].name, board->name) == 0)
                yaml_error(map->yaml, one.node, "two boards named `%s`", board->name);
        }
        read_board(&one, reader, file, board);
        yaml_map_close(&one);
    }
}

static void read_switches(struct yaml_map *map, struct machine_file *file)
{
    size_t count = 0;

    yaml_get_texts(map, "switches", MACHINE_FILE_SWITCHES_MAX, &file->switches, &count);
    file->switch_count = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        const struct yaml_node *node = yaml_list_at(yaml_map_find(map, "switches"), i);

        machine_name_check(map->yaml, node, file->switches[i]);
        for (size_t j = 0; j < i; j++) {
            if (strcmp(file->switches[i], file->switches[j]) == 0)
                yaml_error(map->yaml, node, "two switches named `%s`", file->switches[i]);
        }
    }
}

/* `settle:` is a count, or a map that says of what. */
static void read_settle(struct yaml_map *outer, uint64_t *out)
{
    const struct yaml_node *node = yaml_map_find(outer, "settle");
    struct yaml_map map;

    if (node == NULL || node->kind != YAML_MAP) {
        yaml_get_instructions(outer, "settle", out, YAML_ANY);
        return;
    }
    yaml_map_open(outer->yaml, node, "`settle:`", &map);
    yaml_get_instructions(&map, "instructions", out, YAML_ANY);
    yaml_map_close(&map);
}

static void read_freeze(struct yaml_map *outer, struct machine_file *file)
{
    const struct yaml_node *node = yaml_map_find(outer, "freeze");
    struct machine_freeze *freeze = &file->freeze;
    struct yaml_map map;
    uint64_t wall_ns;

    if (node == NULL) {
        freeze->console = file->prompt;
        return;
    }
    if (!yaml_map_open(outer->yaml, node, "`freeze:`", &map))
        return;
    yaml_get_pattern(&map, "console", &freeze->console);
    yaml_get_instructions(&map, "instructions", &freeze->instructions,
                          (struct yaml_range){1, UINT64_MAX});
    yaml_get_bool(&map, "magic", &freeze->magic);
    read_settle(&map, &freeze->settle);
    yaml_get_instructions(&map, "within", &freeze->within, (struct yaml_range){1, UINT64_MAX});
    if (yaml_get_duration_ns(&map, "wall", &wall_ns, (struct yaml_range){NS_PER_MS, UINT64_MAX}))
        file->boot_wall_ms = wall_ns / NS_PER_MS;
    if (freeze->console == NULL && freeze->instructions == 0 && !freeze->magic && node->count == 0)
        yaml_error(
            map.yaml, node,
            "a freeze point needs `console:` (a regular expression), `instructions:` or `magic: "
            "true`");
    yaml_map_close(&map);
}

void machine_limits_read(struct yaml_map *outer, struct test_limits *limits)
{
    const struct yaml_node *node = yaml_map_find(outer, "limits");
    struct yaml_map map;
    uint64_t wall_ns;

    if (node == NULL || !yaml_map_open(outer->yaml, node, "`limits:`", &map))
        return;
    yaml_get_instructions(&map, "instructions", &limits->instructions,
                          (struct yaml_range){1, UINT64_MAX});
    if (yaml_get_duration_ns(&map, "wall", &wall_ns, (struct yaml_range){NS_PER_MS, UINT64_MAX}))
        limits->wall_ms = wall_ns / NS_PER_MS;
    yaml_map_close(&map);
}

static void read_monitor(struct yaml *yaml, const struct yaml_node *node,
                         struct monitor_choice *out)
{
    struct yaml_map map;

    if (node->kind == YAML_SCALAR) {
        if (yaml_node_text(yaml, node, &out->set) && !monitor_set_exists(out->set))
            yaml_error(yaml, node, "unknown monitor `%.40s`; known: %s", out->set,
                       monitor_set_names());
        return;
    }
    if (!yaml_map_open(yaml, node, "a monitor", &map))
        return;
    yaml_map_need(&map, "pattern");
    yaml_get_pattern(&map, "pattern", &out->pattern);
    yaml_get_text(&map, "title", &out->title);
    yaml_map_close(&map);
}

void machine_monitors_read(struct yaml_map *map, const struct monitor_choice **out, uint32_t *count)
{
    const struct yaml_node *list = yaml_get_list(map, "monitors", MONITOR_SETS_MAX);
    size_t total = yaml_list_count(list);
    struct monitor_choice *choices;

    if (list == NULL)
        return;
    choices = pool_array(yaml_pool(map->yaml), total, sizeof *choices);
    for (size_t i = 0; i < total; i++)
        read_monitor(map->yaml, yaml_list_at(list, i), &choices[i]);
    *out = choices;
    *count = (uint32_t)total;
}

/* `console: uart0` on the first board, or `console: board1.uart0`. */
static void read_console(struct yaml_map *map, struct machine_file *file)
{
    const char *name = "uart0";
    const char *dot;

    yaml_get_text(map, "console", &name);
    dot = strchr(name, '.');
    if (dot == NULL) {
        file->console = pool_format(&file->pool, "%s.%s", file->boards[0].name, name);
        return;
    }
    file->console = name;
    for (uint32_t i = 0; i < file->board_count; i++) {
        size_t size = strlen(file->boards[i].name);

        if (size == (size_t)(dot - name) && strncmp(name, file->boards[i].name, size) == 0)
            return;
    }
    yaml_error(map->yaml, yaml_map_find(map, "console"),
               "`console:` no board of that name: `%.60s`", name);
}

static void read_root(struct yaml_map *map, const struct path_reader *reader,
                      struct machine_file *file)
{
    static const char *const engines[] = {"interpreter"};
    size_t engine;

    yaml_get_text(map, "machine", &file->name);
    yaml_get_hertz(map, "clock", &file->clock_hz, (struct yaml_range){1000000, 100000000000});
    yaml_get_instructions(map, "quantum", &file->quantum, (struct yaml_range){1, 1000000000});
    yaml_get_number(map, "seed", &file->seed, YAML_ANY);
    if (yaml_get_choice(map, "engine", engines, 1, &engine))
        file->engine = engines[engine];
    read_switches(map, file);
    read_boards(map, reader, file);
    read_console(map, file);
    yaml_get_pattern(map, "prompt", &file->prompt);
    read_freeze(map, file);
    machine_limits_read(map, &file->limits);
    machine_monitors_read(map, &file->monitors, &file->monitor_count);
    yaml_map_close(map);
}

static bool read_yaml(struct yaml *yaml, const struct variables *variables,
                      struct machine_file *file, struct buf *report, struct err *err)
{
    struct path_reader reader = {paths_folder(file->path, &file->pool), variables};
    struct yaml_map map;

    if (yaml_map_open(yaml, yaml_root(yaml), "a machine file", &map))
        read_root(&map, &reader, file);
    return yaml_finish(yaml, report, err);
}

static struct machine_file *file_new(const char *path)
{
    struct machine_file *file = mem_alloc(sizeof *file);

    file->pool = (struct pool)POOL_INIT;
    file_defaults(file, path);
    return file;
}

bool machine_file_check(const char *path, const struct variables *variables,
                        struct machine_file **out, struct buf *report, size_t *mistakes,
                        struct err *err)
{
    struct machine_file *file = file_new(path);
    struct yaml *yaml;
    bool ok = yaml_open_file(path, &file->pool, &yaml, err);

    if (ok) {
        ok = read_yaml(yaml, variables, file, report, err);
        *mistakes += yaml_error_count(yaml);
    }
    if (ok)
        *out = file;
    else
        machine_file_free(file);
    return ok;
}

bool machine_file_load(const char *path, const struct variables *variables,
                       struct machine_file **out, struct buf *report, struct err *err)
{
    size_t mistakes = 0;

    return machine_file_check(path, variables, out, report, &mistakes, err);
}

bool machine_file_parse(struct span text, const char *path, const struct variables *variables,
                        struct machine_file **out, struct err *err)
{
    struct machine_file *file = file_new(path);

    if (!read_yaml(yaml_open(text, file->path, &file->pool), variables, file, NULL, err)) {
        machine_file_free(file);
        return false;
    }
    *out = file;
    return true;
}

struct machine_file *machine_file_bare(const char *elf_path)
{
    struct machine_file *file = file_new(elf_path);

    file->boards = pool_array(&file->pool, 1, sizeof *file->boards);
    file->board_count = 1;
    board_defaults(&file->boards[0], "board0");
    file->boards[0].elf = pool_text(&file->pool, elf_path);
    file->console = "board0.uart0";
    return file;
}

void machine_file_free(struct machine_file *file)
{
    if (file == NULL)
        return;
    pool_release(&file->pool);
    mem_free(file);
}
