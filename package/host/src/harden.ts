import { constants } from 'node:os';
import { SpikeError } from '@spike/error';
import { callPrctl, callSetrlimit } from './libc.ts';

// Numbers of include/uapi/linux/prctl.h and asm-generic/resource.h.
const prSetPdeathsig = 1;
const prSetDumpable = 4;
const prSetNoNewPrivs = 38;
const rlimitCore = 4;

/**
 * Call it before anything else in every main: no core dumps, no ptrace and no reading of memory, environment or
 * executable by processes of the same uid (PR_SET_DUMPABLE, which execve sets back), and no gain of privileges.
 * Never throws; `lacking` says in words what could not be had, on this system or at all.
 */
export function harden(): { readonly lacking: readonly string[] } {
  const lacking = [
    describeLack('core dumps stay possible', () => callSetrlimit(rlimitCore, 0n, 'setrlimit')),
    describeLack('processes of the same uid can read this memory', () =>
      callPrctl(prSetDumpable, 0, 'PR_SET_DUMPABLE'),
    ),
    describeLack('privileges can be gained by execve', () =>
      callPrctl(prSetNoNewPrivs, 1, 'PR_SET_NO_NEW_PRIVS'),
    ),
  ];
  return { lacking: lacking.filter((lack) => lack !== undefined) };
}

/**
 * Asks the kernel to signal this process when its parent ends, however it ends. `parentPid` is who the parent has to
 * be: false means that it was gone before the question, so no signal will come and the caller has to end by itself.
 * The kernel watches the thread that forked; Node forks on its main thread. Throws `host_refused` off Linux.
 */
export function setParentDeathSignal(signal: 'SIGTERM' | 'SIGKILL', parentPid: number): boolean {
  callPrctl(prSetPdeathsig, constants.signals[signal], 'PR_SET_PDEATHSIG');
  return process.ppid === parentPid;
}

/** Runs one protection; undefined when it holds, else what is lacking and why. */
function describeLack(consequence: string, protect: () => unknown): string | undefined {
  try {
    protect();
    return undefined;
  } catch (error) {
    return `${consequence} (${error instanceof SpikeError ? error.message : 'the call failed'})`;
  }
}
