import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SpikeError } from '@spike/error';
import { PolicyEngine } from './engine.ts';
import { Pattern } from './pattern.ts';
import { parsePolicy, restorePolicy, type Policy, type PolicyInput } from './policy.ts';
import { rootTenant } from './tenant.ts';
import { checkDecisions } from './testing/decision-property.ts';
import { checkIndexAgainstScan } from './testing/index-property.ts';

const id = (path: string): string => `spiffe://spike.ist/${path}`;

function make(input: Partial<PolicyInput>): Policy {
  return parsePolicy(
    {
      name: 'p',
      spiffePattern: '^spiffe://spike\\.ist/web$',
      pathPattern: '^tenants/acme/.*$',
      permissions: ['read'],
      ...input,
    },
    { createdAt: 1, updatedAt: 1 },
  );
}

function engineOf(...inputs: Partial<PolicyInput>[]): PolicyEngine {
  const engine = new PolicyEngine();
  for (const [index, input] of inputs.entries()) engine.put(make({ name: `p${String(index)}`, ...input }));
  return engine;
}

test('a policy lets exactly its peer do exactly its action on exactly its paths', () => {
  const engine = engineOf({});
  assert.deepEqual(engine.decide(id('web'), 'read', 'tenants/acme/db'), { allowed: true, policy: 'p0' });
  assert.equal(engine.decide(id('web'), 'write', 'tenants/acme/db').allowed, false);
  assert.equal(engine.decide(id('web'), 'read', 'tenants/acme').allowed, false);
  assert.equal(engine.decide(id('web'), 'read', 'other/tenants/acme/db').allowed, false);
  assert.equal(engine.decide(id('webs'), 'read', 'tenants/acme/db').allowed, false);
  assert.equal(engine.decide('spiffe://spikeXist/web', 'read', 'tenants/acme/db').allowed, false);
});

test('a pattern without anchors matches the whole path or nothing', () => {
  const engine = engineOf({ pathPattern: 'tenants/acme', spiffePattern: 'spiffe://spike.ist/web' });
  assert.equal(engine.decide(id('web'), 'read', 'tenants/acme').allowed, true);
  assert.equal(engine.decide(id('web'), 'read', 'tenants/acme/db').allowed, false);
  assert.equal(engine.decide(id('web'), 'read', 'x/tenants/acme').allowed, false);
  assert.equal(engine.decide(id('web-other'), 'read', 'tenants/acme').allowed, false);
});

test('a line break at the end of a path is not overlooked', () => {
  const engine = engineOf(
    { pathPattern: '^tenants/acme/[a-z]+$' },
    { pathPattern: '^one$' },
    { pathPattern: '^two/.*$' },
  );
  assert.equal(engine.decide(id('web'), 'read', 'tenants/acme/db').allowed, true);
  assert.equal(engine.decide(id('web'), 'read', 'tenants/acme/db\n').allowed, false);
  assert.equal(engine.decide(id('web'), 'read', 'one\n').allowed, false);
  assert.equal(engine.decide(id('web'), 'read', 'two/a\n').allowed, false);
});

test('alternatives at the top level do not escape from the match of the whole path', () => {
  const engine = engineOf({ pathPattern: 'a/b|c/d' });
  for (const path of ['a/b', 'c/d']) assert.equal(engine.decide(id('web'), 'read', path).allowed, true);
  for (const path of ['a/bx', 'xc/d', 'a/b/c/d', 'a/d']) {
    assert.equal(engine.decide(id('web'), 'read', path).allowed, false, path);
  }
});

test('super gives every action, on the paths of its own policy only', () => {
  const engine = engineOf({ permissions: ['super'] });
  for (const action of ['read', 'write', 'list', 'execute'] as const) {
    assert.equal(engine.decide(id('web'), action, 'tenants/acme/db').allowed, true);
    assert.equal(engine.decide(id('web'), action, 'tenants/other/db').allowed, false);
  }
});

test('two policies are not added together', () => {
  const engine = engineOf(
    { pathPattern: '^one$', permissions: ['read'] },
    { pathPattern: '^two$', permissions: ['write'] },
  );
  assert.equal(engine.decide(id('web'), 'write', 'one').allowed, false);
  assert.equal(engine.decide(id('web'), 'read', 'two').allowed, false);
});

test('a change is felt by the next decision', () => {
  const engine = engineOf({});
  engine.put(make({ name: 'p0', pathPattern: '^tenants/other/.*$' }));
  assert.equal(engine.decide(id('web'), 'read', 'tenants/acme/db').allowed, false);
  assert.equal(engine.decide(id('web'), 'read', 'tenants/other/db').allowed, true);
  engine.put(make({ name: 'p1', spiffePattern: '^spiffe://spike.ist/.*$' }));
  assert.equal(engine.decide(id('new'), 'read', 'tenants/acme/db').allowed, true);
  assert.equal(engine.remove(rootTenant, 'p1'), true);
  assert.equal(engine.remove(rootTenant, 'p1'), false);
  assert.equal(engine.decide(id('new'), 'read', 'tenants/acme/db').allowed, false);
  assert.equal(engine.size, 1);
});

test('a reserved path asks for an identity that is spelled out to both ends', () => {
  const anchored = engineOf({ pathPattern: '.*' });
  assert.equal(anchored.decide(id('web'), 'read', 'spike/system/acl').allowed, true);
  assert.throws(
    () => make({ pathPattern: '.*', spiffePattern: 'spiffe://spike.ist/web' }),
    isRefused('begin with \\^'),
  );
  assert.throws(
    () => make({ pathPattern: '.*', spiffePattern: '^spiffe://spike.ist/web\\$' }),
    isRefused('end with'),
  );
  assert.throws(
    () => make({ pathPattern: 'acl' }),
    isRefused('a part of the reserved path spike/system/acl'),
  );
});

