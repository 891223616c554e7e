import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openCaller, openWorkload } from './caller.ts';
import { System, until } from './system.ts';

const callers = 6;
/** An identity that comes late is no failure, so a life is as long as a busy machine may stand still, and more. */
const lifeMs = 8_000;
/** Over more than a whole life, so that nothing works by the identities of the beginning any more. */
const leastIdentities = 6;
/** How long that may take; about ten seconds are the rule. */
const mostMs = 60_000;

test('identities that live eight seconds and change every two cost no request under load', async (t) => {
  await using system = await System.start({
    args: ['--svid-lifetime', `${lifeMs}ms`, '--rotate-every', '2s'],
  });
  await using superuser = await openCaller(system);
  await superuser.call.putPolicy({
    name: 'rotation',
    spiffeidPattern: '^spiffe://spike\\.ist/workload/rotation/.*$',
    pathPattern: 'rotation/.*',
    permissions: ['read', 'write'],
  });
  await using stack = new AsyncDisposableStack();
  const workloads = await Promise.all(
    Array.from({ length: callers }, async (_, index) =>
      stack.use(await openWorkload(system, `/workload/rotation/${index}`, { retry: false })),
    ),
  );
  const serials = new Set<string>();
  const remember = (): void =>
    void serials.add(Buffer.from(superuser.source.current().svid.chain[0]?.der ?? []).toString('hex'));
  remember();
  using _watch = superuser.source.subscribe(remember);

  const begun = performance.now();
  const isOver = (): boolean => {
    const ms = performance.now() - begun;
    return ms > mostMs || (ms > lifeMs && serials.size >= leastIdentities);
  };
  const failures: unknown[] = [];
  let requests = 0;
  await Promise.all(
    workloads.map(async (workload, index) => {
      for (let round = 1; !isOver(); round++) {
        try {
          const path = `rotation/${index}/${round % 5}`;
          await workload.put(path, { round: String(round) });
          assert.equal((await workload.get(path)).field('round').expose(), String(round));
          requests += 2;
        } catch (error) {
          failures.push(error);
        }
      }
    }),
  );
  t.diagnostic(`${requests} requests under ${serials.size} identities of one caller`);
  assert.deepEqual(failures, []);
  assert.ok(requests > callers);
  assert.ok(serials.size >= leastIdentities, `${serials.size} identities`);
  // A Keeper that is slow to answer one probe counts as none until the next.
  const identity = await until('all Keepers hold their share', async () => {
    const status = await superuser.call.status({ verify: false });
    return status.keepers.list.every(({ holdsShare }) => holdsShare) && status.identity;
  });
  assert.equal(identity.state, 'held');
  assert.deepEqual(system.warnings, []);
});
