import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AuditFile } from '@spike/audit';
import { ensurePrivateDirectory } from '@spike/config';
import {
  nexusTable,
  readResponse,
  rolePaths,
  writeRequest,
  type InputOf,
  type NexusTable,
  type OutputOf,
} from '@spike/contract';
import { createLog, type Log } from '@spike/log';
import { createDispatch, createMemoryTransport, RoleBook, type Dispatch } from '@spike/server';
import { TestWorld } from '@spike/server/testing';
import type { VerifiedPeer } from '@spike/spiffe';
import { openMemoryStore, openSqliteStore, type Store } from '@spike/store';
import { sessionsOf } from '../../admin/layer-port.ts';
import { cheap, minute } from '../../admin/testing/stage.ts';
import { idleMs } from '../../admin/testing/oracle.ts';
import { AlertService } from '../../alert/service.ts';
import { memorySinks } from '../../alert/testing/sink.ts';
import { FileAudit } from '../../audit-port.ts';
import { NexusGate } from '../../gate.ts';
import { createHandlers } from '../../handler.ts';
import { HistoryService } from '../../history/service.ts';
import { Custody } from '../../recovery/custody.ts';
import { KeeperSet } from '../../recovery/keeper-set.ts';
import { Serving } from '../../serving.ts';
import { StatusReport } from '../../status.ts';
import { split } from './approval-oracle.ts';
import { breakglassDelayMs } from './glass-oracle.ts';
import { plainServing } from '../../testing/serving.ts';

/** What outlives a process: the clocks of the machine, and what lies on its disk. */
export interface Machine {
  readonly kind: Store['kind'];
  readonly directory: string;
  readonly at: { wall: number; ticks: number };
  /** One in memory is kept by whoever has the machine. */
  store: Store;
}

const deadlineMs = 60_000;
const world = new TestWorld();
const roles = RoleBook.ofOne(world.trustDomain);
const source = world.source(rolePaths.nexus);
const peers = new Map<string, VerifiedPeer>();

export type RouteName = keyof NexusTable;

export type Reply<Name extends RouteName> =
  | { readonly code: 'ok'; readonly output: OutputOf<NexusTable[Name]> }
  | { readonly code: string; readonly message: string; readonly output?: undefined };

/**
 * One process of Nexus as `main.ts` puts it together, from the dispatch of its requests down to the store. Left out are
 * sockets, Keepers (people bring the root key back), the cost of passwords, and a time that nobody can move.
 */
export class ModelNexus implements AsyncDisposable {
  readonly custody: Custody<Serving>;
  readonly #dispatch: Dispatch;
  readonly #owned: AsyncDisposableStack;
  readonly #initCodeFile: string;

  private constructor(parts: {
    readonly custody: Custody<Serving>;
    readonly dispatch: Dispatch;
    readonly owned: AsyncDisposableStack;
    readonly initCodeFile: string;
  }) {
    this.custody = parts.custody;
    this.#dispatch = parts.dispatch;
    this.#owned = parts.owned;
    this.#initCodeFile = parts.initCodeFile;
  }

