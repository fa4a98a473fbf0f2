/* words.h — a command as text, such as people give for an emulator or a host: words separated by
 * blanks. What stands between two ' or two " belongs to one word whatever it holds; nothing else is
 * special (paths of Windows have backslashes, and no variable is looked up). */
#ifndef THAW_STORAGE_BASE_WORDS_H
#define THAW_STORAGE_BASE_WORDS_H

#include "storage/base/buf.h"

/* `list` is the caller's, of `room` places; `count` of them point into the text that was split. */
struct words {
    char **list;
    size_t room, count;
};

/* Appends the words of `text`, which is changed. ERR_USAGE, with `what` the text is, if a quote is
 * not closed; ERR_TOO_BIG if there is no room for a word. */
bool words_split(char *text, const char *what, struct words *words, struct err *err);
/* Appends a blank, unless `text` is empty, and `word`, quoted where words_split would cut it. */
bool words_join(struct buf *text, const char *word, struct err *err);

#endif
