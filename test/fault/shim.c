/*
 * Stands between a program and the C library (LD_PRELOAD) and makes the disk and the clock do what a test says: fail at
 * the n-th call, be full, kill the program before or after a call, tell another time. It also writes down every change of
 * the files below a directory and every sync, so that a test can make what a power cut would have left.
 *
 * FAULT_CONTROL  a file of 64-bit numbers that the test writes while the program runs; the order is that of control.ts
 * FAULT_ROOT     the directory whose files are meant
 * FAULT_JOURNAL  where changes are written down, when recording is on
 * FAULT_PROCESS  the part of a command line that a process must have; others are left alone, but for the clock
 * FAULT_NODE     NODE_OPTIONS for such a process
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct control {
  _Atomic int64_t clock_ms;
  _Atomic int64_t full;      /* classes of files that find no room */
  _Atomic int64_t classes;   /* the trap: of which files */
  _Atomic int64_t ops;       /* which calls */
  _Atomic int64_t at;        /* the how manyeth of them, from 1; 0 is no trap */
  _Atomic int64_t action;
  _Atomic int64_t error;     /* errno of a failure */
  _Atomic int64_t count;     /* matching calls so far */
  _Atomic int64_t fired;     /* how often the trap was sprung */
  _Atomic int64_t recording;
  _Atomic int64_t recorded;  /* bytes of the journal */
};

enum { class_store = 1, class_wal = 2, class_log = 4, class_audit = 8, class_anchor = 16, class_other = 32 };
enum { op_open = 1, op_read = 2, op_write = 4, op_sync = 8, op_truncate = 16, op_rename = 32, op_unlink = 64, op_reserve = 128, op_say = 256 };
enum { fail_once = 1, fail_from = 2, kill_before = 3, kill_after = 4, short_write = 5 };
enum { most_files = 4096 };

struct header {
  uint32_t op, path_bytes;
  uint64_t offset, bytes;
};

