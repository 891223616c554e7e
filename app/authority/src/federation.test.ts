import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpikeError } from '@spike/error';
import { SpiffeError, SpiffeId, TrustDomain, verifyJwtSvid, WorkloadClient, X509Source } from '@spike/spiffe';
import { TestAuthority } from './testing/authority.ts';

const signal = (): AbortSignal => AbortSignal.timeout(20_000);
const hasCode = (code: string) => (error: unknown) =>
  (error instanceof SpikeError || error instanceof SpiffeError) && error.code === code;
const clientOf = (authority: TestAuthority): WorkloadClient =>
  new WorkloadClient({ endpoint: `unix://${authority.socket}` });

/** Two trust domains; the second one serves its bundle. */
async function openTwo(): Promise<{ here: TestAuthority; there: TestAuthority } & AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  const here = stack.use(await TestAuthority.start('--trust-domain=here.test'));
  const there = stack.use(
    await TestAuthority.start('--trust-domain=there.test', '--bundle-endpoint=127.0.0.1:0'),
  );
  const owned = stack.move();
  return { here, there, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function federate({ here, there }: { here: TestAuthority; there: TestAuthority }) {
  const { bundle } = await there.admin.showBundle();
  const { bundleUrl = '' } = await there.admin.status();
  const endpoint = {
    profile: 'https_spiffe',
    url: bundleUrl,
    spiffeId: 'spiffe://there.test/spike/authority',
  } as const;
  await here.admin.setRelationship({ trustDomain: 'there.test', bundle, endpoint });
}

/** The first bundles of a watch that are as wanted. */
async function untilDomains(authority: TestAuthority, ...names: readonly string[]): Promise<void> {
  for await (const bundles of clientOf(authority).watchX509Bundles(signal()))
    if ([...bundles].map(({ trustDomain }) => trustDomain.name).join() === names.join()) return;
}

test('W-7 a process gets tokens of its own entries and of no others, and none when they are gone', async () => {
  await using authority = await TestAuthority.start();
  const id = (path: string): SpiffeId => SpiffeId.parse(`spiffe://spike.ist${path}`);
  const { entry } = await authority.admin.createEntry({ spiffeId: id('/a').toString() });
  await authority.admin.createEntry({ spiffeId: id('/b').toString(), selectors: ['uid:4242'] });
  const client = clientOf(authority);
  const audience = ['us'];
  const svids = await client.fetchJwtSvids({ audience }, signal());
  assert.deepEqual(
    svids.map(({ id: { path } }) => path),
    ['/a'],
  );
  const [svid] = svids;
  assert.ok(svid);
  assert.ok(svid.notAfter.getTime() <= Date.now() + 300_000);
  await assert.rejects(
    client.fetchJwtSvids({ audience, id: id('/b') }, signal()),
    hasCode('permission_denied'),
  );
  await assert.rejects(
    client.fetchJwtSvids({ audience, id: id('/c') }, signal()),
    hasCode('permission_denied'),
  );

  const told = await client.validateJwtSvid({ token: svid.token, audience: 'us' }, signal());
  assert.ok(told.id.equals(id('/a')));
  await assert.rejects(
    client.validateJwtSvid({ token: svid.token, audience: 'them' }, signal()),
    hasCode('invalid_argument'),
  );
  const bundles = await client.fetchJwtBundles(signal());
  assert.ok(verifyJwtSvid(svid.token, bundles, { audience: 'us' }).id.equals(id('/a')));

  // The keys are those of before when it starts again.
  await authority.kill('SIGKILL');
  await authority.start();
  assert.ok(
    (await client.validateJwtSvid({ token: svid.token, audience: 'us' }, signal())).id.equals(id('/a')),
  );

  await authority.admin.deleteEntry(entry.id);
  const denied = hasCode('permission_denied');
  await assert.rejects(client.fetchJwtSvids({ audience }, signal()), denied);
  await assert.rejects(client.fetchJwtBundles(signal()), denied);
  await assert.rejects(client.validateJwtSvid({ token: svid.token, audience: 'us' }, signal()), denied);
  assert.ok(!authority.log.join('\n').includes(svid.token.split('.')[2] ?? 'none'), 'a token is in the log');
});

test('the bundle of another trust domain gets to the entries that federate with it, and to no others', async () => {
  await using two = await openTwo();
  const { here, there } = two;
  const plain = await here.admin.createEntry({ spiffeId: 'spiffe://here.test/plain' });
  const asked = { spiffeId: 'spiffe://here.test/a', federatesWith: ['there.test'] };
  await assert.rejects(here.admin.createEntry(asked), hasCode('data_invalid_input'));
  await federate(two);
  await untilDomains(here, 'here.test');
  await here.admin.deleteEntry(plain.entry.id);
  const { entry } = await here.admin.createEntry(asked);
  assert.deepEqual(entry.federatesWith, ['there.test']);
  await untilDomains(here, 'here.test', 'there.test');
  const bundles = await clientOf(here).fetchX509Bundles(signal());
  const jwtBundles = await clientOf(here).fetchJwtBundles(signal());

  await there.admin.createEntry({ spiffeId: 'spiffe://there.test/b' });
  const { svids } = await clientOf(there).fetchX509Context(signal());
  assert.ok(
    bundles.get(TrustDomain.parse('there.test'))?.authorities.some((one) => svids[0]?.leaf.isSignedBy(one)),
  );
  const [token] = await clientOf(there).fetchJwtSvids({ audience: ['us'] }, signal());
  assert.ok(token);
  assert.equal(
    verifyJwtSvid(token.token, jwtBundles, { audience: 'us' }).id.toString(),
    'spiffe://there.test/b',
  );
  const { id } = await clientOf(here).validateJwtSvid({ token: token.token, audience: 'us' }, signal());
  assert.equal(id.trustDomain.name, 'there.test');
  // Trust goes one way.
  const [ours] = await clientOf(here).fetchJwtSvids({ audience: ['us'] }, signal());
  const back = clientOf(there).validateJwtSvid({ token: ours?.token ?? '', audience: 'us' }, signal());
  await assert.rejects(back, hasCode('invalid_argument'));

  await here.admin.federateEntry(entry.id, []);
  await untilDomains(here, 'here.test');
});

test('a trust domain that is deleted is gone from every stream at once, and one that is set is there after a crash', async () => {
  await using two = await openTwo();
  const { here } = two;
  await federate(two);
  await here.admin.createEntry({ spiffeId: 'spiffe://here.test/a', federatesWith: ['there.test'] });
  await here.kill('SIGKILL');
  await here.start();
  const [known] = await here.admin.listRelationships();
  assert.deepEqual([known?.trustDomain, known?.x509Authorities, known?.jwtAuthorities], ['there.test', 1, 2]);
  await using source = await X509Source.open({ endpoint: `unix://${here.socket}`, signal: signal() });
  assert.equal(source.current().bundles.size, 2);
  const { svid } = source.current();
  const changed = Promise.withResolvers<void>();
  using _subscription = source.subscribe((change) => {
    if (change.kind === 'updated' && source.current().bundles.size === 1) changed.resolve();
  });
  await here.admin.deleteRelationship('there.test');
  await changed.promise;
  assert.ok(source.current().svid.equals(svid), 'the identity was issued anew, too');
  assert.deepEqual(await here.admin.listRelationships(), []);
  await assert.rejects(here.admin.deleteRelationship('there.test'), hasCode('api_not_found'));
});

test('an authority says what is wrong with what it is told of another trust domain', async () => {
  await using authority = await TestAuthority.start('--trust-domain=here.test');
  const { bundle } = await authority.admin.showBundle();
  const url = 'https://there.test/bundle';
  const spiffeId = 'spiffe://there.test/spike/authority';
  const set = (draft: Parameters<typeof authority.admin.setRelationship>[0]) =>
    authority.admin.setRelationship(draft);
  const trustDomain = 'there.test';
  for (const draft of [
    { trustDomain: 'here.test', bundle },
    { trustDomain },
    { trustDomain: 'spiffe://there.test', bundle },
    { trustDomain: 'There.Test', bundle },
    { trustDomain, bundle: '{' },
    { trustDomain, bundle: '{"keys":[],"keys":[]}' },
    { trustDomain, endpoint: { profile: 'https_spiffe', url, spiffeId } },
    { trustDomain, endpoint: { profile: 'https_web', url: 'http://there.test/' } },
    { trustDomain, endpoint: { profile: 'https_web', url: 'https://me@there.test/' } },
  ] as const)
    await assert.rejects(set(draft), hasCode('data_invalid_input'), JSON.stringify(draft));
  assert.deepEqual(await authority.admin.listRelationships(), []);
  // Its own ID is nobody else's.
  const own = authority.admin.createEntry({
    spiffeId: 'spiffe://here.test/spike/authority',
    selectors: ['uid:4242'],
  });
  await assert.rejects(own, hasCode('access_unauthorized'));
});
