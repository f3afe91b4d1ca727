// SPDX-License-Identifier: Apache-2.0
// Writes and reads disks without pause and proves that what was acknowledged is there.
//
//   io-check run [OPTION...] DISK...      until SIGTERM or SIGINT, or for a time
//   io-check verify --journal FILE DISK...   reads everything that a run with this journal had acknowledged
//
//   --workers N      writers of each disk (4)          --seconds S     ends by itself (0: never)
//   --block OCTETS   size of a request (4096)          --size MIB      how much of each disk is used (8)
//   --pause MS       between two requests (0)          --shared        the disks are one and the same: each has its part of it
//   --journal FILE   what was acknowledged, block by block; outlives the process
//   --status FILE    is written anew ten times a second: the report as it is then
//
// Each block belongs to one worker. It carries its place, a sequence number, the run's number and a checksum over content that
// follows from them. A block may hold what was acknowledged last, or what was sent later and ended with an error; anything else
// is a corruption. The report goes to standard output as key=value lines. Exit status: 0, 1 after a corruption, 2 for misuse.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum { MAX_DISKS = 256, MAX_ERRNO = 134, SHOWN_CORRUPTIONS = 20 };
#define MAGIC 0x6b63656863206f69ULL

struct header {
  uint64_t magic, run, disk, block, sequence, checksum;
};

// What is known of a block: its last acknowledged sequence number and the last that was sent.
struct entry {
  _Atomic uint64_t acknowledged, sent;
};

struct journal_head {
  uint64_t magic, run, disks, blocks, block_size, workers, shared;
};

struct disk {
  const char *path;
  int file;
  struct entry *entries;
  _Atomic uint64_t last_completion, longest_gap;
};

struct worker {
  pthread_t thread;
  unsigned disk, number;
};

static struct journal_head *journal;
static struct disk disks[MAX_DISKS];
static unsigned disk_count, workers = 4, pause_ms, seconds, size_mib = 8, block_size = 4096, shared;
static const char *journal_path, *status_path;
static _Atomic uint64_t writes, reads, corruptions, verified, error_count[MAX_ERRNO + 1];
static _Atomic bool stopping;

static void die(const char *what) {
  fprintf(stderr, "io-check: %s: %s\n", what, strerror(errno));
  exit(2);
}

static uint64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000ULL + (uint64_t)time.tv_nsec;
}

static uint64_t mix(uint64_t value) {
  value += 0x9e3779b97f4a7c15ULL;
  value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9ULL;
  value = (value ^ value >> 27) * 0x94d049bb133111ebULL;
  return value ^ value >> 31;
}

static uint64_t checksum(const uint64_t *words, size_t count) {
  uint64_t sum = 0xcbf29ce484222325ULL;
  for (size_t i = 0; i < count; i++) sum = (sum ^ words[i]) * 0x100000001b3ULL;
  return sum;
}

static void fill(void *buffer, unsigned disk, uint64_t block, uint64_t sequence) {
  struct header *header = buffer;
  uint64_t *words = buffer, state = mix(journal->run ^ block << 20 ^ (uint64_t)disk << 52) ^ sequence;
  size_t first = sizeof *header / 8, count = block_size / 8;
  for (size_t i = first; i < count; i++) words[i] = state += 0x9e3779b97f4a7c15ULL;
  *header = (struct header){MAGIC, journal->run, disk, block, sequence, 0};
  header->checksum = checksum(words, count);
}

// Whether the block is whole, and of this run and place; its sequence number.
static bool is_ours(void *buffer, unsigned disk, uint64_t block, uint64_t *sequence, const char **fault) {
  struct header header = *(struct header *)buffer;
  ((struct header *)buffer)->checksum = 0;
  *sequence = header.sequence;
  if (header.magic != MAGIC) return *fault = "foreign content", false;
  if (header.run != journal->run) return *fault = "content of another run", false;
  if (checksum(buffer, block_size / 8) != header.checksum) return *fault = "checksum", false;
  if (header.disk != disk) return *fault = "content of another disk", false;
  if (header.block != block) return *fault = "content of another block", false;
  return true;
}

static void corrupted(unsigned disk, uint64_t block, const char *fault, uint64_t found, uint64_t low, uint64_t high) {
  if (atomic_fetch_add(&corruptions, 1) >= SHOWN_CORRUPTIONS) return;
  printf("corruption disk=%s block=%llu fault=\"%s\" sequence=%llu acknowledged=%llu sent=%llu\n", disks[disk].path,
         (unsigned long long)block, fault, (unsigned long long)found, (unsigned long long)low, (unsigned long long)high);
  fflush(stdout);
}

static void failed(int code) { atomic_fetch_add(&error_count[code > 0 && code < MAX_ERRNO ? code : MAX_ERRNO], 1); }

// A request has succeeded: how long was it since the one before, of the same disk?
static void completed(struct disk *disk) {
  uint64_t now = now_ns(), before = atomic_exchange(&disk->last_completion, now);
  uint64_t gap = now > before ? now - before : 0, longest = atomic_load(&disk->longest_gap);
  while (gap > longest && !atomic_compare_exchange_weak(&disk->longest_gap, &longest, gap)) {}
}

