/* machine_parameter.c — settings of a machine that a job file gives instead of the machine file. */
#include "jobs/job_keys.h"

#include "jobs/units.h"

#include <string.h>

enum parameter { HARTS, MEMORY, CLOCK, SEED, QUANTUM, ENGINE, COMMAND_LINE, PARAMETERS };

const char *const machine_parameter_names[] = {
    "harts", "memory", "clock", "machine_seed", "machine_quantum", "engine", "command_line"};
const size_t machine_parameter_count = PARAMETERS;

static bool in_range(const char *name, uint64_t value, uint64_t min, uint64_t max, struct err *err)
{
    return (value >= min && value <= max) ||
           err_set(err, ERR_INVALID, "`%s:` is out of range: %llu to %llu", name,
                   (unsigned long long)min, (unsigned long long)max);
}

static bool parse(enum parameter parameter, const char *text, uint64_t *out, struct err *err)
{
    const char *name = machine_parameter_names[parameter];

    switch (parameter) {
    case HARTS:
        return units_number(text, out, err) && in_range(name, *out, 1, MACHINE_FILE_HARTS_MAX, err);
    case MEMORY:
        return units_bytes(text, out, err) &&
               in_range(name, *out, MACHINE_FILE_MEMORY_MIN, MACHINE_FILE_MEMORY_MAX, err) &&
               (*out % MACHINE_FILE_MEMORY_MIN == 0 ||
                err_set(err, ERR_INVALID, "`memory:` is a multiple of 1 MiB"));
    case CLOCK:
        return units_hertz(text, out, err) && in_range(name, *out, 1000000, 100000000000, err);
    case SEED:
        return units_number(text, out, err);
    case QUANTUM:
        return units_instructions(text, out, err) && in_range(name, *out, 1, 1000000000, err);
    case ENGINE:
        return strcmp(text, "interpreter") == 0 ||
               err_set(err, ERR_INVALID, "`engine:` is `interpreter`");
    case COMMAND_LINE:
    case PARAMETERS:
        return true;
    }
    return true;
}

static void set(struct machine_file *file, enum parameter parameter, uint64_t value,
                const char *text)
{
    for (uint32_t i = 0; i < file->board_count; i++) {
        struct machine_board *board = &file->boards[i];

        if (parameter == HARTS)
            board->hart_count = (uint32_t)value;
        else if (parameter == MEMORY)
            board->memory_bytes = value;
        else if (parameter == COMMAND_LINE)
            board->command_line = text;
    }
    if (parameter == CLOCK)
        file->clock_hz = value;
    else if (parameter == SEED)
        file->seed = value;
    else if (parameter == QUANTUM)
        file->quantum = value;
    else if (parameter == ENGINE)
        file->engine = text;
}

bool machine_parameter_set(struct machine_file *file, const char *name, const char *value,
                           struct err *err)
{
    uint64_t number = 0;

    for (unsigned int i = 0; i < PARAMETERS; i++) {
        if (strcmp(name, machine_parameter_names[i]) != 0)
            continue;
        if (!parse((enum parameter)i, value, &number, err))
            return false;
        if (file != NULL)
            set(file, (enum parameter)i, number, value);
        return true;
    }
    return err_set(err, ERR_INVALID, "a machine has no parameter `%.60s`", name);
}
