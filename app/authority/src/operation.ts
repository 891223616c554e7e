import { SpikeError } from '@spike/error';
import { PidHandle, readProcessStat } from '@spike/host';
import type { Fields, Log } from '@spike/log';
import {
  formatSelector,
  isPartId,
  type AdminRequest,
  type AdminResponse,
  type AdminRoute,
  type AuthorityStatus,
  type RegistrationEntry,
} from '@spike/registry';
import { SpiffeId, type TrustDomain } from '@spike/spiffe';
import type { Bindings } from './attest.ts';
import { createEntry, type EntryList } from './entry-list.ts';
import type { Federation } from './federation.ts';
import type { SavedRun } from './state.ts';
import type { Pulse } from './pulse.ts';

/** Who asks, by the kernel's word. */
export interface Caller {
  readonly pid: number;
  readonly uid: number;
  /** Throws `host_refused` when that process has ended. */
  openProcess(): PidHandle;
}

export type AdminHandlers = {
  readonly [R in AdminRoute]: (request: AdminRequest<R>, caller: Caller) => Promise<AdminResponse<R>>;
};

export interface OperationOptions {
  readonly trustDomain: TrustDomain;
  readonly entries: EntryList;
  readonly bindings: Bindings;
  readonly federation: Federation;
  /** The bundle of this trust domain as JSON. */
  readonly bundle: () => string;
  readonly changed: Pulse;
  /** The process that started this one; undefined when it is outside of what we can see. */
  readonly launcher: PidHandle | undefined;
  /** The launcher has registered its parts. */
  readonly onReady: () => void;
  /** Keeps what `run` binds, so that an authority that is killed and started again does not take it for an ordinary caller. */
  readonly persistRuns: (runs: readonly SavedRun[]) => Promise<void>;
  readonly status: () => Omit<AuthorityStatus, 'parts' | 'entries'>;
  readonly log: Log;
}

/** What can be asked of the admin socket, and who may ask for it; that the peer has our uid was checked before. */
export class Operations {
  readonly #options: OperationOptions;
  #saving: Promise<void> = Promise.resolve();

