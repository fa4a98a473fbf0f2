/* host_memory.h — whether a machine fits into this host, before anything of it is thawed. */
#ifndef THAW_AGENT_VERIFY_HOST_MEMORY_H
#define THAW_AGENT_VERIFY_HOST_MEMORY_H

#include "storage/base/manifest.h"

/* Bytes of address space that a machine may take here: the process's limit, and what pointers of
 * this width reach. */
uint64_t host_memory_limit(void);
/* Bytes of address space that the manifest's machine takes: images, their hashes, and a second view
 * of the largest one, which going back to a mark needs. */
bool host_memory_needed(const struct manifest_parts *parts, uint64_t *out, struct err *err);
/* ERR_NO_MEMORY with both figures if it does not fit. */
bool host_memory_check(const struct manifest_parts *parts, uint64_t limit, struct err *err);

#endif
