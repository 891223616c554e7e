import assert from 'node:assert/strict';
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { SecretPath, toValueMap } from '@spike/contract';
import { openLiar } from './liar.ts';
import { killKeyHolders, loseKeepers, shareOfAnotherKey } from './loss.ts';
import { Parts } from './parts.ts';
import { openScratch, System, until } from './system.ts';

const path = SecretPath.parse('tenants/acme/db');

async function put(parts: Parts, n: string): Promise<void> {
  await (await parts.callNexus()).putSecret({ path, values: toValueMap({ n }) });
}

async function assertSecret(parts: Parts, n: string): Promise<void> {
  assert.equal((await (await parts.callNexus()).getSecret({ path, version: 0 })).data['n'], n);
}

async function problemsOf(parts: Parts): Promise<readonly string[]> {
  return (await (await parts.callNexus()).status({ verify: false })).problems;
}

/** Where the store and its anchor file lie. */
function places(parts: Parts): { readonly data: string; readonly anchor: string } {
  const nexus = join(parts.home, 'home', 'nexus');
  return { data: join(nexus, 'data'), anchor: join(nexus, 'anchor.json') };
}

/** Waits until these Keepers give back the anchor file's revision, or a later one. */
async function reachNoted(parts: Parts, ...ids: readonly number[]): Promise<void> {
  const { anchor } = places(parts);
  for (const id of ids) {
    const keeper = await parts.callKeeper(id);
    await until(`Keeper ${id} holds the note`, async () => {
      const wanted = revisionOf(await readFile(anchor, 'utf8').catch(() => '{}'));
      const { note } = await keeper.fetchShare({});
      return wanted > 1 && typeof note === 'string' && revisionOf(note) >= wanted;
    });
  }
}

function revisionOf(anchor: string): number {
  return (JSON.parse(anchor) as { revision?: number }).revision ?? 0;
}

test('an older store whose anchor file went back or away with it is refused for the note of the Keepers, until it is accepted', async () => {
  await using scratch = await openScratch();
  await using parts = await Parts.bootstrapped();
  const { data, anchor } = places(parts);
  const copy = join(scratch.path, 'copy');
  await put(parts, '1');
  await parts.nexus.end('SIGTERM');
  await cp(data, join(copy, 'data'), { recursive: true });
  await cp(anchor, join(copy, 'anchor.json'));
  await parts.startNexus();
  await parts.nexus.reach('ready');
  await put(parts, '2');
  await parts.reachHolding(1, 2, 3);
  await until('the file names the last write', async () => {
    const before = revisionOf(await readFile(join(copy, 'anchor.json'), 'utf8'));
    return revisionOf(await readFile(anchor, 'utf8')) > before;
  });
  await reachNoted(parts, 1, 2, 3);
  await parts.nexus.end('SIGKILL');

  const putBack = async (): Promise<void> => {
    await rm(data, { recursive: true });
    await cp(join(copy, 'data'), data, { recursive: true });
  };
  const refused = async (): Promise<string> => {
    await parts.startNexus();
    await parts.nexus.reach('store_integrity');
    await assert.rejects((await parts.callNexus()).getSecret({ path, version: 0 }), {
      code: 'store_integrity',
    });
    const message = (await problemsOf(parts)).join();
    await parts.nexus.end('SIGTERM');
    return /accept this one as (\S+)/.exec(message)?.[1] ?? assert.fail(message);
  };
  await putBack();
  await cp(join(copy, 'anchor.json'), anchor);
  const offered = await refused();
  await rm(anchor, { force: true });
  assert.equal(await refused(), offered);

  // Another revision than the one that was accepted stays refused.
  const [instance] = offered.split('@');
  await parts.startNexus({ SPIKE_NEXUS_ACCEPT_ROLLBACK: `${instance}@1000` });
  await parts.nexus.reach('store_integrity');
  await parts.nexus.end('SIGTERM');
  await parts.startNexus({ SPIKE_NEXUS_ACCEPT_ROLLBACK: offered });
  await parts.nexus.reach('ready');
  await assertSecret(parts, '1');
  await put(parts, '3');
  await parts.reachHolding(1, 2, 3);
  await reachNoted(parts, 1, 2, 3);
  await parts.nexus.end('SIGKILL');
  // From then on the Keepers hold the note of the accepted store.
  await parts.startNexus();
  await parts.nexus.reach('ready');
  await assertSecret(parts, '3');
});

