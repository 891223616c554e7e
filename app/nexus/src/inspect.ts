// Opens every record of a backup away from any Nexus, for `spike backup verify --share`. The shares make a root key, so
// this is a process of its own that nobody can look into, and that ends when it has answered.
import { harden } from '@spike/host';
import { toSpikeError } from '@spike/error';
import { inspectBackup } from './backup/inspect.ts';

harden();
let answer: unknown;
try {
  answer = { report: await inspectBackup(process.stdin) };
} catch (error) {
  const { code, message } = toSpikeError(error);
  answer = { code, message };
}
process.stdout.write(`${JSON.stringify(answer)}\n`, () => process.exit());
