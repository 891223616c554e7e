import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Environment } from '@spike/config';
import { replaceProcess } from '@spike/host';

const root = dirname(dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url))))));

/** Becomes a part of SPIKE: same process id, so that signals and job control stay what they are. */
export function becomePart(app: 'launcher' | 'authority', args: readonly string[], env: Environment): never {
  const file = join(root, 'app', app, 'src', 'main.ts');
  return replaceProcess(process.execPath, [...process.execArgv, file, ...args], env);
}
