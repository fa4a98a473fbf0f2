/* workloads.c - what the benchmarks run inside the booted Linux: one static program, one workload a
 * name.
 *
 * Each prints its name and a checksum that depends on every step, and nothing of time: the same
 * line must come from every machine, so a benchmark is a test too. Sizes are chosen for 0.1 to 1.4
 * G instructions. */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    LIST_NODES = 1 << 15,
    LIST_ROUNDS = 900,
    MATRIX_SIDE = 96,
    MATRIX_ROUNDS = 44,
    TEXT_BYTES = 1 << 16,
    TEXT_ROUNDS = 320,
    CRC_ROUNDS = 560,
    BLOCK_BYTES = 32 << 20,
    BLOCK_ROUNDS = 36,
    SORT_COUNT = (32 << 20) / 8,
    NBODY_STEPS = 240000,
    MATMUL_SIDE = 208,
    MATMUL_ROUNDS = 4,
    FORK_ROUNDS = 600,
    PIPE_ROUNDS = 10000,
    FAULT_PAGES = 12288,
    FAULT_ROUNDS = 4,
    SYSCALL_ROUNDS = 300000,
};

static void stop(const char *what)
{
    perror(what);
    exit(3);
}

static void *pages(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (at == MAP_FAILED)
        stop("mmap");
    return at;
}

