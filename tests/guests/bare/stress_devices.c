#include "stress.h"

/* virtio-mmio, version 2 (virtio 1.2, 4.2), split queues polled by nobody: the interrupt marks what
 * is done. */
enum { QUEUE = 8, SLOTS = 8, SECTORS = 8, SECTOR_BYTES = 512 };
enum { ID_BLOCK = 2, ID_ENTROPY = 4 };
enum { NEXT = 1, WRITE = 2 };
enum {
    REG_MAGIC = 0x00,
    REG_VERSION = 0x04,
    REG_ID = 0x08,
    REG_DRIVER_FEATURES = 0x20,
    REG_DRIVER_SELECT = 0x24,
    REG_QUEUE_SELECT = 0x30,
    REG_QUEUE_SIZE = 0x38,
    REG_QUEUE_READY = 0x44,
    REG_NOTIFY = 0x50,
    REG_INTERRUPT = 0x60,
    REG_ACKNOWLEDGE = 0x64,
    REG_STATUS = 0x70,
    REG_DESCRIPTORS = 0x80,
    REG_AVAILABLE = 0x90,
    REG_USED = 0xa0,
    REG_CONFIG = 0x100,
};

struct descriptor {
    uint64_t address;
    uint32_t bytes;
    uint16_t flags, next;
};

struct device {
    _Alignas(16) struct descriptor descriptors[QUEUE];
    _Alignas(16) struct {
        uint16_t flags, index, ring[QUEUE];
    } available;
    _Alignas(16) volatile struct {
        uint16_t flags, index;
        struct {
            uint32_t id, bytes;
        } ring[QUEUE];
    } used;
    uintptr_t registers;
    uint32_t interrupt;
    volatile uint64_t interrupts;
};

struct request {
    uint32_t type, reserved;
    uint64_t sector;
    uint64_t data[SECTORS * SECTOR_BYTES / 8];
    volatile uint8_t status;
};

static struct device disk, entropy;
/* One writes this round's sectors while the other reads the last round's. */
static struct request writing, reading;
static uint8_t random_bytes[64];
static uint64_t disk_sectors;

static void device_init(struct device *device, uintptr_t registers, uint32_t slot)
{
    device->registers = registers;
    device->interrupt = slot + 1;
    write32(registers + REG_STATUS, 0);
    write32(registers + REG_STATUS, 1 | 2);
    write32(registers + REG_DRIVER_SELECT, 0);
    write32(registers + REG_DRIVER_FEATURES, 0);
    write32(registers + REG_DRIVER_SELECT, 1);
    write32(registers + REG_DRIVER_FEATURES, 1); /* VIRTIO_F_VERSION_1 */
    write32(registers + REG_STATUS, 1 | 2 | 8);
    write32(registers + REG_QUEUE_SELECT, 0);
    write32(registers + REG_QUEUE_SIZE, QUEUE);
    write32(registers + REG_DESCRIPTORS, (uint32_t)(uintptr_t)device->descriptors);
    write32(registers + REG_DESCRIPTORS + 4, 0);
    write32(registers + REG_AVAILABLE, (uint32_t)(uintptr_t)&device->available);
    write32(registers + REG_AVAILABLE + 4, 0);
    write32(registers + REG_USED, (uint32_t)(uintptr_t)&device->used);
    write32(registers + REG_USED + 4, 0);
    write32(registers + REG_QUEUE_READY, 1);
    write32(registers + REG_STATUS, 1 | 2 | 8 | 4);
    write32(PLIC + 4 * device->interrupt, 1);
    write32(PLIC + 0x2000, read32(PLIC + 0x2000) | 1u << device->interrupt);
}

