import { dirname, join } from 'node:path';
import { isSea } from 'node:sea';

/**
 * What can run as a process of its own: the executable that holds it, and its module in the source tree. The first of
 * an executable is what it runs by itself; another one is named to it by `--program=NAME` before all other arguments.
 */
export const programs = {
  nexus: { executable: 'nexus', source: 'app/nexus/src/main.ts' },
  'reset-helper': { executable: 'nexus', source: 'package/reset/src/helper.cjs' },
  keeper: { executable: 'keeper', source: 'app/keeper/src/main.ts' },
  bootstrap: { executable: 'bootstrap', source: 'app/bootstrap/src/main.ts' },
  pilot: { executable: 'spike', source: 'app/pilot/src/main.ts' },
  launcher: { executable: 'spike', source: 'app/launcher/src/main.ts' },
  authority: { executable: 'spike', source: 'app/authority/src/main.ts' },
  inspector: { executable: 'spike', source: 'app/nexus/src/inspect.ts' },
} as const satisfies Readonly<Record<string, { readonly executable: string; readonly source: string }>>;

export type ProgramName = keyof typeof programs;

/** What a process is started with. */
export interface Program {
  readonly file: string;
  readonly args: readonly string[];
}

const choice = '--program=';

let chosen: readonly string[] = [];

/** Whether this process runs from one executable that holds its program and Node; else Node runs a script. */
export function isExecutable(): boolean {
  return isSea();
}

/**
 * For the entry of an executable: which of its programs is asked for, the first one unless an argument says so, which
 * is taken away. Undefined for a name that is none of them.
 */
export function chooseProgram<Name extends string>(names: readonly [Name, ...Name[]]): Name | undefined {
  const [first] = names;
  const wanted = process.argv[2];
  if (wanted?.startsWith(choice) !== true) return first;
  const name = names.find((known) => wanted === choice + known);
  if (name !== undefined) chosen = process.argv.splice(2, 1);
  return name;
}

/** This program once more, with the arguments that it has. */
export function thisProgram(): Program {
  const [, script = '', ...args] = process.argv;
  if (isSea()) return { file: process.execPath, args: [...chosen, ...args] };
  return { file: process.execPath, args: [...process.execArgv, script, ...args] };
}

/** Another program of the same release: from the same source tree, or the executable in the same directory. */
export function programOf(name: ProgramName, args: readonly string[]): Program {
  const { executable, source } = programs[name];
  if (!isSea()) {
    const root = join(import.meta.dirname, '..', '..', '..');
    return { file: process.execPath, args: [...process.execArgv, join(root, source), ...args] };
  }
  const [first] = Object.entries(programs).find(([, program]) => program.executable === executable) ?? [];
  return {
    file: join(dirname(process.execPath), executable),
    args: name === first ? args : [choice + name, ...args],
  };
}
