// SPDX-License-Identifier: Apache-2.0
// Runs a program and writes how many microseconds it took: on the clock, and of a processor in user space and in the kernel. A shell that
// has run a scenario takes some milliseconds to make a process of itself, which are none of the program's.
//
//   stopwatch FILE PROGRAM [ARGUMENT...]
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static long long microseconds(struct timeval time) { return time.tv_sec * 1000000LL + time.tv_usec; }

static long long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000LL + time.tv_nsec / 1000;
}

int main(int count, char **arguments) {
    if (count < 3) return 7;
    pid_t child;
    int status;
    struct rusage usage;
    long long start = now();
    int error = posix_spawnp(&child, arguments[2], NULL, NULL, arguments + 2, environ);
    if (error) {
        fprintf(stderr, "stopwatch: %s: %s\n", arguments[2], strerror(error));
        return 127;
    }
    while (wait4(child, &status, 0, &usage) < 0) {
        if (errno != EINTR) return 1;
    }
    long long wall = now() - start;
    FILE *file = fopen(arguments[1], "we");
    if (!file) {
        perror(arguments[1]);
        return 1;
    }
    fprintf(file, "%lld %lld %lld\n", wall, microseconds(usage.ru_utime), microseconds(usage.ru_stime));
    if (fclose(file)) return 1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
