import { PassThrough } from 'node:stream';
import { Deadline } from '../deadline.ts';
import type { Invocation } from '../invocation.ts';
import { defaultSettings, type Settings } from '../setting.ts';

export interface Rehearsal {
  readonly invocation: Invocation;
  /** What was written until now. */
  readonly written: { out: string; err: string };
}

interface RehearsalOptions {
  readonly input?: string | Uint8Array;
  readonly isTerminal?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  readonly settings?: Partial<Settings>;
}

/** A process for a command that is not one: what it writes is kept, what it reads is given. */
export function rehearse(options: RehearsalOptions = {}): Rehearsal {
  const { input = '', isTerminal = false, env = {}, settings = {} } = options;
  const written = { out: '', err: '' };
  const sink = (name: 'out' | 'err') =>
    Object.assign(new PassThrough(), {
      isTTY: isTerminal,
      rows: 24,
      write: (text: string | Uint8Array) => {
        written[name] += Buffer.from(text).toString();
        return true;
      },
    }) as never;
  const stdin = Object.assign(new PassThrough(), { isTTY: isTerminal });
  stdin.end(input);
  const deadline = new Deadline();
  const invocation: Invocation = {
    version: '9.8.7',
    env,
    stdin: stdin as never,
    stdout: sink('out'),
    stderr: sink('err'),
    deadline,
    signal: deadline.signal,
    settings: { ...defaultSettings(), ...settings },
  };
  return { invocation, written };
}
