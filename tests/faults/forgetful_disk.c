/* A disk whose power can be cut: what files under FORGETFUL_PATH were not synced to is undone, all or some of it. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

/* A write that is not on the disk yet, and what stood there before. */
struct write {
    struct write *before;
    long number;
    ino_t file;
    char path[1024];
    off64_t at;
    size_t size;
    char old[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct write *latest;
static long count;

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
    pthread_mutex_unlock(&lock);
    int failed = real(file);
    pthread_mutex_lock(&lock);
    for (struct write **each = &latest; !failed && *each != NULL;) {
        struct write *here = *each;
        if (here->file == inode && here->number <= safe) {
            *each = here->before;
            free(here);
        } else {
            each = &here->before;
        }
    }
    pthread_mutex_unlock(&lock);
    return failed;
}

int fsync(int file) {
    REAL(int, "fsync", (int));
    return make_safe(file, real);
}

int fdatasync(int file) {
    REAL(int, "fdatasync", (int));
    return make_safe(file, real);
}

/* Undo writes that nobody synced, each with a chance of `percent`, say how many, and end the process. */
void cut_power(unsigned seed, int percent) {
    REAL(ssize_t, "pwrite64", (int, const void *, size_t, off64_t));
    long undone = 0;
    pthread_mutex_lock(&lock);
    for (struct write *each = latest; each != NULL; each = each->before) {
        if (rand_r(&seed) % 100 >= percent) continue;
        int file = open(each->path, O_WRONLY);
        if (file < 0 || real(file, each->old, each->size, each->at) < 0) abort();
        close(file);
        undone++;
    }
    dprintf(1, "%ld\n", undone);
    _exit(0);
}
