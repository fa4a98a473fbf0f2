/* object.h — one piece of the simulated machine, in a tree with paths: "board0.uart0".
 *
 * Objects belong to their machine, live as long as it, and never move. Their order in the machine
 * is the order of creation and is part of the architecture (it breaks ties between events). */
#ifndef THAW_SIM_CORE_OBJECT_H
#define THAW_SIM_CORE_OBJECT_H

#include "sim/core/schema.h"

#define OBJECT_PATH_MAX   128
#define OBJECT_LINKS_MAX  16
#define OBJECT_IMAGES_MAX 4

struct object {
    char path[OBJECT_PATH_MAX]; /* names [a-z0-9_-]+ joined by '.' */
    uint32_t index;             /* place in the machine */
    const struct model *model;
    struct machine *machine;
    void *config;                           /* the schema's config struct, heap */
    void *state;                            /* the schema's state struct, heap, 64-byte aligned */
    /* in the order of the schema's slots; NULL if optional */
    struct object *links[OBJECT_LINKS_MAX];
    struct image *images[OBJECT_IMAGES_MAX]; /* in the order of the schema's slots */
    void *host;                             /* the model's own; rebuilt, never saved */
};

#endif
