// SPDX-License-Identifier: Apache-2.0
// Takes a name in the abstract namespace of unix sockets, as every user may, and keeps it until it is ended.
//
//   take-name NAME listen|bind
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int count, char **arguments) {
    if (count != 3) return 7;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(arguments[1]);
    if (length >= sizeof address.sun_path) return 7;
    memcpy(address.sun_path + 1, arguments[1], length);
    int descriptor = socket(AF_UNIX, SOCK_STREAM, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
    if (descriptor < 0 || bind(descriptor, (struct sockaddr *)&address, size)) {
        perror("take-name");
        return 1;
    }
    if (!strcmp(arguments[2], "listen") && listen(descriptor, 1)) {
        perror("take-name");
        return 1;
    }
    for (;;) pause();
}