  readonly handlers: AdminHandlers = {
    'entry/list': async () => ({ entries: this.#options.entries.inForce() }),
    'entry/show': async ({ id }) => ({ entry: this.#options.entries.get(id) }),
    'entry/create': (request, caller) => this.#create(request, caller),
    'entry/federate': (request, caller) => this.#federate(request, caller),
    'bundle/show': async () => ({
      trustDomain: this.#options.trustDomain.name,
      bundle: this.#options.bundle(),
    }),
    'federation/list': async () => ({ relationships: this.#options.federation.list() }),
    'federation/set': async (draft, caller) => {
      const relationship = await this.#options.federation.set(draft);
      this.#report('federation.set', caller, { trustDomain: draft.trustDomain });
      return { relationship };
    },
    'federation/delete': async ({ trustDomain }, caller) => {
      await this.#options.federation.delete(trustDomain);
      this.#report('federation.deleted', caller, { trustDomain });
      return {};
    },
    'entry/delete': (request, caller) => this.#delete(request, caller),
    'part/register': (request, caller) => this.#registerPart(request, caller),
    'launcher/ready': async (_request, caller) => {
      if (!this.#isLauncher(caller))
        throw denied('only the process that started this authority says when it is ready');
      this.#options.onReady();
      return {};
    },
    run: (request, caller) => this.#run(request, caller),
    status: async () => ({
      ...this.#options.status(),
      entries: this.#options.entries.inForce().length,
      parts: this.#options.bindings.parts.list().map(({ pid, value }) => ({ pid, part: value })),
    }),
  };

  constructor(options: OperationOptions) {
    this.#options = options;
  }

  /** Forgets what was said of processes that have ended. */
  async sweep(): Promise<void> {
    const { bindings, entries, changed, log } = this.#options;
    const parts = bindings.parts.sweep();
    for (const { pid, value } of parts) log.info('part.ended', { pid, part: value });
    bindings.runs.sweep();
    for (const entry of await entries.sweep()) log.info('entry.ended', describe(entry));
    if (parts.length > 0) changed.fire();
  }

  async #create(
    { spiffeId, selectors, federatesWith }: AdminRequest<'entry/create'>,
    caller: Caller,
  ): Promise<AdminResponse<'entry/create'>> {
    const isLauncher = this.#isLauncher(caller);
    const id = this.#parseOwnId(spiffeId);
    const namesPart = selectors.some(({ type }) => type === 'part');
    if (namesPart && !isLauncher) {
      throw denied('an entry with a part: selector is made by the process that started this authority alone');
    }
    if (isPartId(id) && !namesPart) throw denied(ofPart(id));
    const pids = new Set(selectors.filter(({ type }) => type === 'pid').map(({ value }) => Number(value)));
    if (pids.size > 1) throw new SpikeError('data_invalid_input', 'no process has two pids');
    const [pid] = pids;
    this.#options.federation.check(federatesWith);
    const entry = createEntry({
      spiffeId,
      federatesWith,
      selectors: selectors.length > 0 ? selectors : [{ type: 'uid', value: String(caller.uid) }],
      origin: isLauncher ? 'launcher' : 'operator',
    });
    const result = await this.#options.entries.add(entry, pid === undefined ? undefined : openProcess(pid));
    const isOther = !federatesWith.every((name) => result.entry.federatesWith.includes(name));
    if (isOther) {
      throw new SpikeError(
        'entity_version_conflict',
        `the entry ${result.entry.id} is the same and federates with others; change it with spike authority entry federate`,
      );
    }
    if (result.created) this.#report('entry.created', caller, describe(result.entry));
    return result;
  }

  async #federate(
    { id, federatesWith }: AdminRequest<'entry/federate'>,
    caller: Caller,
  ): Promise<AdminResponse<'entry/federate'>> {
    const { entries, federation } = this.#options;
    federation.check(federatesWith);
    const entry = await entries.federate(id, [...new Set(federatesWith)]);
    this.#report('entry.federated', caller, describe(entry));
    return { entry };
  }

  async #delete(
    { id }: AdminRequest<'entry/delete'>,
    caller: Caller,
  ): Promise<AdminResponse<'entry/delete'>> {
    const entry = await this.#options.entries.delete(id);
    if (entry.origin === 'run') await this.#saveRuns();
    this.#report('entry.deleted', caller, describe(entry));
    return {};
  }

  async #registerPart(
    { pid, part }: AdminRequest<'part/register'>,
    caller: Caller,
  ): Promise<AdminResponse<'part/register'>> {
    const { launcher, bindings, changed } = this.#options;
    if (launcher === undefined || !this.#isLauncher(caller)) {
      throw denied('parts are registered by the process that started this authority alone');
    }
    using scope = new DisposableStack();
    const handle = scope.use(openProcess(pid));
    // The handle was opened first: if the process lives afterwards, the parent that was read is its own.
    if (readProcessStat(pid)?.ppid !== launcher.pid || !handle.alive()) {
      throw denied(`process ${pid} is not a child of the process that started this authority`);
    }
    if (bindings.parts.get(pid) === part) return {};
    bindings.parts.bind(handle, part);
    scope.move();
    changed.fire();
    this.#report('part.registered', caller, { part, partPid: pid });
    return {};
  }

  async #run({ spiffeId }: AdminRequest<'run'>, caller: Caller): Promise<AdminResponse<'run'>> {
    const { bindings, entries, changed } = this.#options;
    const id = this.#parseOwnId(spiffeId);
    if (isPartId(id)) throw denied(ofPart(id));
    const bound = bindings.runs.get(caller.pid);
    const before = entries.inForce().find((entry) => entry.id === bound);
    if (before?.spiffeId === spiffeId) return { entry: before };
    using scope = new DisposableStack();
    const [binding, life] = [scope.use(caller.openProcess()), scope.use(caller.openProcess())];
    const entry = createRunEntry(spiffeId, caller.pid);
    // Bound before the entry is there: from here on nothing else matches this process, whatever happens.
    bindings.runs.bind(binding, entry.id);
    scope.move();
    changed.fire();
    await entries.add(entry, life);
    await this.#saveRuns();
    this.#report('run.bound', caller, describe(entry));
    return { entry };
  }

  /** Binds again what an earlier process of this authority had bound, as far as those processes live. */
  async restoreRuns(runs: readonly SavedRun[]): Promise<void> {
    const { bindings, entries } = this.#options;
    for (const { pid, startTime, spiffeId } of runs) {
      using scope = new DisposableStack();
      const handles = openSame(pid, startTime, scope);
      if (handles === undefined) continue;
      const entry = createRunEntry(spiffeId ?? '', pid);
      bindings.runs.bind(handles.binding, entry.id);
      scope.move();
      if (spiffeId === undefined) handles.life[Symbol.dispose]();
      else await entries.add(entry, handles.life);
    }
  }

  /** One after the other, each as of when it is written: an older list must not replace a newer one on disk. */
  async #saveRuns(): Promise<void> {
    const saving = this.#saving.then(() => this.#writeRuns());
    this.#saving = saving.catch(() => undefined);
    await saving;
  }

  async #writeRuns(): Promise<void> {
    const { bindings, entries, persistRuns } = this.#options;
    const inForce = entries.inForce();
    await persistRuns(
      bindings.runs.list().map(({ pid, startTime, value }) => {
        // A process whose entry was deleted keeps nothing, and must not fall back to what its uid has.
        const spiffeId = inForce.find(({ id }) => id === value)?.spiffeId;
        return { pid, startTime, ...(spiffeId === undefined ? {} : { spiffeId }) };
      }),
    );
  }

