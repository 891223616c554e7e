import type { Environment } from '@spike/config';

/** What a command knows of the process that it runs in. */
export interface Invocation {
  readonly version: string;
  readonly env: Environment;
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  /** Fires on Ctrl-C and SIGTERM. */
  readonly signal: AbortSignal;
}