static bool transfer(unsigned disk, uint64_t block, void *buffer, bool is_write) {
  off_t offset = (off_t)(block * block_size);
  ssize_t count = is_write ? pwrite(disks[disk].file, buffer, block_size, offset)
                           : pread(disks[disk].file, buffer, block_size, offset);
  if (count != (ssize_t)block_size) {
    failed(count < 0 ? errno : EIO);
    return false;
  }
  completed(&disks[disk]);
  return true;
}

static bool check_block(unsigned disk, uint64_t block, void *buffer) {
  struct entry *entry = &disks[disk].entries[block];
  uint64_t low = atomic_load(&entry->acknowledged), high = atomic_load(&entry->sent), found;
  const char *fault = NULL;
  if (!transfer(disk, block, buffer, false)) return false;
  atomic_fetch_add(&reads, 1);
  if (!is_ours(buffer, disk, block, &found, &fault)) {
    // A write that ended with an error may have been carried out in part.
    if (high == low) corrupted(disk, block, fault, found, low, high);
  } else if (found < low || found > high) {
    corrupted(disk, block, found < low ? "old content" : "content never sent", found, low, high);
  } else if (found > low) {
    // It got there all the same, and must not vanish again.
    atomic_store(&entry->acknowledged, found);
  }
  return true;
}

static void *work(void *argument) {
  struct worker *worker = argument;
  uint64_t stride = workers * (shared ? disk_count : 1);
  uint64_t first = worker->number + (shared ? worker->disk * workers : 0);
  uint64_t own = journal->blocks > first ? (journal->blocks - first + stride - 1) / stride : 0;
  uint64_t random = mix(journal->run ^ (uint64_t)worker->disk << 32 ^ worker->number);
  void *buffer;
  if (posix_memalign(&buffer, 4096, block_size) != 0) die("memory");
  while (own > 0 && !atomic_load(&stopping)) {
    random = mix(random);
    uint64_t block = first + (random >> 8) % own * stride;
    struct entry *entry = &disks[worker->disk].entries[block];
    bool is_good = true;
    if ((random & 1) != 0 || atomic_load(&entry->acknowledged) == 0) {
      uint64_t sequence = atomic_load(&entry->sent) + 1;
      atomic_store(&entry->sent, sequence);
      fill(buffer, worker->disk, block, sequence);
      is_good = transfer(worker->disk, block, buffer, true);
      if (is_good) {
        atomic_store(&entry->acknowledged, sequence);
        atomic_fetch_add(&writes, 1);
      }
    } else {
      is_good = check_block(worker->disk, block, buffer);
    }
    if (!is_good) usleep(20000);
    if (pause_ms != 0) usleep(pause_ms * 1000);
  }
  free(buffer);
  return NULL;
}

static void verify_all(void) {
  void *buffer;
  if (posix_memalign(&buffer, 4096, block_size) != 0) die("memory");
  for (unsigned disk = 0; disk < disk_count; disk++)
    for (uint64_t block = 0; block < journal->blocks; block++)
      if (atomic_load(&disks[disk].entries[block].acknowledged) != 0 && check_block(disk, block, buffer))
        atomic_fetch_add(&verified, 1);
  free(buffer);
}

static void report(FILE *file) {
  uint64_t errors = 0, gap = 0, acknowledged = 0;
  for (int code = 0; code <= MAX_ERRNO; code++) errors += atomic_load(&error_count[code]);
  for (unsigned disk = 0; disk < disk_count; disk++) {
    if (disks[disk].longest_gap > gap) gap = disks[disk].longest_gap;
    for (uint64_t block = 0; block < journal->blocks; block++)
      if (atomic_load(&disks[disk].entries[block].acknowledged) != 0) acknowledged++;
  }
  uint64_t written = atomic_load(&writes), read = atomic_load(&reads);
  fprintf(file, "writes=%llu\nreads=%llu\ntotal=%llu\n", (unsigned long long)written, (unsigned long long)read,
          (unsigned long long)(written + read));
  fprintf(file, "errors=%llu\n", (unsigned long long)errors);
  for (int code = 0; code <= MAX_ERRNO; code++) {
    if (atomic_load(&error_count[code]) == 0) continue;
    const char *name = code < MAX_ERRNO ? strerrorname_np(code) : NULL;
    fprintf(file, "errors.%s=%llu\n", name != NULL ? name : "other", (unsigned long long)atomic_load(&error_count[code]));
  }
  fprintf(file, "corruptions=%llu\ngap_ms=%llu\nblocks=%llu\nverified=%llu\n",
          (unsigned long long)atomic_load(&corruptions), (unsigned long long)(gap / 1000000),
          (unsigned long long)acknowledged, (unsigned long long)atomic_load(&verified));
}

