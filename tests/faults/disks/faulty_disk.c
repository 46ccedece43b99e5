/* A disk that fails: from the FAULTY_AFTER-th call on files under FAULTY_PATH on, FAULTY_CALLS calls fail. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static long seen, failed;

/* How many calls have failed: not each is heard of, as SQLite keeps to itself that it could not tidy up its log. */
long failed_calls(void) { return __atomic_load_n(&failed, __ATOMIC_SEQ_CST); }

static int fails(int file) {
    char link[64], path[4096];
    const char *wanted = getenv("FAULTY_PATH");
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (wanted == NULL || length < 0) return 0;
    path[length] = 0;
    if (strncmp(path, wanted, strlen(wanted)) != 0) return 0;
    long after = atol(getenv("FAULTY_AFTER")), count = __atomic_add_fetch(&seen, 1, __ATOMIC_SEQ_CST);
    if (count <= after || count > after + atol(getenv("FAULTY_CALLS"))) return 0;
    __atomic_add_fetch(&failed, 1, __ATOMIC_SEQ_CST);
    errno = atoi(getenv("FAULTY_ERRNO"));
    return 1;
}

#define FAULTY(type, name, parameters, arguments)                          \
    type name parameters {                                                 \
        static type (*real) parameters;                                    \
        if (real == NULL) real = (type (*) parameters)dlsym(RTLD_NEXT, #name); \
        return fails(file) ? -1 : real arguments;                          \
    }

FAULTY(ssize_t, write, (int file, const void *data, size_t size), (file, data, size))
FAULTY(ssize_t, pwrite, (int file, const void *data, size_t size, off_t at), (file, data, size, at))
FAULTY(ssize_t, pwrite64, (int file, const void *data, size_t size, off64_t at), (file, data, size, at))
FAULTY(int, fsync, (int file), (file))
FAULTY(int, fdatasync, (int file), (file))
FAULTY(int, ftruncate, (int file, off_t size), (file, size))
FAULTY(int, ftruncate64, (int file, off64_t size), (file, size))