test('a Keeper that gives back a note which is forged, foreign or no note at all keeps nobody from starting, and is told of', async () => {
  await using parts = await Parts.bootstrapped();
  await put(parts, '1');
  await parts.reachHolding(1, 2, 3);
  await reachNoted(parts, 1, 2, 3);
  const truth = await (await parts.callKeeper(1)).fetchShare({});
  assert.ok(typeof truth.note === 'string');
  await parts.nexus.end('SIGKILL');
  // Its share is right and needed: with the third gone there is no other choice.
  await parts.keeper(3).end('SIGKILL');
  const [, second = '', third = ''] = parts.keeperUrls();
  const forged = truth.note.replace(/"revision":\d+/, '"revision":1000000');
  const foreign = truth.note.replace(/"instance":"[^"]*"/, `"instance":"${crypto.randomUUID()}"`);
  for (const note of [forged, foreign, '', 'x'.repeat(50_000), { no: 'text' }, [1]]) {
    await using liar = await openLiar(parts, { ...truth, note }, 'ab'.repeat(32));
    await parts.startNexus({ SPIKE_NEXUS_KEEPER_PEERS: [liar.url, second, third].join(',') });
    await parts.nexus.reach('ready');
    await assertSecret(parts, '1');
    assert.ok((await problemsOf(parts)).some((text) => text.startsWith('Keeper 1 gave back a note')));
    await parts.nexus.end('SIGTERM');
  }
});

test('Keepers that are all lost while Nexus lives get their shares back, and status says how it stands', async () => {
  await using parts = await Parts.bootstrapped();
  await put(parts, '1');
  await parts.reachHolding(1, 2, 3);
  const status = () =>
    parts.run('pilot', ['status', '-f', 'human'], { SPIKE_NEXUS_API_URL: parts.nexus.url });
  const first = await status();
  assert.equal(first.code, 0, first.stderr);
  await Promise.all([1, 2].map((id) => parts.keeper(id).end('SIGKILL')));
  await parts.reachHolding(3);
  const short = await status();
  assert.equal(short.code, 1, short.stdout);
  assert.match(
    short.stdout,
    /Problem: +1 of the 2 Keepers that are needed hold their share.*start the other/,
  );
  await parts.keeper(3).end('SIGKILL');
  await parts.reachHolding();
  await assertSecret(parts, '1');
  await parts.startKeepers();
  await parts.reachHolding(1, 2, 3);
  assert.equal((await status()).code, 0);
  await parts.nexus.end('SIGKILL');
  await parts.startNexus();
  await parts.nexus.reach('ready');
  await assertSecret(parts, '1');
});

test('the launcher passes over recovery files that are damaged or of another key, and says so where the rest is too little', async () => {
  await using system = await System.start();
  await system.mustSpike(['secret', 'put', path.text, 'n=1']);
  const file = (id: number) => join(system.home.recovery, `spike.recovery.${id}.txt`);
  const right = await Promise.all([1, 2].map((id) => readFile(file(id), 'utf8')));
  await writeFile(file(1), shareOfAnotherKey(1));
  await killKeyHolders(system);
  await system.ready();
  assert.equal(await system.mustSpike(['secret', 'get', path.text, 'n']), '1\n');

  await writeFile(file(2), 'spike:2:00');
  await killKeyHolders(system);
  await until('it says what is wrong', () => {
    const { output } = system;
    return (
      /recovery\.2\.txt: .*2 hexadecimal digits/.test(output) && /do not help: .*share 1 is not/.test(output)
    );
  });
  await Promise.all(right.map((text, index) => writeFile(file(index + 1), text)));
  await system.ready();
  assert.equal(await system.mustSpike(['secret', 'get', path.text, 'n']), '1\n');
});

test('Keepers that die and come back in every order get their shares again, and any two of three bring Nexus back', async () => {
  await using parts = await Parts.bootstrapped();
  await put(parts, '1');
  await parts.reachHolding(1, 2, 3);
  for (const order of [
    [1, 2, 3],
    [1, 3, 2],
    [2, 1, 3],
    [2, 3, 1],
    [3, 1, 2],
    [3, 2, 1],
  ] as const)
    await loseKeepers(parts, order, () => assertSecret(parts, '1'));
});

