import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nexusTable, SecretPath } from '@spike/contract';
import { authorizeRole, connect, openClient } from '@spike/sdk';
import { TrustDomain, X509Source } from '@spike/spiffe';
import { StaticSource } from '@spike/spiffe/testing';
import { until } from '../system.ts';
import { Installation, workloadPath } from './installation.ts';
import { Load } from './load.ts';
import { monotonicMs } from './witness.ts';

const path = 'signed/a';

test('SPIRE changes its authority without a failed request, and what the old one signed is refused when it is revoked', async () => {
  await using installation = await Installation.start();
  const { server, agent } = installation.spire;
  await installation.mustSpike(['secret', 'put', path, 'word=signed']);
  await installation.allow('read', '^signed/.*');
  await using spike = await connect({ env: {}, context: installation.context, retry: false });
  await using source = await X509Source.open({
    endpoint: agent.endpoint,
    pick: (svids) => svids.find(({ id }) => id.path === workloadPath),
    signal: new AbortController().signal,
  });
  const { svid: first } = source.current();
  const trustDomain = TrustDomain.parse(server.trustDomain);
  const countRoots = (): number => source.current().bundles.get(trustDomain)?.authorities.length ?? 0;
  const { active: old } = await server.authorities();
  assert.ok(old !== undefined);
  await using load = Load.start(async (deadlineMs) => {
    assert.equal((await spike.get(path, { deadlineMs })).field('word').expose(), 'signed');
  });
  await load.succeeds(monotonicMs());

  await server.prepareAuthority();
  const { prepared } = await server.authorities();
  assert.ok(prepared !== undefined && prepared !== old);
  await until('both authorities are believed', () => countRoots() === 2);
  await server.moveAuthority('activate', prepared);
  await load.succeeds(monotonicMs());

  await server.moveAuthority('taint', old);
  await until('the SVID is of the new authority', () => !source.current().svid.equals(first));
  await installation.reachHolding(1, 2, 3);

  // What somebody has who kept the SVID of the beginning.
  using kept = openClient({
    source: new StaticSource(first, source.current().bundles),
    table: nexusTable,
    url: installation.nexus.url,
    authorize: authorizeRole('nexus', [trustDomain]),
    retry: false,
  });
  const readKept = async (): Promise<unknown> =>
    await kept.call.getSecret({ path: SecretPath.parse(path), version: 0 });
  await readKept();
  await server.moveAuthority('revoke', old);
  await until('the old authority is believed no more', () => countRoots() === 1);
  await until('Nexus refuses what it signed, on the connection that is open', async () => {
    return await readKept().then(
      () => false,
      () => true,
    );
  });
  await assert.rejects(readKept(), { code: 'net_peer_connection' }, 'and on a new one');
  await load.succeeds(monotonicMs());
  await installation.reachHolding(1, 2, 3);
  assert.deepEqual(load.failures(), []);
});
