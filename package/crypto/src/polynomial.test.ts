import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import { p256 } from '@noble/curves/nist.js';
import { SpikeError, type ErrorCode } from '@spike/error';
import fc from 'fast-check';

import { combine, Polynomial } from './polynomial.ts';
import { RootKey } from './root-key.ts';
import { fromScalar, order, randomScalar, toScalar } from './scalar.ts';
import { Secret } from './secret.ts';
import { digestShare, Share } from './share.ts';

async function readVector<T>(name: string): Promise<T> {
  return JSON.parse(await readFile(new URL(`../vector/${name}`, import.meta.url), 'utf8')) as T;
}

const hex = (secret: Secret): string => secret.expose((bytes) => Buffer.from(bytes).toString('hex'));
const code =
  (wanted: ErrorCode) =>
  (thrown: unknown): boolean =>
    thrown instanceof SpikeError && thrown.code === wanted;
const share = (id: number, value: string): Share => Share.take(id, Buffer.from(value, 'hex'));

/** f(id) by somebody else's field arithmetic. */
function oracle(coefficients: readonly bigint[], id: number): bigint {
  const field = p256.Point.Fn;
  return coefficients.reduceRight((sum, value) => field.add(field.mul(sum, BigInt(id)), value), field.ZERO);
}

test('every threshold of the shares that circl made gives the secret back', async () => {
  interface File {
    readonly vectors: readonly { T: number; Secret: string; Shares: { ID: string; Value: string }[] }[];
  }
  const { vectors } = await readVector<File>('circl-secretsharing.json');
  assert.equal(vectors.length, 3);
  for (const vector of vectors) {
    const shares = vector.Shares.map((entry) => share(Number.parseInt(entry.ID, 16), entry.Value));
    for (let from = 0; from < shares.length; from++) {
      const some = Array.from({ length: vector.T }, (_, i) => shares[(from + i) % shares.length]).filter(
        (entry) => entry !== undefined,
      );
      assert.equal(hex(combine(some, vector.T).secret), vector.Secret);
    }
    const polynomial = Polynomial.interpolate(shares, vector.T);
    assert.equal(hex(polynomial.rootKey().secret), vector.Secret);
    for (const one of shares) assert.ok(polynomial.share(one.id).equals(one));
  }
});

test('the deterministic split gives the shares of the Go original', async () => {
  interface File {
    readonly rootKey: string;
    readonly vectors: readonly { threshold: number; shares: string[] }[];
  }
  const { rootKey, vectors } = await readVector<File>('deterministic-split.json');
  using key = RootKey.take(Buffer.from(rootKey, 'hex'));
  for (const vector of vectors) {
    const polynomial = Polynomial.deterministic(key, vector.threshold);
    vector.shares.forEach((value, i) => assert.equal(hex(polynomial.share(i + 1).value), value));
  }
});

test('any threshold of the shares gives the key and the polynomial back, and noble computes the same shares', () => {
  const split = fc
    .record({ t: fc.integer({ min: 1, max: 7 }), extra: fc.integer({ min: 0, max: 4 }) })
    .chain(({ t, extra }) =>
      fc.record({
        t: fc.constant(t),
        ids: fc.uniqueArray(fc.integer({ min: 1, max: 255 }), { minLength: t + extra, maxLength: t + extra }),
      }),
    );
  fc.assert(
    fc.property(split, ({ t, ids }) => {
      using key = RootKey.generate();
      const polynomial = Polynomial.random(key, t);
      const coefficients = polynomial.coefficients();
      const shares = ids.map((id) => polynomial.share(id));
      for (const one of shares) {
        assert.equal(
          one.value.expose(toScalar),
          oracle(
            coefficients.map((c) => c.expose(toScalar)),
            one.id,
          ),
        );
      }
      assert.ok(combine(shares.slice(-t), t).equals(key));
      const again = Polynomial.interpolate(shares, t);
      assert.deepEqual(again.coefficients().map(hex), coefficients.map(hex));
      assert.deepEqual(
        Polynomial.fromCoefficients(coefficients).coefficients().map(hex),
        coefficients.map(hex),
      );
      assert.ok(polynomial.rootKey().equals(key));
    }),
    { numRuns: 60 },
  );
});

test('fewer shares than the threshold are refused, and as many from a higher split give another key', () => {
  using key = RootKey.generate();
  const polynomial = Polynomial.random(key, 3);
  const two = [polynomial.share(1), polynomial.share(2)];
  assert.throws(() => combine(two, 3), code('shamir_not_enough_shards'));
  assert.throws(() => Polynomial.interpolate(two, 3), code('shamir_not_enough_shards'));
  assert.ok(!combine(two, 2).equals(key));
});

