import { closeSync, readFileSync } from 'node:fs';
import { SpikeError } from '@spike/error';
import { callPidfdOpen, isReadable } from './libc.ts';

export interface ProcessStat {
  readonly ppid: number;
  /** Clock ticks since boot; with the pid it names a process until the next boot. */
  readonly startTime: string;
}

/** Reads `/proc/PID/stat` (proc(5)); undefined when there is no such process. */
export function readProcessStat(pid: number): ProcessStat | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  // The name is the process's own choice and may hold spaces and brackets: what counts begins after the last one.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [ppid, startTime] = [fields[1], fields[19]];
  if (ppid === undefined || startTime === undefined) return undefined;
  return { ppid: Number(ppid), startTime };
}

/** One process, held by pidfd: as long as `alive` says true, its pid means this process and no other. */
export class PidHandle implements Disposable {
  readonly pid: number;
  readonly startTime: string;
  #fd: number | undefined;

  private constructor(pid: number, fd: number, startTime: string) {
    this.pid = pid;
    this.#fd = fd;
    this.startTime = startTime;
  }

  /** Throws `host_refused` when there is no such process. */
  static open(pid: number): PidHandle {
    return PidHandle.adopt(pid, callPidfdOpen(pid));
  }

  /** Takes over a pidfd, and closes it when the process is already gone (`host_refused`). */
  static adopt(pid: number, fd: number): PidHandle {
    const stat = readProcessStat(pid);
    // Read before the question: if the process lives now, it lived then, so the start time is its own.
    if (stat === undefined || isReadable(fd)) {
      closeSync(fd);
      throw new SpikeError('host_refused', `process ${pid} has ended`);
    }
    return new PidHandle(pid, fd, stat.startTime);
  }

  /** False once the process has ended (a zombie has), and after disposal. */
  alive(): boolean {
    return this.#fd !== undefined && !isReadable(this.#fd);
  }

  [Symbol.dispose](): void {
    if (this.#fd === undefined) return;
    closeSync(this.#fd);
    this.#fd = undefined;
  }
}
