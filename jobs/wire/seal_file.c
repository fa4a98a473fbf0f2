/* Keys in files and as text. */
#include "jobs/wire/seal.h"
#include "storage/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADER       "thaw key 1\n"
#define KEY_FILE_MAX 256

struct seal_key_hex seal_key_hex(const uint8_t public_key[SEAL_KEY_SIZE])
{
    struct seal_key_hex hex;

    sodium_bin2hex(hex.text, sizeof hex.text, public_key, SEAL_KEY_SIZE);
    return hex;
}

/* Exactly 2 * SEAL_KEY_SIZE hex digits at `text`. */
static bool parse_hex(const char *text, uint8_t out[SEAL_KEY_SIZE])
{
    uint8_t bytes[SEAL_KEY_SIZE];
    size_t size;
    bool ok =
        sodium_hex2bin(bytes, sizeof bytes, text, 2 * SEAL_KEY_SIZE, NULL, &size, NULL) == 0 &&
        size == SEAL_KEY_SIZE;

    if (ok)
        memcpy(out, bytes, sizeof bytes);
    seal_wipe(bytes, sizeof bytes);
    return ok;
}

bool seal_key_parse(const char *text, uint8_t public_key[SEAL_KEY_SIZE], struct err *err)
{
    if (strlen(text) != 2 * SEAL_KEY_SIZE || !parse_hex(text, public_key))
        return err_set(err, ERR_INVALID, "a public key is %d hex digits", 2 * SEAL_KEY_SIZE);
    return true;
}

/* A temporary file beside it that was never readable by others, then its name. */
static bool write_private(const char *path, const char *temporary, struct span text,
                          struct err *err)
{
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool ok;

    if (fd < 0)
        return err_set_errno(err, errno, "%s", temporary);
    ok = file_write_all(fd, text, temporary, err) &&
         (fsync(fd) == 0 || err_set_errno(err, errno, "%s", temporary));
    close(fd);
    ok = ok && (rename(temporary, path) == 0 || err_set_errno(err, errno, "%s", path));
    if (!ok)
        unlink(temporary);
    return ok;
}

static bool sync_folder_of(const char *path, struct err *err)
{
    const char *slash = strrchr(path, '/');
    char *folder = mem_text(slash == NULL ? "." : path);
    bool ok;

    if (slash != NULL)
        folder[slash == path ? 1 : slash - path] = 0;
    ok = folder_sync(folder, err);
    mem_free(folder);
    return ok;
}

bool seal_keys_save(const struct seal_keys *keys, const char *path, struct err *err)
{
    struct seal_key_hex public_hex = seal_key_hex(keys->public_key);
    struct seal_key_hex secret_hex = seal_key_hex(keys->secret_key);
    struct buf text = BUF_INIT(KEY_FILE_MAX), temporary = BUF_INIT(1u << 16);
    bool ok =
        buf_format(&text, err, HEADER "public %s\nsecret %s\n", public_hex.text, secret_hex.text) &&
        buf_format(&temporary, err, "%s.new", path) && buf_append(&temporary, "", 1, err);

    if (ok) {
        unlink((const char *)temporary.data); /* left over from a crash */
        ok = write_private(path, (const char *)temporary.data, buf_span(&text), err) &&
             sync_folder_of(path, err);
    }
    seal_wipe(&secret_hex, sizeof secret_hex);
    if (text.data != NULL)
        seal_wipe(text.data, text.size);
    buf_release(&text);
    buf_release(&temporary);
    return ok || err_wrap(err, "key file");
}

static bool read_private(const char *path, char text[KEY_FILE_MAX], size_t *size, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    bool ok = false;

    if (fd < 0)
        return err_set_errno(err, errno, "%s", path);
    if (fstat(fd, &status) != 0) {
        err_set_errno(err, errno, "%s", path);
    } else if (!S_ISREG(status.st_mode) || status.st_size >= KEY_FILE_MAX) {
        err_set(err, ERR_INVALID, "%s is not a key file", path);
    } else if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        err_set(err, ERR_ACCESS, "%s can be used by others than its owner (mode %03o): chmod 600",
                path, (unsigned)status.st_mode & 0777u);
    } else {
        *size = (size_t)status.st_size;
        ok = file_read_at(fd, text, *size, 0, path, err);
    }
    close(fd);
    return ok;
}

static bool parse_keys(const char *text, size_t size, struct seal_keys *out)
{
    static const char lines[] = HEADER "public ";
    const size_t digits = 2 * SEAL_KEY_SIZE;
    const size_t public_at = sizeof lines - 1, secret_at = public_at + digits + strlen("\nsecret ");
    uint8_t derived[SEAL_KEY_SIZE];

    if (size != secret_at + digits + 1 || memcmp(text, lines, public_at) != 0 ||
        memcmp(text + public_at + digits, "\nsecret ", strlen("\nsecret ")) != 0 ||
        text[size - 1] != '\n' || !parse_hex(text + public_at, out->public_key) ||
        !parse_hex(text + secret_at, out->secret_key))
        return false;
    return crypto_scalarmult_base(derived, out->secret_key) == 0 &&
           memcmp(derived, out->public_key, SEAL_KEY_SIZE) == 0;
}

bool seal_keys_load(const char *path, struct seal_keys *keys, struct err *err)
{
    struct seal_keys loaded;
    char text[KEY_FILE_MAX];
    size_t size = 0;
    bool ok;

    if (sodium_init() < 0)
        return err_set(err, ERR_IO, "libsodium cannot be used on this host");
    if (!read_private(path, text, &size, err))
        return err_wrap(err, "key file");
    ok = parse_keys(text, size, &loaded);
    if (ok)
        *keys = loaded;
    seal_wipe(text, sizeof text);
    seal_wipe(&loaded, sizeof loaded);
    return ok || err_set(err, ERR_INVALID, "%s is not a key file, or it is damaged", path);
}
