// SPDX-License-Identifier: Apache-2.0
// What Swift's Glibc module leaves out of Linux' own C interface, and wrappers for what Swift cannot call (variadics)
// or would have to call through a union.
#pragma once
// Swift's module of the C library first: what is included below belongs to it then, whatever is built in which order.
#pragma clang module import SwiftGlibc
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/dm-ioctl.h>
#include <linux/openat2.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// Names the calling thread; the kernel cuts at 15 octets.
static inline void clinux_set_thread_name(const char *name) { (void)prctl(PR_SET_NAME, name, 0, 0, 0); }

// Gives the calling thread a table of files of its own, with none but the standard ones (Linux 5.9).
// glibc shows its wrapper only with _GNU_SOURCE.
static inline int clinux_leave_files(void) { return (int)syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_UNSHARE); }

// The next entries of an open directory, as struct linux_dirent64 one behind the other: how many octets, 0 at the end, -1
// with errno. glibc's readdir needs a DIR, which owns the descriptor and costs four system calls more.
static inline long clinux_getdents(int directory, void *buffer, unsigned long size) {
  return syscall(SYS_getdents64, directory, buffer, size);
}

// Opens the directory that a path of several names leads to from another one, through no symbolic link (Linux 5.6; glibc has no
// wrapper): the descriptor, or -1 with errno.
static inline int clinux_open_below(int directory, const char *path) {
  struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
  return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

// An event as epoll reports it.
struct clinux_event {
  uint32_t events;
  uint64_t token;
};

static inline int clinux_epoll_add(int epoll, int descriptor, uint32_t events, uint64_t token) {
  struct epoll_event event = {.events = events, .data = {.u64 = token}};
  return epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event);
}

static inline int clinux_epoll_remove(int epoll, int descriptor) {
  return epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, 0);
}

// Waits for one event: 1 and *event is set, 0 at the timeout, -1 with errno.
static inline int clinux_epoll_wait(int epoll, struct clinux_event *event, int milliseconds) {
  struct epoll_event raw;
  int count = epoll_wait(epoll, &raw, 1, milliseconds);
  if (count == 1) {
    event->events = raw.events;
    event->token = raw.data.u64;
  }
  return count;
}

// Resets an eventfd's counter.
static inline void clinux_eventfd_drain(int descriptor) {
  eventfd_t value;
  (void)eventfd_read(descriptor, &value);
}

static inline sigset_t clinux_termination_signals(void) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

// Blocks SIGINT and SIGTERM in the calling thread and those that it starts.
static inline void clinux_hold_termination(void) {
  sigset_t signals = clinux_termination_signals();
  (void)pthread_sigmask(SIG_BLOCK, &signals, 0);
}

// Waits for SIGINT or SIGTERM, which must be blocked; gives its number, or 0 if that is not possible.
static inline int clinux_wait_for_termination(void) {
  sigset_t signals = clinux_termination_signals();
  int number = 0;
  return sigwait(&signals, &number) == 0 ? number : 0;
}

// Lets a signal that is blocked have its way with the process; returns if that is nothing.
static inline void clinux_raise(int number) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, number);
  (void)kill(getpid(), number);
  (void)pthread_sigmask(SIG_UNBLOCK, &signals, 0);
  (void)pthread_sigmask(SIG_BLOCK, &signals, 0);
}

// What the process says on standard error when this signal ends it, and its exit code. A handler of C, because only calls that
// POSIX lists (signal-safety(7)) may be made in one.
struct clinux_last_words { const char *text; size_t count; int status; };
static inline struct clinux_last_words *clinux_last_words(void) {
  static struct clinux_last_words words;
  return &words;
}
static inline void clinux_end_with_last_words(int number) {
  (void)number;
  const struct clinux_last_words *words = clinux_last_words();
  if (write(STDERR_FILENO, words->text, words->count) < 0) { /* There is nobody to tell. */ }
  _exit(words->status);
}
// The text is copied. Once for a process, before it starts threads; returns 0, or the number of the error.
static inline int clinux_end_at(int number, const char *text, size_t count, int status) {
  char *copy = (char *)malloc(count > 0 ? count : 1);
  if (copy == 0) return ENOMEM;
  memcpy(copy, text, count);
  *clinux_last_words() = (struct clinux_last_words){copy, count, status};
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = clinux_end_with_last_words;
  return sigaction(number, &action, 0) == 0 ? 0 : errno;
}

// Starts a thread with a stack of this size; 0 is the default of the process.
static inline int clinux_start_thread(pthread_t *thread, size_t stack, void *(*body)(void *), void *context) {
  pthread_attr_t attributes;
  int number = pthread_attr_init(&attributes);
  if (number != 0) return number;
  if (stack > 0) number = pthread_attr_setstacksize(&attributes, stack);
  if (number == 0) number = pthread_create(thread, &attributes, body, context);
  (void)pthread_attr_destroy(&attributes);
  return number;
}

