import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AuditFile } from '@spike/audit';
import { createLog } from '@spike/log';
import { RoleBook } from '@spike/server';
import { TrustDomain } from '@spike/spiffe';
import type { Store } from '@spike/store';
import { noAlerts } from '../../alert/port.ts';
import { FileAudit } from '../../audit-port.ts';
import { noHistory } from '../../history/port.ts';
import { Serving } from '../../serving.ts';
import { grantAll, grantOn } from '../../service/testing/grant.ts';
import { plainServing } from '../../testing/serving.ts';
import { OpenInstance } from '../../vault/instance.ts';
import { createTestInstance, type TestInstance } from '../../vault/testing/instance.ts';
import type { BackupReport } from '../check.ts';
import type { Purpose } from '../reading.ts';
import type { Owner } from '../take.ts';

export const owner: Owner = { id: 'spiffe://td/spike/pilot/role/superuser a', administrator: 'ann' };
export const origin = () => ({});
const signal = AbortSignal.timeout(110_000);
const log = createLog({ component: 'test', level: 'error', write: () => undefined });

/** A Nexus without sockets: one instance in one store, which can be closed and opened again. */
export class Rig implements AsyncDisposable {
  readonly made: TestInstance;
  readonly store: Store;
  serving: Serving;
  readonly #open: () => Promise<Serving>;
  readonly #resources: AsyncDisposableStack;

  private constructor(
    made: TestInstance,
    store: Store,
    serving: Serving,
    open: () => Promise<Serving>,
    resources: AsyncDisposableStack,
  ) {
    this.made = made;
    this.store = store;
    this.serving = serving;
    this.#open = open;
    this.#resources = resources;
  }

  static async open(store: Store): Promise<Rig> {
    await using stack = new AsyncDisposableStack();
    stack.use(store);
    const directory = await mkdtemp(join(tmpdir(), 'spike-backup-'));
    stack.defer(() => rm(directory, { recursive: true, force: true }));
    const audit = stack.use(await AuditFile.open({ directory: join(directory, 'audit'), signal }));
    const made = await createTestInstance(store);
    const options = {
      store,
      audit,
      fileAudit: new FileAudit(audit),
      ...plainServing(directory),
      alerts: noAlerts,
      history: noHistory,
      sealed: [],
      emergency: {
        roles: RoleBook.ofOne(TrustDomain.parse('spike.ist')),
        alerts: noAlerts,
        breakglassDelayMs: 1_000,
      },
      denial: {
        roles: RoleBook.ofOne(TrustDomain.parse('spike.ist')),
        alerts: noAlerts,
        cut: () => 0,
      },
      log,
      signal,
    };
    const open = async (): Promise<Serving> => {
      const head = await store.head();
      return Serving.open(OpenInstance.open(made.rootKey, head?.bytes ?? new Uint8Array()), options);
    };
    const serving = await open();
    return new Rig(made, store, serving, open, stack.move());
  }

  get backups() {
    return this.serving.backups;
  }

  get secrets() {
    return this.serving.secrets;
  }

  /** As the end of a restore does it. */
  async reopen(): Promise<void> {
    await this.serving[Symbol.asyncDispose]();
    this.serving = await this.#open();
  }

  /** As a process that was killed leaves it: nothing is finished, and another one opens the store. */
  async crash(): Promise<void> {
    this.serving = await this.#open();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.serving[Symbol.asyncDispose]().catch(() => undefined);
    await this.#resources.disposeAsync();
  }

  /** Takes a whole backup, and notes it as sealed. */
  async take(): Promise<Buffer> {
    const { taker } = this.backups;
    const { id } = await taker.begin(owner, { withoutRecovery: true });
    const pieces: Uint8Array[] = [];
    for (let part = 1; ; part++) {
      const { data, last } = await taker.read(owner, id, part);
      pieces.push(data);
      if (last) break;
    }
    await taker.cancel(owner, id);
    return Buffer.concat(pieces);
  }

  /** The recovery shares with these numbers. */
  shares(...ids: readonly number[]) {
    return ids.map((id) => this.made.instance.recovery.shareOf(id));
  }
}

/** Where the head of a backup ends. */
export function startOf(backup: Buffer): Buffer {
  const header = 16 + 5 + backup.readUInt32BE(17);
  return backup.subarray(0, header + 5 + backup.readUInt32BE(header + 1));
}

/** Opens a backup at a Nexus, with shares where it needs them. */
export async function openAt(
  rig: Rig,
  backup: Buffer,
  purpose: Purpose,
  from?: Rig,
  ids = [1, 2, 3],
): Promise<string> {
  const reading = rig.backups.openReading(owner, purpose, startOf(backup));
  for (const share of from?.shares(...ids) ?? []) rig.backups.takeShare(owner, reading.id, share);
  return reading.id;
}

/** Sends a backup from behind its head to its end. */
export async function sendTo(
  rig: Rig,
  id: string,
  backup: Buffer,
  step = 50_000,
): Promise<BackupReport | undefined> {
  let report: BackupReport | undefined;
  for (let at = startOf(backup).length; at < backup.length; at += step) {
    const fed = await rig.backups.feed(owner, id, at, backup.subarray(at, at + step), origin);
    report ??= fed.report;
  }
  return report;
}

/** The whole of a restore, without the opening at its end. */
export async function restoreTo(
  rig: Rig,
  backup: Buffer,
  from: Rig,
  { replace = false, step = 50_000 }: { readonly replace?: boolean; readonly step?: number } = {},
): Promise<BackupReport | undefined> {
  const id = await openAt(rig, backup, 'restore', from);
  const report = await sendTo(rig, id, backup);
  assert.deepEqual(report?.problems, []);
  while (!(await rig.backups.start(owner, id, { replace }, origin)).cleared);
  await sendTo(rig, id, backup, step);
  await rig.backups.finish(owner, id, undefined, origin);
  return report;
}

/** Writes secrets of several versions, deleted ones, metadata and policies. */
export async function fill(rig: Rig, count: number): Promise<void> {
  const { secrets, policies } = rig.serving;
  for (let index = 0; index < count; index++) {
    const grant = grantOn(`team/${index % 7}/secret-${index}`);
    await secrets.put(grant, { user: `u${index}`, password: 'x'.repeat(index % 300) });
    if (index % 2 === 0) await secrets.put(grant, { key: Uint8Array.of(index % 256, 0, 255) });
    if (index % 3 === 0) await secrets.delete(grant, [1]);
    if (index % 5 === 0)
      await secrets.setMetadata(grant, { owner: `owner ${index}`, labels: { tier: 'gold' } });
  }
  for (let index = 0; index < 5; index++) {
    await policies.put(grantAll, {
      name: `policy ${index}`,
      spiffePattern: `^spiffe://td/app/${index}$`,
      pathPattern: `^team/${index}/.*$`,
      permissions: ['read', 'list'],
    });
  }
}

/** Everything that can be asked of a Nexus about what it keeps. */
export async function describe(rig: Rig): Promise<unknown> {
  const { secrets, policies } = rig.serving;
  const { keys } = await secrets.list(grantAll, { recursive: true });
  const described: unknown[] = [];
  for (const path of keys) {
    const grant = grantOn(path);
    const metadata = await secrets.metadata(grant);
    const values: unknown[] = [];
    for (const { version, deletedAt } of metadata.versions) {
      if (deletedAt === 0) values.push({ ...(await secrets.get(grant, version)) });
    }
    described.push({ path, metadata, values });
  }
  return { described, policies: await policies.list(grantAll) };
}
