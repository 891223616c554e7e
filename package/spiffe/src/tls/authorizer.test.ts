import { test } from 'node:test';
import assert from 'node:assert/strict';
import { SpiffeId } from '../id/spiffe-id.ts';
import { TrustDomain } from '../id/trust-domain.ts';
import { TestDomain } from '../testing/domain.ts';
import { Stage } from '../testing/stage.ts';
import { verifyX509Svid, type VerifiedPeer } from '../x509/verify.ts';
import {
  authorizeAny,
  authorizeBelow,
  authorizeEither,
  authorizeId,
  authorizeMemberOf,
  authorizeOneOf,
  type Authorizer,
} from './authorizer.ts';

const domain = new TestDomain('spike.ist');
const nexus = verify('/spike/nexus');
const below = verify('/spike/nexus/a/b');
const beside = verify('/spike/nexus2');

function verify(path: string): VerifiedPeer {
  return verifyX509Svid(domain.issue(path).chain, domain.bundles);
}

function lets(authorize: Authorizer, peer: VerifiedPeer): boolean {
  try {
    authorize(peer);
    return true;
  } catch (error) {
    assert.equal((error as { code?: string }).code, 'peer_refused');
    return false;
  }
}

void test('authorizeAny lets every verified peer in', () => {
  assert.equal(lets(authorizeAny(), beside), true);
});

void test('authorizeId lets in one ID and not the one below it', () => {
  const authorize = authorizeId(SpiffeId.parse('spiffe://spike.ist/spike/nexus'));
  assert.deepEqual(
    [nexus, below, beside].map((peer) => lets(authorize, peer)),
    [true, false, false],
  );
});

void test('authorizeOneOf lets in those that are listed, and nobody when none is', () => {
  const authorize = authorizeOneOf(nexus.id, beside.id);
  assert.deepEqual(
    [nexus, below, beside].map((peer) => lets(authorize, peer)),
    [true, false, true],
  );
  assert.equal(lets(authorizeOneOf(), nexus), false);
});

void test('authorizeMemberOf lets in one trust domain and no other', () => {
  assert.equal(lets(authorizeMemberOf(TrustDomain.parse('spike.ist')), nexus), true);
  assert.equal(lets(authorizeMemberOf(TrustDomain.parse('other.ist')), nexus), false);
});

void test('authorizeBelow compares whole segments, in the given trust domains only', () => {
  const authorize = authorizeBelow(
    [TrustDomain.parse('other.ist'), TrustDomain.parse('spike.ist')],
    '/spike/nexus',
  );
  assert.deepEqual(
    [nexus, below, beside].map((peer) => lets(authorize, peer)),
    [true, true, false],
  );
  assert.equal(lets(authorizeBelow([TrustDomain.parse('other.ist')], '/spike/nexus'), nexus), false);
  assert.equal(lets(authorizeBelow([], '/spike/nexus'), nexus), false);
});

void test('authorizeEither lets in whom one of several lets in', () => {
  const authorize = authorizeEither(authorizeId(nexus.id), authorizeId(below.id));
  assert.deepEqual(
    [nexus, below, beside].map((peer) => lets(authorize, peer)),
    [true, true, false],
  );
  assert.equal(lets(authorizeEither(), nexus), false);
});

void test('an authorizer that answers instead of throwing, as only an untyped one can, lets nobody in', async () => {
  for (const answer of [true, false, Promise.resolve()]) {
    const authorize: Authorizer = () => answer as never;
    assert.equal(lets(authorizeEither(authorize), nexus), false);
    await using stage = await Stage.open({ authorize });
    await assert.rejects(stage.get(), { code: 'connection_lost' });
    assert.deepEqual(
      stage.refusals.map(({ code }) => code),
      ['peer_refused'],
    );
  }
});
