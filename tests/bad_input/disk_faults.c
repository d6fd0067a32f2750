/* Preloaded into a daemon: while the file $DISK_FAULTS/CALL exists, CALL fails as a bad disk makes it fail.
   The disk has all files whose path begins with $DISK. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int on_disk(int fd) {
    char link[64], path[4096] = "";
    const char *disk = getenv("DISK");
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    return disk != NULL && readlink(link, path, sizeof path - 1) > 0 && strncmp(path, disk, strlen(disk)) == 0;
}

static int faulty(const char *call, int fd) {
    char path[4096];
    const char *folder = getenv("DISK_FAULTS");
    if (folder == NULL || fd <= STDERR_FILENO || !on_disk(fd))
        return 0;
    snprintf(path, sizeof path, "%s/%s", folder, call);
    return access(path, F_OK) == 0;
}

#define FAULTY(CALL, ERROR, TYPE, PARAMETERS, ARGUMENTS)                            \
    TYPE CALL PARAMETERS {                                                          \
        static TYPE(*next) PARAMETERS;                                              \
        if (faulty(#CALL, fd)) {                                                    \
            errno = ERROR;                                                          \
            return -1;                                                              \
        }                                                                           \
        if (next == NULL)                                                           \
            next = (TYPE(*) PARAMETERS)dlsym(RTLD_NEXT, #CALL);                     \
        return next ARGUMENTS;                                                      \
    }

FAULTY(write, ENOSPC, ssize_t, (int fd, const void *data, size_t size), (fd, data, size))
FAULTY(fdatasync, EIO, int, (int fd), (fd))
FAULTY(fsync, EIO, int, (int fd), (fd))
