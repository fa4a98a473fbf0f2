/* wordcount.c - the example of a payload: counts the words of a file and writes the most frequent
 * ones to another. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 4096, WORD_MAX = 32 };

struct word {
    char text[WORD_MAX];
    int count;
};

static struct word words[WORDS_MAX];
static int word_count;

static void count_word(const char *text)
{
    for (int i = 0; i < word_count; i++) {
        if (strcmp(words[i].text, text) == 0) {
            words[i].count++;
            return;
        }
    }
    if (word_count == WORDS_MAX)
        return;
    snprintf(words[word_count].text, WORD_MAX, "%s", text);
    words[word_count++].count = 1;
}

static void count_file(FILE *file)
{
    char text[WORD_MAX];
    int size = 0;

    for (int c = fgetc(file);; c = fgetc(file)) {
        if (c != EOF && isalpha(c)) {
            if (size < WORD_MAX - 1)
                text[size++] = (char)tolower(c);
            continue;
        }
        text[size] = '\0';
        if (size > 0)
            count_word(text);
        size = 0;
        if (c == EOF)
            return;
    }
}

static int by_count(const void *a, const void *b)
{
    const struct word *x = a, *y = b;

    return x->count != y->count ? y->count - x->count : strcmp(x->text, y->text);
}

int main(int argc, char **argv)
{
    FILE *in = argc == 3 ? fopen(argv[1], "r") : NULL;
    FILE *out = argc == 3 ? fopen(argv[2], "w") : NULL;

    if (in == NULL || out == NULL) {
        fprintf(stderr, "usage: wordcount FILE REPORT\n");
        return 2;
    }
    count_file(in);
    qsort(words, (size_t)word_count, sizeof words[0], by_count);
    for (int i = 0; i < word_count && i < 10; i++)
        fprintf(out, "%s %d\n", words[i].text, words[i].count);
    fclose(in);
    return fclose(out) == 0 ? 0 : 1;
}
