// SPDX-License-Identifier: Apache-2.0
// Stands between initiators and a target, passes PDUs on, and does to them what no real target can be asked for.
//
//   pdu-proxy ADDRESS PORT TARGET_ADDRESS TARGET_PORT FIFO STATUS_FILE
//
// Commands, a line each, come from FIFO:
//   accept                    new connections go to the target (so it begins)
//   refuse STATUS             each Login Request is answered with this status (four hexadecimal digits)
//   redirect STATUS ADDRESS   and with TargetAddress
//   freeze, thaw              nothing is passed on, either way; connections stay and new ones are taken
//   reset                     all connections end by a RST
//   async EVENT [P1 P2 P3]    an Asynchronous Message (RFC 7143, 11.9) to each initiator in full feature phase
//   attention ASC ASCQ        one about a unit attention with this additional sense code (two hexadecimal digits each)
//   count                     writes STATUS_FILE anew
// STATUS_FILE has key=value lines: connections, logins (those that went to the target, a Login Request that begins one each),
// refused, logouts. Digests must be off.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_PAIRS = 512, BUFFER = 128 * 1024, CHUNK = 64 * 1024, HEADER = 48, SENSE = 20 };

// One direction of a connection: framed, so that something can be put between two PDUs.
struct flow {
  uint8_t out[BUFFER + 2 * HEADER + SENSE], header[HEADER];
  size_t length, header_length, rest;
  bool ended;
};

struct pair {
  int initiator, target;
  struct flow up, down;
  uint8_t last_header[HEADER];
  bool is_full_feature, is_in_login, wants_message;
};

static struct pair *pairs[MAX_PAIRS];
static unsigned pair_count, connections, logins, refused, logouts;
static struct sockaddr_in target_address;
static bool is_frozen;
static uint16_t answer_status;
static char answer_address[256];
static uint8_t message[HEADER + SENSE];
static size_t message_length;
static const char *status_path;

static void die(const char *what) {
  perror(what);
  exit(1);
}

static void write_status(void) {
  char path[512];
  snprintf(path, sizeof path, "%s.new", status_path);
  FILE *file = fopen(path, "w");
  if (file == NULL) die(path);
  fprintf(file, "connections=%u\nlogins=%u\nrefused=%u\nlogouts=%u\nopen=%u\n", connections, logins, refused, logouts, pair_count);
  fclose(file);
  if (rename(path, status_path) != 0) die(status_path);
}

static void put16(uint8_t *place, uint16_t value) { place[0] = (uint8_t)(value >> 8), place[1] = (uint8_t)value; }

