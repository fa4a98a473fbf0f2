/* payload.h — files in and out of a guest: tar archives (POSIX ustar, pax extended headers read) as
 * the content of the job disk and of the result disk.
 *
 * Writing is deterministic: the same files give the same bytes on every host. Entries are sorted,
 * owned by root, dated PAYLOAD_MTIME, with mode 0755 (folders, and files that anyone may execute)
 * or 0644.
 *
 * Reading takes what a guest wrote, which may be hostile: sizes are bounded before memory or disk
 * is asked for, checksums are checked, names must be plain relative paths. Nothing is ever written
 * outside the folder given, through a link, or over an existing file; links, devices and pipes are
 * skipped and counted.
 *
 * | offset | size | ustar header field                                  |
 * |--------|------|-----------------------------------------------------|
 * | 0      | 100  | name                                                |
 * | 100    | 8    | mode, octal                                         |
 * | 108    | 8+8  | uid, gid                                            |
 * | 124    | 12   | size                                                |
 * | 136    | 12   | mtime                                               |
 * | 148    | 8    | checksum: sum of the header's bytes, this as blanks |
 * | 156    | 1    | type: '0' or NUL file, '5' folder, 'x' pax, 'L' GNU long name, … |
 * | 157    | 100  | link target                                         |
 * | 257    | 8    | "ustar" NUL "00" (GNU: "ustar  " NUL)               |
 * | 345    | 155  | prefix of the name                                  | */
#ifndef THAW_JOBS_PAYLOAD_H
#define THAW_JOBS_PAYLOAD_H

#include "jobs/pool.h"

#define PAYLOAD_MTIME       UINT64_C(1767225600) /* 2026-01-01T00:00:00Z */
#define PAYLOAD_BLOCK       512u
#define PAYLOAD_BYTES_MAX   (UINT64_C(1) << 30) /* of an archive */
#define PAYLOAD_ENTRIES_MAX 20000
#define PAYLOAD_PATH_MAX    255
#define PAYLOAD_DEPTH_MAX   32

/* One file or folder to be written. */
struct payload_entry {
    const char *path; /* in the archive, relative */
    struct span content;
    bool folder;
    bool executable;
};

/* Writes an archive of entries (in any order; sorted here, a repeated path is ERR_INVALID), padded
 * to a multiple of PAYLOAD_BLOCK with the two final blocks. `out->max` bounds it. */
bool payload_write(const struct payload_entry *entries, size_t count, struct buf *out,
                   struct err *err);

/* Collects host files and folders as `payload:` names them: a file comes as its own name, a folder
 * as what is in it. Symbolic links are followed at the top and refused inside; other kinds are
 * refused. */
bool payload_from_host(const char *const *paths, size_t count, struct buf *out, struct err *err);

/* An entry read. Spans and path are valid until the next call. */
struct payload_item {
    const char *path; /* checked: relative, no empty, `.` or `..` parts, no control characters */
    struct span content;
    bool folder;
    bool executable;
};
struct payload_reader {
    struct span bytes; /* borrowed */
    /* private: */
    uint64_t offset;
    uint32_t entry_count;
    uint32_t skipped; /* entries that are neither file nor folder */
    char path[PAYLOAD_PATH_MAX + 1];
    char next_path[PAYLOAD_PATH_MAX + 1]; /* from a pax or GNU header, for the entry that follows */
    bool has_next_path;
};
struct payload_reader payload_reader(struct span bytes);
/* Reads the next file or folder. False at the end, with err->kind ERR_NONE, or with an error:
 * ERR_INVALID, ERR_CORRUPT (cut short, checksum), ERR_TOO_BIG. A disk of zeros is an archive
 * without entries. */
bool payload_next(struct payload_reader *reader, struct payload_item *out, struct err *err);
/* Where the archive ends, in bytes: what of a result disk is worth keeping. */
bool payload_size(struct span bytes, uint64_t *out, struct err *err);

/* Writes all files under the folder, which is made if need be and must be empty or new. All names
 * and sizes are checked before the first file is written. `files` (may be NULL) counts what was
 * written, `skipped` what was not. */
bool payload_to_host(struct span bytes, const char *folder, uint32_t *files, uint32_t *skipped,
                     struct err *err);

#endif
