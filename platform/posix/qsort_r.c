/* qsort_r for hosts without it: an insertion into what is sorted, place found by halving. Stable.
 */
#include <stdlib.h>
#include <string.h>

void qsort_r(void *base, size_t count, size_t size,
             int (*compare)(const void *, const void *, void *), void *context);

void qsort_r(void *base, size_t count, size_t size,
             int (*compare)(const void *, const void *, void *), void *context)
{
    char *items = base, *one = malloc(size > 0 ? size : 1);

    if (one == NULL)
        abort();
    for (size_t i = 1; i < count; i++) {
        size_t low = 0, high = i;
        memcpy(one, items + i * size, size);
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            if (compare(one, items + middle * size, context) < 0)
                high = middle;
            else
                low = middle + 1;
        }
        memmove(items + (low + 1) * size, items + low * size, (i - low) * size);
        memcpy(items + low * size, one, size);
    }
    free(one);
}
