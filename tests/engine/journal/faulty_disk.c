/* A disk that fails on request: preloaded into a process, it counts what is written to the files
 * below one folder, and makes one of these calls fail, or the last thing that the process does. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum how { FAIL_EIO, FAIL_ENOSPC, KILL_BEFORE, KILL_HALFWAY };

static char folder[PATH_MAX];
static int failing_call;
static enum how how;
static atomic_int calls;

void faulty_disk_arm(const char *below, int call, int in_which_way)
{
    snprintf(folder, sizeof folder, "%s/", below);
    failing_call = call;
    how = in_which_way;
    atomic_store(&calls, 0);
}

int faulty_disk_calls(void)
{
    return atomic_load(&calls);
}

static int is_below(int descriptor)
{
    char link[64], path[PATH_MAX];
    ssize_t length;

    if (!folder[0])
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return strncmp(path, folder, strlen(folder)) == 0;
}

static int is_due(int descriptor)
{
    return is_below(descriptor) && atomic_fetch_add(&calls, 1) + 1 == failing_call;
}

static int refuse(void)
{
    if (how == KILL_BEFORE || how == KILL_HALFWAY)
        kill(getpid(), SIGKILL);
    errno = how == FAIL_ENOSPC ? ENOSPC : EIO;
    return -1;
}

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) \
        real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

ssize_t write(int descriptor, const void *data, size_t size)
{
    REAL(ssize_t, write, int, const void *, size_t);
    if (!is_due(descriptor))
        return real(descriptor, data, size);
    if (how == KILL_HALFWAY)
        real(descriptor, data, size / 2);
    return refuse();
}

#define PWRITE(name, offset_type) \
    ssize_t name(int descriptor, const void *data, size_t size, offset_type offset) \
    { \
        REAL(ssize_t, name, int, const void *, size_t, offset_type); \
        if (!is_due(descriptor)) \
            return real(descriptor, data, size, offset); \
        if (how == KILL_HALFWAY) \
            real(descriptor, data, size / 2, offset); \
        return refuse(); \
    }

PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define SYNC(name) \
    int name(int descriptor) \
    { \
        REAL(int, name, int); \
        return is_due(descriptor) ? refuse() : real(descriptor); \
    }

SYNC(fsync)
SYNC(fdatasync)

#define TRUNCATE(name, offset_type) \
    int name(int descriptor, offset_type size) \
    { \
        REAL(int, name, int, offset_type); \
        return is_due(descriptor) ? refuse() : real(descriptor, size); \
    }

TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)
