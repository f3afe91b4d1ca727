// SPDX-License-Identifier: Apache-2.0
// What Swift's Glibc module leaves out of Linux' own C interface, and wrappers for what Swift cannot call (variadics)
// or would have to call through a union.
#pragma once
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

// Names the calling thread; the kernel cuts at 15 octets.
static inline void clinux_set_thread_name(const char *name) { (void)prctl(PR_SET_NAME, name, 0, 0, 0); }

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

// Locks one octet of a file for this open file description (F_OFD_SETLK of linux/fcntl.h, which glibc shows only with
// _GNU_SOURCE). 0, or -1 with errno: EAGAIN if another has it.
static inline int clinux_lock_octet(int descriptor, int64_t offset) {
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = offset, .l_len = 1};
  return fcntl(descriptor, 37, &lock);
}
