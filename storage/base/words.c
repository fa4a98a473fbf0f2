#include "storage/base/words.h"

#include <string.h>

/* Takes a word's quotes away. Returns what is behind the word, or NULL: a quote is not closed. */
static char *take_word(char *word)
{
    const char *from = word;
    char quote = 0;

    for (; *from != 0 && (quote != 0 || *from != ' '); from++)
        if (quote == 0 && (*from == '\'' || *from == '"'))
            quote = *from;
        else if (*from == quote)
            quote = 0;
        else
            *word++ = *from;
    if (quote != 0)
        return NULL;
    from += *from != 0;
    *word = 0; /* never beyond the blank that was just passed */
    return (char *)(uintptr_t)from;
}

bool words_split(char *text, const char *what, struct words *words, struct err *err)
{
    while (*(text += strspn(text, " ")) != 0) {
        char *word = text;
        if (words->count == words->room)
            return err_set(err, ERR_TOO_BIG, "%s has more than %zu words", what, words->room);
        text = take_word(word);
        if (text == NULL)
            return err_set(err, ERR_USAGE, "%s has a quote that is not closed", what);
        words->list[words->count++] = word;
    }
    return true;
}

static bool append_quoted(struct buf *text, char quote, struct span bytes, struct err *err)
{
    return buf_append(text, &quote, 1, err) && buf_append(text, bytes.data, bytes.size, err) &&
           buf_append(text, &quote, 1, err);
}

bool words_join(struct buf *text, const char *word, struct err *err)
{
    bool ok = text->size == 0 || buf_append(text, " ", 1, err);

    if (*word != 0 && strpbrk(word, " '\"") == NULL)
        return ok && buf_append(text, word, strlen(word), err);
    do { /* pieces without a ', and between them those that are nothing but ' */
        size_t size = strcspn(word, "'"), marks = strspn(word + size, "'");
        ok = ok && append_quoted(text, '\'', (struct span){(const uint8_t *)word, size}, err);
        word += size;
        if (marks != 0)
            ok = ok && append_quoted(text, '"', (struct span){(const uint8_t *)word, marks}, err);
        word += marks;
    } while (ok && *word != 0);
    return ok;
}
