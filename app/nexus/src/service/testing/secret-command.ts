import assert from 'node:assert/strict';
import { SpikeError } from '@spike/error';
import type { MixedValues } from '@spike/contract';
import fc from 'fast-check';
import type { ListRequest } from '../secret-list.ts';
import { readNotes } from '../secret-note.ts';
import { grantAll, grantMatching, grantOn, operator } from './grant.ts';
import type { OraclePolicy, Outcome, Overview, SecretOracle } from './secret-oracle.ts';
import type { SecretWorld } from './secret-world.ts';

type Run = (oracle: SecretOracle, world: SecretWorld) => Promise<void>;

class Step implements fc.AsyncCommand<SecretOracle, SecretWorld> {
  readonly #label: string;
  readonly run: Run;

  constructor(label: string, run: Run) {
    this.#label = label;
    this.run = run;
  }

  check = (): boolean => true;
  toString = (): string => this.#label;
}

const web = 'spiffe://spike.ist/web';
const ops = 'spiffe://spike.ist/ops';

// Few and alike, so that commands meet; with names that an object without care takes for its own.
const anyPath = fc.constantFrom(
  'a',
  'a/b',
  'a/b/c',
  'a/b/d',
  'a/bc',
  'b/__proto__',
  'constructor/x/y',
  '__proto__',
);
// One of them much of the time, so that it gets many versions.
const path = fc.oneof({ weight: 3, arbitrary: fc.constant('a/b') }, { weight: 2, arbitrary: anyPath });
const prefix = fc.constantFrom('', 'a', 'a/', 'a/b', '/a/b/', 'b/', '__proto__', 'constructor/', 'c/', 'a//');
const key = fc.constantFrom('user', '__proto__', 'constructor', 'toString', 'hasOwnProperty');
const value = fc.oneof(fc.string({ unit: 'grapheme' }), fc.uint8Array({ maxLength: 20 }));
const values = fc
  .array(fc.tuple(key, value), { maxLength: 3 })
  .map((entries): MixedValues => Object.assign(Object.create(null) as MixedValues, asOwn(entries)));
const number = fc.integer({ min: -1, max: 12 });
const numbers = fc.oneof(fc.constant([]), fc.array(number, { maxLength: 3 }));
const doomed = fc.oneof(
  { weight: 1, arbitrary: fc.constant('all' as const) },
  { weight: 3, arbitrary: fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 3 }) },
);
const peer = fc.constantFrom(operator, web, ops);
const maxVersions = fc.integer({ min: 1, max: 6 });
const note = fc.constantFrom('', 'ann', 'ünïcode');
const labels = fc
  .array(fc.tuple(key, note), { maxLength: 2 })
  .map((entries): Readonly<Record<string, string>> =>
    Object.assign(Object.create(null) as object, asOwn(entries)),
  );

const put = fc
  .record({
    path,
    peer,
    values,
    options: fc.record({ cas: fc.integer({ min: 0, max: 4 }), maxVersions }, { requiredKeys: [] }),
  })
  .map(({ path, peer, values, options }) =>
    step(`${short(peer)} puts ${path} ${JSON.stringify(options)}`, async (oracle, world) => {
      if (!mayDo(oracle, world, peer, 'write', path)) return;
      const given = await settle(world.secrets.put(grantOn(path, peer), values, options));
      assert.equal(given, oracle.put(path, values, options));
    }),
  );

const race = fc.record({ path, rivals: fc.integer({ min: 2, max: 4 }) }).map(({ path, rivals }) =>
  step(`${String(rivals)} put ${path} with the same cas`, async (oracle, world) => {
    const cas = oracle.current(path);
    const offers = Array.from({ length: rivals }, (_, index): MixedValues => ({ user: String(index) }));
    const outcomes = await Promise.all(
      offers.map((offer) => settle(world.secrets.put(grantOn(path), offer, { cas }))),
    );
    const winner = outcomes.findIndex((outcome) => outcome !== 'conflict');
    const expected = oracle.put(path, offers[winner] ?? {}, { cas });
    assert.deepEqual(
      outcomes,
      offers.map((_, index) => (index === winner ? expected : 'conflict')),
    );
  }),
);

const get = fc
  .record({ path, peer, version: fc.oneof(fc.constant(0), number) })
  .map(({ path, peer, version }) =>
    step(`${short(peer)} gets ${path} ${String(version)}`, async (oracle, world) => {
      if (mayDo(oracle, world, peer, 'read', path)) await compareGet(oracle, world, path, version);
    }),
  );

