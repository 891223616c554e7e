import type { Environment } from '@spike/config';
import { programOf, replaceProcess } from '@spike/host';

/** Becomes a part of SPIKE: same process id, so that signals and job control stay what they are. */
export function becomePart(app: 'launcher' | 'authority', args: readonly string[], env: Environment): never {
  const program = programOf(app, args);
  return replaceProcess(program.file, program.args, env);
}
