/* build.h — a machine from a machine file: reads the files it names and puts the boards together.
 */
#ifndef THAW_AGENT_BUILD_H
#define THAW_AGENT_BUILD_H

#include "jobs/machine_file.h"
#include "sim/core/machine.h"

#define BUILD_SOFTWARE_MAX (UINT64_C(1) << 30)  /* bytes of a firmware, kernel or initrd */
#define BUILD_JOB_DISK     (UINT64_C(64) << 20) /* room for a payload, when the file names none */

/* The machine, opened and reset; machine_free it. Errors name the file that is missing or wrong. */
bool build_machine(const struct registry *registry, const struct machine_file *file,
                   struct machine **out, struct err *err);

#endif