const remove = fc.record({ path, versions: numbers }).map(({ path, versions }) =>
  step(`delete ${path} ${versions.join()}`, async (oracle, world) => {
    const outcome = await settle(world.secrets.delete(grantOn(path), versions));
    assert.equal(outcome, oracle.delete(path, versions));
  }),
);

const undelete = fc.record({ path, versions: numbers }).map(({ path, versions }) =>
  step(`undelete ${path} ${versions.join()}`, async (oracle, world) => {
    const outcome = await settle(world.secrets.undelete(grantOn(path), versions));
    assert.equal(outcome, oracle.undelete(path, versions));
  }),
);

const destroy = fc.record({ path, versions: doomed }).map(({ path, versions }) =>
  step(`destroy ${path} ${String(versions)}`, async (oracle, world) => {
    const what = versions === 'all' ? ({ all: true } as const) : { versions };
    assert.equal(await settle(world.secrets.destroy(grantOn(path), what)), oracle.destroy(path, versions));
  }),
);

const describe = fc
  .record({
    path,
    change: fc.record({ maxVersions, owner: note, description: note, labels }, { requiredKeys: [] }),
  })
  .map(({ path, change }) =>
    step(`describe ${path} ${JSON.stringify(change)}`, async (oracle, world) => {
      const outcome = await settle(world.secrets.setMetadata(grantOn(path), change));
      assert.equal(outcome, oracle.setMetadata(path, change));
    }),
  );

const look = path.map((path) =>
  step(`look at ${path}`, async (oracle, world) => await compareOverview(oracle, world, path)),
);

const list = fc
  .record({
    peer,
    prefix,
    recursive: fc.boolean(),
    limit: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
  })
  .map(({ peer, prefix, recursive, limit }) =>
    step(
      `${short(peer)} lists '${prefix}' ${recursive ? 'whole' : 'level'} by ${String(limit)}`,
      async (oracle, world) => {
        const isAll = peer === operator;
        const found = await readPages(world, isAll ? grantAll : grantMatching(peer), {
          prefix,
          recursive,
          ...(limit === undefined ? {} : { limit }),
        });
        const passes = (path: string): boolean => isAll || oracle.allows(peer, 'list', path);
        const expected =
          isAll || oracle.allowsAnywhere(peer, 'list') ? oracle.list(prefix, recursive, passes) : 'denied';
        assert.deepEqual(found, expected);
      },
    ),
  );

const identities: readonly Pick<OraclePolicy, 'spiffePattern' | 'peers'>[] = [
  { spiffePattern: '^spiffe://spike.ist/web$', peers: [web] },
  { spiffePattern: '^spiffe://spike.ist/.*$', peers: [web, ops] },
];
const places: readonly Pick<OraclePolicy, 'pathPattern' | 'covers'>[] = [
  { pathPattern: '^.*$', covers: () => true },
  { pathPattern: '^a/.*$', covers: (path) => path.startsWith('a/') },
  { pathPattern: '^a/b$', covers: (path) => path === 'a/b' },
  { pathPattern: '^.*/(c|__proto__)$', covers: (path) => path.endsWith('/c') || path.endsWith('/__proto__') },
];
const policyName = fc.constantFrom('p', '__proto__', 'constructor');

const allow = fc
  .record({
    name: policyName,
    identity: fc.constantFrom(...identities),
    place: fc.constantFrom(...places),
    permissions: fc.subarray(['read', 'write', 'list', 'super'], { minLength: 1 }),
  })
  .map(({ name, identity, place, permissions }) =>
    step(
      `policy ${name}: ${identity.spiffePattern} ${place.pathPattern} ${permissions.join()}`,
      async (oracle, world) => {
        const { spiffePattern } = identity;
        const { pathPattern } = place;
        await world.policies.put(grantAll, { name, spiffePattern, pathPattern, permissions });
        oracle.policies.set(name, { ...identity, ...place, permissions });
      },
    ),
  );

const forbid = policyName.map((name) =>
  step(`no policy ${name}`, async (oracle, world) => {
    const outcome = await settle(world.policies.delete(grantAll, name));
    assert.equal(outcome, oracle.policies.delete(name) ? 'done' : 'missing');
  }),
);

const restart = fc.constant(
  step('restart', async (oracle, world) => {
    await world.restart();
    await compareAll(oracle, world);
  }),
);

