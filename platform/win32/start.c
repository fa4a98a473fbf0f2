/* Before main: words of UTF-8, streams of bytes, a console that knows UTF-8 and colours. */
#include "platform/win32/win32.h"

#include <fcntl.h>
#include <io.h>
#include <shellapi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef ENABLE_VIRTUAL_TERMINAL_PROCESSING
#define ENABLE_VIRTUAL_TERMINAL_PROCESSING 0x0004
#endif

char **thaw_environ; /* posix_spawnp hands on the program's own, whatever it is given */

int __real_main(int argc, char **argv);
int __wrap_main(int argc, char **argv);

int setenv(const char *name, const char *value, int replace)
{
    if (!replace && getenv(name) != NULL)
        return 0;
    return _putenv_s(name, value) == 0 ? 0 : -1;
}

static void prepare_stream(int fd, DWORD kind)
{
    HANDLE handle = GetStdHandle(kind);
    DWORD mode;

    (void)_setmode(fd, _O_BINARY);
    if (fd != 0 && GetConsoleMode(handle, &mode))
        (void)SetConsoleMode(handle, mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING);
}

static void name_home(void)
{
    wchar_t wide[WIDE_MAX];
    char home[4 * WIDE_MAX];
    DWORD size = GetEnvironmentVariableW(L"USERPROFILE", wide, WIDE_MAX);

    if (size != 0 && size < WIDE_MAX && narrow_path(wide, home, sizeof home))
        (void)setenv("HOME", home, 0);
}

int __wrap_main(int argc, char **argv)
{
    int count = 0;
    wchar_t **words = CommandLineToArgvW(GetCommandLineW(), &count);
    char **texts = calloc((size_t)count + 1, sizeof *texts);

    prepare_stream(0, STD_INPUT_HANDLE);
    prepare_stream(1, STD_OUTPUT_HANDLE);
    prepare_stream(2, STD_ERROR_HANDLE);
    _fmode = _O_BINARY;
    (void)SetConsoleOutputCP(CP_UTF8);
    (void)setvbuf(stderr, NULL, _IONBF, 0);
    name_home();
    (void)_putenv_s("THAW_EMULATOR",
                    ""); /* what runs this starts others too, without being asked */
    for (int i = 0; words != NULL && texts != NULL && i < count; i++) {
        int size = WideCharToMultiByte(CP_UTF8, 0, words[i], -1, NULL, 0, NULL, NULL);
        texts[i] = size > 0 ? malloc((size_t)size) : NULL;
        if (texts[i] == NULL)
            return __real_main(argc, argv);
        (void)WideCharToMultiByte(CP_UTF8, 0, words[i], -1, texts[i], size, NULL, NULL);
    }
    return words != NULL && texts != NULL ? __real_main(count, texts) : __real_main(argc, argv);
}
