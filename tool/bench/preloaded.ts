import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { homeOf, readContext } from '@spike/config';
import { repository, until } from '../../test/system.ts';

const startMs = 60_000;

export interface Preloaded extends AsyncDisposable {
  readonly home: string;
}

/** A system of which every part loads a module of ours first, in a directory that is gone with it. */
export async function openPreloaded(module: (directory: string) => URL): Promise<Preloaded> {
  const directory = await mkdtemp(join(tmpdir(), 'spike-bench-'));
  const home = join(directory, 'home');
  // Not by way of `npm start`, which starts Node with flags of its own.
  const launcher = spawn(
    process.execPath,
    [
      ...process.execArgv,
      '--import',
      module(directory).href,
      join(repository, 'app', 'launcher', 'src', 'main.ts'),
      '--port',
      '0',
    ],
    {
      env: { SPIKE_NEXUS_ADMIN_AUTH: 'svid', ...process.env, SPIKE_HOME: home },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const close = async (): Promise<void> => {
    launcher.kill('SIGINT');
    if (launcher.exitCode === null) await once(launcher, 'exit');
    await rm(directory, { recursive: true, force: true });
  };
  try {
    let output = '';
    launcher.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    await until('the system is up', () => /^SPIKE is up/m.test(output), startMs);
    await until('there is a context', () => readContext(homeOf({ SPIKE_HOME: home })), startMs);
    return { home, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}
