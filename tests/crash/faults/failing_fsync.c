/* Loaded before libc (LD_PRELOAD): every flush to disk fails with EIO while the file named by IMP_FAULT_TRIGGER exists. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

static int fails(void)
{
    const char *trigger = getenv("IMP_FAULT_TRIGGER");
    int kept = errno;
    int found = trigger && access(trigger, F_OK) == 0;
    errno = found ? EIO : kept;
    return found;
}

int fsync(int fd)
{
    return fails() ? -1 : ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}

int fdatasync(int fd)
{
    return fails() ? -1 : ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd);
}

int sync_file_range(int fd, off64_t offset, off64_t count, unsigned int flags)
{
    int (*next)(int, off64_t, off64_t, unsigned int);
    next = (int (*)(int, off64_t, off64_t, unsigned int))dlsym(RTLD_NEXT, "sync_file_range");
    return fails() ? -1 : next(fd, offset, count, flags);
}
