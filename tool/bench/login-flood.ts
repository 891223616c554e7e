// Logins that wait: a process of its own, with many identities of superusers and a connection for each login. Whoever is
// refused because too many wait comes back after a second. Prints a line when each has asked once, and one at the end.
import { once } from 'node:events';
import { createSecureContext } from 'node:tls';
import { Connection } from './connection.ts';
import { openIdentity, type Place } from './identity.ts';

export interface FloodSpec extends Omit<Place, 'spiffeId'> {
  readonly port: number;
  readonly spiffeIds: readonly string[];
  readonly logins: number;
}

/** Answers by status, from when all of them are there. */
export type FloodResult = Readonly<Record<string, number>>;

/** As `retry-after` says. */
const againMs = 1_000;
const spec = JSON.parse(process.argv[2] ?? '') as FloodSpec;
const counts: Record<string, number> = {};
const stop = new AbortController();
const stopped = once(process.stdin.resume(), 'end').then(() => stop.abort());

await using stack = new AsyncDisposableStack();
const contexts: ReturnType<typeof createSecureContext>[] = [];
for (const spiffeId of spec.spiffeIds) {
  const identity = stack.use(await openIdentity({ ...spec, spiffeId }));
  contexts.push(createSecureContext(identity.tls));
}
const asked = Array.from({ length: spec.logins }, (_, index) => ask(index));
await Promise.all(asked.map(({ begun }) => begun));
process.stdout.write('{}\n');
await stopped;
process.stdout.write(`${JSON.stringify(counts)}\n`);
// Those that wait are cut off by the end of the process.
await stack.disposeAsync();
process.exit();

function ask(index: number): { readonly begun: Promise<void> } {
  const { promise: begun, resolve, reject } = Promise.withResolvers<void>();
  const run = async (): Promise<void> => {
    const context = contexts[index % contexts.length];
    if (context === undefined) throw new Error('there is no identity');
    using connection = new Connection(spec.port, context);
    await connection.opened;
    const request = makeRequest(index);
    while (!stop.signal.aborted) {
      const answer = connection.exchange(request).catch(statusOf);
      resolve();
      const status = await answer;
      counts[status] = (counts[status] ?? 0) + 1;
      if (status === 429) await new Promise((next) => setTimeout(next, againMs));
    }
  };
  run().catch(reject);
  return { begun };
}

/** Each under a name of its own, since logins of one name are checked one after the other. */
function makeRequest(index: number): Buffer {
  const body = JSON.stringify({ user: `nobody-${index}`, password: 'not the password of anybody' });
  const lines = [
    'POST /v1/admin/login HTTP/1.1',
    `Host: 127.0.0.1:${spec.port}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`);
}

function statusOf(error: unknown): number {
  const status = error instanceof Error ? /^status (\d+)/.exec(error.message)?.[1] : undefined;
  if (status === undefined) throw error;
  return Number(status);
}
