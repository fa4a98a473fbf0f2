/* farm_guest.h — a store with the smallest guests there are, and jobs for them: what tests of the
 * farm run, in microseconds and without a cross compiler. */
#ifndef THAW_TESTS_SUPPORT_FARM_GUEST_H
#define THAW_TESTS_SUPPORT_FARM_GUEST_H

#include "jobs/job_spec.h"
#include "storage/store.h"

struct farm_guest {
    char *folder; /* of the test; the store is in it */
    char *store_path;
    struct store *store;
    struct hash ticker; /* blob: an ELF that prints "tick" for ever */
    struct hash finish; /* blob: an ELF that ends the machine with status 0 */
    struct hash fault;  /* blob: one that ends it with status 7 */
    struct hash booted; /* checkpoint of the ticker; zero until farm_guest_boot */
};

void farm_guest_open(struct farm_guest *guest);
void farm_guest_close(struct farm_guest *guest);
/* Freezes the ticker after some ticks, in this process. */
void farm_guest_boot(struct farm_guest *guest);

/* Specs as blobs of the store. */
struct hash farm_spec_steps(struct farm_guest *guest, const struct console_step *steps,
                            size_t count);
/* Waits for so many instructions: from a few to for ever. */
struct hash farm_spec_wait(struct farm_guest *guest, uint64_t instructions);
/* The ELF on a fresh board, until it ends. */
struct hash farm_spec_elf(struct farm_guest *guest, const struct hash *elf);
/* Boots the ticker until `instructions` have passed. */
struct hash farm_spec_boot(struct farm_guest *guest, uint64_t instructions);

#endif
