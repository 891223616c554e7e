import type { Socket } from 'node:net';
import {
  openPeerPid,
  peerCredentials,
  readProcessStat,
  type PeerCredentials,
  type PidHandle,
} from '@spike/host';
import type { PidBinding } from './binding.ts';
import type { Attestation } from './entitle.ts';
import { ExecutableReader } from './executable.ts';

/** The process behind one connection, held from the moment when it was accepted. */
interface Peer {
  readonly credentials: PeerCredentials;
  readonly handle: PidHandle;
}

export interface Bindings {
  readonly parts: PidBinding<string>;
  /** To the id of the one entry that the process gets. */
  readonly runs: PidBinding<string>;
}

/** Says who is behind a connection, from what the kernel says of it and from our own records of that process. */
export class Attestor {
  readonly #bindings: Bindings;
  readonly #executables = new ExecutableReader();
  readonly #peers = new WeakMap<Socket, Peer>();

  constructor(bindings: Bindings) {
    this.#bindings = bindings;
  }

  /** Takes hold of the process, until the connection closes. Throws `host_refused` when it is gone already. */
  hold(socket: Socket): void {
    const credentials = peerCredentials(socket);
    const handle = openPeerPid(socket);
    this.#peers.set(socket, { credentials, handle });
    socket.once('close', () => handle[Symbol.dispose]());
  }

  /**
   * Reads everything anew, since a process can replace its program. Undefined when the process that connected has
   * ended: whoever holds the connection now is somebody else.
   */
  async attest(socket: Socket, withDigest: boolean): Promise<Attestation | undefined> {
    const peer = this.#peers.get(socket);
    if (peer === undefined || !peer.handle.alive()) return undefined;
    const { pid, uid, gid } = peer.credentials;
    const executable = await this.#executables.read(pid, withDigest);
    // What was read under this number belongs to the process only if it is the same one still.
    if (readProcessStat(pid)?.startTime !== peer.handle.startTime || !peer.handle.alive()) return undefined;
    const part = this.#bindings.parts.get(pid);
    const runEntry = this.#bindings.runs.get(pid);
    return {
      pid,
      uid,
      gid,
      ...executable,
      ...(part === undefined ? {} : { part }),
      ...(runEntry === undefined ? {} : { runEntry }),
    };
  }
}
