#include "tests/support/base_test.h"

#include "storage/base/check.h"
#include "storage/base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEX_BYTES_MAX (1u << 20)

void base_ok(bool ok, const struct err *err, const char *call, const char *file, int line)
{
    if (ok)
        return;
    print_error("%s: %s: %s\n", call, err_kind_name(err->kind), err->text);
    _fail(file, line);
}

void base_fails(bool ok, const struct err *err, enum err_kind kind, const char *part,
                const char *call, const char *file, int line)
{
    if (!ok && err->kind == kind && strstr(err->text, part) != NULL)
        return;
    if (ok)
        print_error("%s: succeeded\n", call);
    else
        print_error("%s: %s: %s\n", call, err_kind_name(err->kind), err->text);
    print_error("expected: %s: …%s…\n", err_kind_name(kind), part);
    _fail(file, line);
}

static int digit_value(char digit)
{
    const char *digits = "0123456789abcdef";
    const char *at = digit == 0 ? NULL : strchr(digits, digit);

    return at == NULL ? -1 : (int)(at - digits);
}

struct buf base_hex(const char *digits)
{
    struct buf bytes = BUF_INIT(HEX_BYTES_MAX);
    struct err err = ERR_INIT;

    while (*digits != 0) {
        int high, low;
        uint8_t byte;
        if (*digits == ' ' || *digits == ',') {
            digits++;
            continue;
        }
        high = digit_value(digits[0]);
        low = digit_value(digits[1]);
        CHECK(high >= 0 && low >= 0);
        byte = (uint8_t)(high << 4 | low);
        CHECK(buf_append(&bytes, &byte, 1, &err));
        digits += 2;
    }
    return bytes;
}

void base_assert_hex(struct span bytes, const char *digits)
{
    struct buf expected = base_hex(digits);

    assert_int_equal(bytes.size, expected.size);
    if (bytes.size != 0)
        assert_memory_equal(bytes.data, expected.data, bytes.size);
    buf_release(&expected);
}

char *base_folder_make(void)
{
    const char *parent = getenv("TMPDIR");
    char *path = path_join(parent != NULL ? parent : "/tmp", "thaw-test-XXXXXX");

    CHECK(mkdtemp(path) != NULL);
    CHECK(chmod(path, 0755) == 0);
    return path;
}

void base_folder_remove(char *path)
{
    struct err err = ERR_INIT;

    BASE_OK(file_remove(path, &err), &err);
    mem_free(path);
}

uint64_t base_random(uint64_t *state)
{
    uint64_t mixed;

    *state += UINT64_C(0x9e3779b97f4a7c15);
    mixed = *state;
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ mixed >> 31;
}
