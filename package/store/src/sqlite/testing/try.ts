import { SpikeError } from '@spike/error';
import { openSqliteStore } from '../store.ts';

/** Says whether this process can open the store. */
async function tryOpening(directory: string): Promise<string> {
  try {
    await using _ = await openSqliteStore({ directory, signal: AbortSignal.timeout(10_000) });
    return 'opened';
  } catch (error) {
    return error instanceof SpikeError ? error.code : String(error);
  }
}

process.stdout.write(await tryOpening(process.argv[2] ?? ''));
