#include "jobs/suggest.h"

#include <string.h>

#define WORD_MAX 63

static char folded(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (char)(c - 'A' + 'a');
    return c == '-' || c == ' ' ? '_' : c;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Damerau and Levenshtein, with three rows: this one, the one before, and the one before that. */
size_t suggest_distance(const char *a, const char *b)
{
    size_t rows[3][WORD_MAX + 1];
    size_t *before = rows[0], *last = rows[1], *row = rows[2];
    size_t a_size = strlen(a), b_size = strlen(b);

    if (a_size > WORD_MAX || b_size > WORD_MAX)
        return WORD_MAX;
    for (size_t j = 0; j <= b_size; j++)
        last[j] = j;
    memcpy(before, last, sizeof rows[0]);
    for (size_t i = 1; i <= a_size; i++) {
        size_t *free_row = before;

        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            size_t cost = folded(a[i - 1]) == folded(b[j - 1]) ? 0 : 1;

            row[j] = least(least(last[j], row[j - 1]) + 1, last[j - 1] + cost);
            if (i > 1 && j > 1 && folded(a[i - 1]) == folded(b[j - 2]) &&
                folded(a[i - 2]) == folded(b[j - 1]))
                row[j] = least(row[j], before[j - 2] + 1);
        }
        before = last;
        last = row;
        row = free_row;
    }
    return last[b_size];
}

const char *suggest_name(const char *word, const char *const *names, size_t count)
{
    size_t nearest = strlen(word) / 3 + 1;
    const char *found = NULL;

    if (nearest > 3)
        nearest = 3;
    for (size_t i = 0; i < count; i++) {
        size_t distance = suggest_distance(word, names[i]);

        /* Nothing in common is no suggestion, however short the words. */
        if (distance > nearest || distance >= strlen(names[i]) || distance >= strlen(word))
            continue;
        if (found == NULL || distance < nearest) {
            nearest = distance;
            found = names[i];
        }
    }
    return found;
}