static void write_status(void) {
  char new_path[4096];
  if (status_path == NULL) return;
  snprintf(new_path, sizeof new_path, "%s.new", status_path);
  FILE *file = fopen(new_path, "w");
  if (file == NULL) die(new_path);
  report(file);
  fclose(file);
  if (rename(new_path, status_path) != 0) die(status_path);
}

static void open_journal(bool is_verify) {
  uint64_t blocks = (uint64_t)size_mib * 1024 * 1024 / block_size;
  struct journal_head head = {MAGIC, 0, disk_count, blocks, block_size, workers, shared};
  int file = -1, flags = MAP_SHARED | MAP_ANONYMOUS;
  if (journal_path != NULL) {
    file = open(journal_path, is_verify ? O_RDWR : O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (file < 0) die(journal_path);
    if (is_verify && (pread(file, &head, sizeof head, 0) != sizeof head || head.magic != MAGIC || head.disks != disk_count)) {
      fprintf(stderr, "io-check: %s is no journal of these disks\n", journal_path);
      exit(2);
    }
    flags = MAP_SHARED;
  }
  size_t size = 4096 + head.disks * head.blocks * sizeof(struct entry);
  if (file >= 0 && !is_verify && ftruncate(file, (off_t)size) != 0) die(journal_path);
  journal = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, file, 0);
  if (journal == MAP_FAILED) die("journal");
  if (!is_verify) {
    if (getrandom(&head.run, sizeof head.run, 0) != sizeof head.run) die("getrandom");
    *journal = head;
  }
  block_size = (unsigned)journal->block_size, shared = (unsigned)journal->shared;
  for (unsigned disk = 0; disk < disk_count; disk++)
    disks[disk].entries = (struct entry *)((char *)journal + 4096) + disk * journal->blocks;
}

static unsigned number(const char *text) {
  char *end;
  unsigned long value = text == NULL ? 0 : strtoul(text, &end, 10);
  if (text == NULL || *end != 0 || value > 1000000) {
    fprintf(stderr, "io-check: wrong number: %s\n", text == NULL ? "" : text);
    exit(2);
  }
  return (unsigned)value;
}

static void parse(int count, char **arguments) {
  for (int i = 2; i < count; i++) {
    const char *name = arguments[i], *value = i + 1 < count ? arguments[i + 1] : NULL;
    bool has_value = true;
    if (strcmp(name, "--workers") == 0) workers = number(value);
    else if (strcmp(name, "--block") == 0) block_size = number(value);
    else if (strcmp(name, "--size") == 0) size_mib = number(value);
    else if (strcmp(name, "--pause") == 0) pause_ms = number(value);
    else if (strcmp(name, "--seconds") == 0) seconds = number(value);
    else if (strcmp(name, "--journal") == 0) journal_path = value;
    else if (strcmp(name, "--status") == 0) status_path = value;
    else if (strcmp(name, "--shared") == 0) shared = 1, has_value = false;
    else if (name[0] != '-' && disk_count < MAX_DISKS) disks[disk_count++].path = name, has_value = false;
    else {
      fprintf(stderr, "io-check: wrong argument: %s\n", name);
      exit(2);
    }
    if (has_value) i++;
  }
}

int main(int count, char **arguments) {
  bool is_verify = count > 1 && strcmp(arguments[1], "verify") == 0;
  if (count < 2 || (!is_verify && strcmp(arguments[1], "run") != 0)) {
    fprintf(stderr, "usage: io-check run|verify [OPTION...] DISK...\n");
    return 2;
  }
  parse(count, arguments);
  if (disk_count == 0 || workers == 0 || block_size < 512 || block_size % 512 != 0 || (is_verify && journal_path == NULL)) {
    fprintf(stderr, "io-check: disks, workers, block or journal are missing or wrong\n");
    return 2;
  }
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, NULL);
  for (unsigned disk = 0; disk < disk_count; disk++) {
    disks[disk].file = open(disks[disk].path, O_RDWR | O_DIRECT);
    if (disks[disk].file < 0) die(disks[disk].path);
    disks[disk].last_completion = now_ns();
  }
  open_journal(is_verify);

  if (!is_verify) {
    struct worker *all = calloc(disk_count * workers, sizeof *all);
    if (all == NULL) die("memory");
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 64 * 1024);
    for (unsigned i = 0; i < disk_count * workers; i++) {
      all[i].disk = i / workers, all[i].number = i % workers;
      if ((errno = pthread_create(&all[i].thread, &attributes, work, &all[i])) != 0) die("pthread_create");
    }
    uint64_t end = now_ns() + (uint64_t)seconds * 1000000000ULL;
    const struct timespec tick = {0, 100000000};
    do {
      write_status();
      if (sigtimedwait(&ends, NULL, &tick) > 0) atomic_store(&stopping, true);
      if (seconds != 0 && now_ns() >= end) atomic_store(&stopping, true);
    } while (!atomic_load(&stopping));
    for (unsigned i = 0; i < disk_count * workers; i++) pthread_join(all[i].thread, NULL);
  }
  verify_all();
  write_status();
  report(stdout);
  return atomic_load(&corruptions) == 0 ? 0 : 1;
}