static int64_t absent[16];
static struct control *control = (struct control *)absent;
static char root[PATH_MAX];
static size_t root_bytes;
static int journal = -1;
static int watched;
static struct { int class; char *path; dev_t device; ino_t inode; } files[most_files];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* The C library's own. */
#define REAL(name) \
  ({ \
    static __typeof__(&name) found_##name; \
    if (found_##name == NULL) found_##name = (__typeof__(&name))dlsym(RTLD_NEXT, #name); \
    found_##name; \
  })

static int has_word(const char *word) {
  char line[4096];
  int fd = REAL(open)("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
  ssize_t length = fd < 0 ? 0 : REAL(read)(fd, line, sizeof line - 1);
  if (fd >= 0) REAL(close)(fd);
  return length > 0 && memmem(line, (size_t)length, word, strlen(word)) != NULL;
}

__attribute__((constructor)) static void begin(void) {
  const char *control_path = getenv("FAULT_CONTROL"), *word = getenv("FAULT_PROCESS");
  const char *directory = getenv("FAULT_ROOT"), *journal_path = getenv("FAULT_JOURNAL"), *options = getenv("FAULT_NODE");
  if (control_path == NULL) return;
  int fd = REAL(open)(control_path, O_RDWR | O_CLOEXEC);
  void *map = fd < 0 ? MAP_FAILED : mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (map == MAP_FAILED) abort();
  REAL(close)(fd);
  control = map;
  if (word != NULL && !has_word(word)) return;
  if (options != NULL) setenv("NODE_OPTIONS", options, 1);
  if (directory == NULL) return;
  root_bytes = strlen(directory);
  if (root_bytes >= sizeof root) abort();
  memcpy(root, directory, root_bytes + 1);
  if (journal_path != NULL) {
    journal = REAL(open)(journal_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (journal < 0) abort();
  }
  watched = 1;
}

static int ends_with(const char *path, const char *end) {
  size_t a = strlen(path), b = strlen(end);
  return a >= b && strcmp(path + a - b, end) == 0;
}

static int class_of(const char *path) {
  if (!watched || path == NULL || strncmp(path, root, root_bytes) != 0 || path[root_bytes] != '/') return 0;
  if (ends_with(path, "/store.sqlite")) return class_store;
  if (ends_with(path, "/store.sqlite-wal")) return class_wal;
  if (ends_with(path, "0.jsonl")) return class_log;
  if (strstr(path + root_bytes, "/audit/") != NULL) return class_audit;
  if (strstr(path + root_bytes, "/anchor") != NULL) return class_anchor;
  /* Shared memory is no file, and locks hold nothing. */
  if (ends_with(path, "-shm") || ends_with(path, ".lock")) return 0;
  return class_other;
}

/* Some descriptors are closed by a system call that we do not see, and then belong to something else. */
static int class_at(int fd) {
  struct stat found;
  if (!watched || fd < 0 || fd >= most_files || files[fd].class == 0) return 0;
  int kept = errno;
  int same = fstat(fd, &found) == 0 && found.st_dev == files[fd].device && found.st_ino == files[fd].inode;
  errno = kept;
  if (!same) files[fd].class = 0;
  return files[fd].class;
}

static void die(void) {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

/* Answers whether the call has to fail (errno is set then), and dies where it has to. `after` is told to `passed`. */
static int trapped(int class, int op, int64_t *after) {
  *after = 0;
  int64_t at = control->at;
  if (class == 0 || at == 0 || !(control->classes & class) || !(control->ops & op)) return 0;
  int64_t count = ++control->count, action = control->action;
  if (action == fail_from ? count < at : count != at) return 0;
  control->fired++;
  if (action == kill_before) die();
  *after = action;
  if (action == kill_after || action == short_write) return 0;
  errno = (int)control->error;
  return 1;
}

static void passed(int64_t after) {
  int kept = errno;
  if (after == kill_after) die();
  errno = kept;
}

static void note(int op, const char *path, uint64_t offset, const void *data, uint64_t bytes, uint64_t stated) {
  if (journal < 0 || !control->recording) return;
  int kept = errno;
  const char *name = path == NULL ? "" : path + root_bytes + 1;
  struct header header = {(uint32_t)op, (uint32_t)strlen(name), offset, data == NULL ? stated : bytes};
  struct iovec parts[3] = {{&header, sizeof header}, {(void *)name, header.path_bytes}, {(void *)data, data == NULL ? 0 : bytes}};
  size_t whole = sizeof header + header.path_bytes + parts[2].iov_len;
  if ((size_t)REAL(writev)(journal, parts, 3) != whole) abort();
  control->recorded += (int64_t)whole;
  errno = kept;
}

static void remember(int fd, const char *path, int class) {
  if (!watched || fd < 0 || fd >= most_files) return;
  free(files[fd].path);
  files[fd].path = class == 0 ? NULL : strdup(path);
  struct stat found;
  if (class != 0 && fstat(fd, &found) == 0) {
    files[fd].device = found.st_dev;
    files[fd].inode = found.st_ino;
  }
  files[fd].class = class;
}

static int open_any(const char *path, int flags, mode_t mode, int at) {
  int class = class_of(path);
  int64_t after;
  if (trapped(class, op_open, &after)) return -1;
  pthread_mutex_lock(&lock);
  int made = class != 0 && (flags & O_CREAT) && access(path, F_OK) != 0;
  int fd = REAL(openat)(at, path, flags, mode);
  if (class == 0 && watched && fd >= 0 && strncmp(path, root, root_bytes) == 0) {
    struct stat found;
    /* A directory is synced for the names in it. */
    if (fstat(fd, &found) == 0 && S_ISDIR(found.st_mode) && strlen(path) > root_bytes) class = class_other;
  }
  remember(fd, path, class);
  if (fd >= 0 && made) note(op_open, path, 0, NULL, 0, 0);
  else if (fd >= 0 && class != 0 && (flags & O_TRUNC)) note(op_truncate, path, 0, NULL, 0, 0);
  pthread_mutex_unlock(&lock);
  passed(after);
  return fd;
}

#define MODE(flags) \
  mode_t mode = 0; \
  if ((flags) & (O_CREAT | O_TMPFILE)) { va_list list; va_start(list, flags); mode = va_arg(list, mode_t); va_end(list); }

int open(const char *path, int flags, ...) { MODE(flags) return open_any(path, flags, mode, AT_FDCWD); }
int open64(const char *path, int flags, ...) { MODE(flags) return open_any(path, flags, mode, AT_FDCWD); }
int openat(int at, const char *path, int flags, ...) { MODE(flags) return open_any(path, flags, mode, at); }

int close(int fd) {
  if (class_at(fd) != 0) remember(fd, "", 0);
  return REAL(close)(fd);
}

/* How many of the bytes find room: what has its blocks already does, also on a full disk. */
static size_t room(int fd, int class, off64_t offset, size_t bytes) {
  struct stat64 found;
  if (!(control->full & class) || fstat64(fd, &found) != 0) return bytes;
  off64_t blocks = (off64_t)found.st_blocks * 512, end = blocks > found.st_size ? blocks : found.st_size;
  if (offset >= end) return 0;
  return (off64_t)bytes < end - offset ? bytes : (size_t)(end - offset);
}

static ssize_t write_any(int fd, int class, const void *data, size_t bytes, off64_t offset) {
  int64_t after;
  if (trapped(class, op_write, &after)) return -1;
  if (after == short_write) bytes = (bytes + 1) / 2;
  size_t taken = room(fd, class, offset, bytes);
  if (taken == 0 && bytes > 0) {
    errno = ENOSPC;
    return -1;
  }
  pthread_mutex_lock(&lock);
  ssize_t written = REAL(pwrite64)(fd, data, taken, offset);
  if (written > 0) note(op_write, files[fd].path, (uint64_t)offset, data, (uint64_t)written, 0);
  pthread_mutex_unlock(&lock);
  passed(after);
  return written;
}

ssize_t pwrite64(int fd, const void *data, size_t bytes, off64_t offset) {
  int class = class_at(fd);
  return class == 0 ? REAL(pwrite64)(fd, data, bytes, offset) : write_any(fd, class, data, bytes, offset);
}
ssize_t pwrite(int fd, const void *data, size_t bytes, off_t offset) { return pwrite64(fd, data, bytes, offset); }

ssize_t write(int fd, const void *data, size_t bytes) {
  int class = class_at(fd);
  if (watched && fd == 1) {
    /* What it tells its test has its place among the changes. */
    pthread_mutex_lock(&lock);
    note(op_say, NULL, 0, data, bytes, 0);
    pthread_mutex_unlock(&lock);
  }
  if (class == 0) return REAL(write)(fd, data, bytes);
  off64_t at = lseek64(fd, 0, (fcntl(fd, F_GETFL) & O_APPEND) ? SEEK_END : SEEK_CUR);
  ssize_t written = write_any(fd, class, data, bytes, at);
  if (written > 0) lseek64(fd, at + written, SEEK_SET);
  return written;
}

/* One after the other: who writes several parts has to bear that fewer are taken. */
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
  if (class_at(fd) == 0) return REAL(pwritev)(fd, parts, count, offset);
  return count == 0 ? 0 : pwrite64(fd, parts[0].iov_base, parts[0].iov_len, offset);
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
  if (class_at(fd) == 0) return REAL(writev)(fd, parts, count);
  return count == 0 ? 0 : write(fd, parts[0].iov_base, parts[0].iov_len);
}

ssize_t pread64(int fd, void *data, size_t bytes, off64_t offset) {
  int64_t after;
  if (trapped(class_at(fd), op_read, &after)) return -1;
  return REAL(pread64)(fd, data, bytes, offset);
}
ssize_t read(int fd, void *data, size_t bytes) {
  int64_t after;
  if (trapped(class_at(fd), op_read, &after)) return -1;
  return REAL(read)(fd, data, bytes);
}

static int sync_any(int fd, int (*call)(int)) {
  int class = class_at(fd);
  if (class == 0) return call(fd);
  int64_t after;
  if (trapped(class, op_sync, &after)) return -1;
  /* What another thread writes while this runs is not promised by it. */
  uint64_t before = (uint64_t)control->recorded;
  int result = call(fd);
  pthread_mutex_lock(&lock);
  if (result == 0) note(op_sync, files[fd].path, before, NULL, 0, 0);
  pthread_mutex_unlock(&lock);
  passed(after);
  return result;
}
int fsync(int fd) { return sync_any(fd, REAL(fsync)); }
int fdatasync(int fd) { return sync_any(fd, REAL(fdatasync)); }

int ftruncate64(int fd, off64_t bytes) {
  int class = class_at(fd);
  if (class == 0) return REAL(ftruncate64)(fd, bytes);
  int64_t after;
  if (trapped(class, op_truncate, &after)) return -1;
  pthread_mutex_lock(&lock);
  int result = REAL(ftruncate64)(fd, bytes);
  if (result == 0) note(op_truncate, files[fd].path, 0, NULL, 0, (uint64_t)bytes);
  pthread_mutex_unlock(&lock);
  passed(after);
  return result;
}
int ftruncate(int fd, off_t bytes) { return ftruncate64(fd, bytes); }

int fallocate(int fd, int mode, off_t offset, off_t bytes) {
  int class = class_at(fd);
  int64_t after;
  if (trapped(class, op_reserve, &after)) return -1;
  if (class != 0 && (control->full & class) && room(fd, class, offset, (size_t)bytes) < (size_t)bytes) {
    errno = ENOSPC;
    return -1;
  }
  return REAL(fallocate)(fd, mode, offset, bytes);
}
int fallocate64(int fd, int mode, off64_t offset, off64_t bytes) { return fallocate(fd, mode, offset, bytes); }

int rename(const char *from, const char *to) {
  int class = class_of(to);
  if (class == 0) return REAL(rename)(from, to);
  int64_t after;
  if (trapped(class, op_rename, &after)) return -1;
  pthread_mutex_lock(&lock);
  int result = REAL(rename)(from, to);
  /* Both names lie below the root, or the journal could not tell what the new one holds. */
  if (result == 0 && class_of(from) == 0) abort();
  if (result == 0) note(op_rename, from, 0, to + root_bytes + 1, strlen(to + root_bytes + 1), 0);
  pthread_mutex_unlock(&lock);
  passed(after);
  return result;
}

int unlink(const char *path) {
  int class = class_of(path);
  if (class == 0) return REAL(unlink)(path);
  int64_t after;
  if (trapped(class, op_unlink, &after)) return -1;
  pthread_mutex_lock(&lock);
  int result = REAL(unlink)(path);
  if (result == 0) note(op_unlink, path, 0, NULL, 0, 0);
  pthread_mutex_unlock(&lock);
  passed(after);
  return result;
}

int clock_gettime(clockid_t id, struct timespec *time) {
  int result = REAL(clock_gettime)(id, time);
  if (result != 0 || (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE)) return result;
  int64_t whole = (int64_t)time->tv_sec * 1000000000 + time->tv_nsec + control->clock_ms * 1000000;
  time->tv_sec = whole / 1000000000;
  time->tv_nsec = whole % 1000000000;
  return 0;
}

int gettimeofday(struct timeval *time, void *zone) {
  int result = REAL(gettimeofday)(time, zone);
  if (result != 0) return result;
  int64_t whole = (int64_t)time->tv_sec * 1000000 + time->tv_usec + control->clock_ms * 1000;
  time->tv_sec = whole / 1000000;
  time->tv_usec = whole % 1000000;
  return 0;
}

time_t time(time_t *place) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (place != NULL) *place = now.tv_sec;
  return now.tv_sec;
}
