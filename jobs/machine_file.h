/* machine_file.h — the machine file: what `thaw boot FILE.yaml` reads. jobs/FORMAT.md documents
 * every key.
 *
 * Plain data, checked as far as one file can be: ranges, names that must exist in it, regular
 * expressions, combinations that make no sense. Whether the files it names are there is for the
 * reader of those files. Paths are absolute, or relative to the working directory: `${VAR}` is
 * expanded, and a relative path is joined to the folder of the machine file. All memory belongs to
 * the struct. */
#ifndef THAW_JOBS_MACHINE_FILE_H
#define THAW_JOBS_MACHINE_FILE_H

#include "jobs/monitor.h"
#include "jobs/pool.h"

#define MACHINE_FILE_BOARDS_MAX   8
#define MACHINE_FILE_SWITCHES_MAX 4
#define MACHINE_FILE_DEVICES_MAX  8 /* virtio slots of a board, job and result disk included */
#define MACHINE_FILE_HARTS_MAX    8
#define MACHINE_FILE_MEMORY_MIN   (UINT64_C(1) << 20)
#define MACHINE_FILE_MEMORY_MAX   (UINT64_C(1) << 36)
#define MACHINE_FILE_DISK_MAX     (UINT64_C(1) << 40)
#define MACHINE_FILE_NAME_MAX     31

enum machine_device_kind {
    MACHINE_DEVICE_BLOCK,
    MACHINE_DEVICE_CONSOLE,
    MACHINE_DEVICE_NET,
    MACHINE_DEVICE_RNG,
    MACHINE_DEVICE_JOB_DISK,    /* a disk without a medium, until a payload comes at thaw */
    MACHINE_DEVICE_RESULT_DISK, /* an empty disk that the test may write a tar to */
};

/* One virtio device; its place in the list is its slot. */
struct machine_device {
    enum machine_device_kind kind;
    const char *name; /* unique on its board; the serial number of a disk */
    /* disks: */
    const char *file;    /* initial content, or NULL */
    uint64_t size_bytes; /* a multiple of 512; 0: as large as `file` (and for the job disk) */
    bool read_only;
    const char *guest; /* what the guest calls this disk: "/dev/vda" */
    /* net: */
    uint8_t mac[6];   /* 52:54:00:… made from board and slot unless given */
    const char *link; /* name of a switch */
};

struct machine_board {
    const char *name; /* "board0" unless given */
    uint32_t hart_count;
    uint64_t memory_bytes;
    uint64_t rtc_seconds; /* since 1970-01-01 UTC, at virtual time 0 */
    bool svadu;
    uint32_t satp_mode_max;   /* 8 Sv39, 9 Sv48, 10 Sv57 */
    const char *firmware;     /* path, or NULL: none */
    const char *kernel;       /* path of an Image or ELF, or NULL */
    bool kernel_is_raw;       /* any bytes, as a bootloader's .bin */
    const char *initrd;       /* path, or NULL */
    const char *command_line; /* or NULL */
    const char *elf; /* path of a bare-metal program instead of firmware and kernel, or NULL */
    struct machine_device devices[MACHINE_FILE_DEVICES_MAX];
    uint32_t device_count;
};

/* When a booting machine is frozen: at the first of those given that comes true. */
struct machine_freeze {
    const char *console;   /* regular expression for the console's output, or NULL */
    uint64_t instructions; /* at exactly this count; 0: not asked for */
    bool magic;            /* at the guest's store to the magic word */
    uint64_t settle;       /* instructions to run on after `console` or `magic` */
    uint64_t within;       /* instructions after which booting has failed */
};

/* Of one test on this machine, unless the test says otherwise. */
struct test_limits {
    uint64_t instructions;
    uint64_t wall_ms;
};

struct machine_file {
    const char *path;
    const char *name;
    uint64_t clock_hz;
    uint64_t quantum; /* instructions of a hart's turn */
    uint64_t seed;
    const char *engine;           /* "interpreter" */
    struct machine_board *boards; /* at least one */
    uint32_t board_count;
    const char *const *switches; /* names */
    uint32_t switch_count;
    const char *console; /* object whose output is watched and typed to: "board0.uart0" */
    struct machine_freeze freeze;
    const char *prompt;                    /* regular expression of the shell's prompt, or NULL */
    struct test_limits limits;             /* of tests */
    uint64_t boot_wall_ms;                 /* guards a boot against hangs */
    const struct monitor_choice *monitors; /* what watches the console */
    uint32_t monitor_count;
    struct pool pool; /* private */
};

/* Looks up `${NAME}`; NULL if it is not set. */
struct variables {
    const char *(*get)(void *context, const char *name);
    void *context;
};
/* The process's environment. */
extern const struct variables variables_environment;

/* Reads and checks the file. `report`, if not NULL, gets every mistake with its source line and a
 * caret (see yaml.h); `err` the first. ERR_INVALID, ERR_NOT_FOUND, ERR_TOO_BIG. Freed with
 * machine_file_free. */
bool machine_file_load(const char *path, const struct variables *variables,
                       struct machine_file **out, struct buf *report, struct err *err);
/* The same from text; `path` names it and says where relative paths begin. */
bool machine_file_parse(struct span text, const char *path, const struct variables *variables,
                        struct machine_file **out, struct err *err);
void machine_file_free(struct machine_file *file);

/* The default board `virt` without software or devices, for `run --elf` and tests; prepared as a
 * file with `elf: PATH` would be. Freed with machine_file_free. */
struct machine_file *machine_file_bare(const char *elf_path);

#endif