static void drop(unsigned index, bool with_reset) {
  struct pair *pair = pairs[index];
  struct linger at_once = {1, 0};
  if (with_reset) {
    setsockopt(pair->initiator, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    if (pair->target >= 0) setsockopt(pair->target, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }
  close(pair->initiator);
  if (pair->target >= 0) close(pair->target);
  free(pair);
  pairs[index] = pairs[--pair_count];
}

static void append(struct flow *flow, const void *octets, size_t count) {
  memcpy(flow->out + flow->length, octets, count);
  flow->length += count;
}

// A Login Response that says no. A redirect has TargetAddress besides.
static void answer(struct pair *pair, const uint8_t *request) {
  uint8_t pdu[HEADER + 512] = {0x23, 0x87};
  size_t length = 0;
  memcpy(pdu + 8, request + 8, 6);
  memcpy(pdu + 16, request + 16, 4);
  memcpy(pdu + 28, request + 24, 4);
  memcpy(pdu + 32, request + 24, 4);
  pdu[27] = 1;
  put16(pdu + 36, answer_status);
  if (answer_address[0] != 0)
    length = (size_t)snprintf((char *)pdu + HEADER, 400, "TargetAddress=%s", answer_address) + 1;
  put16(pdu + 6, (uint16_t)length);
  append(&pair->down, pdu, HEADER + (length + 3) / 4 * 4);
  refused++;
}

static void put_message(struct pair *pair) {
  uint8_t pdu[sizeof message];
  memcpy(pdu, message, message_length);
  // The numbers of the PDU before: the target knows nothing of this one and goes on counting without it.
  memcpy(pdu + 24, pair->last_header + 24, 12);
  append(&pair->down, pdu, message_length);
  pair->wants_message = false;
}

// Makes the message that `send_message` sends.
static void make_message(unsigned event) {
  memset(message, 0, sizeof message);
  message[0] = 0x32, message[1] = 0x80, message[36] = (uint8_t)event;
  memset(message + 16, 0xff, 4);
  message_length = HEADER;
}

// Sense data in the fixed format, with its length before it (RFC 7143, 11.9.4).
static void add_attention(unsigned code, unsigned qualifier) {
  uint8_t *sense = message + HEADER + 2;
  message[7] = SENSE;
  put16(message + HEADER, SENSE - 2);
  sense[0] = 0x70, sense[2] = 0x06, sense[7] = 10, sense[12] = (uint8_t)code, sense[13] = (uint8_t)qualifier;
  message_length = HEADER + SENSE;
}

static void send_message(void) {
  for (unsigned i = 0; i < pair_count; i++) {
    struct pair *pair = pairs[i];
    if (!pair->is_full_feature) continue;
    pair->wants_message = true;
    if (pair->down.rest == 0 && pair->down.header_length == 0) put_message(pair);
  }
}

static void header_came(struct pair *pair, bool is_up, const uint8_t *header) {
  int opcode = header[0] & 0x3f;
  if (is_up) {
    pair->is_full_feature = opcode != 0x03;
    if (opcode == 0x03 && !pair->is_in_login) {
      pair->is_in_login = true;
      if (pair->target < 0) answer(pair, header);
      else logins++;
    }
    if (opcode == 0x06) logouts++;
  } else {
    memcpy(pair->last_header, header, HEADER);
    if (opcode == 0x23 && (header[1] & 0x83) == 0x83 && header[36] == 0) pair->is_full_feature = true;
  }
}

// Takes octets of one direction through the framing.
static void take(struct pair *pair, bool is_up, const uint8_t *octets, size_t count) {
  struct flow *flow = is_up ? &pair->up : &pair->down;
  bool is_passed = pair->target >= 0;
  while (count > 0) {
    size_t part;
    if (flow->rest > 0) {
      part = count < flow->rest ? count : flow->rest;
      flow->rest -= part;
    } else {
      part = HEADER - flow->header_length;
      if (count < part) part = count;
      memcpy(flow->header + flow->header_length, octets, part);
      flow->header_length += part;
      if (flow->header_length == HEADER) {
        uint8_t *header = flow->header;
        flow->rest = header[4] * 4U + (((size_t)header[5] << 16 | (size_t)header[6] << 8 | header[7]) + 3) / 4 * 4;
        flow->header_length = 0;
        header_came(pair, is_up, header);
      }
    }
    if (is_passed) append(flow, octets, part);
    octets += part, count -= part;
    if (!is_up && flow->rest == 0 && flow->header_length == 0 && pair->wants_message) put_message(pair);
  }
}

// Reads what fits; false when the connection has broken.
static bool read_from(struct pair *pair, bool is_up) {
  static uint8_t chunk[CHUNK];
  struct flow *flow = is_up ? &pair->up : &pair->down;
  ssize_t count = recv(is_up ? pair->initiator : pair->target, chunk, sizeof chunk, MSG_DONTWAIT);
  if (count < 0) return errno == EAGAIN || errno == EINTR;
  if (count == 0) flow->ended = true;
  else take(pair, is_up, chunk, (size_t)count);
  return true;
}

static bool write_to(struct pair *pair, bool is_up) {
  struct flow *flow = is_up ? &pair->up : &pair->down;
  ssize_t count = send(is_up ? pair->target : pair->initiator, flow->out, flow->length, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (count < 0) return errno == EAGAIN || errno == EINTR;
  flow->length -= (size_t)count;
  memmove(flow->out, flow->out + count, flow->length);
  return true;
}

static void connected(int listener) {
  int yes = 1, initiator = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  if (initiator < 0) return;
  struct pair *pair = calloc(1, sizeof *pair);
  if (pair == NULL || pair_count == MAX_PAIRS) die("pairs");
  *pair = (struct pair){.initiator = initiator, .target = -1};
  connections++;
  setsockopt(initiator, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  if (answer_status == 0) {
    pair->target = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(pair->target, (struct sockaddr *)&target_address, sizeof target_address) != 0) {
      pairs[pair_count++] = pair;
      return drop(pair_count - 1, true);
    }
    setsockopt(pair->target, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  }
  pairs[pair_count++] = pair;
}

static void obey(char *line) {
  unsigned event = 0, parameters[3] = {0, 0, 0}, status = 0;
  if (strcmp(line, "freeze") == 0) is_frozen = true;
  else if (strcmp(line, "thaw") == 0) is_frozen = false;
  else if (strcmp(line, "accept") == 0) answer_status = 0, answer_address[0] = 0;
  else if (sscanf(line, "refuse %x", &status) == 1) answer_status = (uint16_t)status, answer_address[0] = 0;
  else if (sscanf(line, "redirect %x %200s", &status, answer_address) == 2) answer_status = (uint16_t)status;
  else if (strcmp(line, "reset") == 0) {
    while (pair_count > 0) drop(0, true);
  } else if (sscanf(line, "async %u %u %u %u", &event, &parameters[0], &parameters[1], &parameters[2]) >= 1) {
    make_message(event);
    for (int i = 0; i < 3; i++) put16(message + 38 + 2 * i, (uint16_t)parameters[i]);
    send_message();
  } else if (sscanf(line, "attention %x %x", &parameters[0], &parameters[1]) == 2) {
    make_message(0);
    add_attention(parameters[0], parameters[1]);
    send_message();
  } else if (strcmp(line, "count") != 0) fprintf(stderr, "pdu-proxy: what is \"%s\"?\n", line);
  write_status();
}

static void read_commands(int fifo) {
  static char text[4096];
  static size_t length;
  ssize_t count = read(fifo, text + length, sizeof text - 1 - length);
  if (count <= 0) return;
  length += (size_t)count;
  text[length] = 0;
  char *end;
  while ((end = strchr(text, '\n')) != NULL) {
    *end = 0;
    obey(text);
    length -= (size_t)(end + 1 - text);
    memmove(text, end + 1, length + 1);
  }
}

// What a connection waits for; both ends in `polls`, the initiator's first.
static void prepare(struct pair *pair, struct pollfd *polls) {
  polls[0] = (struct pollfd){pair->initiator, 0, 0};
  polls[1] = (struct pollfd){pair->target, 0, 0};
  if (is_frozen) return;
  if (!pair->up.ended && pair->up.length < BUFFER - CHUNK) polls[0].events |= POLLIN;
  if (pair->down.length > 0) polls[0].events |= POLLOUT;
  if (pair->target < 0) return;
  if (!pair->down.ended && pair->down.length < BUFFER - CHUNK) polls[1].events |= POLLIN;
  if (pair->up.length > 0) polls[1].events |= POLLOUT;
}

// Moves what can be moved; false when the connection is over.
static bool serve(struct pair *pair, const struct pollfd *polls) {
  const short ready = POLLIN | POLLHUP | POLLERR;
  if (is_frozen) return true;
  if ((polls[0].revents & ready) != 0 && !pair->up.ended && !read_from(pair, true)) return false;
  if (pair->target >= 0 && (polls[1].revents & ready) != 0 && !pair->down.ended && !read_from(pair, false)) return false;
  if (pair->down.length > 0 && !write_to(pair, false)) return false;
  if (pair->target >= 0 && pair->up.length > 0 && !write_to(pair, true)) return false;
  return !(pair->down.ended && pair->down.length == 0) && !(pair->up.ended && pair->up.length == 0);
}

int main(int count, char **arguments) {
  if (count != 7) {
    fprintf(stderr, "usage: pdu-proxy ADDRESS PORT TARGET_ADDRESS TARGET_PORT FIFO STATUS_FILE\n");
    return 2;
  }
  struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(arguments[2]))};
  target_address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(arguments[4]))};
  if (inet_pton(AF_INET, arguments[1], &own.sin_addr) != 1 || inet_pton(AF_INET, arguments[3], &target_address.sin_addr) != 1)
    die("address");
  status_path = arguments[6];
  signal(SIGPIPE, SIG_IGN);
  int yes = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fifo = open(arguments[5], O_RDWR | O_NONBLOCK);
  if (fifo < 0) die(arguments[5]);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(listener, (struct sockaddr *)&own, sizeof own) != 0 || listen(listener, 512) != 0) die("listen");
  write_status();
  static struct pollfd polls[2 + 2 * MAX_PAIRS];
  while (true) {
    polls[0] = (struct pollfd){listener, POLLIN, 0};
    polls[1] = (struct pollfd){fifo, POLLIN, 0};
    unsigned polled = pair_count, before = connections + logins + refused + logouts + pair_count;
    for (unsigned i = 0; i < polled; i++) prepare(pairs[i], polls + 2 + 2 * i);
    // The ends of frozen connections are heard of all the same, and would make this a busy loop.
    if (is_frozen) polled = 0;
    if (poll(polls, 2 + 2 * polled, -1) < 0 && errno != EINTR) die("poll");
    for (unsigned i = polled; i-- > 0;)
      if (!serve(pairs[i], polls + 2 + 2 * i)) drop(i, false);
    if ((polls[0].revents & POLLIN) != 0) connected(listener);
    if (connections + logins + refused + logouts + pair_count != before) write_status();
    if ((polls[1].revents & POLLIN) != 0) read_commands(fifo);
  }
}
