import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { quote } from '@spike/host';
import { sha256, type Scene } from './scene.ts';

/** What the script calls by name. */
const commands = [
  'date',
  'id',
  'uname',
  'find',
  'sha256sum',
  'cut',
  'tail',
  'head',
  'wc',
  'tr',
  'grep',
  'rm',
  'tee',
];

/** Commands of the same names before the real ones, which count their calls and send a signal at one of them. */
export class Shadow {
  readonly env: NodeJS.ProcessEnv;
  readonly #count: string;

  private constructor(env: NodeJS.ProcessEnv, count: string) {
    this.env = env;
    this.#count = count;
  }

  /**
   * Shadows the commands of this scene and its Node.js. At call `at` (from 1; before and after the work of each are two)
   * the signal goes to all that the script has started, as it does at Ctrl-C and when a machine stops; 0 for never. `base` is the environment without the shadow.
   */
  static async place(
    scene: Scene,
    at: number,
    signal: 'KILL' | 'INT' | 'TERM',
    base: NodeJS.ProcessEnv,
  ): Promise<Shadow> {
    const directory = join(scene.scratch, 'shadow');
    const count = join(scene.scratch, 'count');
    await mkdir(directory, { recursive: true });
    await writeFile(count, '');
    for (const name of commands)
      await writeFile(join(directory, name), textOf(await findReal(name, base)), { mode: 0o700 });
    const text = textOf(process.execPath);
    await writeFile(scene.manifest.node.path, text, { mode: 0o700 });
    await scene.save({ node: { path: scene.manifest.node.path, sha256: sha256(text), holdsHelper: false } });
    const env = {
      ...base,
      PATH: `${directory}${delimiter}${base['PATH'] ?? ''}`,
      TEST_COUNT: count,
      TEST_AT: String(at),
      TEST_SIGNAL: signal,
    };
    return new Shadow(env, count);
  }

  /** How many calls there were. */
  async calls(): Promise<number> {
    return (await readFile(this.#count)).length;
  }
}

/** The process group is the fifth field; the shell itself opens the file. */
function textOf(real: string): string {
  return `#!/bin/sh
step() {
  read -r _ _ _ _ group _ </proc/self/stat
  printf . >>"$TEST_COUNT"
  if [ "$(/usr/bin/wc -c <"$TEST_COUNT")" -eq "$TEST_AT" ]; then kill -"$TEST_SIGNAL" -"$group"; fi
}
step
${quote(real)} "$@"
code=$?
step
exit "$code"
`;
}

async function findReal(name: string, base: NodeJS.ProcessEnv): Promise<string> {
  for (const directory of (base['PATH'] ?? '').split(delimiter)) {
    const path = join(directory, name);
    if (
      await access(path).then(
        () => true,
        () => false,
      )
    )
      return path;
  }
  throw new Error(`there is no ${name} here`);
}
