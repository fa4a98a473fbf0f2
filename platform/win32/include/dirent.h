/* dirent.h — instead of mingw-w64's, whose names are not UTF-8. */
#ifndef THAW_PLATFORM_DIRENT_H
#define THAW_PLATFORM_DIRENT_H

#define DIRENT_NAME_MAX 1024

struct dirent {
    char d_name[DIRENT_NAME_MAX];
};

typedef struct folder_reader DIR;

DIR *opendir(const char *path);
struct dirent *readdir(DIR *folder); /* the next call, or closedir, ends what it returned */
int closedir(DIR *folder);

#endif
