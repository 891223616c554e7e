import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SecretPath, type CipherEnvelope } from '@spike/contract';
import { SpikeError, toSpikeError } from '@spike/error';
import { openCaller } from './caller.ts';
import type { System } from './system.ts';

/** What it takes to seal and to open a backup, and where the backup goes. */
export interface BackupPlace {
  readonly key: string;
  readonly recipients: string;
  readonly backup: string;
}

export async function makeKey(system: System, directory: string): Promise<BackupPlace> {
  const [key, recipients] = [join(directory, 'backup.key'), join(directory, 'backup.pub')];
  await writeFile(recipients, await system.mustSpike(['backup', 'key', key]));
  return { key, recipients, backup: join(directory, 'today.age') };
}

/** Takes the recovery shares out, into files that outlive the system. */
export async function takeShares(system: System, directory: string): Promise<readonly string[]> {
  await system.mustSpike(['authority', 'entry', 'create', '--spiffe-id', '/spike/pilot/role/recover']);
  const env = { SPIKE_PILOT_RECOVERY_DIR: directory };
  const out = await system.mustSpike(['operator', 'recover', '-f', 'json'], { env });
  const taken = JSON.parse(out) as { readonly directory: string; readonly shares: readonly number[] };
  return taken.shares.map((id) => join(taken.directory, `spike.recovery.${id}.txt`));
}

/** Everything that can be asked about what a backup holds; the ciphertext has to open, too. */
export async function describeSystem(system: System, message?: CipherEnvelope): Promise<unknown> {
  await using caller = await openCaller(system);
  const { call } = caller;
  const secrets: unknown[] = [];
  for (const key of (await call.listSecrets({ recursive: true })).keys) {
    const path = SecretPath.parse(key);
    const metadata = await call.getMetadata({ path, version: 0 });
    const values: unknown[] = [];
    for (const version of Object.keys(metadata.versions)) {
      values.push(await call.getSecret({ path, version: Number(version) }).catch(toSpikeError));
    }
    secrets.push({ path: key, metadata, values: values.map((value) => withoutTrail(value)) });
  }
  const { policies } = await call.listPolicies({ spiffeidPattern: '', pathPattern: '' });
  const described: unknown[] = [];
  for (const { name } of policies) described.push(await call.getPolicy({ id: name }));
  const plaintext = message === undefined ? undefined : (await call.decrypt(message)).plaintext;
  return { secrets, policies: described, plaintext: plaintext && Buffer.from(plaintext).toString() };
}

function withoutTrail(value: unknown): unknown {
  return value instanceof SpikeError ? value.code : value;
}

/** Secrets with versions, one of them deleted, metadata and a policy; answers what was encrypted. */
export async function fillSystem(system: System): Promise<CipherEnvelope> {
  await using caller = await openCaller(system);
  const { call } = caller;
  const [db, web] = [SecretPath.parse('tenants/acme/db'), SecretPath.parse('tenants/acme/web')];
  await call.putSecret({ path: db, values: { user: 'app', pass: 'first' } });
  await call.putSecret({ path: db, values: { user: 'app', pass: 'second' } });
  await call.putSecret({ path: web, values: { token: 'xyz' } });
  await call.deleteSecret({ path: db, versions: [1] });
  await call.setMetadata({ path: db, owner: 'ann', labels: { tier: 'gold' } });
  await call.putPolicy({
    name: 'web',
    pathPattern: '^tenants/acme/.*$',
    spiffeidPattern: '^spiffe://spike.ist/web$',
    permissions: ['read', 'list'],
  });
  return await call.encrypt({ plaintext: Buffer.from('kept outside') });
}