  /** Makes the instance of an empty store; on any other it starts without the root key. */
  static async start(machine: Machine): Promise<ModelNexus> {
    const { directory, store, at } = machine;
    const signal = AbortSignal.timeout(deadlineMs);
    const errors: string[] = [];
    const log = createLog({ component: 'nexus', level: 'error', write: (line) => void errors.push(line) });
    await using stack = new AsyncDisposableStack();
    const audit = stack.use(await AuditFile.open({ directory: join(directory, 'audit'), signal }));
    const fileAudit = new FileAudit(audit);
    const { alerts, history } = createMonitor(log);
    const keepers = new KeeperSet([], log);
    const initCodeFile = join(directory, 'nexus', 'init-code');
    const clocks = { wall: () => at.wall, ticks: () => at.ticks };
    const custody: Custody<Serving> = stack.use(
      new Custody({
        store,
        keepers,
        log,
        anchor: () => ({ kind: 'absent' }),
        ...split,
        pinned: undefined,
        leaseTtlMs: minute,
        probeMs: minute,
        audit: () => fileAudit.position,
        alerts,
        history,
        unlock: async (instance) =>
          await Serving.open(instance, {
            store,
            audit,
            fileAudit,
            ...plainServing(directory, world.trustDomain.name),
            alerts,
            history,
            sealed: [alerts, history],
            access: {
              passwords: { minLength: 14, minScore: 3 },
              remembered: 5,
              idleMs,
              lockout: { failures: 5, ms: 15 * minute },
              initCodeFile,
              roles,
              alerts,
              cost: cheap,
              // Every password is good that has the form of one.
              guess: async () => ({ common: false, score: 4 }),
              ...clocks,
            },
            emergency: { roles, alerts, breakglassDelayMs, ...clocks },
            denial: { roles, alerts, cut: () => 0 },
            log,
            signal,
          }),
      }),
    );
    await custody.look();
    if (custody.state === 'empty') await custody.makeTransient();
    const gate = stack.use(new NexusGate(source, custody, { ended: undefined }));
    const { threshold } = split;
    const version = '0.1.0';
    const adminAuth = 'password';
    const facts = { custody, keepers, source, store, audit, threshold, version, adminAuth } as const;
    const dispatch = createDispatch({
      component: 'nexus',
      instance: () => custody.instanceId ?? '',
      table: nexusTable,
      handlers: createHandlers({
        custody,
        status: new StatusReport(facts),
        alerts,
        history,
        adminAuth,
        transient: false,
        maxShareId: 255,
      }),
      roles,
      policies: {
        allows: (peer, action, path) =>
          custody.opened?.policies.engine.decide(peer.toString(), action, path) ?? { allowed: false },
        allowsAnywhere: (peer, action) => ({
          allowed: custody.opened?.policies.engine.givesAnywhere(peer.toString(), action) ?? false,
        }),
      },
      sessions: sessionsOf(() => custody.opened?.access),
      gate,
      audit: fileAudit,
      log,
    });
    // What goes wrong inside is told by the log alone.
    const guarded: Dispatch = async (exchange) => {
      await dispatch(exchange);
      if (errors.length > 0) throw new Error(`Nexus logged an error: ${errors.join('\n')}`);
    };
    return new ModelNexus({ custody, dispatch: guarded, owned: stack.move(), initCodeFile });
  }

  get serving(): Serving {
    if (this.custody.opened === undefined) throw new Error('the root key is not here');
    return this.custody.opened;
  }

  async ask<Name extends RouteName>(
    name: Name,
    from: string,
    input: InputOf<NexusTable[Name]>,
    token?: string,
  ): Promise<Reply<Name>> {
    const route: NexusTable[Name] = nexusTable[name];
    const response = await createMemoryTransport(this.#dispatch, peerOf(from)).send({
      path: route.path,
      action: route.action,
      body: writeRequest(route, 'json', input),
      repeatable: false,
      deadlineMs,
      responseBytes: 1_048_576,
      ...(token === undefined ? {} : { token }),
    });
    if (response.status === 200) return { code: 'ok', output: readResponse(route, 'json', response.body) };
    const { err, message } = JSON.parse(Buffer.from(response.body).toString()) as Record<string, string>;
    return { code: err ?? 'unknown', message: message ?? '' };
  }

  async initCode(): Promise<string> {
    return (await readFile(this.#initCodeFile, 'utf8')).trim();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }
}

/** An empty machine. */
export async function createMachine(kind: Store['kind']): Promise<Machine> {
  const directory = await mkdtemp(join(tmpdir(), 'spike-model-'));
  const at = { wall: Date.parse('2026-05-01T12:00:00Z'), ticks: 1_000 };
  return { kind, directory, at, store: await openStore(kind, directory) };
}

/** The process is gone, and so is what the store's driver had in memory. */
export async function reopenStore(machine: Machine): Promise<void> {
  // Another process has another origin of its ticks.
  machine.at.ticks = 77;
  if (machine.kind === 'memory') return;
  await machine.store[Symbol.asyncDispose]();
  machine.store = await openStore(machine.kind, machine.directory);
}

/** The data directory is gone, as the script of a factory reset leaves a machine; its clocks go on. */
export async function wipe(machine: Machine): Promise<void> {
  await machine.store[Symbol.asyncDispose]();
  await rm(machine.directory, { recursive: true, force: true });
  machine.at.ticks = 77;
  machine.store = await openStore(machine.kind, machine.directory);
}

async function openStore(kind: Store['kind'], directory: string): Promise<Store> {
  if (kind === 'memory') return openMemoryStore();
  const place = join(directory, 'store');
  await ensurePrivateDirectory(place);
  return await openSqliteStore({ directory: place, signal: AbortSignal.timeout(deadlineMs) });
}

function createMonitor(log: Log): { readonly alerts: AlertService; readonly history: HistoryService } {
  const { sinks } = memorySinks();
  const alerts = new AlertService({ sinks, spool: undefined, log, instance: () => '' });
  return { alerts, history: new HistoryService({ spool: undefined, log }) };
}

function peerOf(id: string): VerifiedPeer {
  const found = peers.get(id) ?? world.peer(id.slice(`spiffe://${world.trustDomain.name}`.length));
  peers.set(id, found);
  return found;
}
