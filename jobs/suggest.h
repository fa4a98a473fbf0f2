/* suggest.h — "did you mean": the nearest of a list of names. */
#ifndef THAW_JOBS_SUGGEST_H
#define THAW_JOBS_SUGGEST_H

#include <stddef.h>

/* How many letters must be inserted, removed, replaced or swapped with a neighbour to turn one word
 * into the other; case, `-` and `_` are no difference. Words over 63 letters are as far apart as
 * can be. */
size_t suggest_distance(const char *a, const char *b);
/* The nearest of `names`, or NULL if none is near enough to be what was meant. */
const char *suggest_name(const char *word, const char *const *names, size_t count);

#endif
