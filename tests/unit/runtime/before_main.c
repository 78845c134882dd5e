/* A filter that copies its input, and does before main what $BEFORE_MAIN says. Or it becomes the command $BECOME once it is there. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void* sleep_on(void* nothing) {
    pause();
    return nothing;
}

static char seen[256];
extern char** environ;

static void remember(const char* name) {
    if (name != NULL) snprintf(seen, sizeof seen, "%s", name);
}

static void look_for_the_name_by_itself(void) {
    for (char** variable = environ; *variable != NULL; ++variable) {
        if (strncmp(*variable, "MILLRACE_OBJECT=", 16) == 0) remember(*variable + 16);
    }
}

static void act(const char* what) {
    pthread_t thread;
    if (strcmp(what, "thread") == 0) pthread_create(&thread, NULL, sleep_on, NULL);
    if (strcmp(what, "file") == 0) open("/dev/null", O_RDONLY);
    if (strcmp(what, "memory") == 0) mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (strcmp(what, "write") == 0 && write(2, "loaded\n", 7) != 7) abort();
    if (strcmp(what, "environment") == 0) unsetenv("LD_PRELOAD");
    if (strcmp(what, "setenv") == 0) setenv("FOUND", "before main", 1);
    if (strcmp(what, "name") == 0) remember(getenv("MILLRACE_OBJECT"));
    if (strcmp(what, "name by itself") == 0) look_for_the_name_by_itself();
    if (strstr(what, "name") != NULL) usleep(50 * 1000);  /* so that forking would pay */
    if (strcmp(what, "slow") == 0) usleep(100 * 1000);
    if (strcmp(what, "exit") == 0) _exit(3);
    if (strcmp(what, "hang") == 0) pause();
}

__attribute__((constructor)) static void before_main(void) {
    const char* what = getenv("BEFORE_MAIN");
    if (what != NULL) act(what);
}

int main(void) {
    const char* become = getenv("BECOME");
    if (become != NULL) execl("/bin/sh", "sh", "-c", become, NULL);
    char chunk[4096];
    ssize_t count;
    while ((count = read(0, chunk, sizeof chunk)) > 0) {
        if (write(1, chunk, (size_t)count) != count) return 1;
    }
    if (count < 0 || dprintf(1, "%s", seen) < 0) return 1;
    const char* found = getenv("FOUND");
    if (found != NULL) dprintf(1, "%s %s", found, getenv("MILLRACE_OBJECT"));
    return 0;
}
