import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { SecretPath, toValueMap } from '@spike/contract';
import { SpiffeError } from '@spike/spiffe';
import { everybody, giveBack, identityLines, others } from './lock.ts';
import { Parts } from './parts.ts';
import { Random } from './random.ts';
import { until } from './system.ts';

const rounds = 100;
/** So often it may come to rest, and is looked at. */
const restEvery = 10;
const path = SecretPath.parse('flapping/secret');
/** What a withdrawal looks like from outside. */
const refusals: readonly string[] = [
  'identity_withdrawn',
  'state_not_ready',
  'net_peer_connection',
  'net_timeout',
];

interface Held {
  readonly files: number;
  readonly threads: number;
  readonly kilobytes: number;
  readonly children: readonly string[];
}

async function measure(pid: number): Promise<Held> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const numberOf = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? Number.NaN);
  const children = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).split(' ').filter(Boolean);
  const states = await Promise.all(
    children.map(async (child) => {
      const stat = await readFile(`/proc/${child}/stat`, 'latin1').catch(() => '');
      return stat === '' ? [] : [stat.slice(stat.lastIndexOf(')') + 2)[0] ?? ''];
    }),
  );
  return {
    files: (await readdir(`/proc/${pid}/fd`)).length,
    threads: numberOf('Threads'),
    kilobytes: numberOf('VmRSS'),
    children: states.flat(),
  };
}

test('a hundred withdrawals and returns in a row give no wrong answer, leave nothing behind and end where they began', async (t) => {
  const random = new Random();
  t.diagnostic(`seed ${random.seed}`);
  await using parts = await Parts.bootstrapped({
    // Longer than the process has after a withdrawal.
    SPIKE_NEXUS_ALERT_COMMAND: JSON.stringify(['/bin/sh', '-c', 'cat > /dev/null; sleep 1']),
  });
  const call = await parts.callNexus();
  const { pid } = parts.nexus;
  await call.putSecret({ path, values: toValueMap({ n: '1' }) });

  const stop = new AbortController();
  const wrong: string[] = [];
  let served = 0;
  let refused = 0;
  const load = (async () => {
    while (!stop.signal.aborted) {
      try {
        const { data } = await call.getSecret({ path, version: 0 });
        if (data['n'] === '1') served += 1;
        else wrong.push(JSON.stringify(data));
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
        if (refusals.includes(code)) refused += 1;
        else wrong.push(code);
        await delay(5);
      }
    }
  })();

  const looks: Held[] = [];
  for (let round = 1; round <= rounds; round++) {
    const denial = new SpiffeError('permission_denied', 'no identity issued');
    // Half of them while it holds its identity for certain, the others whatever it does.
    if (round % 2 === 0)
      await until('it has its identity', async () => {
        const state = await parts.nexus.state();
        return state !== undefined && state !== 'starting';
      });
    if (random.oneIn(2)) parts.agent.say(parts.agent.issue(others));
    else parts.agent.interrupt(denial);
    // Any moment of what follows: before it is confirmed, while it is replaced, while it starts, and when it serves.
    await delay(random.integer(0, 1_000));
    parts.agent.say(parts.agent.issue(everybody));
    await delay(random.integer(0, 1_000));
    if (round % restEvery !== 0) continue;
    await giveBack(parts);
    looks.push(
      await until('its children are gone', async () => {
        const held = await measure(pid);
        return held.children.length === 0 && held;
      }),
    );
  }
  stop.abort();
  await load;
  assert.deepEqual(wrong, []);
  assert.ok(parts.nexus.running);
  assert.equal(parts.nexus.pid, pid);
  assert.deepEqual({ ...(await call.getSecret({ path, version: 0 })).data }, { n: '1' });
  const [first] = looks;
  const last = looks.at(-1);
  assert(first !== undefined && last !== undefined);
  t.diagnostic(`${served} served, ${refused} refused; ${JSON.stringify(first)} … ${JSON.stringify(last)}`);
  assert.ok(served > 0 && refused > 0);
  assert.ok(last.files <= first.files + 5, `${first.files} files, then ${last.files}`);
  assert.ok(last.threads <= first.threads + 5, `${first.threads} threads, then ${last.threads}`);
  assert.ok(last.kilobytes < first.kilobytes * 1.3, `${first.kilobytes} kB, then ${last.kilobytes}`);
  const lines = await identityLines(parts);
  const withdrawals = lines.filter(({ action }) => action === 'identity.withdrawn').length;
  t.diagnostic(`${withdrawals} withdrawals in the audit, of ${rounds}`);
  assert.ok(withdrawals >= rounds / 2 && withdrawals <= rounds, `${withdrawals}`);
});
