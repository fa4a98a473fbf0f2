#include "virtio.h"

void virtio_init(struct virtio_device *device, uint32_t slot, uint32_t context)
{
    uintptr_t registers = VIRTIO(slot), enable = PLIC + 0x2000 + 0x80 * context;

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
    write32(registers + REG_QUEUE_SIZE, VIRTIO_QUEUE);
    write32(registers + REG_DESCRIPTORS, (uint32_t)(uintptr_t)device->descriptors);
    write32(registers + REG_DESCRIPTORS + 4, 0);
    write32(registers + REG_AVAILABLE, (uint32_t)(uintptr_t)&device->available);
    write32(registers + REG_AVAILABLE + 4, 0);
    write32(registers + REG_USED, (uint32_t)(uintptr_t)&device->used);
    write32(registers + REG_USED + 4, 0);
    write32(registers + REG_QUEUE_READY, 1);
    write32(registers + REG_STATUS, 1 | 2 | 8 | 4);
    write32(PLIC + 4 * device->interrupt, 1);
    write32(enable, read32(enable) | 1u << device->interrupt);
}

void virtio_offer(struct virtio_device *device, uint16_t head)
{
    device->available.ring[device->available.index % VIRTIO_QUEUE] = head;
    __asm__ volatile("fence" ::: "memory");
    device->available.index++;
    __asm__ volatile("fence" ::: "memory");
    write32(device->registers + REG_NOTIFY, 0);
}

void virtio_acknowledge(struct virtio_device *device)
{
    write32(device->registers + REG_ACKNOWLEDGE, read32(device->registers + REG_INTERRUPT));
    device->interrupts++;
}
