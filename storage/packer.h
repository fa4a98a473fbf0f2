/* packer.h — makes one pack out of frames, compressing on threads of its own while the caller goes
 * on. Frames stand in the pack in the order they were given, so the pack's bytes do not depend on
 * the threads. Private to storage/. */
#ifndef THAW_STORAGE_PACKER_H
#define THAW_STORAGE_PACKER_H

#include "storage/directory.h"

struct packer; /* opaque; used by one thread at a time */
struct packer *packer_new(struct directory *directory);
/* Takes the frame (from packer_frame) and adds it to the pack in the background. Bases are fetched
 * there; a frame whose bases cannot be read is stored in full. Waits while too many are under way.
 * False after any error so far; the frame is taken all the same. */
bool packer_add(struct packer *packer, struct frame *frame, struct err *err);
/* An empty frame to fill. */
struct frame *packer_frame(struct packer *packer);
void packer_drop_frame(struct packer *packer, struct frame *frame);
/* Waits for all frames, and puts the pack, durable, in its place; none if there was no frame. */
bool packer_keep(struct packer *packer, struct err *err);
/* The name of the pack that was kept; "" for none. */
const char *packer_name(const struct packer *packer);
/* Waits, frees, and removes what was not kept. NULL is fine. */
void packer_free(struct packer *packer);

#endif
