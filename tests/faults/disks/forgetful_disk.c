/* A disk whose power can be cut: what files under FORGETFUL_PATH were not synced to is undone, all or some of it.
 *
 * Of a hundred syncs FORGETFUL_FAILS fail. As on Linux, the system then believes that what it failed to write is
 * written, so that only writing it again helps, and says so once to each descriptor that was in use before. (Linux
 * counts from when it was opened. And a write that is lost counts as safe too early if it is written again in two parts.)
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

/* A write that is not on the disk yet, or will never be, and what stood there before. */
struct write {
    struct write *before;
    long number;
    int is_lost;
    ino_t file;
    char path[1024];
    off64_t at;
    size_t size;
    char old[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct write *latest;
static long count, failures;
static unsigned chance = 1;

/* Each descriptor's file, and how many failures of all files it was told of. */
static struct { ino_t file; long told; } descriptors[4096];
/* Each file's last failure. */
static struct { ino_t file; long failure; } files[64];

static long *last_failure(ino_t inode) {
    int i = 0;
    while (files[i].file != 0 && files[i].file != inode) i++;
    files[i].file = inode;
    return &files[i].failure;
}

/* Say whether a descriptor must hear of a failure; one that is new here hears of none before. */
static int hears(int file, ino_t inode) {
    int is_known = descriptors[file].file == inode, must = is_known && descriptors[file].told < *last_failure(inode);
    descriptors[file].file = inode;
    descriptors[file].told = failures;
    return must;
}

static int fails(void) {
    const char *percent = getenv("FORGETFUL_FAILS");
    return percent != NULL && rand_r(&chance) % 100 < atoi(percent);
}

#define REAL(type, name, parameters) \
    static type (*real) parameters; \
    if (real == NULL) real = (type (*) parameters)dlsym(RTLD_NEXT, name);

static int is_watched(int file, char path[1024], ino_t *inode) {
    char link[64];
    struct stat status;
    const char *wanted = getenv("FORGETFUL_PATH");
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, 1023);
    if (wanted == NULL || length < 0 || fstat(file, &status) != 0) return 0;
    path[length] = 0;
    *inode = status.st_ino;
    return strncmp(path, wanted, strlen(wanted)) == 0;
}

static ssize_t put(int file, const void *data, size_t size, off64_t at) {
    REAL(ssize_t, "pwrite64", (int, const void *, size_t, off64_t));
    char path[1024];
    ino_t inode;
    if (!is_watched(file, path, &inode)) return real(file, data, size, at);
    struct write *made = calloc(1, sizeof *made + size);  /* beyond the end of a file stand zeros */
    pthread_mutex_lock(&lock);
    if (made == NULL || pread64(file, made->old, size, at) < 0) abort();
    *made = (struct write){.before = latest, .number = ++count, .file = inode, .at = at, .size = size};
    strcpy(made->path, path);
    if (descriptors[file].file != inode) hears(file, inode);
    for (struct write **each = &latest; *each != NULL;) {
        struct write *lost = *each;
        int is_again = lost->is_lost && lost->file == inode;
        if (is_again && lost->at >= at && lost->at + lost->size <= at + size) {
            memcpy(made->old + (lost->at - at), lost->old, lost->size);
            if (made->before == lost) made->before = lost->before;
            *each = lost->before;
            free(lost);
            continue;
        }
        if (is_again && lost->at < at + (off64_t)size && lost->at + (off64_t)lost->size > at)  /* at the edge of it */
            if (pread64(file, lost->old, lost->size, lost->at) < 0) abort();
        each = &lost->before;
    }
    latest = made;
    ssize_t written = real(file, data, size, at);
    pthread_mutex_unlock(&lock);
    return written;
}

ssize_t pwrite64(int file, const void *data, size_t size, off64_t at) { return put(file, data, size, at); }
ssize_t pwrite(int file, const void *data, size_t size, off_t at) { return put(file, data, size, at); }

/* Sync, and then forget how to undo what was written to the file before. */
static int make_safe(int file, int (*real)(int)) {
    char path[1024];
    ino_t inode;
    if (!is_watched(file, path, &inode)) return real(file);
    pthread_mutex_lock(&lock);
    long safe = count;
    int breaks = fails();
    pthread_mutex_unlock(&lock);
    int failed = real(file);
    pthread_mutex_lock(&lock);
    if (breaks) *last_failure(inode) = ++failures;
    int must_hear = hears(file, inode) || breaks;
    for (struct write **each = &latest; !failed && *each != NULL;) {
        struct write *here = *each;
        int is_meant = here->file == inode && here->number <= safe;
        if (is_meant && breaks) here->is_lost = 1;
        if (is_meant && !here->is_lost) {
            *each = here->before;
            free(here);
        } else {
            each = &here->before;
        }
    }
    pthread_mutex_unlock(&lock);
    if (must_hear) errno = EIO;
    return must_hear ? -1 : failed;
}

int fsync(int file) {
    REAL(int, "fsync", (int));
    return make_safe(file, real);
}

int fdatasync(int file) {
    REAL(int, "fdatasync", (int));
    return make_safe(file, real);
}

/* Undo what is lost, and writes that nobody synced, each with a chance of `percent`; say how many, and how many syncs
   failed; and end the process. */
void cut_power(unsigned seed, int percent) {
    REAL(ssize_t, "pwrite64", (int, const void *, size_t, off64_t));
    long undone = 0;
    pthread_mutex_lock(&lock);
    for (struct write *each = latest; each != NULL; each = each->before) {
        if (!each->is_lost && rand_r(&seed) % 100 >= percent) continue;
        int file = open(each->path, O_WRONLY);
        if (file < 0 || real(file, each->old, each->size, each->at) < 0) abort();
        close(file);
        undone++;
    }
    dprintf(1, "= %ld %ld\n", undone, failures);
    _exit(0);
}
