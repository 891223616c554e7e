// Puts a bundle into a copy of the Node that the lockfile names: one file that runs without anything beside it.
import { execFile } from 'node:child_process';
import { chmod, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { programs } from '@spike/host';
import { findPackagedNode, flags } from '../../bin/runtime.mjs';
import { bundleEntry } from './bundle.ts';

/** In the order in which they are built. */
export const executables = [...new Set(Object.values(programs).map(({ executable }) => executable))];

/** The module that an executable starts with: cleans its environment, then runs the program that is asked for. */
function entryOf(executable: string): string {
  const held = Object.entries(programs).filter(([, program]) => program.executable === executable);
  const names = JSON.stringify(held.map(([name]) => name));
  const cases = held.map(
    ([name, { source }]) => `  case '${name}':\n    await import('${source}');\n    break;\n`,
  );
  return `import { chooseProgram, startClean } from 'package/host/src/start.ts';
try {
  startClean(process.env);
} catch (error) {
  process.stderr.write(\`Error: \${error.message}\\n\`);
  process.exit(1);
}
switch (chooseProgram(${names})) {
${cases.join('')}  default:
    process.stderr.write('Error: this executable holds no such program\\n');
    process.exit(2);
}
`;
}

/** Node's own flags, and none of OpenSSL's configuration: it can name a library to load (OPENSSL_CONF). */
const heldFlags = [...flags, '--openssl-config=/dev/null'];

export interface Executable {
  readonly name: string;
  /** Keys of package-lock.json. */
  readonly packages: ReadonlySet<string>;
}

/** Throws where the Node that the lockfile names is not installed. */
export function packagedNode(): string {
  const node = findPackagedNode();
  if (node === undefined)
    throw new Error(
      'the Node that package-lock.json names is not installed: run npm ci with optional packages',
    );
  return node;
}

export async function buildExecutable(name: string, directory: string): Promise<Executable> {
  const node = packagedNode();
  const { code, assets, packages } = await bundleEntry(entryOf(name));
  const scratch = join(directory, `.${name}`);
  await rm(scratch, { recursive: true, force: true });
  await mkdir(scratch, { recursive: true });
  try {
    const files: Record<string, string> = {};
    for (const [index, [asset, text]] of [...assets].entries()) {
      files[asset] = `asset-${index}`;
      await writeFile(join(scratch, files[asset]), text);
    }
    // Relative: the name of the module stays inside, and is to be the same wherever it is built.
    const main = `${name}.mjs`;
    const config = 'config.json';
    await writeFile(join(scratch, main), code);
    await writeFile(
      join(scratch, config),
      JSON.stringify({
        main,
        mainFormat: 'module',
        executable: node,
        output: name,
        disableExperimentalSEAWarning: true,
        useSnapshot: false,
        useCodeCache: false,
        execArgv: heldFlags,
        // Nothing is taken from NODE_OPTIONS or the command line.
        execArgvExtension: 'none',
        assets: files,
      }),
    );
    await promisify(execFile)(node, ['--build-sea', config], { cwd: scratch, env: {} });
    const output = join(scratch, name);
    await chmod(output, 0o755);
    await rename(output, join(directory, name));
    return { name, packages };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
