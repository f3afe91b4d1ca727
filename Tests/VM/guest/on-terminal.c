// SPDX-License-Identifier: Apache-2.0
// Runs a command on a terminal of its own, and copies what it prints there to standard output. SIGTERM presses Ctrl-C on that
// terminal; SIGUSR1 makes it narrower by half, as a window that somebody resizes. Ends as the command does, with 128 and more for
// a signal.
//
//   on-terminal ROWS COLUMNS COMMAND [ARGUMENT...]
#include <errno.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int master;
static struct winsize size;

static void press_interrupt(int number) {
    (void)number;
    if (write(master, "\003", 1) < 0) _exit(1);
}

static void narrow(int number) {
    (void)number;
    size.ws_col /= 2;
    ioctl(master, TIOCSWINSZ, &size);
}

int main(int count, char **arguments) {
    if (count < 4) return 7;
    size.ws_row = (unsigned short)atoi(arguments[1]);
    size.ws_col = (unsigned short)atoi(arguments[2]);
    pid_t child = forkpty(&master, NULL, NULL, &size);
    if (child < 0) {
        perror("on-terminal");
        return 1;
    }
    if (child == 0) {
        // A shell has its background jobs ignore it.
        signal(SIGINT, SIG_DFL);
        execvp(arguments[3], arguments + 3);
        perror(arguments[3]);
        _exit(127);
    }
    struct sigaction action = {.sa_handler = press_interrupt};
    sigaction(SIGTERM, &action, NULL);
    action.sa_handler = narrow;
    sigaction(SIGUSR1, &action, NULL);
    char buffer[4096];
    for (;;) {
        ssize_t length = read(master, buffer, sizeof buffer);
        if (length < 0 && errno == EINTR) continue;
        // The terminal of a child that has ended gives an error of input.
        if (length <= 0) break;
        if (write(STDOUT_FILENO, buffer, (size_t)length) != length) return 1;
    }
    int status;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) return 1;
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
