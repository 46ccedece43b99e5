/* A system that lacks calls: LACKING names one ("lock", "sync" or "open"), which fails with LACKING_ERRNO under LACKING_PATH. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int lacks(const char *what) {
    const char *lacking = getenv("LACKING");
    return lacking != NULL && strcmp(lacking, what) == 0;
}

static int fails(const char *path) {
    const char *wanted = getenv("LACKING_PATH");
    if (wanted == NULL || strncmp(path, wanted, strlen(wanted)) != 0) return 0;
    errno = atoi(getenv("LACKING_ERRNO"));
    return 1;
}

static int fails_at(int file) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return fails(path);
}

#define FCNTL(name)                                                                     \
    int name(int file, int command, ...) {                                              \
        static int (*real)(int, int, ...);                                              \
        va_list rest;                                                                   \
        va_start(rest, command);                                                        \
        void *argument = va_arg(rest, void *);                                          \
        va_end(rest);                                                                   \
        if (real == NULL) real = (int (*)(int, int, ...))dlsym(RTLD_NEXT, #name);       \
        int locks = command == F_SETLK || command == F_SETLKW || command == F_GETLK;    \
        return locks && lacks("lock") && fails_at(file) ? -1 : real(file, command, argument); \
    }

FCNTL(fcntl)
FCNTL(fcntl64)

int fsync(int file) {
    static int (*real)(int);
    if (real == NULL) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    return lacks("sync") && fails_at(file) ? -1 : real(file);
}

#define OPEN(name)                                                                \
    int name(const char *path, int flags, ...) {                                  \
        static int (*real)(const char *, int, ...);                               \
        va_list rest;                                                             \
        va_start(rest, flags);                                                    \
        mode_t mode = va_arg(rest, mode_t);                                       \
        va_end(rest);                                                             \
        if (real == NULL) real = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #name); \
        return lacks("open") && fails(path) ? -1 : real(path, flags, mode);       \
    }

OPEN(open)
OPEN(open64)
