/* bag.h — the inside of upgrade.h's attr_bag: decoded values under their names, for loading. */
#ifndef THAW_SIM_CORE_BAG_H
#define THAW_SIM_CORE_BAG_H

#include "sim/core/upgrade.h"

/* Reads one map {name: value} as attr_save writes it. The bag is heap; free it with
 * attr_bag_free. */
bool attr_bag_read(struct cbor_reader *reader, struct attr_bag **out);
/* Writes it back, in deterministic order. */
void attr_bag_write(const struct attr_bag *bag, struct cbor_writer *writer);
void attr_bag_free(struct attr_bag *bag);

#endif