void devices_init(void)
{
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        uintptr_t registers = VIRTIO(slot);

        /* A board may leave an empty slot's addresses without a device: then this reads 0 by way of
         * a trap. */
        uint32_t magic = 0;
        __asm__ volatile("li %0, 0\n lw %0, 0(%1)" : "=&r"(magic) : "r"(registers) : "memory");
        if (magic != 0x74726976u || read32(registers + REG_VERSION) != 2)
            continue;
        if (read32(registers + REG_ID) == ID_BLOCK && disk.registers == 0) {
            disk_sectors = read32(registers + REG_CONFIG);
            if (disk_sectors >= 64)
                device_init(&disk, registers, slot);
        } else if (read32(registers + REG_ID) == ID_ENTROPY && entropy.registers == 0) {
            device_init(&entropy, registers, slot);
        }
    }
    write32(PLIC + 0x200000, 0);
    CSR_SET(mie, 0x800);
}

/* Offers the chain that starts at descriptor `head`. */
static void offer(struct device *device, uint16_t head)
{
    device->available.ring[device->available.index % QUEUE] = head;
    __asm__ volatile("fence" ::: "memory");
    device->available.index++;
    __asm__ volatile("fence" ::: "memory");
    write32(device->registers + REG_NOTIFY, 0);
}

static void submit(uint16_t head, struct request *request, uint32_t type, uint64_t sector)
{
    struct descriptor *chain = &disk.descriptors[head];
    uint16_t data_flags = type == 0 ? NEXT | WRITE : NEXT;

    request->type = type;
    request->sector = sector;
    request->status = 0xff;
    chain[0] = (struct descriptor){(uintptr_t)request, 16, NEXT, (uint16_t)(head + 1)};
    chain[1] = (struct descriptor){(uintptr_t)request->data, sizeof request->data, data_flags,
                                   (uint16_t)(head + 2)};
    chain[2] = (struct descriptor){(uintptr_t)&request->status, 1, WRITE, 0};
    offer(&disk, head);
}

static uint64_t sector_of(uint64_t round)
{
    return round * 2654435761u % (disk_sectors / SECTORS) * SECTORS;
}

static uint64_t word_of(uint64_t round, uint64_t i)
{
    return mix(round * 977u, i);
}

void devices_start(uint64_t round)
{
    if (disk.registers != 0) {
        for (uint64_t i = 0; i < sizeof writing.data / 8; i++)
            writing.data[i] = word_of(round, i);
        submit(0, &writing, 1, sector_of(round));
        if (round > 0 && sector_of(round) != sector_of(round - 1))
            submit(4, &reading, 0, sector_of(round - 1));
    }
    if (entropy.registers != 0) {
        entropy.descriptors[0] =
            (struct descriptor){(uintptr_t)random_bytes, sizeof random_bytes, WRITE, 0};
        offer(&entropy, 0);
    }
}

/* Interrupts are off only between the look and the WFI, which wakes for a pending one all the same.
 */
static void await(struct device *device)
{
    for (;;) {
        CSR_CLEAR(mstatus, 8);
        bool done = device->used.index == device->available.index;
        if (!done)
            __asm__ volatile("wfi");
        CSR_SET(mstatus, 8);
        if (done)
            return;
    }
}

uint64_t devices_finish(uint64_t round)
{
    uint64_t sum = 3;

    if (disk.registers != 0) {
        await(&disk);
        if (writing.status != 0)
            guest_finish(CHECK_DISK);
        if (round > 0 && sector_of(round) != sector_of(round - 1)) {
            for (uint64_t i = 0; i < sizeof reading.data / 8; i++) {
                if (reading.status != 0 || reading.data[i] != word_of(round - 1, i))
                    guest_finish(CHECK_DISK);
                sum = mix(sum, reading.data[i]);
            }
        }
    }
    if (entropy.registers != 0) {
        await(&entropy);
        uint16_t last = (uint16_t)(entropy.used.index - 1);
        uint32_t bytes = entropy.used.ring[last % QUEUE].bytes;
        if (bytes == 0 || bytes > sizeof random_bytes)
            guest_finish(CHECK_RANDOM);
    }
    return sum;
}

void devices_handle_interrupt(void)
{
    uint32_t claimed = read32(PLIC + 0x200004);
    struct device *device = claimed == disk.interrupt ? &disk : &entropy;

    if (claimed == 0)
        return;
    write32(device->registers + REG_ACKNOWLEDGE, read32(device->registers + REG_INTERRUPT));
    device->interrupts++;
    write32(PLIC + 0x200004, claimed);
}