/* splitmix64: one multiplier chain, so that no two workloads share a sequence by accident. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t mix(uint64_t sum, uint64_t value)
{
    return (sum ^ value) * 0x100000001b3u;
}

struct node {
    struct node *next;
    uint64_t value;
};

static uint64_t walk_list(void)
{
    static struct node nodes[LIST_NODES];
    static uint32_t order[LIST_NODES];
    uint64_t seed = 1, sum = 0;

    for (uint32_t i = 0; i < LIST_NODES; i++)
        order[i] = i;
    for (uint32_t i = LIST_NODES - 1; i > 0; i--) {
        uint32_t other = (uint32_t)(next_random(&seed) % (i + 1)), kept = order[i];

        order[i] = order[other];
        order[other] = kept;
    }
    for (uint32_t i = 0; i < LIST_NODES; i++) {
        nodes[order[i]].next = &nodes[order[(i + 1) % LIST_NODES]];
        nodes[order[i]].value = i;
    }
    struct node *at = &nodes[0];
    for (uint32_t round = 0; round < LIST_ROUNDS; round++) {
        for (uint32_t i = 0; i < LIST_NODES; i++) {
            sum += at->value++ ^ round;
            at = at->next;
        }
    }
    return sum;
}

static uint64_t multiply_integers(void)
{
    static int32_t a[MATRIX_SIDE][MATRIX_SIDE], b[MATRIX_SIDE][MATRIX_SIDE],
        c[MATRIX_SIDE][MATRIX_SIDE];
    uint64_t seed = 2, sum = 0;

    for (int i = 0; i < MATRIX_SIDE; i++) {
        for (int j = 0; j < MATRIX_SIDE; j++) {
            a[i][j] = (int32_t)(next_random(&seed) & 0xffff);
            b[i][j] = (int32_t)(next_random(&seed) & 0xffff);
        }
    }
    for (int round = 0; round < MATRIX_ROUNDS; round++) {
        for (int i = 0; i < MATRIX_SIDE; i++) {
            for (int j = 0; j < MATRIX_SIDE; j++) {
                uint32_t dot = 0;

                for (int k = 0; k < MATRIX_SIDE; k++)
                    dot += (uint32_t)a[i][k] * (uint32_t)b[k][j];
                c[i][j] = (int32_t)dot;
            }
        }
        a[round % MATRIX_SIDE][(round * 7) % MATRIX_SIDE] ^=
            c[(round * 3) % MATRIX_SIDE][round % MATRIX_SIDE] & 0xffff;
        sum = mix(sum, (uint64_t)(uint32_t)c[round % MATRIX_SIDE][5]);
    }
    return sum;
}

static void fill_text(uint8_t *text, uint64_t seed)
{
    static const char alphabet[] = "0123456789.,+-eE xyz\n";

    for (size_t i = 0; i < TEXT_BYTES; i++)
        text[i] = (uint8_t)alphabet[next_random(&seed) % (sizeof alphabet - 1)];
}

enum token {
    TOKEN_NONE,
    TOKEN_SIGN,
    TOKEN_WHOLE,
    TOKEN_POINT,
    TOKEN_PART,
    TOKEN_EXPONENT,
    TOKEN_POWER,
    TOKEN_COUNT
};

static enum token next_token(enum token at, uint8_t byte)
{
    switch (byte) {
    case '+':
    case '-':
        return at == TOKEN_EXPONENT ? TOKEN_POWER : TOKEN_SIGN;
    case '.':
        return at == TOKEN_WHOLE || at == TOKEN_SIGN ? TOKEN_POINT : TOKEN_NONE;
    case 'e':
    case 'E':
        return at == TOKEN_WHOLE || at == TOKEN_PART ? TOKEN_EXPONENT : TOKEN_NONE;
    default:
        if (byte < '0' || byte > '9')
            return TOKEN_NONE;
        if (at == TOKEN_POINT || at == TOKEN_PART)
            return TOKEN_PART;
        return at == TOKEN_EXPONENT || at == TOKEN_POWER ? TOKEN_POWER : TOKEN_WHOLE;
    }
}

static uint64_t scan_numbers(void)
{
    static uint8_t text[TEXT_BYTES];
    uint64_t counts[TOKEN_COUNT] = {0}, sum = 0;
    enum token at = TOKEN_NONE;

    fill_text(text, 3);
    for (uint32_t round = 0; round < TEXT_ROUNDS; round++) {
        text[round * 131 % TEXT_BYTES] = (uint8_t)('0' + round % 10);
        for (size_t i = 0; i < TEXT_BYTES; i++) {
            at = next_token(at, text[i]);
            counts[at]++;
        }
    }
    for (int i = 0; i < TOKEN_COUNT; i++)
        sum = mix(sum, counts[i]);
    return sum;
}

static uint64_t crc_text(void)
{
    static uint8_t text[TEXT_BYTES];
    static uint32_t table[256];
    uint32_t crc = 0;

    fill_text(text, 4);
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t value = i;

        for (int bit = 0; bit < 8; bit++)
            value = (value >> 1) ^ (0xedb88320u & (0u - (value & 1u)));
        table[i] = value;
    }
    for (uint32_t round = 0; round < CRC_ROUNDS; round++) {
        crc = ~crc;
        for (size_t i = 0; i < TEXT_BYTES; i++)
            crc = table[(crc ^ text[i]) & 0xff] ^ (crc >> 8);
        crc = ~crc;
    }
    return crc;
}

static uint64_t run_int(void)
{
    return mix(mix(mix(walk_list(), multiply_integers()), scan_numbers()), crc_text());
}

static uint64_t run_memcpy(void)
{
    /* Not a power of two apart: that would measure how a simulator's direct-mapped tables alias. */
    uint8_t *from = pages(BLOCK_BYTES), *to = pages(BLOCK_BYTES + 0x35000) + 0x15000;
    uint64_t seed = 5, sum = 0;

    for (size_t i = 0; i < BLOCK_BYTES; i += 4096)
        memcpy(from + i, &(uint64_t){next_random(&seed)}, 8);
    for (uint32_t round = 0; round < BLOCK_ROUNDS; round++) {
        uint64_t word;

        memcpy(to, from, BLOCK_BYTES);
        memcpy(&word, to + (size_t)(round * 524288u % BLOCK_BYTES), 8);
        sum = mix(sum, word);
        from[(size_t)round * 4096] ^= (uint8_t)sum;
    }
    return sum;
}

