/* store_folder.h — a folder for one test, and a store in it. */
#ifndef THAW_TESTS_STORE_FOLDER_H
#define THAW_TESTS_STORE_FOLDER_H

#include "storage/store.h"

/* A new empty folder; removed, with all in it, by test_folder_remove. Freed by it, too. */
char *test_folder_make(void);
void test_folder_remove(char *path);
/* Opens the store in the folder, made if need be; fails the test if it cannot. */
struct store *test_store_open(const char *path);
/* "folder/a/b" in a buffer that lives until the 8th call after. */
const char *test_path(const char *folder, const char *name);
/* The only file in folder/name that ends so: its path, in memory of its own. */
char *test_only_file(const char *folder, const char *name, const char *suffix);
/* Changes one bit of a file, or cuts it. */
void test_flip_bit(const char *path, uint64_t bit);
void test_cut(const char *path, uint64_t size);

#endif
