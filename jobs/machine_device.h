/* machine_device.h — the parts of a machine file that other files hold too; private to jobs/. */
#ifndef THAW_JOBS_MACHINE_DEVICE_H
#define THAW_JOBS_MACHINE_DEVICE_H

#include "jobs/paths.h"

/* `devices:`, `job_disk:` and `result_disk:` of a board. */
void machine_devices_read(struct yaml_map *map, const struct path_reader *reader,
                          struct machine_file *file, struct machine_board *board);
/* True for the names of a board's own parts, such as `ram` and `hart0`: no device can have them. */
bool machine_device_is_of_board(const char *name);
bool machine_name_check(struct yaml *yaml, const struct yaml_node *node, const char *name);
/* `limits:`; what is absent keeps its value. */
void machine_limits_read(struct yaml_map *map, struct test_limits *limits);
/* `monitors:`, a list of names of pattern sets and of `{pattern:, title:}`. */
void machine_monitors_read(struct yaml_map *map, const struct monitor_choice **out,
                           uint32_t *count);

#endif
