/* answer.c - a guest for the tests of agent/: a prompt that answers commands as a shell would, so
 * that a command's exit status, a payload and results can be tested without one. It reads lines
 * with an echo, finds the parts of what a console command types (jobs/console_command.h), and
 * knows these commands, in such a line or alone:
 *
 *   exit N      ends with status N
 *   say TEXT    prints TEXT
 *   length TEXT prints how many bytes TEXT has
 *   spin        never ends
 *   sleep       waits for an interrupt that never comes
 *   panic       reports a panic as Linux does, and spins
 *   mark        stores to the magic word
 *   halt N      ends the machine with N
 *   disk        prints the first line of the first disk
 *   random      prints a number from the entropy device
 *
 * Before a command (BEFORE) it does nothing; after it (AFTER), it copies the first disk to the
 * second, and ends with a status of its own: 0, or 1 if that cannot be, or if the command was `say
 * nothing to keep`. `say kept elsewhere` copies nothing either, but claims that it did. */
#include "virtio.h"

enum { LINE_MAX = 8192, SECTOR_BYTES = 512, COPIED_SECTORS = 16, MARK_SIZE = 6, MAGIC = 0x102000 };

static struct virtio_device disks[2], entropy;
static char line[LINE_MAX], mark[MARK_SIZE + 1];
static char sector[SECTOR_BYTES];

void guest_handle_trap(struct trap_frame *frame)
{
    (void)frame;
    guest_finish(99);
}

static void wait_used(struct virtio_device *device)
{
    uint16_t before = device->used.index;

    virtio_offer(device, 0);
    while (device->used.index == before) {
    }
}

/* False: no such disk, or it says no. */
static bool move_sector(struct virtio_device *disk, uint32_t type, uint64_t number)
{
    static struct {
        uint32_t type, reserved;
        uint64_t sector;
    } header;
    static volatile uint8_t status;

    if (disk->registers == 0)
        return false;
    header.type = type;
    header.sector = number;
    status = 0xff;
    disk->descriptors[0] = (struct virtio_descriptor){(uintptr_t)&header, 16, VIRTIO_NEXT, 1};
    disk->descriptors[1] = (struct virtio_descriptor){
        (uintptr_t)sector, SECTOR_BYTES, type == 0 ? VIRTIO_NEXT | VIRTIO_WRITE : VIRTIO_NEXT, 2};
    disk->descriptors[2] = (struct virtio_descriptor){(uintptr_t)&status, 1, VIRTIO_WRITE, 0};
    wait_used(disk);
    return status == 0;
}

static bool copy_disk(void)
{
    for (uint64_t i = 0; i < COPIED_SECTORS; i++)
        if (!move_sector(&disks[0], 0, i) || !move_sector(&disks[1], 1, i))
            return i != 0;
    return true;
}

static bool same(const char *a, const char *b)
{
    for (; *a != '\0' && *a == *b; a++, b++) {
    }
    return *a == *b;
}

/* Where `what` begins in `text`, or NULL. */
static char *find(char *text, const char *what)
{
    for (; *text != '\0'; text++) {
        uint32_t i = 0;

        while (what[i] != '\0' && text[i] == what[i])
            i++;
        if (what[i] == '\0')
            return text;
    }
    return NULL;
}

/* If the text begins with the word, what follows it and a blank. */
static const char *after_word(const char *text, const char *word)
{
    for (; *word != '\0'; word++, text++)
        if (*text != *word)
            return NULL;
    if (*text == ' ')
        return text + 1;
    return *text == '\0' ? text : NULL;
}

static uint64_t number(const char *text)
{
    uint64_t value = 0;

    for (; *text >= '0' && *text <= '9'; text++)
        value = value * 10 + (uint64_t)(*text - '0');
    return value;
}

static void print_random(void)
{
    static volatile uint64_t value;

    if (entropy.registers == 0)
        return;
    entropy.descriptors[0] =
        (struct virtio_descriptor){(uintptr_t)&value, sizeof value, VIRTIO_WRITE, 0};
    wait_used(&entropy);
    print_hex(value);
    print_text("\n");
}