// glibc shows it only with _GNU_SOURCE. Sets the stack of threads that are started without a size of their own.
extern int pthread_setattr_default_np(const pthread_attr_t *attributes);
static inline int clinux_set_default_stack(size_t octets) {
  pthread_attr_t attributes;
  int number = pthread_attr_init(&attributes);
  if (number != 0) return number;
  number = pthread_attr_setstacksize(&attributes, octets);
  if (number == 0) number = pthread_setattr_default_np(&attributes);
  (void)pthread_attr_destroy(&attributes);
  return number;
}

// Opens /proc/self/stat, to be read again and again: the descriptor, or -1.
static inline int clinux_open_stat(void) { return open("/proc/self/stat", O_RDONLY | O_CLOEXEC); }

// Reads its beginning, as it is now: how many octets there are, or -1. Uses no heap and takes no lock.
static inline ssize_t clinux_read_stat(int descriptor, unsigned char *octets, size_t limit) {
  return pread(descriptor, octets, limit, 0);
}

// All threads allocate from one heap: 1 if that was accepted.
static inline int clinux_use_one_arena(void) { return mallopt(M_ARENA_MAX, 1); }
// MCL_ONFAULT of linux/mman.h, which glibc shows since 2.25 only: what is mapped from now on is locked as it is touched.
static inline int clinux_lock_future_memory(void) { return mlockall(MCL_FUTURE | 4); }

// PR_SET_IO_FLUSHER of linux/prctl.h (Linux 5.6): allocations of this thread and those that it starts never wait for
// writing to a device, which may be the one that this process is to bring back.
static inline int clinux_set_io_flusher(void) { return prctl(57, 1, 0, 0, 0); }

// Without <sys/socket.h>, whose macros Swift would look for in this module and not in Glibc then.
struct sockaddr;
extern int accept4(int descriptor, struct sockaddr *address, unsigned int *length, int flags);
extern int getsockopt(int descriptor, int level, int option, void *value, unsigned int *length);

// What came with a datagram off a netlink socket: its length, which may be more than was taken, the port of its sender, and the
// groups that it was sent to.
struct clinux_datagram {
  uint32_t length;
  uint32_t port;
  uint32_t groups;
};
enum { CLINUX_DATAGRAMS = 16 };

// Takes up to CLINUX_DATAGRAMS datagrams that wait at a netlink socket (recvmmsg, which glibc shows only with _GNU_SOURCE), of each
// up to `limit` octets, the n-th to octets + n * limit. Their number, or -1 with errno.
static inline int clinux_receive_datagrams(
  int descriptor, unsigned char *octets, size_t limit, struct clinux_datagram *datagrams
) {
  // As the kernel has them: struct iovec, sockaddr_nl, user_msghdr and mmsghdr.
  struct { void *start; size_t length; } parts[CLINUX_DATAGRAMS];
  struct { uint16_t family, padding; uint32_t port, groups; } senders[CLINUX_DATAGRAMS];
  struct {
    struct {
      void *name;
      int name_length;
      void *parts;
      size_t part_count;
      void *control;
      size_t control_length;
      unsigned flags;
    } header;
    unsigned length;
  } messages[CLINUX_DATAGRAMS];
  memset(senders, 0, sizeof senders);
  memset(messages, 0, sizeof messages);
  for (int index = 0; index < CLINUX_DATAGRAMS; index++) {
    parts[index].start = octets + (size_t)index * limit;
    parts[index].length = limit;
    messages[index].header.name = &senders[index];
    messages[index].header.name_length = sizeof senders[index];
    messages[index].header.parts = &parts[index];
    messages[index].header.part_count = 1;
  }
  // MSG_DONTWAIT, and MSG_TRUNC for the real lengths.
  int count = (int)syscall(SYS_recvmmsg, descriptor, messages, CLINUX_DATAGRAMS, 0x40 | 0x20, (void *)0);
  for (int index = 0; index < count; index++) {
    datagrams[index].length = messages[index].length;
    // Without a sender it is nobody's, which is no port of the kernel.
    datagrams[index].port =
      messages[index].header.name_length == sizeof senders[index] ? senders[index].port : UINT32_MAX;
    datagrams[index].groups = senders[index].groups;
  }
  return count;
}

// Takes a connection off a listening socket's queue, non-blocking and closed on exec (SOCK_NONBLOCK, SOCK_CLOEXEC); glibc
// shows accept4 only with _GNU_SOURCE. The descriptor, or -1 with errno.
static inline int clinux_accept(int descriptor) { return accept4(descriptor, 0, 0, O_NONBLOCK | O_CLOEXEC); }