test('a stored policy without both anchors does not count for a reserved path, and does elsewhere', () => {
  const { record } = make({});
  const engine = new PolicyEngine();
  engine.put(restorePolicy({ ...record, spiffePattern: 'spiffe://spike.ist/web', pathPattern: '.*' }));
  assert.equal(engine.decide(id('web'), 'read', 'spike/system/acl').allowed, false);
  assert.equal(engine.decide(id('web'), 'read', 'spike/system/aclx').allowed, true);
});

test('a stored pattern that no longer compiles is an integrity error, and no answer', () => {
  const { record } = make({});
  const engine = new PolicyEngine();
  engine.put(restorePolicy({ ...record, pathPattern: 'a(' }));
  assert.throws(() => engine.decide(id('web'), 'read', 'ab'), { code: 'store_integrity' });
});

test('directories bound a search to what policies could give, and hold the exact paths too', () => {
  const engine = engineOf(
    { pathPattern: '^tenants/acme/.*$', permissions: ['list'] },
    { pathPattern: '^tenants/acme/db/[a-z]+$', permissions: ['super'] },
    { pathPattern: '^shared/key$', permissions: ['list'] },
    { pathPattern: '^hidden/.*$', permissions: ['read'] },
    { pathPattern: '/never/.*', permissions: ['list'], spiffePattern: '^spiffe://spike.ist/slash$' },
  );
  const found = engine.directories(id('web'), 'list').map((segments) => segments.join('/'));
  assert.deepEqual(found.toSorted(), ['shared/key', 'tenants/acme']);
  assert.equal(engine.givesAnywhere(id('web'), 'list'), true);
  assert.equal(engine.givesAnywhere(id('web'), 'execute'), true);
  assert.equal(engine.givesAnywhere(id('other'), 'list'), false);
  const dotted = engineOf({ pathPattern: '^a/b.c/d$', permissions: ['list'] });
  assert.deepEqual(dotted.directories(id('web'), 'list'), [['a']]);
  engine.put(make({ name: 'all', pathPattern: '.*db', permissions: ['list'] }));
  assert.deepEqual(engine.directories(id('web'), 'list'), [[]]);
});

test('of ten thousand policies a decision asks only those that begin like the path', (t) => {
  const engine = new PolicyEngine();
  const { record } = make({ spiffePattern: '^spiffe://spike\\.ist/.*$' });
  for (let at = 0; at < 10_000; at += 1) {
    const pathPattern =
      [`^tenants/t${String(at)}/.*$`, `^teams/[a-z]+/s${String(at)}$`, `x${String(at)}`][at % 3] ?? '';
    engine.put(restorePolicy({ ...record, name: `p${String(at)}`, pathPattern }));
  }
  assert.equal(engine.decide(id('web'), 'read', 'nothing').allowed, false);
  const asked = t.mock.method(Pattern.prototype, 'matches');
  assert.equal(engine.decide(id('web'), 'read', 'tenants/t3000/db').policy, 'p3000');
  assert.equal(engine.decide(id('web'), 'read', 'teams/red/s3001').policy, 'p3001');
  assert.ok(asked.mock.callCount() <= 12, String(asked.mock.callCount()));
});

test('segments that are left open, spelled out and dotted lie side by side in the index', () => {
  const engine = engineOf(
    { pathPattern: '^a/[^/]+/x$' },
    { pathPattern: '^a/b/y$' },
    { pathPattern: '^a/./z/.*$' },
    { pathPattern: '^[a-c]+/d/.*$' },
  );
  const given = (path: string): string | undefined => engine.decide(id('web'), 'read', path).policy;
  assert.deepEqual(['a/b/x', 'a/bc/x', 'a/b/y', 'a/q/z/1', 'abc/d/1', 'a/e/x'].map(given), [
    'p0',
    'p0',
    'p1',
    'p2',
    'p3',
    'p0',
  ]);
  assert.deepEqual(['a//x', 'a/c/y', 'a/bc/z/1', 'abd/d/1', 'a/b/c/x'].map(given), [
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});

test('policies are listed by name', () => {
  const engine = engineOf({ name: 'b' }, { name: 'a' }, { name: 'B' });
  assert.deepEqual(
    engine.list().map((record) => record.name),
    ['B', 'a', 'b'],
  );
  assert.equal(engine.get(rootTenant, 'a')?.pathPattern, '^tenants/acme/.*$');
  assert.equal(engine.get(rootTenant, 'c'), undefined);
});

test('the index decides as a scan over all policies does, through every change', () => {
  checkIndexAgainstScan({ numRuns: 50 });
});

test('decisions are those of a scan with patterns that match by themselves', () => {
  const { decisions, allowed } = checkDecisions({ numRuns: 25 });
  assert.ok(decisions > 2000 && allowed > 50, `${String(allowed)} of ${String(decisions)} allowed`);
});

test('a reserved path is decided by the scan and the index alike for each anchoring', () => {
  fc.assert(
    fc.property(fc.boolean(), fc.boolean(), (begin, end) => {
      const spiffePattern = `${begin ? '^' : ''}spiffe://spike.ist/web${end ? '$' : ''}`;
      const build = (): Policy => make({ pathPattern: '^spike/system/acl$', spiffePattern });
      if (begin && end)
        assert.equal(engineOf(build().record).decide(id('web'), 'read', 'spike/system/acl').allowed, true);
      else assert.throws(build, SpikeError);
    }),
  );
});

function isRefused(part: string) {
  return (error: unknown): boolean =>
    error instanceof SpikeError &&
    error.code === 'data_invalid_input' &&
    new RegExp(part).test(error.message);
}
