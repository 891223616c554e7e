import { spawn, type ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';

type Variables = Readonly<Record<string, string | undefined>>;

/** All settings of ours begin so, and those of releases to come. */
const ours = 'SPIKE_';
/** What opens something by itself, and is for the command of a person alone. */
const secrets: readonly string[] = ['SPIKE_TOKEN'];
const basics: readonly string[] = ['PATH', 'HOME', 'TMPDIR'];

/** What a program that we start gets to know. There is no other way to make one, so that none gets a secret of ours. */
export class ChildEnvironment {
  /** Nothing at all. */
  static readonly none = new ChildEnvironment({});
  /** Where the programs of the system are, and nothing of ours. */
  static readonly searchPath = new ChildEnvironment({ PATH: '/usr/local/bin:/usr/bin:/bin' });
  readonly variables: Readonly<Record<string, string>>;

  private constructor(variables: Variables) {
    this.variables = Object.fromEntries(
      Object.entries(variables).filter((pair): pair is [string, string] => pair[1] !== undefined),
    );
  }

  /** For a script: where programs, home and temporary files are. */
  static basics(from: Variables): ChildEnvironment {
    return new ChildEnvironment(Object.fromEntries(basics.map((name) => [name, from[name]])));
  }

  /** For a program of the person's own, such as a pager: all that is not of SPIKE. */
  static ofPerson(from: Variables): ChildEnvironment {
    return new ChildEnvironment(without(from, (name) => name.startsWith(ours)));
  }

  /** For a part of SPIKE: the settings, and no token. */
  static ofPart(from: Variables): ChildEnvironment {
    return new ChildEnvironment(without(from, (name) => secrets.includes(name)));
  }
}

function without(variables: Variables, isLeftOut: (name: string) => boolean): Variables {
  return Object.fromEntries(Object.entries(variables).filter(([name]) => !isLeftOut(name)));
}

interface ChildOptions<In, Out, Err> {
  readonly environment: ChildEnvironment;
  readonly stdio: readonly [In, Out, Err];
  readonly cwd?: string;
  /** A process group of its own. */
  readonly detached?: boolean;
  readonly signal?: AbortSignal;
  readonly killSignal?: NodeJS.Signals;
}

type Shared = 'ignore' | 'inherit';

/** Starts a program: the one way to do it, since whoever does has to say what it gets to know. */
export function startChild(
  file: string,
  args: readonly string[],
  options: ChildOptions<Shared, Shared, Shared>,
): ChildProcessByStdio<null, null, null>;
export function startChild(
  file: string,
  args: readonly string[],
  options: ChildOptions<'pipe', Shared, Shared>,
): ChildProcessByStdio<Writable, null, null>;
export function startChild(
  file: string,
  args: readonly string[],
  options: ChildOptions<'pipe', 'pipe', Shared>,
): ChildProcessByStdio<Writable, Readable, null>;
export function startChild(
  file: string,
  args: readonly string[],
  options: ChildOptions<'pipe', 'pipe', 'pipe'>,
): ChildProcessByStdio<Writable, Readable, Readable>;
export function startChild(
  file: string,
  args: readonly string[],
  { environment, stdio, ...options }: ChildOptions<Shared | 'pipe', Shared | 'pipe', Shared | 'pipe'>,
): ChildProcessByStdio<Writable | null, Readable | null, Readable | null> {
  return spawn(file, args, { ...options, stdio: [...stdio], env: environment.variables });
}
