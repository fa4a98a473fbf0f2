#include "jobs/utf8.h"

size_t utf8_read(struct span bytes, uint32_t *out)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t first = bytes.data[0];
    size_t size;
    uint32_t c;

    if (first < 0x80) {
        *out = first;
        return 1;
    }
    size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || bytes.size < size)
        return 0;
    c = first & (0x7fu >> size);
    for (size_t i = 1; i < size; i++) {
        if ((bytes.data[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (bytes.data[i] & 0x3fu);
    }
    if (c < least[size] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *out = c;
    return size;
}

size_t utf8_valid_size(struct span bytes)
{
    size_t at = 0;

    while (at < bytes.size) {
        uint32_t c;
        size_t size = utf8_read((struct span){bytes.data + at, bytes.size - at}, &c);

        if (size == 0)
            break;
        at += size;
    }
    return at;
}

struct range {
    uint32_t first, last;
};

static bool in_ranges(const struct range *ranges, size_t count, uint32_t c)
{
    for (size_t i = 0; i < count; i++) {
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    }
    return false;
}

unsigned int utf8_width(uint32_t c)
{
    static const struct range zero[] = {
        {0x0000, 0x001f}, {0x007f, 0x009f},   {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd},
        {0x0610, 0x061a}, {0x064b, 0x065f},   {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x200b, 0x200f},
        {0x202a, 0x202e}, {0x2060, 0x2064},   {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f},
        {0xfeff, 0xfeff}, {0xe0100, 0xe01ef},
    };
    static const struct range wide[] = {
        {0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0x33ff},   {0x3400, 0x4dbf},
        {0x4e00, 0x9fff},   {0xa000, 0xa4cf},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},
        {0xfe30, 0xfe4f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},   {0x1f300, 0x1f64f},
        {0x1f680, 0x1f6ff}, {0x1f900, 0x1faff}, {0x20000, 0x3fffd},
    };

    if (in_ranges(zero, sizeof zero / sizeof zero[0], c))
        return 0;
    return in_ranges(wide, sizeof wide / sizeof wide[0], c) ? 2 : 1;
}

size_t utf8_text_width(struct span text)
{
    size_t width = 0;

    for (size_t at = 0; at < text.size;) {
        uint32_t c = '?';
        size_t size = utf8_read((struct span){text.data + at, text.size - at}, &c);

        width += size == 0 ? 1 : utf8_width(c);
        at += size == 0 ? 1 : size;
    }
    return width;
}
