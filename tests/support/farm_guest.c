#include "tests/support/farm_guest.h"

#include "agent/boot.h"
#include "storage/base/bytes.h"
#include "storage/base/file.h"
#include "storage/blob.h"
#include "tests/support/base_test.h"

#include <string.h>

#define RAM    UINT64_C(0x80000000)
#define HEADER 120u /* of the file, one program header included */

/* lui t0, UART; then for each letter: addi t1, zero, letter; sb t1, 0(t0); and back. */
static const uint32_t ticker[] = {
    0x100002b7, 0x07400313, 0x00628023, 0x06900313, 0x00628023, 0x06300313,
    0x00628023, 0x06b00313, 0x00628023, 0x00a00313, 0x00628023, 0xfd9ff06f,
};
/* lui t0, finisher; lui t1, 5; addi t1, t1, 0x555; sw t1, 0(t0); jal zero, 0 */
static const uint32_t finish[] = {0x001002b7, 0x00005337, 0x55530313, 0x0062a023, 0x0000006f};
/* lui t0, finisher; lui t1, 0x73; addi t1, t1, 0x333; sw t1, 0(t0); jal zero, 0 */
static const uint32_t fault[] = {0x001002b7, 0x00073337, 0x33330313, 0x0062a023, 0x0000006f};

static void le16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

/* An ELF file with one segment that is loaded at the start of RAM. */
static struct hash keep_elf(struct farm_guest *guest, const uint32_t *code, size_t count)
{
    uint8_t file[HEADER + 64] = {0x7f, 'E', 'L', 'F', 2, 1, 1};
    uint8_t *segment = file + 64;
    struct err err = ERR_INIT;
    struct hash id;

    le16(file + 16, 2);   /* executable */
    le16(file + 18, 243); /* RISC-V */
    store_le32(file + 20, 1);
    store_le64(file + 24, RAM);
    store_le64(file + 32, 64);
    le16(file + 52, 64);
    le16(file + 54, 56);
    le16(file + 56, 1);
    store_le32(segment, 1); /* load */
    store_le32(segment + 4, 7);
    store_le64(segment + 8, HEADER);
    store_le64(segment + 16, RAM);
    store_le64(segment + 24, RAM);
    store_le64(segment + 32, count * 4);
    store_le64(segment + 40, count * 4);
    store_le64(segment + 48, 4);
    for (size_t i = 0; i < count; i++)
        store_le32(file + HEADER + 4 * i, code[i]);
    BASE_OK(store_blob_put(guest->store, (struct span){file, HEADER + 4 * count}, &id, &err), &err);
    return id;
}

void farm_guest_open(struct farm_guest *guest)
{
    const struct store_options options = {.create = true};
    struct err err = ERR_INIT;

    memset(guest, 0, sizeof *guest);
    guest->folder = base_folder_make();
    guest->store_path = path_join(guest->folder, "store");
    BASE_OK(store_open(guest->store_path, &options, &guest->store, &err), &err);
    guest->ticker = keep_elf(guest, ticker, sizeof ticker / sizeof ticker[0]);
    guest->finish = keep_elf(guest, finish, sizeof finish / sizeof finish[0]);
    guest->fault = keep_elf(guest, fault, sizeof fault / sizeof fault[0]);
}

void farm_guest_close(struct farm_guest *guest)
{
    store_close(guest->store);
    mem_free(guest->store_path);
    base_folder_remove(guest->folder);
}

static struct machine_board board_of(const char *elf)
{
    return (struct machine_board){.name = "board0",
                                  .hart_count = 1,
                                  .memory_bytes = UINT64_C(16) << 20,
                                  .rtc_seconds = 1767225600,
                                  .satp_mode_max = 10,
                                  .elf = elf};
}

static struct machine_file machine_of(struct machine_board *board, uint64_t instructions)
{
    return (struct machine_file){
        .path = "ticker",
        .name = "ticker",
        .clock_hz = 1000000000,
        .quantum = 10000,
        .seed = 1,
        .engine = "interpreter",
        .boards = board,
        .board_count = 1,
        .console = "board0.uart0",
        .freeze = {.instructions = instructions, .within = 2 * instructions},
        .limits = {UINT64_C(20000000000), 600000},
        .boot_wall_ms = 600000};
}

void farm_guest_boot(struct farm_guest *guest)
{
    const struct boot_options options = {.clock = &clock_host};
    char *path = store_blob_path(guest->store, &guest->ticker);
    struct machine_board board = board_of(path);
    struct machine_file file = machine_of(&board, 100000);
    struct image_cache *cache;
    struct boot_result result;
    struct checkpoint_ids ids;
    struct store_tag tag;
    struct session session;
    struct err err = ERR_INIT;

    BASE_OK(image_cache_new(guest->store, NULL, &cache, &err), &err);
    session_init(&session, guest->store, cache);
    BASE_OK(boot_run(&session, &file, &options, &result, &err), &err);
    store_tag_init(&tag, "ticker", &clock_host);
    store_tag_set_fact(&tag, FACT_CONSOLE, "board0.uart0");
    BASE_OK(session_freeze(&session, &tag, &ids, &err), &err);
    guest->booted = ids.checkpoint_id;
    store_tag_release(&tag);
    buf_release(&result.console);
    session_release(&session);
    image_cache_free(cache);
    mem_free(path);
}

static struct hash keep_spec(struct farm_guest *guest, const struct job_spec *spec)
{
    struct buf bytes = BUF_INIT(JOB_SPEC_BYTES_MAX);
    struct err err = ERR_INIT;
    struct hash id;

    BASE_OK(job_spec_encode(spec, &bytes, &err), &err);
    BASE_OK(store_blob_put(guest->store, buf_span(&bytes), &id, &err), &err);
    buf_release(&bytes);
    return id;
}

static struct job_spec test_spec(void)
{
    return (struct job_spec){.kind = JOB_TEST,
                             .suite = "farm",
                             .name = "a test",
                             .work = JOB_WORK_FOLDER,
                             .test = {.name = "a test", .limits = {UINT64_MAX / 4, 600000}}};
}

struct hash farm_spec_steps(struct farm_guest *guest, const struct console_step *steps,
                            size_t count)
{
    struct job_spec spec = test_spec();

    spec.test.steps = steps;
    spec.test.step_count = count;
    return keep_spec(guest, &spec);
}

struct hash farm_spec_wait(struct farm_guest *guest, uint64_t instructions)
{
    const struct console_step step = {.kind = CONSOLE_WAIT, .instructions = instructions};

    return farm_spec_steps(guest, &step, 1);
}

struct hash farm_spec_elf(struct farm_guest *guest, const struct hash *elf)
{
    struct job_blob blob = {"elf", *elf, 0};
    struct job_spec spec = test_spec();
    struct err err = ERR_INIT;

    BASE_OK(store_blob_size(guest->store, elf, &blob.size, &err), &err);
    spec.blobs = &blob;
    spec.blob_count = 1;
    spec.test.elf = "elf";
    return keep_spec(guest, &spec);
}

struct hash farm_spec_boot(struct farm_guest *guest, uint64_t instructions)
{
    struct job_blob blob = {"board0.elf", guest->ticker, 0};
    struct machine_board board = board_of("board0.elf");
    struct job_spec spec = {.kind = JOB_BOOT, .blobs = &blob, .blob_count = 1};
    struct err err = ERR_INIT;

    BASE_OK(store_blob_size(guest->store, &guest->ticker, &blob.size, &err), &err);
    spec.machine = machine_of(&board, instructions);
    return keep_spec(guest, &spec);
}
