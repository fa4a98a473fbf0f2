#include "stress.h"
#include "virtio.h"

enum { SLOTS = 8, SECTORS = 8, SECTOR_BYTES = 512 };

struct request {
    uint32_t type, reserved;
    uint64_t sector;
    uint64_t data[SECTORS * SECTOR_BYTES / 8];
    volatile uint8_t status;
};

static struct virtio_device disk, entropy;
/* One writes this round's sectors while the other reads the last round's. */
static struct request writing, reading;
static uint8_t random_bytes[64];
static uint64_t disk_sectors;

void devices_init(void)
{
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        uintptr_t registers = VIRTIO(slot);

        if (read32(registers + REG_MAGIC) != 0x74726976u || read32(registers + REG_VERSION) != 2)
            continue;
        if (read32(registers + REG_ID) == VIRTIO_BLOCK && disk.registers == 0) {
            disk_sectors = read32(registers + REG_CONFIG);
            if (disk_sectors >= 64)
                virtio_init(&disk, slot, 0);
        } else if (read32(registers + REG_ID) == VIRTIO_ENTROPY && entropy.registers == 0) {
            virtio_init(&entropy, slot, 0);
        }
    }
    write32(PLIC + 0x200000, 0);
    CSR_SET(mie, 0x800);
}

static void submit(uint16_t head, struct request *request, uint32_t type, uint64_t sector)
{
    struct virtio_descriptor *chain = &disk.descriptors[head];
    uint16_t data_flags = type == 0 ? VIRTIO_NEXT | VIRTIO_WRITE : VIRTIO_NEXT;

    request->type = type;
    request->sector = sector;
    request->status = 0xff;
    chain[0] =
        (struct virtio_descriptor){(uintptr_t)request, 16, VIRTIO_NEXT, (uint16_t)(head + 1)};
    chain[1] = (struct virtio_descriptor){(uintptr_t)request->data, sizeof request->data,
                                          data_flags, (uint16_t)(head + 2)};
    chain[2] = (struct virtio_descriptor){(uintptr_t)&request->status, 1, VIRTIO_WRITE, 0};
    virtio_offer(&disk, head);
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
        entropy.descriptors[0] = (struct virtio_descriptor){(uintptr_t)random_bytes,
                                                            sizeof random_bytes, VIRTIO_WRITE, 0};
        virtio_offer(&entropy, 0);
    }
}

/* Interrupts are off only between the look and the WFI, which wakes for a pending one all the same.
 */
static void await(struct virtio_device *device)
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
        uint32_t bytes = entropy.used.ring[last % VIRTIO_QUEUE].bytes;
        if (bytes == 0 || bytes > sizeof random_bytes)
            guest_finish(CHECK_RANDOM);
    }
    return sum;
}

void devices_handle_interrupt(void)
{
    uint32_t claimed = read32(PLIC + 0x200004);
    struct virtio_device *device = claimed == disk.interrupt ? &disk : &entropy;

    if (claimed == 0)
        return;
    virtio_acknowledge(device);
    write32(PLIC + 0x200004, claimed);
}
