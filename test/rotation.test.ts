import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openCaller, openWorkload } from './caller.ts';
import { System } from './system.ts';

const callers = 6;
/** More than two whole lives of an identity. */
const loadMs = 9_000;
const leastRotations = 4;

test('identities that live four seconds and change every two cost no request under load', async (t) => {
  await using system = await System.start({ args: ['--svid-lifetime', '4s', '--rotate-every', '2s'] });
  await using superuser = await openCaller(system);
  await superuser.call.putPolicy({
    name: 'rotation',
    spiffeidPattern: '^spiffe://spike\\.ist/workload/rotation/.*$',
    pathPattern: 'rotation/.*',
    permissions: ['read', 'write'],
  });
  const workloads = await Promise.all(
    Array.from({ length: callers }, (_, index) =>
      openWorkload(system, `/workload/rotation/${index}`, { retry: false }),
    ),
  );
  const serials = new Set<string>();
  const remember = (): void =>
    void serials.add(Buffer.from(superuser.source.current().svid.chain[0]?.der ?? []).toString('hex'));
  remember();
  using _watch = superuser.source.subscribe(remember);

  const end = performance.now() + loadMs;
  const failures: unknown[] = [];
  let requests = 0;
  await Promise.all(
    workloads.map(async (workload, index) => {
      for (let round = 1; performance.now() < end; round++) {
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
  assert.ok(serials.size >= leastRotations, `${serials.size} identities`);
  const { keepers, identity } = await superuser.call.status({ verify: false });
  assert.ok(keepers.list.every(({ holdsShare }) => holdsShare));
  assert.equal(identity?.state, 'held');
  assert.doesNotMatch(system.output, /warning/);
  for (const workload of workloads) await workload[Symbol.asyncDispose]();
});