test('a share that does not lie on the polynomial of the others is found', () => {
  using key = RootKey.generate();
  const polynomial = Polynomial.random(key, 2);
  const shares = [1, 2, 3].map((id) => polynomial.share(id));
  assert.ok(Polynomial.interpolate(shares, 2).rootKey().equals(key));
  const foreign = Polynomial.random(key, 2).share(3);
  assert.throws(
    () => Polynomial.interpolate([...shares.slice(0, 2), foreign], 2),
    code('shamir_reconstruction_failed'),
  );
});

test('ids outside of 1..255, twice the same id and values outside of the field are refused', () => {
  const reconstruction = code('shamir_reconstruction_failed');
  for (const id of [0, -1, 256, 1.5, Number.NaN]) {
    assert.throws(() => Share.take(id, Buffer.alloc(32, 1)), reconstruction);
  }
  assert.throws(() => Share.take(1, fromScalar(order)), reconstruction);
  assert.throws(() => Share.take(1, Buffer.alloc(32, 0xff)), reconstruction);
  assert.throws(() => Share.take(1, Buffer.alloc(31, 1)), reconstruction);
  assert.throws(() => Share.take(1, Buffer.alloc(33, 1)), reconstruction);
  Share.take(1, fromScalar(order - 1n));
  Share.take(255, fromScalar(1n));
  using key = RootKey.generate();
  const one = Polynomial.random(key, 2).share(1);
  assert.throws(() => combine([one, one], 2), /two shares have the same id/);
  assert.throws(() => Polynomial.interpolate([one, one], 2), /two shares have the same id/);
});

test('root keys are scalars from 1 to n-1', () => {
  for (const bytes of [fromScalar(0n), fromScalar(order), Buffer.alloc(32, 0xff), Buffer.alloc(31, 1)]) {
    assert.throws(() => RootKey.take(bytes), code('shamir_reconstruction_failed'));
  }
  RootKey.take(fromScalar(1n));
  RootKey.take(fromScalar(order - 1n));
});

test('random scalars outside of the range are drawn again', () => {
  const draws = [Buffer.alloc(32, 0xff), Buffer.alloc(32), fromScalar(order), fromScalar(5n)];
  const drawn = randomScalar(() => Buffer.from(draws.shift() ?? []));
  assert.equal(toScalar(drawn), 5n);
  assert.equal(draws.length, 0);
});

test('the deterministic split skips hashes that are not below the order', () => {
  using key = RootKey.generate();
  const draws = [fromScalar(order), Buffer.alloc(32, 0xff), fromScalar(7n)];
  const polynomial = Polynomial.random(key, 2, () => Buffer.from(draws.shift() ?? []));
  assert.equal(polynomial.coefficients()[1]?.expose(toScalar), 7n);
});

test('two random splits of one root key have no share in common, with each other or with the deterministic one', () => {
  using key = RootKey.generate();
  const splits = [Polynomial.random(key, 2), Polynomial.random(key, 2), Polynomial.deterministic(key, 2)];
  for (const id of [1, 2, 3]) {
    const values = splits.map((split) =>
      split.share(id).value.expose((bytes) => Buffer.from(bytes).toString('hex')),
    );
    assert.equal(new Set(values).size, 3);
  }
});

test('thresholds outside of 1..255 are refused', () => {
  using key = RootKey.generate();
  for (const t of [0, -1, 256, 1.5]) assert.throws(() => Polynomial.random(key, t), RangeError);
  assert.ok(Polynomial.random(key, 1).share(9).value.equals(key.secret));
});

test('coefficients that are no scalars, or a lowest one of zero, are refused', () => {
  const take = (bytes: Uint8Array): Secret => Secret.take(Uint8Array.from(bytes));
  for (const bad of [fromScalar(0n), fromScalar(order), new Uint8Array(31)]) {
    assert.throws(() => Polynomial.fromCoefficients([take(bad)]), code('shamir_reconstruction_failed'));
  }
  Polynomial.fromCoefficients([take(fromScalar(1n)), take(fromScalar(0n))]);
});

test('the digest of a share tells instance, generation, id and value apart', () => {
  const one = share(1, '11'.repeat(32));
  const digests = [
    digestShare('a', 1, one),
    digestShare('b', 1, one),
    digestShare('a', 2, one),
    digestShare('a', 1, share(2, '11'.repeat(32))),
    digestShare('a', 1, share(1, '12'.repeat(32))),
  ].map((digest) => Buffer.from(digest).toString('hex'));
  assert.equal(new Set(digests).size, digests.length);
  assert.deepEqual(digestShare('a', 1, one), digestShare('a', 1, share(1, '11'.repeat(32))));
});
