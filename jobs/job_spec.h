/* job_spec.h — one job, resolved and self-contained: all that an agent must know to run it, but for
 * the checkpoint, which comes with the grant (it may not be booted yet).
 *
 * Files are not in a spec: they are blobs, named here by their content's SHA-256 and fetched from
 * the store. Where a test or a machine has a path, a spec has the name of one of its blobs, and
 * nothing else: a decoded spec cannot name a file of the host. Whoever runs it puts the blobs
 * somewhere and tells the spec with job_spec_place.
 *
 * | blob's name       | content                                                            |
 * |-------------------|--------------------------------------------------------------------|
 * | `payload`         | a tar (payload.h) for the job disk: test.payload[0], count 1       |
 * | `elf`             | the bare-metal program: test.elf                                   |
 * | `disk.NAME`       | new content of the disk NAME: test.disks[].file                    |
 * | `script`          | requests of `thaw verify`: test.script                             |
 * | `BOARD.firmware`, `BOARD.kernel`, `BOARD.initrd`, `BOARD.elf` | of a boot              |
 * | `BOARD.disk.NAME` | first content of a disk, of a boot                                 |
 *
 * The encoding is deterministic CBOR (cbor.h): a map with integer keys, ascending, where a zero, an
 * empty list and a missing text are left out. So the same job has the same bytes, and keys to come
 * leave the hashes of jobs that do not use them as they are. A reader that meets a key it does not
 * know refuses (ERR_UNSUPPORTED): what it cannot understand it cannot run.
 *
 * spec hash = SHA-256 of the encoding. Job key = SHA-256("thaw job key 1" 00 spec-hash checkpoint).
 * The boot key of a checkpoint that is to be booted is the spec hash of its JOB_BOOT spec, which
 * holds no suite and no name of a job, so that equal inputs are booted once for the whole farm. */
#ifndef THAW_JOBS_JOB_SPEC_H
#define THAW_JOBS_JOB_SPEC_H

#include "jobs/job_file.h"
#include "storage/base/hash.h"

#define JOB_SPEC_BYTES_MAX (2u << 20)
#define JOB_SPEC_BLOBS_MAX 96
#define JOB_BLOB_NAME_MAX  80
#define JOB_SPEC_TEXT_MAX  65536 /* bytes of one text */

enum job_kind { JOB_TEST, JOB_BOOT };
/* "test", "boot". */
const char *job_kind_name(enum job_kind kind);

struct job_blob {
    const char *name; /* see the table */
    struct hash hash;
    uint64_t size; /* bytes */
};

struct job_spec {
    enum job_kind kind;
    const char *suite; /* JOB_TEST; "" for a boot */
    const char *name;  /* JOB_TEST: unique in its run; JOB_BOOT: the machine's name */
    bool digest;       /* the state id at the end is wanted */

    /* JOB_TEST */
    struct job_test test; /* .line 0, .checkpoint NULL; paths are names of blobs until placed */
    const char *prompt;   /* as in struct job_file, NULL: the checkpoint's */
    const char *work;
    const char *job_disk;
    const char *result_disk;

    /* JOB_BOOT: what boot_run takes; paths likewise. .path is the machine's name, for messages. */
    struct machine_file machine;

    struct job_blob *blobs; /* sorted by name, none twice */
    size_t blob_count;
    struct pool pool; /* private */
};

/* Appends the encoding to `out` (whose max bounds it; JOB_SPEC_BYTES_MAX at most). ERR_INVALID if
 * the spec breaks a rule that decoding would refuse: only what can be read is written. */
bool job_spec_encode(const struct job_spec *spec, struct buf *out, struct err *err);
/* Reads and checks everything: bounds, deterministic form, every path the name of a blob, ranges of
 * the machine. ERR_INVALID, ERR_CORRUPT, ERR_TOO_BIG, ERR_UNSUPPORTED. Freed with job_spec_free. */
bool job_spec_decode(struct span bytes, struct job_spec **out, struct err *err);
void job_spec_free(struct job_spec *spec);

/* The blob of that name, or NULL. */
const struct job_blob *job_spec_blob(const struct job_spec *spec, const char *name);
/* From now on the test or the machine reads blob `index` at `path` (copied into the spec's pool).
 * After it job_spec_encode refuses: a placed spec is for running. The payload stays a tar: give its
 * bytes to runner_test.payload, not to payload_from_host. */
void job_spec_place(struct job_spec *spec, size_t index, const char *path);
/* The suite that suite_options.file wants, with the spec's one test. Borrows everything from the
 * spec; not to be freed. */
void job_spec_suite(struct job_spec *spec, struct job_file *out);

struct hash job_spec_hash(struct span encoding);
struct hash job_key(const struct hash *spec_hash, const struct hash *checkpoint);

#endif