/** Random runs of what people and workloads can ask of secrets and policies. */
export const secretCommands = fc.commands(
  [
    put,
    put,
    put,
    race,
    get,
    get,
    remove,
    remove,
    undelete,
    undelete,
    destroy,
    describe,
    look,
    list,
    list,
    allow,
    forbid,
    restart,
  ],
  { maxCommands: 80, size: 'max' },
);

/** Everything that can be read is what the oracle says, and the store holds no version besides. */
export async function compareAll(oracle: SecretOracle, world: SecretWorld): Promise<void> {
  let kept = 0;
  for (const [path, secret] of oracle.secrets) {
    await compareOverview(oracle, world, path);
    for (let version = 0; version <= secret.highest; version += 1)
      await compareGet(oracle, world, path, version);
    kept += secret.versions.size;
  }
  assert.equal(await world.countVersions(), kept);
  assert.deepEqual(await readPages(world, grantAll, {}), [...oracle.secrets.keys()].toSorted());
}

async function compareGet(
  oracle: SecretOracle,
  world: SecretWorld,
  path: string,
  version: number,
): Promise<void> {
  const expected = oracle.get(path, version);
  const reading = await world.secrets.get(grantOn(path), version).catch(toOutcome);
  if (expected === 'missing' || typeof reading !== 'object') {
    assert.equal(reading, expected);
    return;
  }
  assert.equal(reading.version, version === 0 ? oracle.current(path) : version);
  assert.deepEqual(Object.entries(reading.values), Object.entries(expected));
}

async function compareOverview(oracle: SecretOracle, world: SecretWorld, path: string): Promise<void> {
  const metadata = await world.secrets.metadata(grantOn(path)).catch(toOutcome);
  const shown: Overview | Outcome =
    typeof metadata !== 'object'
      ? metadata
      : {
          current: metadata.current,
          oldest: metadata.oldest,
          max: metadata.maxVersions,
          versions: metadata.versions.map(({ version, deletedAt }) => [version, deletedAt !== 0]),
          notes: readNotes(metadata.extension),
        };
  assert.deepEqual(plain(shown), plain(oracle.overview(path)));
}

/** The engine's decision, which has to be the oracle's. */
function mayDo(
  oracle: SecretOracle,
  world: SecretWorld,
  peer: string,
  action: 'read' | 'write',
  path: string,
): boolean {
  if (peer === operator) return true;
  const { allowed } = world.policies.engine.decide(peer, action, path);
  assert.equal(allowed, oracle.allows(peer, action, path));
  return allowed;
}

async function readPages(
  world: SecretWorld,
  grant: typeof grantAll,
  request: ListRequest,
): Promise<readonly string[] | 'denied'> {
  const keys: string[] = [];
  try {
    for (let cursor: string | undefined; ;) {
      const page = await world.secrets.list(grant, {
        ...request,
        ...(cursor === undefined ? {} : { cursor }),
      });
      assert.ok(page.keys.length <= (request.limit ?? Infinity));
      keys.push(...page.keys);
      if (page.cursor === undefined) return keys.toSorted();
      assert.ok(keys.length < 100, 'the cursor makes no way');
      ({ cursor } = page);
    }
  } catch (thrown) {
    if (thrown instanceof SpikeError && thrown.code === 'access_unauthorized') return 'denied';
    throw thrown;
  }
}

async function settle(doing: Promise<number | void>): Promise<Outcome> {
  try {
    return (await doing) ?? 'done';
  } catch (thrown) {
    return toOutcome(thrown);
  }
}

function toOutcome(thrown: unknown): 'missing' | 'conflict' {
  if (thrown instanceof SpikeError && thrown.code === 'api_not_found') return 'missing';
  if (thrown instanceof SpikeError && thrown.code === 'entity_version_conflict') return 'conflict';
  throw thrown;
}

function step(label: string, run: Run): Step {
  return new Step(label, run);
}

function short(who: string): string {
  return who.slice(who.lastIndexOf('/') + 1);
}

/** Own properties, also for `__proto__`, which an assignment would take for something else. */
function asOwn<T>(entries: readonly (readonly [string, T])[]): Record<string, T> {
  return Object.fromEntries(entries);
}

/** As JSON shows it: without prototypes, and with the order of names, which is kept. */
function plain(value: unknown): unknown {
  return JSON.stringify(value);
}