/* Hoare's partition; runs of up to 16 by insertion. */
static void sort_words(uint64_t *words, size_t count)
{
    while (count > 16) {
        uint64_t pivot = words[count / 2];
        size_t low = 0, high = count - 1;

        for (;; low++, high--) {
            while (words[low] < pivot)
                low++;
            while (words[high] > pivot)
                high--;
            if (low >= high)
                break;
            uint64_t kept = words[low];
            words[low] = words[high];
            words[high] = kept;
        }
        sort_words(words, low);
        words += low;
        count -= low;
    }
    for (size_t i = 1; i < count; i++) {
        uint64_t word = words[i];
        size_t at = i;

        for (; at > 0 && words[at - 1] > word; at--)
            words[at] = words[at - 1];
        words[at] = word;
    }
}

static uint64_t run_qsort(void)
{
    uint64_t *words = pages((size_t)SORT_COUNT * 8), seed = 6, sum = 0;

    for (size_t i = 0; i < SORT_COUNT; i++)
        words[i] = next_random(&seed);
    sort_words(words, SORT_COUNT);
    for (size_t i = 0; i < SORT_COUNT; i += 1021)
        sum = mix(sum, words[i]);
    for (size_t i = 1; i < SORT_COUNT; i++)
        if (words[i - 1] > words[i])
            return 0;
    return sum;
}

struct body {
    double at[3], speed[3], mass;
};

/* Square root by Newton's steps from FSQRT would hide the instruction: this compiles to fsqrt.d. */
static double root(double x)
{
    double y;

    __asm__("fsqrt.d %0, %1" : "=f"(y) : "f"(x));
    return y;
}

static void nbody_step(struct body *bodies, int count, double dt)
{
    for (int i = 0; i < count; i++) {
        for (int j = i + 1; j < count; j++) {
            double d[3], square = 0.01;

            for (int k = 0; k < 3; k++) {
                d[k] = bodies[i].at[k] - bodies[j].at[k];
                square += d[k] * d[k];
            }
            double pull = dt / (square * root(square));
            for (int k = 0; k < 3; k++) {
                bodies[i].speed[k] -= d[k] * bodies[j].mass * pull;
                bodies[j].speed[k] += d[k] * bodies[i].mass * pull;
            }
        }
    }
    for (int i = 0; i < count; i++)
        for (int k = 0; k < 3; k++)
            bodies[i].at[k] += dt * bodies[i].speed[k];
}

static uint64_t bits_of(double x)
{
    uint64_t bits;

    memcpy(&bits, &x, 8);
    return bits;
}

static uint64_t run_nbody(void)
{
    struct body bodies[5];
    uint64_t seed = 7, sum = 0;

    for (int i = 0; i < 5; i++) {
        for (int k = 0; k < 3; k++) {
            bodies[i].at[k] = (double)(next_random(&seed) >> 40) / 1e6 - 8;
            bodies[i].speed[k] = (double)(next_random(&seed) >> 40) / 1e7 - 0.8;
        }
        bodies[i].mass = 1 + i;
    }
    for (uint32_t step = 0; step < NBODY_STEPS; step++)
        nbody_step(bodies, 5, 0.001);
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < 3; k++)
            sum = mix(sum, bits_of(bodies[i].at[k]));
    return sum;
}

static uint64_t run_matmul(void)
{
    static double a[MATMUL_SIDE][MATMUL_SIDE], b[MATMUL_SIDE][MATMUL_SIDE],
        c[MATMUL_SIDE][MATMUL_SIDE];
    uint64_t seed = 8, sum = 0;

    for (int i = 0; i < MATMUL_SIDE; i++) {
        for (int j = 0; j < MATMUL_SIDE; j++) {
            a[i][j] = (double)(next_random(&seed) >> 44) / 1e6;
            b[i][j] = (double)(next_random(&seed) >> 44) / 1e6;
        }
    }
    for (int round = 0; round < MATMUL_ROUNDS; round++) {
        for (int i = 0; i < MATMUL_SIDE; i++)
            for (int k = 0; k < MATMUL_SIDE; k++)
                for (int j = 0; j < MATMUL_SIDE; j++)
                    c[i][j] += a[i][k] * b[k][j];
        a[round][3] = c[round][5] / 1024;
    }
    for (int i = 0; i < MATMUL_SIDE; i++)
        sum = mix(sum, bits_of(c[i][MATMUL_SIDE - 1 - i]));
    return sum;
}