  #parseOwnId(text: string): SpiffeId {
    const id = SpiffeId.parse(text);
    const { trustDomain } = this.#options;
    if (id.memberOf(trustDomain)) return id;
    throw new SpikeError(
      'data_invalid_input',
      `${text} is not of the trust domain ${trustDomain.name}; an ID here begins with ${trustDomain.toString()}/`,
    );
  }

  /** The launcher's handle lives from our start on: with the same number, and alive, it is the same process. */
  #isLauncher(caller: Caller): boolean {
    const { launcher } = this.#options;
    return launcher !== undefined && caller.pid === launcher.pid && launcher.alive();
  }

  #report(event: string, caller: Caller, fields: Fields): void {
    this.#options.log.info(event, { ...fields, pid: caller.pid, uid: caller.uid });
  }
}

function openProcess(pid: number): PidHandle {
  try {
    return PidHandle.open(pid);
  } catch (error) {
    throw new SpikeError('data_invalid_input', `there is no process ${pid}`, { cause: error });
  }
}

function createRunEntry(spiffeId: string, pid: number): RegistrationEntry {
  return createEntry({ spiffeId, selectors: [{ type: 'pid', value: String(pid) }], origin: 'run' });
}

/** Two handles on the process, when it is still the same one. */
function openSame(
  pid: number,
  startTime: string,
  scope: DisposableStack,
): { readonly binding: PidHandle; readonly life: PidHandle } | undefined {
  try {
    const [binding, life] = [scope.use(PidHandle.open(pid)), scope.use(PidHandle.open(pid))];
    return binding.startTime === startTime && life.startTime === startTime ? { binding, life } : undefined;
  } catch {
    return undefined;
  }
}

function describe(entry: RegistrationEntry): Fields {
  return {
    id: entry.id,
    spiffeId: entry.spiffeId,
    selectors: entry.selectors.map(formatSelector),
    origin: entry.origin,
    federatesWith: entry.federatesWith,
  };
}

function ofPart(id: SpiffeId): string {
  return `${id.toString()} belongs to a part of SPIKE, which only the launcher starts`;
}

function denied(message: string): SpikeError {
  return new SpikeError('access_unauthorized', message);
}