test('an older copy of the store is refused until a person accepts it by its instance id', async () => {
  await using scratch = await openScratch();
  const home = join(scratch.path, 'home');
  const data = join(home, 'nexus', 'data');
  const copy = join(scratch.path, 'copy');
  const put = (system: System, value: string) => system.mustSpike(['secret', 'put', path.text, `n=${value}`]);
  {
    await using system = await System.start({ home });
    await put(system, '1');
    // Nobody writes now, so that what is copied is whole.
    await cp(data, copy, { recursive: true });
    await put(system, '2');
    await system.stop();
  }
  await rm(data, { recursive: true });
  await cp(copy, data, { recursive: true });

  let instance: string;
  {
    await using system = await System.start({ home });
    await until('it refuses', async () => (await system.health())?.state === 'store_integrity');
    const refused = await system.spike(['secret', 'get', path.text]);
    assert.equal(refused.code, 5, refused.stderr);
    const { stdout } = await system.spike(['status', '-f', 'json']);
    const status = JSON.parse(stdout) as {
      nexus: { instance: string };
      problems: string[];
    };
    instance = status.nexus.instance;
    assert.ok(
      status.problems.some((text) => text.includes(instance)),
      status.problems.join(),
    );
    await system.stop();
  }
  {
    await using system = await System.start({ home, args: ['--accept-rollback', instance] });
    assert.equal(await system.mustSpike(['secret', 'get', path.text, 'n']), '1\n');
    await put(system, '3');
    await system.stop();
  }
  await using system = await System.start({ home });
  assert.equal(await system.mustSpike(['secret', 'get', path.text, 'n']), '3\n');
});

test('one Keeper of three is not enough, and neither is one with nothing in its memory', async () => {
  await using parts = await Parts.bootstrapped();
  await put(parts, '1');
  await parts.reachHolding(1, 2, 3);
  await parts.nexus.end('SIGKILL');
  await parts.keeper(1).end('SIGKILL');
  await parts.keeper(2).end('SIGKILL');
  await parts.startKeeper(2);
  await parts.startNexus();
  const call = await parts.callNexus();
  await until('both were asked', async () => {
    const { keepers, problems } = await call.status({ verify: false });
    return keepers.reachable === 2 && problems.some((text) => text.startsWith('1 of the 2 Keepers'));
  });
  await assert.rejects(call.getSecret({ path, version: 0 }), { code: 'state_not_ready' });
  await assert.rejects((await parts.callKeeper(2)).fetchShare({}), { code: 'api_bad_request' });
});

test('a Keeper that lies neither keeps Nexus from its key nor gives it another', async () => {
  await using parts = await Parts.bootstrapped();
  await put(parts, '1');
  await parts.reachHolding(1, 2, 3);
  const truth = await (await parts.callKeeper(1)).fetchShare({});
  await parts.nexus.end('SIGKILL');
  const lie = Uint8Array.from(truth.shard);
  lie[31] = (lie[31] ?? 0) ^ 1;
  await using liar = await openLiar(parts, { ...truth, shard: lie }, 'ab'.repeat(32));
  const [, second = '', third = ''] = parts.keeperUrls();
  const peers = { SPIKE_NEXUS_KEEPER_PEERS: [liar.url, second, third].join(',') };

  // With one honest Keeper the key cannot be made, and a wrong one is not taken for it.
  await parts.keeper(3).end('SIGKILL');
  await parts.startNexus(peers);
  await until('the liar was heard twice', () => liar.asked >= 2);
  assert.equal(await parts.nexus.state(), 'locked');
  await assert.rejects((await parts.callNexus()).getSecret({ path, version: 0 }), {
    code: 'state_not_ready',
  });
  await parts.nexus.end('SIGKILL');

  // Back with the honest first, which gives the third its share; then the liar is one of three again.
  await parts.startKeeper(3);
  await parts.startNexus();
  await parts.reachHolding(1, 2, 3);
  await parts.nexus.end('SIGKILL');
  await parts.startNexus(peers);
  await parts.nexus.reach('ready');
  await assertSecret(parts, '1');
  await put(parts, '2');
  const { verify } = await (await parts.callNexus()).status({ verify: true });
  assert.equal(verify?.ok, true);
  await parts.nexus.end('SIGKILL');
  await parts.startNexus();
  await parts.nexus.reach('ready');
  await assertSecret(parts, '2');
});
