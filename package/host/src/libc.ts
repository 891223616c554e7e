import type * as Ffi from 'node:ffi';
import { getSystemErrorName } from 'node:util';
import { SpikeError } from '@spike/error';

/**
 * The only module that touches node:ffi, which is experimental. Variadic functions (prctl, syscall, fcntl) are declared with
 * the full-width arguments that the kernel reads: on Linux, x86-64 and arm64 pass variadic integers like any others.
 */
const signatures = {
  prctl: { arguments: ['int32', 'uint64', 'uint64', 'uint64', 'uint64'], return: 'int32' },
  setrlimit: { arguments: ['int32', 'buffer'], return: 'int32' },
  getsockopt: { arguments: ['int32', 'int32', 'int32', 'buffer', 'buffer'], return: 'int32' },
  syscall: { arguments: ['int64', 'int64', 'int64', 'int64', 'int64'], return: 'int64' },
  poll: { arguments: ['buffer', 'uint64', 'int32'], return: 'int32' },
  flock: { arguments: ['int32', 'int32'], return: 'int32' },
  fcntl: { arguments: ['int32', 'int32', 'int64'], return: 'int32' },
  fallocate: { arguments: ['int32', 'int32', 'int64', 'int64'], return: 'int32' },
  waitpid: { arguments: ['int32', 'buffer', 'int32'], return: 'int32' },
  signal: { arguments: ['int32', 'uint64'], return: 'uint64' },
  posix_openpt: { arguments: ['int32'], return: 'int32' },
  grantpt: { arguments: ['int32'], return: 'int32' },
  unlockpt: { arguments: ['int32'], return: 'int32' },
  ptsname_r: { arguments: ['int32', 'buffer', 'uint64'], return: 'int32' },
  __errno_location: { arguments: [], return: 'pointer' },
} as const satisfies Ffi.FunctionDefinitions;

interface Libc {
  readonly functions: Ffi.WrappedFunctionsFromDefinitions<typeof signatures>;
  errno(): number;
}

/** `pidfd_open` has no wrapper in older C libraries; since Linux 5.3 its number is the same on every architecture. */
const sysPidfdOpen = 434n;
const pollIn = 1;
const defaultAction = 0n;
const lockExclusive = 2;
const lockNonBlocking = 4;
const wouldBlock = 11;
const keepSize = 1;
/** ENOSPC and EDQUOT. */
const noRoom: readonly number[] = [28, 122];
const noHang = 1;
const getFlags = 3;
const setFlags = 4;
const nonBlocking = 0o4000;

let opened: Libc | undefined;

/** Opens the C library that Node itself is linked against; once, since it can't be unloaded while a call may run. */
function libc(): Libc {
  if (opened !== undefined) return opened;
  if (process.platform !== 'linux') {
    throw new SpikeError('host_refused', `not supported on ${process.platform}: only Linux offers it`);
  }
  const ffi = process.getBuiltinModule('node:ffi') as typeof Ffi | undefined;
  if (ffi === undefined) {
    throw new SpikeError('host_refused', 'this Node has no node:ffi; use Node 26.3.1 or later');
  }
  const { functions } = ffi.dlopen(null, signatures);
  opened = { functions, errno: () => ffi.getInt32(functions.__errno_location()) };
  return opened;
}

function check(result: number | bigint, what: string): number {
  if (Number(result) >= 0) return Number(result);
  const errno = libc().errno();
  throw new SpikeError('host_refused', `${what} failed: ${getSystemErrorName(-errno)}`, {
    detail: { call: what, errno },
  });
}

export function callPrctl(option: number, argument: number, what: string): number {
  return check(libc().functions.prctl(option, BigInt(argument), 0n, 0n, 0n), what);
}

/** Sets the soft and the hard limit of a resource; no process can raise the hard one again without privilege. */
export function callSetrlimit(resource: number, limit: bigint, what: string): void {
  const pair = Buffer.alloc(16);
  pair.writeBigUInt64LE(limit, 0);
  pair.writeBigUInt64LE(limit, 8);
  check(libc().functions.setrlimit(resource, pair), what);
}

/** The value of a socket option that has exactly `bytes` bytes. */
export function callGetsockopt(
  fd: number,
  level: number,
  option: number,
  bytes: number,
  what: string,
): Buffer {
  const value = Buffer.alloc(bytes);
  const length = Buffer.alloc(4);
  length.writeInt32LE(bytes);
  check(libc().functions.getsockopt(fd, level, option, value, length), what);
  if (length.readInt32LE() !== bytes) throw new SpikeError('host_refused', `${what} answered another size`);
  return value;
}

/** A descriptor (close-on-exec) that stands for this process and for no later one with the same number. */
export function callPidfdOpen(pid: number): number {
  return check(libc().functions.syscall(sysPidfdOpen, BigInt(pid), 0n, 0n, 0n), 'pidfd_open');
}

/** Whether a descriptor is readable now; a pidfd becomes so when its process ends. */
export function isReadable(fd: number): boolean {
  const request = Buffer.alloc(8);
  request.writeInt32LE(fd, 0);
  request.writeInt16LE(pollIn, 4);
  return check(libc().functions.poll(request, 1n, 0), 'poll') > 0;
}

/** Takes an exclusive lock without waiting (flock(2)); false when another open file holds it. */
export function callFlock(fd: number): boolean {
  if (libc().functions.flock(fd, lockExclusive | lockNonBlocking) === 0) return true;
  if (libc().errno() === wouldBlock) return false;
  throw new SpikeError('host_refused', 'flock failed', { detail: { errno: libc().errno() } });
}

/** Keeps blocks for a file without making it longer (fallocate(2)); false when the disk or a quota has none left. */
export function callFallocate(fd: number, from: number, bytes: number): boolean {
  if (libc().functions.fallocate(fd, keepSize, BigInt(from), BigInt(bytes)) === 0) return true;
  const errno = libc().errno();
  if (noRoom.includes(errno)) return false;
  throw new SpikeError('host_refused', 'fallocate failed', { detail: { errno } });
}

/** Reaps this child if it has ended; true when there is no such child any more. Never waits. */
export function isReaped(pid: number): boolean {
  return libc().functions.waitpid(pid, Buffer.alloc(4), noHang) !== 0;
}

export function resetSignalAction(signal: number): void {
  libc().functions.signal(signal, defaultAction);
}

/** Takes O_NONBLOCK off a descriptor; one that is not open is left alone. */
export function makeBlocking(fd: number): void {
  const { fcntl } = libc().functions;
  const flags = fcntl(fd, getFlags, 0n);
  if (flags >= 0 && (flags & nonBlocking) !== 0) fcntl(fd, setFlags, BigInt(flags & ~nonBlocking));
}

/** Opens a pseudo-terminal: the descriptor of its controlling side and the path of its other side. */
export function callOpenpty(flags: number): { readonly fd: number; readonly path: string } {
  const { functions } = libc();
  const fd = check(functions.posix_openpt(flags), 'posix_openpt');
  check(functions.grantpt(fd), 'grantpt');
  check(functions.unlockpt(fd), 'unlockpt');
  const name = Buffer.alloc(128);
  // ptsname_r answers an error number instead of setting errno.
  check(-functions.ptsname_r(fd, name, BigInt(name.length)), 'ptsname_r');
  return { fd, path: name.toString('latin1', 0, name.indexOf(0)) };
}
