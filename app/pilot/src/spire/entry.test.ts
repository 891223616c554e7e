import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { SpikeError } from '@spike/error';
import { SpiffeId, TrustDomain } from '@spike/spiffe';
import { planEntries, toCommands, toData, type Installation } from './entry.ts';

const installation: Installation = {
  parentId: SpiffeId.parse('spiffe://spike.ist/spire/agent/join_token/vault'),
  services: [
    { service: 'nexus', sha256: 'a'.repeat(64), user: 'spike-nexus' },
    { service: 'keeper', sha256: 'b'.repeat(64), user: 'spike-keeper' },
  ],
  pilotPath: "/opt/o'spike/bin/spike",
  people: [
    { role: 'superuser', user: 'ann' },
    { role: 'recover', user: 'bob' },
  ],
  ttlSeconds: 600,
  federatesWith: [TrustDomain.parse('shop.example')],
};

test('each part has an entry of its own, and only Nexus gets the bundles of other trust domains', () => {
  const found = planEntries(installation).map(({ spiffeId, selectors, federatesWith }) => [
    spiffeId.path,
    ...selectors,
    ...federatesWith.map(String),
  ]);
  assert.deepEqual(found, [
    ['/spike/nexus', `unix:sha256:${'a'.repeat(64)}`, 'unix:user:spike-nexus', 'spiffe://shop.example'],
    ['/spike/keeper', `unix:sha256:${'b'.repeat(64)}`, 'unix:user:spike-keeper'],
    ['/spike/pilot/role/superuser/ann', "unix:path:/opt/o'spike/bin/spike", 'unix:user:ann'],
    ['/spike/pilot/role/recover/bob', "unix:path:/opt/o'spike/bin/spike", 'unix:user:bob'],
  ]);
});

test('a shell gives spire-server the very arguments, whatever is in a path', () => {
  // No function of a shell may have a dash in its name.
  const commands = toCommands(planEntries(installation)).replaceAll('spire-server', 'said');
  const script = `said() { printf '%s\\n' "$@"; }\n${commands}`;
  const printed = execFileSync('/bin/sh', ['-eu', '-c', script], { encoding: 'utf8' }).split('\n');
  assert.equal(
    printed.slice(0, 14).join(' '),
    'entry create -parentID spiffe://spike.ist/spire/agent/join_token/vault -spiffeID spiffe://spike.ist/spike/nexus ' +
      `-selector unix:sha256:${'a'.repeat(64)} -selector unix:user:spike-nexus ` +
      '-federatesWith spiffe://shop.example -x509SVIDTTL 600',
  );
  assert.ok(printed.includes("unix:path:/opt/o'spike/bin/spike"));
});

test('the same as data, for a file', () => {
  assert.deepEqual(
    toData(planEntries({ ...installation, services: [], people: installation.people.slice(1) })),
    {
      entries: [
        {
          selectors: [
            { type: 'unix', value: "path:/opt/o'spike/bin/spike" },
            { type: 'unix', value: 'user:bob' },
          ],
          spiffe_id: 'spiffe://spike.ist/spike/pilot/role/recover/bob',
          parent_id: 'spiffe://spike.ist/spire/agent/join_token/vault',
          x509_svid_ttl: 600,
          federates_with: [],
        },
      ],
    },
  );
});

test('a name that no SPIFFE ID can hold is refused', () => {
  assert.throws(
    () => planEntries({ ...installation, people: [{ role: 'superuser', user: 'a/../b' }] }),
    (error) => error instanceof SpikeError && error.code === 'data_invalid_input',
  );
});
