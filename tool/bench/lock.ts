import { setTimeout as delay } from 'node:timers/promises';
import { nexusTable, rolePaths, SecretPath, toValueMap, type NexusTable } from '@spike/contract';
import { authorizeRole, openClient, type Client } from '@spike/sdk';
import { TrustDomain, X509Source } from '@spike/spiffe';
import { openCaller, openWorkload } from '../../test/caller.ts';
import { Embedded } from '../../test/embedded.ts';
import { System } from '../../test/system.ts';
import { quantile, type Figure } from './figure.ts';

const rounds = 10;
const clients = 8;
const rotationMs = 120_000;
/** So long an identity is away, so that the agent's next answer is not at the same moment of every round. */
const awayMs = { least: 500, most: 3_000 };
const path = SecretPath.parse('bench/lock');

/** R4 and R5 on the embedded authority: an entry is deleted under load, and made again. */
export async function measureLock(): Promise<readonly Figure[]> {
  await using system = await Embedded.start();
  const domain = TrustDomain.parse(system.context.trustDomain);
  await using source = await X509Source.open({
    endpoint: system.context.endpointSocket,
    pick: (svids) => svids.find(({ id }) => id.path === rolePaths.superuser),
    signal: new AbortController().signal,
  });
  using client = openClient({
    source,
    table: nexusTable,
    url: system.context.nexusUrl,
    authorize: authorizeRole('nexus', [domain]),
    retry: false,
    maxSockets: clients,
  });
  await client.call.putSecret({ path, values: toValueMap({ n: '1' }) });
  const lasts: number[] = [];
  const firsts: number[] = [];
  for (let round = 0; round < rounds; round++) {
    using load = new Load(client.call);
    await load.served();
    const withdrawnAt = performance.now();
    await system.withdraw();
    await system.reach('starting');
    lasts.push(Math.max(0, load.lastAt - withdrawnAt));
    await delay(awayMs.least + Math.random() * (awayMs.most - awayMs.least));
    const returnedAt = performance.now();
    await system.giveBack();
    await load.served();
    firsts.push(load.lastAt - returnedAt);
  }
  return [
    ...figures('R4', 'entry deleted until the last answer', lasts, 1_000),
    ...figures('R5', 'entry made again until the first good answer', firsts, 3_000),
  ];
}

/** R6: identities that change every 2 s, under load. */
export async function measureRotation(): Promise<readonly Figure[]> {
  await using system = await System.start({ args: ['--svid-lifetime', '8s', '--rotate-every', '2s'] });
  await using superuser = await openCaller(system);
  await superuser.call.putPolicy({
    name: 'rotation',
    spiffeidPattern: '^spiffe://spike\\.ist/bench/rotation$',
    pathPattern: 'rotation/.*',
    permissions: ['read', 'write'],
  });
  await using workload = await openWorkload(system, '/bench/rotation', { retry: false });
  let [requests, failures] = [0, 0];
  const end = performance.now() + rotationMs;
  await Promise.all(
    Array.from({ length: clients }, async (_, index) => {
      for (let round = 0; performance.now() < end; round++) {
        requests += 1;
        const name = `rotation/${index}/${round % 5}`;
        const done = round < 5 ? workload.put(name, { n: '1' }) : workload.get(name);
        await done.catch((error: unknown) => {
          failures += 1;
          process.stderr.write(`${error instanceof Error ? error.message : 'it failed'}\n`);
        });
      }
    }),
  );
  const what = `rotation every 2 s for ${rotationMs / 1_000} s, identities of 8 s, ${clients} clients`;
  return [
    { bench: 'R6', what: `${what}: requests`, value: requests, unit: '' },
    {
      bench: 'R6',
      what: `${what}: failed requests`,
      value: failures,
      unit: '',
      goal: { kind: 'at most', value: 0 },
    },
  ];
}

function figures(bench: string, what: string, ms: readonly number[], mostMs: number): readonly Figure[] {
  return [
    { bench, what: `${what}: median of ${ms.length}`, value: quantile(ms, 0.5), unit: 'ms' },
    {
      bench,
      what: `${what}: longest of ${ms.length}`,
      value: Math.max(...ms),
      unit: 'ms',
      goal: { kind: 'at most', value: mostMs },
    },
  ];
}

/** Asks without a pause, and knows when the last good answer came. */
class Load implements Disposable {
  lastAt = 0;
  readonly #call: Client<NexusTable>;
  #stopped = false;
  #next = Promise.withResolvers<void>();

  constructor(call: Client<NexusTable>) {
    this.#call = call;
    for (let n = 0; n < clients; n++) void this.#run();
  }

  /** Resolves with the next good answer. */
  async served(): Promise<void> {
    this.#next = Promise.withResolvers<void>();
    await this.#next.promise;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      try {
        await this.#call.getSecret({ path, version: 0 });
        this.lastAt = performance.now();
        this.#next.resolve();
      } catch {
        await delay(5);
      }
    }
  }

  [Symbol.dispose](): void {
    this.#stopped = true;
  }
}
