/* Landlock by its system calls: the C library has no functions for them, and older kernel headers
 * lack the newer constants. Kernel documentation: userspace-api/landlock. */
#include "agent/farm/confine_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule       445
#define SYS_landlock_restrict_self  446
#endif

#define CREATE_VERSION 1u /* flag of create_ruleset: only say the version */
#define RULE_PATH      1
#define FS_WRITE_FILE  (UINT64_C(1) << 1)
#define FS_READ_FILE   (UINT64_C(1) << 2)
#define FS_READ_DIR    (UINT64_C(1) << 3)
#define FS_REMOVE_DIR  (UINT64_C(1) << 4)
#define FS_REMOVE_FILE (UINT64_C(1) << 5)
#define FS_MAKE_DIR    (UINT64_C(1) << 7)
#define FS_MAKE_REG    (UINT64_C(1) << 8)
#define FS_FIRST       ((UINT64_C(1) << 13) - 1) /* all of version 1 */
#define FS_REFER       (UINT64_C(1) << 13)       /* version 2: links and moves between folders */
#define FS_TRUNCATE    (UINT64_C(1) << 14)       /* version 3 */
#define FS_IOCTL       (UINT64_C(1) << 15)       /* version 5 */
#define NET_ALL        UINT64_C(3)               /* version 4: TCP bind and connect */
#define SCOPE_ALL      UINT64_C(3)               /* version 6: abstract sockets, signals */

struct ruleset {
    uint64_t files;
    uint64_t network;
    uint64_t scopes;
};

struct path_rule {
    uint64_t allowed;
    int32_t fd;
} __attribute__((packed));

int landlock_version(void)
{
    int version = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION);

    return version > 0 ? version : 0;
}

static struct ruleset ruleset_of(int version, size_t *size)
{
    struct ruleset rules = {.files = FS_FIRST};

    *size = sizeof rules.files;
    if (version >= 2)
        rules.files |= FS_REFER;
    if (version >= 3)
        rules.files |= FS_TRUNCATE;
    if (version >= 5)
        rules.files |= FS_IOCTL;
    if (version >= 4) {
        rules.network = NET_ALL;
        *size += sizeof rules.network;
    }
    if (version >= 6) {
        rules.scopes = SCOPE_ALL;
        *size += sizeof rules.scopes;
    }
    return rules;
}

static bool allow(int ruleset, const char *path, uint64_t wanted, struct err *err)
{
    struct path_rule rule = {wanted, open(path, O_PATH | O_CLOEXEC)};
    struct stat info;
    bool ok;

    if (rule.fd < 0)
        return err_set_errno(err, errno, "cannot give a worker %s", path);
    if (fstat(rule.fd, &info) == 0 && !S_ISDIR(info.st_mode))
        rule.allowed &= FS_READ_FILE | FS_WRITE_FILE | FS_TRUNCATE;
    ok = syscall(SYS_landlock_add_rule, ruleset, RULE_PATH, &rule, 0) == 0 ||
         err_set_errno(err, errno, "cannot give a worker %s", path);
    close(rule.fd);
    return ok;
}

static bool add_rules(int ruleset, uint64_t handled, const struct confine_rules *rules,
                      struct err *err)
{
    for (size_t i = 0; i < rules->readable_count; i++)
        if (!allow(ruleset, rules->readable[i], FS_READ_FILE | FS_READ_DIR, err))
            return false;
    if (rules->writable == NULL)
        return true;
    return allow(ruleset, rules->writable,
                 handled & (FS_READ_FILE | FS_READ_DIR | FS_WRITE_FILE | FS_REMOVE_DIR |
                            FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG | FS_REFER | FS_TRUNCATE),
                 err);
}

bool landlock_enter(int version, const struct confine_rules *rules, struct err *err)
{
    size_t size;
    struct ruleset attributes = ruleset_of(version, &size);
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, size, 0);
    bool ok;

    if (ruleset < 0)
        return err_set_errno(err, errno, "cannot make a Landlock rule set");
    ok = add_rules(ruleset, attributes.files, rules, err);
    if (ok && syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
        ok = err_set_errno(err, errno, "cannot enter a Landlock rule set");
    close(ruleset);
    return ok;
}