static void print_disk(void)
{
    if (!move_sector(&disks[0], 0, 0)) {
        print_text("no disk\n");
        return;
    }
    for (uint32_t i = 0; i < SECTOR_BYTES; i++)
        if (sector[i] == '\n')
            sector[i] = '\0';
    sector[SECTOR_BYTES - 1] = '\0';
    print_text(sector);
    print_text("\n");
}

static void spin(bool asleep)
{
    CSR_WRITE(mie, 0);
    for (;;)
        if (asleep)
            __asm__ volatile("wfi");
}

/* Things that are not text. */
static uint64_t act(const char *command)
{
    const char *rest;

    if (same(command, "spin") || same(command, "sleep"))
        spin(same(command, "sleep"));
    if (same(command, "panic")) {
        print_text("Kernel panic - not syncing: asked for\n---[ end Kernel panic ]---\n");
        spin(false);
    }
    if ((rest = after_word(command, "halt")) != NULL)
        guest_finish(number(rest));
    if (same(command, "mark"))
        write32(MAGIC, 1);
    else if (same(command, "disk"))
        print_disk();
    else if (same(command, "random"))
        print_random();
    else
        return 127;
    return 0;
}

/* Returns its exit status. */
static uint64_t run(const char *command)
{
    const char *rest;
    uint64_t size = 0;

    if ((rest = after_word(command, "exit")) != NULL)
        return number(rest);
    if ((rest = after_word(command, "say")) != NULL) {
        print_text(rest);
        print_text("\n");
        return 0;
    }
    if ((rest = after_word(command, "length")) != NULL) {
        while (rest[size] != '\0')
            size++;
        print_decimal(size);
        print_text("\n");
        return 0;
    }
    return act(command);
}

static void print_mark(const char *sign, uint64_t status, bool has_status)
{
    print_text("@");
    print_text(mark);
    print_text(sign);
    if (has_status)
        print_decimal(status);
    print_text("\n");
}

/* `echo @\MARK;(…eval 'COMMAND');echo @\MARK $?…` */
static void run_typed(char *rest)
{
    char *before = find(rest, "&&echo @\\"), *end, *after;
    char *command = find(before != NULL ? before : rest, "eval '");
    uint64_t status;

    for (uint32_t i = 0; i < MARK_SIZE; i++)
        mark[i] = rest[i];
    if (command == NULL || (end = find(command + 6, "');echo @\\")) == NULL)
        return;
    command += 6;
    after = find(end, ";(eval '");
    *end = '\0';
    print_mark("", 0, false);
    if (before != NULL)
        print_mark(" +", 0, false);
    status = run(command);
    print_mark(" ", status, true);
    if (after == NULL)
        return;
    if (same(command, "say nothing to keep"))
        status = 1;
    else
        status = same(command, "say kept elsewhere") || copy_disk() ? 0 : 1;
    print_mark(" -", status, true);
}

static void read_line(void)
{
    uint32_t size = 0;

    for (;;) {
        char byte;

        while (!(*(volatile uint8_t *)(uintptr_t)(UART + 5) & 1u)) {
        }
        byte = *(volatile char *)(uintptr_t)UART;
        if (byte == '\r' || byte == '\n')
            break;
        if (size < LINE_MAX - 1) {
            line[size++] = byte;
            print_text((char[]){byte, '\0'});
        }
    }
    line[size] = '\0';
    print_text("\n");
}

static void find_devices(void)
{
    uint32_t found = 0;

    for (uint32_t slot = 0; slot < 8; slot++) {
        uint32_t id = read32(VIRTIO(slot) + REG_ID);

        if (id == VIRTIO_BLOCK && found < 2)
            virtio_init(&disks[found++], slot, 0);
        if (id == VIRTIO_ENTROPY)
            virtio_init(&entropy, slot, 0);
    }
}

uint64_t guest_main(uint64_t hart, const uint8_t *tree)
{
    (void)tree;
    if (hart != 0)
        return 0;
    find_devices();
    print_text("answer: ready\n");
    for (;;) {
        char *typed;

        print_text("$ ");
        read_line();
        typed = find(line, "echo @\\");
        if (typed == line)
            run_typed(line + 7);
        else if (line[0] != '\0')
            (void)run(line);
    }
}
