// SPDX-License-Identifier: Apache-2.0
// Runs a program and writes how many microseconds it took: on the clock, and of a processor in user space and in the kernel. A shell that
// has run a scenario takes some milliseconds to make a process of itself, which are none of the program's.
//
//   stopwatch FILE PROGRAM [ARGUMENT...]
//   stopwatch --of PROCESS    prints how many microseconds of processors that has taken, its threads that have ended included
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static long long microseconds(struct timeval time) { return time.tv_sec * 1000000LL + time.tv_usec; }

static long long now(clockid_t clock) {
    struct timespec time;
    if (clock_gettime(clock, &time)) return -1;
    return time.tv_sec * 1000000LL + time.tv_nsec / 1000;
}

static int print_time_of(pid_t process) {
    clockid_t clock;
    long long time;
    if (clock_getcpuclockid(process, &clock) || (time = now(clock)) < 0) return 1;
    printf("%lld\n", time);
    return 0;
}

int main(int count, char **arguments) {
    if (count < 3) return 7;
    if (!strcmp(arguments[1], "--of")) return print_time_of((pid_t)atoi(arguments[2]));
    pid_t child;
    int status;
    struct rusage usage;
    long long start = now(CLOCK_MONOTONIC);
    int error = posix_spawnp(&child, arguments[2], NULL, NULL, arguments + 2, environ);
    if (error) {
        fprintf(stderr, "stopwatch: %s: %s\n", arguments[2], strerror(error));
        return 127;
    }
    while (wait4(child, &status, 0, &usage) < 0) {
        if (errno != EINTR) return 1;
    }
    long long wall = now(CLOCK_MONOTONIC) - start;
    FILE *file = fopen(arguments[1], "we");
    if (!file) {
        perror(arguments[1]);
        return 1;
    }
    fprintf(file, "%lld %lld %lld\n", wall, microseconds(usage.ru_utime), microseconds(usage.ru_stime));
    if (fclose(file)) return 1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
