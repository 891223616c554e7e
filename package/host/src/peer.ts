import type { Socket } from 'node:net';
import { SpikeError } from '@spike/error';
import { callGetsockopt } from './libc.ts';
import { PidHandle } from './pid.ts';

// Numbers of include/uapi/asm-generic/socket.h; x86-64 and arm64 use them.
const solSocket = 1;
const soPeercred = 17;
const soPeerpidfd = 77;

/** Who was on the other end of a Unix socket when it connected, by the kernel's word. */
export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** Throws `host_refused` off Linux, and when the socket is closed or not a Unix socket. */
export function peerCredentials(socket: Socket): PeerCredentials {
  const value = callGetsockopt(descriptorOf(socket), solSocket, soPeercred, 12, 'SO_PEERCRED');
  const credentials = {
    pid: value.readInt32LE(0),
    uid: value.readUInt32LE(4),
    gid: value.readUInt32LE(8),
  };
  // The kernel says 0 for a process outside of our pid namespace, and for a socket of another family.
  if (credentials.pid <= 0)
    throw new SpikeError('host_refused', 'the kernel does not name the process on the other side');
  return credentials;
}

/**
 * Holds the process that connected, so that its number can't come to mean another one. Throws `host_refused`, also
 * when that process is gone. Kernels before 6.5 can't tell by the socket: there the number is looked up.
 */
export function openPeerPid(socket: Socket): PidHandle {
  const { pid } = peerCredentials(socket);
  let fd: number;
  try {
    fd = callGetsockopt(descriptorOf(socket), solSocket, soPeerpidfd, 4, 'SO_PEERPIDFD').readInt32LE(0);
  } catch (error) {
    if (errnoOf(error) !== noProtocolOption) throw error;
    return PidHandle.open(pid);
  }
  return PidHandle.adopt(pid, fd);
}

const noProtocolOption = 92;

function errnoOf(error: unknown): unknown {
  return error instanceof SpikeError ? error.detail['errno'] : undefined;
}

/** Node keeps the descriptor of a socket to itself; this is the one place that looks behind it. */
function descriptorOf(socket: Socket): number {
  const handle: unknown = Reflect.get(socket, '_handle');
  const fd: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'fd') : undefined;
  if (typeof fd !== 'number' || fd < 0) throw new SpikeError('host_refused', 'the socket is closed');
  return fd;
}
