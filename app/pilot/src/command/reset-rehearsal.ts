import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SpikeError } from '@spike/error';
import { ChildEnvironment, startChild } from '@spike/host';
import { assertOurProgram } from '@spike/reset';
import type { Invocation } from '../invocation.ts';

/**
 * Runs a reset script with `--dry-run`, which changes nothing but the journal, from a file of its own that is gone
 * afterwards. Answers its exit code; throws `host_refused` where there is no shell, and `data_invalid_input` for a script
 * that does something else than ours: Nexus tells what is to be reset, and not what is run here.
 */
export async function rehearseScript(script: string, { env, signal }: Invocation): Promise<number> {
  await assertOurProgram(script);
  // Made 0700 for us alone.
  const directory = await mkdtemp(join(tmpdir(), 'spike-reset-'));
  try {
    const file = join(directory, 'reset.sh');
    await writeFile(file, script, { mode: 0o600 });
    return await new Promise<number>((resolve, reject) => {
      const child = startChild('sh', [file, '--dry-run'], {
        environment: ChildEnvironment.basics(env),
        signal,
        stdio: ['ignore', 'inherit', 'inherit'],
      });
      child.once('error', (cause) =>
        reject(
          signal.aborted
            ? cause
            : new SpikeError('host_refused', 'there is no sh to run the script with', { cause }),
        ),
      );
      child.once('exit', (code) => resolve(code ?? 1));
    });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
