import type { Environment } from '@spike/config';
import type { Deadline } from './deadline.ts';
import type { Settings } from './setting.ts';

/** What a command knows of the process that it runs in, and of what was asked of every command alike. */
export interface Invocation {
  readonly version: string;
  readonly env: Environment;
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  /** Its signal fires on Ctrl-C, on SIGTERM, and when the time of `--timeout` is over. */
  readonly deadline: Deadline;
  readonly signal: AbortSignal;
  /** Filled in when the arguments are parsed, before the command runs. */
  readonly settings: Settings;
  /** From standard input, where the settings say so; filled in with them. */
  givenToken?: string;
}