static uint64_t run_forkexec(void)
{
    uint64_t sum = 0;

    for (int round = 0; round < FORK_ROUNDS; round++) {
        char code[16];
        int status;
        pid_t child = fork();

        if (child < 0)
            stop("fork");
        if (child == 0) {
            snprintf(code, sizeof code, "exit %d", round % 100);
            execl("/bin/sh", "sh", "-c", code, (char *)NULL);
            _exit(127);
        }
        if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
            stop("waitpid");
        sum = mix(sum, (uint64_t)WEXITSTATUS(status));
    }
    return sum;
}

static void echo_numbers(int from, int to)
{
    uint64_t word;

    while (read(from, &word, 8) == 8) {
        word = word * 3 + 1;
        if (write(to, &word, 8) != 8)
            _exit(1);
    }
    _exit(0);
}

static uint64_t run_pipe(void)
{
    int ask[2], answer[2], status;
    uint64_t word = 9;

    if (pipe(ask) || pipe(answer))
        stop("pipe");
    pid_t child = fork();
    if (child < 0)
        stop("fork");
    if (child == 0) {
        close(ask[1]);
        close(answer[0]);
        echo_numbers(ask[0], answer[1]);
    }
    close(ask[0]);
    close(answer[1]);
    for (uint32_t round = 0; round < PIPE_ROUNDS; round++)
        if (write(ask[1], &word, 8) != 8 || read(answer[0], &word, 8) != 8)
            stop("ping-pong");
    close(ask[1]);
    if (waitpid(child, &status, 0) != child || status != 0)
        stop("waitpid");
    return word;
}

static uint64_t run_fault(void)
{
    uint64_t sum = 0;

    for (uint32_t round = 0; round < FAULT_ROUNDS; round++) {
        volatile uint8_t *at = pages((size_t)FAULT_PAGES * 4096);

        /* Huge pages would make it 24 faults instead of 12,288. */
        madvise((void *)at, (size_t)FAULT_PAGES * 4096, MADV_NOHUGEPAGE);
        for (size_t page = 0; page < FAULT_PAGES; page++)
            at[page * 4096 + round] = (uint8_t)(page + round);
        for (size_t page = 0; page < FAULT_PAGES; page += 61)
            sum = mix(sum, at[page * 4096 + round]);
        munmap((void *)at, (size_t)FAULT_PAGES * 4096);
    }
    return sum;
}

static uint64_t run_syscall(void)
{
    uint64_t sum = 0;

    for (uint32_t round = 0; round < SYSCALL_ROUNDS; round++)
        sum += (uint64_t)syscall(SYS_getuid) + 1;
    return sum;
}

static const struct workload {
    const char *name;
    uint64_t (*run)(void);
} workloads[] = {
    {"int", run_int},     {"memcpy", run_memcpy}, {"qsort", run_qsort},
    {"nbody", run_nbody}, {"matmul", run_matmul}, {"forkexec", run_forkexec},
    {"pipe", run_pipe},   {"fault", run_fault},   {"syscall", run_syscall},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof workloads / sizeof workloads[0]; i++) {
        if (argc != 2 || strcmp(argv[1], workloads[i].name) != 0)
            continue;
        printf("%s %016llx\n", workloads[i].name, (unsigned long long)workloads[i].run());
        return 0;
    }
    fprintf(stderr, "usage: workloads NAME\nnames:");
    for (size_t i = 0; i < sizeof workloads / sizeof workloads[0]; i++)
        fprintf(stderr, " %s", workloads[i].name);
    fprintf(stderr, "\n");
    return 2;
}
