import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SpiffeBundle } from '../bundle/spiffe-bundle.ts';
import { SpiffeError } from '../error.ts';
import { SpiffeId } from '../id/spiffe-id.ts';
import { TestDomain } from '../testing/domain.ts';
import { spiffeBundleOf } from '../testing/endpoint.ts';
import { StaticSource } from '../testing/source.ts';
import { until } from '../testing/stage.ts';
import { FederatedBundle, type RelationshipOptions } from './federated-bundle.ts';
import { BundleServer } from './server.ts';

const id = SpiffeId.parse('spiffe://there.test/endpoint');
const fast = { defaultMs: 20, leastMs: 20, mostMs: 100 };

/** A trust domain with an endpoint of its own, whose keys a test changes. */
class There implements AsyncDisposable {
  domain = new TestDomain('there.test');
  served: SpiffeBundle = spiffeBundleOf(this.domain, { sequence: 1n });
  requests = 0;
  readonly source = new StaticSource(this.domain.issue('/endpoint'), this.domain.bundles);
  #server: BundleServer | undefined;

  static async open(): Promise<There> {
    const there = new There();
    there.#server = await BundleServer.open({
      bundle: () => {
        there.requests++;
        return there.served;
      },
      credential: { kind: 'https_spiffe', source: there.source },
      host: '127.0.0.1',
      port: 0,
    });
    return there;
  }

  federate(options: Partial<RelationshipOptions> = {}): FederatedBundle {
    return FederatedBundle.open({
      trustDomain: this.domain.trustDomain,
      url: this.#server?.url ?? '',
      profile: { kind: 'https_spiffe', id },
      initial: this.served,
      interval: fast,
      signal: new AbortController().signal,
      ...options,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
  }
}

test('F-9 a self-serving endpoint is verified with the newest bundle that it served', async () => {
  await using there = await There.open();
  await using federated = there.federate();
  await until(() => there.requests > 0);
  // Its next authority is published together with the present one, then signs alone, then is alone.
  const next = new TestDomain('there.test');
  const both = [...there.domain.bundle.authorities, ...next.bundle.authorities];
  there.served = spiffeBundleOf(next, { x509Authorities: both, sequence: 2n });
  await until(() => federated.current?.sequence === 2n);
  there.source.set(next.issue('/endpoint'), next.bundles);
  there.served = spiffeBundleOf(next, { sequence: 3n });
  await until(() => federated.current?.sequence === 3n);
  // And the first one, which the operator gave us, is worth nothing any more.
  there.source.set(there.domain.issue('/endpoint'), next.bundles);
  await until(() => federated.error !== undefined);
  assert.equal(federated.error?.code, 'chain_invalid');
  assert.equal(federated.current?.sequence, 3n);
});

test('F-10 a failure keeps the last bundle, and waits for the next turn', async () => {
  await using there = await There.open();
  const failures: SpiffeError[] = [];
  await using federated = there.federate({
    onFailure: (error) => failures.push(error),
    interval: { ...fast, defaultMs: 60_000 },
  });
  // The first turn to its end, which has begun already: a request that is counted is not an answer yet.
  await federated.refresh();
  assert.deepEqual([there.requests, failures], [1, []]);
  there.source.withdraw();
  await federated.refresh();
  assert.equal(failures.length, 1);
  assert.equal(federated.error?.code, 'connection_failed');
  assert.equal(federated.current?.sequence, 1n);
  there.source.set(there.domain.issue('/endpoint'), there.domain.bundles);
  assert.equal(there.requests, 1, 'it was not asked before its time');
  await federated.refresh();
  assert.equal(federated.error, undefined);
});

test('F-11 an older bundle than the one that is known is refused, and so is one without a sequence after one that had one', async () => {
  await using there = await There.open();
  const changes: (bigint | undefined)[] = [];
  await using federated = there.federate({
    onChange: ({ sequence }) => changes.push(sequence),
    interval: { defaultMs: 60_000 },
  });
  await federated.refresh();
  assert.deepEqual(changes, [], 'the same bundle is no change');
  const ask = async (sequence: bigint | undefined): Promise<string | undefined> => {
    there.served = spiffeBundleOf(there.domain, sequence === undefined ? {} : { sequence });
    await federated.refresh();
    return federated.error?.code;
  };
  assert.equal(await ask(9_007_199_254_740_993n), undefined);
  assert.equal(await ask(9_007_199_254_740_992n), 'bundle_invalid');
  assert.equal(await ask(undefined), 'bundle_invalid');
  assert.equal(federated.current?.sequence, 9_007_199_254_740_993n);
  assert.equal(await ask(9_007_199_254_740_994n), undefined);
  assert.deepEqual(changes, [9_007_199_254_740_993n, 9_007_199_254_740_994n]);

  // Without one before it, there is nothing to go back to.
  const { domain } = there;
  there.served = spiffeBundleOf(domain);
  await using unnumbered = there.federate({ interval: { defaultMs: 60_000 } });
  there.served = spiffeBundleOf(domain, { refreshHintSec: 7 });
  await unnumbered.refresh();
  await unnumbered.refresh();
  assert.deepEqual([unnumbered.error, unnumbered.current?.refreshHintSec], [undefined, 7]);
  there.served = spiffeBundleOf(domain, { sequence: 1n });
  await unnumbered.refresh();
  assert.equal(unnumbered.current?.sequence, 1n);
});

test('a bundle that nobody could be verified with is refused, and the last one kept', async () => {
  await using there = await There.open();
  const { domain } = there;
  const changes: SpiffeBundle[] = [];
  await using federated = there.federate({
    onChange: (bundle) => changes.push(bundle),
    interval: { defaultMs: 60_000 },
  });
  await federated.refresh();
  const jwtAuthorities = Array.from({ length: 257 }, (_, i) => ({ keyId: String(i), jwk: { kty: 'EC' } }));
  const crowded = spiffeBundleOf(domain, { jwtAuthorities, sequence: 2n });
  there.served = crowded;
  await federated.refresh();
  assert.equal(federated.error?.code, 'bundle_invalid');
  assert.equal(federated.current?.sequence, 1n);
  assert.deepEqual(changes, []);
  assert.throws(() => there.federate({ initial: crowded }), { code: 'bundle_invalid' });
  there.served = spiffeBundleOf(domain, { jwtAuthorities: jwtAuthorities.slice(1), sequence: 3n });
  await federated.refresh();
  assert.deepEqual([federated.error, federated.current?.sequence], [undefined, 3n]);
});

test('F-12 it is asked as often as the bundle says, within bounds', async () => {
  await using there = await There.open();
  // In seconds: what is heeded is the least and the most that is allowed here.
  there.served = spiffeBundleOf(there.domain, { refreshHintSec: 1 });
  await using federated = there.federate({ interval: { defaultMs: 60_000, leastMs: 10, mostMs: 30 } });
  await until(() => there.requests >= 4);
  there.served = spiffeBundleOf(there.domain, { refreshHintSec: 0 });
  await until(() => federated.current?.refreshHintSec === 0);
  await federated.refresh();
  const asked = there.requests;
  // So long as another one, which has a hint, is asked again and again.
  await using elsewhere = await There.open();
  elsewhere.served = spiffeBundleOf(elsewhere.domain, { refreshHintSec: 1 });
  await using _other = elsewhere.federate({ interval: { defaultMs: 60_000, leastMs: 10, mostMs: 30 } });
  await until(() => elsewhere.requests >= 8);
  assert.equal(there.requests, asked, 'a hint of zero was heeded');
});

test('F-13 an endpoint of another trust domain is verified with what is known of that one', async () => {
  await using there = await There.open();
  const here = new TestDomain('here.test');
  const known: { bundle?: typeof there.domain.bundle } = {};
  const options = {
    trustDomain: here.trustDomain,
    profile: { kind: 'https_spiffe', id, authorities: () => known.bundle } as const,
    initial: spiffeBundleOf(here),
    interval: { defaultMs: 60_000 },
  };
  there.served = spiffeBundleOf(here, { sequence: 5n });
  await using federated = there.federate(options);
  await federated.refresh();
  assert.equal(federated.error?.code, 'bundle_unknown');
  known.bundle = there.domain.bundle;
  await federated.refresh();
  assert.equal(federated.current?.sequence, 5n);
  // Its own bundle says nothing of who may serve it.
  const profile = { kind: 'https_spiffe', id } as const;
  assert.throws(() => there.federate({ ...options, profile }), { code: 'endpoint_invalid' });
});

test('F-14 nothing is taken for configured that was not', async () => {
  await using there = await There.open();
  assert.throws(() => there.federate({ url: 'http://127.0.0.1/' }), { code: 'endpoint_invalid' });
  const initial = spiffeBundleOf(new TestDomain('other.test'));
  assert.throws(() => there.federate({ initial }), { code: 'bundle_invalid' });
  const { initial: _, ...without } = { initial, url: 'https://127.0.0.1:1/' };
  await using federated = FederatedBundle.open({
    ...without,
    trustDomain: there.domain.trustDomain,
    profile: { kind: 'https_spiffe', id },
    signal: new AbortController().signal,
  });
  await federated.refresh();
  assert.equal(federated.error?.code, 'bundle_unknown');
  assert.equal(federated.current, undefined);
});

test('a relationship that was ended changes nothing any more', async () => {
  await using there = await There.open();
  const changes: bigint[] = [];
  const federated = there.federate({ onChange: ({ sequence = 0n }) => changes.push(sequence) });
  await until(() => there.requests > 0);
  await federated[Symbol.asyncDispose]();
  there.served = spiffeBundleOf(there.domain, { sequence: 2n });
  const { requests } = there;
  await federated.refresh();
  assert.deepEqual([changes, there.requests], [[], requests]);
});