// Who is at the other end of a Unix socket: struct ucred, which glibc shows only with _GNU_SOURCE.
struct clinux_peer {
  int32_t pid;
  uint32_t uid;
  uint32_t gid;
};

// Fills *peer by SO_PEERCRED of SOL_SOCKET. 0, or -1 with errno.
static inline int clinux_peer_of(int descriptor, struct clinux_peer *peer) {
  unsigned int length = sizeof *peer;
  return getsockopt(descriptor, 1, 17, peer, &length);
}

// How many columns the terminal at a descriptor has; 0 if it is none or does not say.
static inline unsigned clinux_terminal_columns(int descriptor) {
  struct winsize size = {0};
  return ioctl(descriptor, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

// How many rows it has; 0 likewise.
static inline unsigned clinux_terminal_rows(int descriptor) {
  struct winsize size = {0};
  return ioctl(descriptor, TIOCGWINSZ, &size) == 0 ? size.ws_row : 0;
}

// Goes on in a child that leads a session of its own, with working directory /. The parent waits until the child has
// written an octet to *ready, and ends with 0; or until the child has ended, and ends as it did. 0 in the child, or -1 with
// errno in the parent.
static inline int clinux_go_to_background(int *ready) {
  int ends[2];
  // Without pipe2, which glibc shows only with _GNU_SOURCE: nothing else runs yet.
  if (pipe(ends) != 0) return -1;
  (void)fcntl(ends[1], F_SETFD, FD_CLOEXEC);
  pid_t child = fork();
  if (child < 0) return -1;
  if (child > 0) {
    char octet;
    int status = 0;
    ssize_t count;
    (void)close(ends[1]);
    do count = read(ends[0], &octet, 1);
    while (count < 0 && errno == EINTR);
    if (count == 1) _exit(0);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
  }
  (void)close(ends[0]);
  *ready = ends[1];
  (void)setsid();
  return chdir("/");
}

// Puts the standard descriptors at /dev/null.
static inline void clinux_leave_terminal(void) {
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) return;
  for (int number = 0; number < 3; number++) (void)dup2(null, number);
  if (null > 2) (void)close(null);
}

// Without syncfs, which glibc shows only with _GNU_SOURCE: writes all of the file system that a descriptor is on. 0, or -1 with errno.
static inline int clinux_syncfs(int descriptor) { return (int)syscall(SYS_syncfs, descriptor); }

// Heaps begin with, or grow by, 16 MiB more than what is asked for, shrink not before four times that, and have large blocks, too.
static inline void clinux_take_memory_in_large_pieces(void) {
  (void)mallopt(M_TOP_PAD, 16 << 20);
  (void)mallopt(M_TRIM_THRESHOLD, 64 << 20);
  (void)mallopt(M_MMAP_THRESHOLD, 32 << 20);
}

// Without sched_getaffinity, which is as hidden: how many processors the calling thread may run on; 1 if that is not known.
static inline int clinux_processor_count(void) {
  unsigned char set[1024];
  long size = syscall(SYS_sched_getaffinity, 0, sizeof(set), set);
  int count = 0;
  for (long octet = 0; octet < size; octet++) count += __builtin_popcount(set[octet]);
  return count > 0 ? count : 1;
}

// The first target of a mapped device's table, as "TYPE PARAMETERS" without an end: how many octets, or -1 if it is not known.
static inline long clinux_dm_table(const char *name, unsigned char *text, unsigned long limit) {
  unsigned long size = sizeof(struct dm_ioctl) + sizeof(struct dm_target_spec) + limit;
  struct dm_ioctl *request = (struct dm_ioctl *)calloc(1, size);
  long length = -1;
  int control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
  if (request && control >= 0 && strlen(name) < sizeof request->name) {
    request->version[0] = DM_VERSION_MAJOR;
    request->data_size = (uint32_t)size;
    request->data_start = sizeof *request;
    request->flags = DM_STATUS_TABLE_FLAG | DM_NOFLUSH_FLAG;
    strcpy(request->name, name);
    if (ioctl(control, DM_TABLE_STATUS, request) == 0 && request->target_count > 0 &&
        !(request->flags & DM_BUFFER_FULL_FLAG) && request->data_start == sizeof *request) {
      const struct dm_target_spec *target = (const struct dm_target_spec *)(request + 1);
      const char *parameters = (const char *)(target + 1);
      unsigned long type = strnlen(target->target_type, sizeof target->target_type);
      unsigned long rest = strnlen(parameters, limit);
      if (type + 1 + rest <= limit) {
        memcpy(text, target->target_type, type);
        text[type] = ' ';
        memcpy(text + type + 1, parameters, rest);
        length = (long)(type + 1 + rest);
      }
    }
  }
  if (control >= 0) (void)close(control);
  free(request);
  return length;
}
