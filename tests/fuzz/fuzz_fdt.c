/* Any bytes as a flattened device tree: refused, or one in which look-ups stay inside. */
#include "sim/board/fdt.h"
#include "storage/base/check.h"
#include "tests/fuzz/fuzz.h"

static void look_up(struct span tree, const char *path, const char *property)
{
    struct span found;

    if (fdt_find(tree, path, property, &found))
        CHECK(found.data >= tree.data && found.size <= tree.size &&
              found.data + found.size <= tree.data + tree.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span tree = {data, size};
    struct err err = ERR_INIT;

    if (!fdt_check(tree, &err)) {
        CHECK(err.kind != ERR_NONE);
        return 0;
    }
    look_up(tree, "/", "compatible");
    look_up(tree, "/chosen", "bootargs");
    look_up(tree, "/soc/serial@10000000", "reg");
    look_up(tree, "/cpus/cpu@0/interrupt-controller", "phandle");
    return 0;
}
