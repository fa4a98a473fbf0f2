/* exchange_place.h — where the parts of a store are. Private to storage/exchange.c and intake.c. */
#ifndef THAW_STORAGE_EXCHANGE_PLACE_H
#define THAW_STORAGE_EXCHANGE_PLACE_H

#include "storage/exchange.h"

/* ERR_USAGE for a name of another form. */
bool exchange_check_name(enum exchange_kind kind, const char *name, struct err *err);
/* In memory of the caller's; the name has been checked. */
char *exchange_path(struct store *store, enum exchange_kind kind, const char *name);

#endif
