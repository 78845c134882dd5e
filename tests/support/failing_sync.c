// Loaded in front of the C library (LD_PRELOAD): while the file that MILLRACE_TEST_FAIL_SYNC names exists, nothing can be made durable.
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static int fails(void) {
    const char* file = getenv("MILLRACE_TEST_FAIL_SYNC");
    return file != NULL && access(file, F_OK) == 0;
}

static int sync_by(long call, int file) {
    if (fails()) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(call, file);
}

int fdatasync(int file) { return sync_by(SYS_fdatasync, file); }
int fsync(int file) { return sync_by(SYS_fsync, file); }
