// A process that is not the launcher asks. Arguments: ADMIN-SOCKET CALLS, a JSON array. Prints what became of each, as one.
import { toSpikeError } from '@spike/error';
import { AuthorityClient } from '@spike/registry';
import type { StrangerCall } from './authority.ts';

const [socketPath = '', text = '[]'] = process.argv.slice(2);
const client = new AuthorityClient({ socketPath });
const calls: readonly StrangerCall[] = JSON.parse(text);

async function ask(call: StrangerCall): Promise<unknown> {
  if ('spiffeId' in call) return client.createEntry(call);
  return client.registerPart({ pid: call.pid ?? process.pid, part: call.part });
}

const outcomes: string[] = [];
for (const call of calls) {
  outcomes.push(
    await ask(call).then(
      () => 'OK',
      (error: unknown) => toSpikeError(error).code,
    ),
  );
}
process.stdout.write(JSON.stringify(outcomes));
