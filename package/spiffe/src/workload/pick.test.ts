import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CertificateAuthority } from '../ca/certificate-authority.ts';
import { SpiffeId } from '../id/spiffe-id.ts';
import { TrustDomain } from '../id/trust-domain.ts';
import { pickBelow } from './pick.ts';

const trustDomain = TrustDomain.parse('example.org');
const authority = CertificateAuthority.create({ trustDomain });
const issue = (path: string) => authority.issueX509Svid({ id: SpiffeId.from(trustDomain, path) });

test('the first identity at or below the path is picked, by whole segments and trust domain', () => {
  const svids = [issue('/role2'), issue('/other'), issue('/role/a'), issue('/role')];
  assert.equal(pickBelow([trustDomain], '/role')(svids)?.id.path, '/role/a');
  assert.equal(pickBelow([trustDomain], '/none')(svids), undefined);
  assert.equal(pickBelow([TrustDomain.parse('example.com')], '/role')(svids), undefined);
  assert.equal(pickBelow([], '/role')(svids), undefined);
});
