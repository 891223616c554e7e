import { access } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ensurePrivateDirectory, writeContext, type Context } from '@spike/config';
import { SpikeError, toSpikeError } from '@spike/error';
import { openFileLock } from '@spike/host';
import { readShareFiles, writeShareFiles } from '@spike/recovery';
import { AuthorityClient } from '@spike/registry';
import { Part, runOnce, type PartOptions } from './child.ts';
import type { LauncherConfig } from './config.ts';
import { askHealth, type NexusHealth } from './health.ts';
import { exportShares, feedShares } from './operator.ts';
import { isFree } from './port.ts';
import type { Report } from './report.ts';

const startMs = 60_000;
const pollMs = 50;
const watchMs = 500;
/** Nexus gets its key from the Keepers in less than this when they have it. */
const patienceMs = 1_500;

type Registered = 'nexus' | 'keeper' | 'bootstrap';

/** The whole system of one machine: the parts, in the order in which they need each other. */
export class LocalSystem implements AsyncDisposable {
  readonly #config: LauncherConfig;
  readonly #report: Report;
  readonly #authority: AuthorityClient;
  readonly #stack = new AsyncDisposableStack();
  /** Pids that the authority has to know as parts, also after it was started again. */
  readonly #registered = new Map<number, Registered>();
  readonly #ports = new Map<string, number>();
  #keepers: readonly Part[] = [];
  #nexus: Part | undefined;
  readonly #told = new Set<string>();

  readonly #ending: AbortSignal;

  private constructor(config: LauncherConfig, report: Report, ending: AbortSignal) {
    this.#config = config;
    this.#report = report;
    this.#ending = ending;
    this.#authority = new AuthorityClient({ socketPath: config.home.adminSocket });
  }

  /**
   * Starts everything and returns when secrets can be stored, or when a person has to do something first. What ends after
   * the signal is not started again.
   */
  static async start(config: LauncherConfig, report: Report, signal: AbortSignal): Promise<LocalSystem> {
    const system = new LocalSystem(config, report, signal);
    try {
      await system.#start(AbortSignal.any([signal, AbortSignal.timeout(startMs)]));
      return system;
    } catch (error) {
      await system[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Keeps an eye on Nexus until the signal: when it lost its key together with all Keepers, it gets the recovery shares. */
  async watch(signal: AbortSignal): Promise<void> {
    let lockedSince: number | undefined;
    while (!signal.aborted) {
      await delay(watchMs, undefined, { signal }).catch(() => undefined);
      const health = signal.aborted ? undefined : await this.#health(signal);
      if (health?.state !== 'locked') {
        lockedSince = undefined;
        if (health !== undefined) this.#told.clear();
        continue;
      }
      lockedSince ??= performance.now();
      if (performance.now() - lockedSince < patienceMs) continue;
      await this.#restore(signal).catch((error: unknown) => this.#tell(toSpikeError(error).message));
      lockedSince = undefined;
    }
  }

  /** Whether Nexus answers for secrets right now; else a warning has said what a person has to do. */
  async serves(signal: AbortSignal): Promise<boolean> {
    return (await this.#health(signal))?.ready === true;
  }

  /** Whether the first administrator is still to be made: Nexus shows the code for it as long as that is so. */
  async wantsInit(): Promise<boolean> {
    return await access(this.#initCodeFile).then(
      () => true,
      () => false,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack[Symbol.asyncDispose]();
  }

  async #start(signal: AbortSignal): Promise<void> {
    const { home } = this.#config;
    await ensurePrivateDirectory(home.root);
    const lock = openFileLock(home.launcherLock);
    if (lock === undefined) {
      throw new SpikeError('host_refused', `another system runs in ${home.root}; stop it, or set SPIKE_HOME`);
    }
    this.#stack.use(lock);
    for (const path of [home.agentDirectory, home.adminDirectory, home.nexus])
      await ensurePrivateDirectory(path);
    await this.#startAuthority(signal);
    await this.#startKeepers(signal);
    await this.#startNexus(signal);
    await this.#publish();
    await this.#reachReady(signal);
  }

  async #startAuthority(signal: AbortSignal): Promise<void> {
    const { home, trustDomain, svidLifetime, rotateEvery } = this.#config;
    this.#report.progress('starting the identity authority');
    const optional = (flag: string, value: string | undefined): readonly string[] =>
      value === undefined ? [] : [flag, value];
    const part = this.#supervise({
      app: 'authority',
      name: 'authority',
      args: () => [
        `--state=${home.authority}`,
        `--socket=${home.agentSocket}`,
        `--admin-socket=${home.adminSocket}`,
        `--trust-domain=${trustDomain.name}`,
        '--await-launcher',
        ...optional('--svid-lifetime', svidLifetime),
        ...optional('--rotate-every', rotateEvery),
      ],
      env: () => ({ ...this.#config.env }),
      onSpawn: async () => {},
      onReady: () => void this.#reregister(),
    });
    await this.#whenReady(part, signal);
    const entries = [
      ['/spike/nexus', 'part:nexus'],
      ['/spike/keeper', 'part:keeper'],
      ['/spike/bootstrap', 'part:bootstrap'],
    ] as const;
    for (const [path, selector] of entries) {
      await this.#authority.createEntry({ spiffeId: this.#id(path), selectors: [selector] }, signal);
    }
    await this.#authority.createEntry({ spiffeId: this.#id('/spike/pilot/role/superuser') }, signal);
    await this.#authority.reportReady(signal);
  }

  async #startKeepers(signal: AbortSignal): Promise<void> {
    const { keeperCount } = this.#config;
    this.#report.progress(`starting ${keeperCount} Keepers`);
    this.#keepers = Array.from({ length: keeperCount }, (_, index) => {
      const name = `keeper ${index + 1}`;
      return this.#supervise({
        app: 'keeper',
        name,
        args: () => [String(index + 1)],
        env: () => this.#partEnv({ SPIKE_KEEPER_TLS_PORT: `127.0.0.1:${this.#ports.get(name) ?? 0}` }),
        onSpawn: (pid) => this.#register(pid, 'keeper'),
      });
    });
    for (const keeper of this.#keepers) await this.#whenReady(keeper, signal);
  }

  async #startNexus(signal: AbortSignal): Promise<void> {
    this.#report.progress('starting Nexus');
    const wanted = this.#config.port;
    const free = wanted !== 0 && (await isFree(wanted));
    if (wanted !== 0 && !free) this.#report.warn(`port ${wanted} is taken; Nexus listens on a free one`);
    this.#ports.set('nexus', free ? wanted : 0);
    this.#nexus = this.#supervise({
      app: 'nexus',
      name: 'nexus',
      args: () => [],
      env: () => this.#nexusEnv(),
      onSpawn: (pid) => this.#register(pid, 'nexus'),
    });
    await this.#whenReady(this.#nexus, signal);
  }

  /** Takes Nexus from whatever state it is in to the one in which it serves, or says what a person has to do. */
  async #reachReady(signal: AbortSignal): Promise<void> {
    const decided = await this.#waitHealth(({ state }) => state !== 'starting', signal);
    const { recoveryFile, home } = this.#config;
    if (decided.state === 'empty') {
      // They may be all that opens a copy of that store, and a new root key would replace them.
      if ((await readShareFiles(home.recovery)).length > 0) {
        this.#report.warn(
          `the store is empty, but ${home.recovery} holds the recovery shares of an earlier one: ` +
            'put its store back, or move that folder away to begin anew',
        );
        return;
      }
      // Where the shares cannot be kept, there is to be no root key yet.
      if (recoveryFile) await ensurePrivateDirectory(home.recovery);
      await this.#bootstrap(signal);
      if (recoveryFile) await this.#exportShares(signal);
      return;
    }
    if (decided.state === 'locked')
      await this.#restore(signal).catch((error: unknown) => this.#refused(error));
    if (!decided.ready && decided.state !== 'locked')
      this.#report.warn('Nexus refuses to serve; `spike status` tells why');
  }

  /** Nexus may have died since it was bootstrapped; the shares have to be here before this process may end. */
  async #exportShares(signal: AbortSignal): Promise<void> {
    const { recovery } = this.#config.home;
    this.#report.progress(`writing recovery shares to ${recovery}`);
    for (;;) {
      try {
        const shares = await this.#withRole('recover', (id) => exportShares(this.#operator(id), signal));
        await writeShareFiles(recovery, shares);
        return;
      } catch (error) {
        const { row, message } = toSpikeError(error);
        if (!row.retry) throw error;
        await this.#pause(`the recovery shares cannot be had: ${message}`, signal);
      }
    }
  }

  /** A store that a person has to look at first is no reason to end: status tells about it. */
  #refused(error: unknown): void {
    const { code, message } = toSpikeError(error);
    if (code !== 'store_integrity' && code !== 'store_missing') throw error;
    this.#report.warn(`Nexus refuses to serve: ${message}`);
  }

  async #bootstrap(signal: AbortSignal): Promise<void> {
    this.#report.progress('making the root key and handing out its shares');
    const code = await runOnce(
      {
        app: 'bootstrap',
        args: () => ['-init'],
        env: () => this.#partEnv({ SPIKE_NEXUS_API_URL: this.#nexusUrl() }),
        onSpawn: (pid) => this.#register(pid, 'bootstrap'),
        onGone: (pid) => void this.#registered.delete(pid),
        onLog: (line) => this.#report.logLine('bootstrap', line),
      },
      signal,
    );
    if (code !== 0)
      throw new SpikeError(
        'api_internal_error',
        `Bootstrap ended with code ${code}; run with --verbose to see why`,
      );
    await this.#waitHealth(({ ready }) => ready, signal);
  }

  /** Feeds the recovery shares of this machine to a Nexus that can't get its key from the Keepers. */
  async #restore(signal: AbortSignal): Promise<void> {
    const { recoveryFile, home } = this.#config;
    const noticed = (error: SpikeError): void => this.#tell(error.message);
    const shares = recoveryFile ? await readShareFiles(home.recovery, noticed) : [];
    if (shares.length === 0) {
      this.#tell(`Nexus has no root key and there are no recovery shares here. ${this.#restoreByHand()}`);
      return;
    }
    this.#report.progress('giving Nexus its root key from the recovery shares');
    try {
      await this.#withRole('restore', (id) => feedShares(this.#operator(id), shares, signal));
    } catch (error) {
      const { code, message } = toSpikeError(error);
      if (code !== 'shamir_reconstruction_failed' && code !== 'shamir_not_enough_shards') throw error;
      this.#tell(`The recovery shares of ${home.recovery} do not help: ${message}. ${this.#restoreByHand()}`);
      return;
    }
    await this.#waitHealth(({ ready, state }) => ready || state !== 'locked', signal);
  }

  #restoreByHand(): string {
    return (
      'Restore it with `spike operator restore`, once for each share (it needs the restore identity: ' +
      `\`spike authority entry create --spiffe-id ${this.#id('/spike/pilot/role/restore')}\`). ` +
      'Where nobody ever got shares, begin anew with another SPIKE_HOME.'
    );
  }

  /** A warning that holds until Nexus has its key is given once. */
  #tell(message: string): void {
    if (!this.#told.has(message)) this.#report.warn(message);
    this.#told.add(message);
  }

  /** An identity of a Pilot role for this process alone, and only for as long as it is needed. */
  async #withRole<Result>(
    role: 'recover' | 'restore',
    use: (spiffeId: string) => Promise<Result>,
  ): Promise<Result> {
    const spiffeId = this.#id(`/spike/pilot/role/${role}`);
    const { entry, created } = await this.#authority.createEntry({
      spiffeId,
      selectors: [`pid:${process.pid}`],
    });
    try {
      return await use(spiffeId);
    } finally {
      if (created) await this.#authority.deleteEntry(entry.id);
    }
  }

  #operator(spiffeId: string) {
    const { home, trustDomain } = this.#config;
    return { spiffeId, endpoint: `unix://${home.agentSocket}`, nexusUrl: this.#nexusUrl(), trustDomain };
  }

  #supervise(
    options: Omit<PartOptions, 'onLog' | 'onExit' | 'onGone' | 'onReady'> &
      Partial<Pick<PartOptions, 'onReady'>>,
  ): Part {
    const { name } = options;
    const part = new Part({
      ...options,
      onReady: (announcement) => {
        for (const [key, value] of Object.entries(announcement)) {
          if (key.endsWith('ort') && typeof value === 'number')
            this.#ports.set(key === 'port' ? name : `${name} ${key}`, value);
        }
        options.onReady?.(announcement);
      },
      onLog: (line) => this.#report.logLine(name, line),
      onGone: (pid) => void this.#registered.delete(pid),
      onExit: (how) => this.#report.warn(`${name} ${how}; starting it again`),
      ending: this.#ending,
    });
    return this.#stack.use(part);
  }

  async #register(pid: number, part: Registered): Promise<void> {
    this.#registered.set(pid, part);
    // While the authority itself is away, the part waits for its identity; it is registered when the authority is back.
    await this.#authority.registerPart({ pid, part }).catch((error: unknown) => {
      if (toSpikeError(error).code !== 'net_peer_connection') throw error;
    });
  }

  async #reregister(): Promise<void> {
    for (const [pid, part] of this.#registered) {
      await this.#authority.registerPart({ pid, part }).catch(() => void this.#registered.delete(pid));
    }
    await this.#authority
      .reportReady()
      .catch((error: unknown) => this.#report.warn(toSpikeError(error).message));
  }

  async #whenReady(part: Part, signal: AbortSignal): Promise<void> {
    while (part.ready === undefined)
      await this.#pause(`${part.name} does not start; run with --verbose to see why`, signal);
  }

  async #waitHealth(wanted: (health: NexusHealth) => boolean, signal: AbortSignal): Promise<NexusHealth> {
    for (;;) {
      const health = await this.#health(signal);
      if (health !== undefined && wanted(health)) return health;
      await this.#pause(`Nexus does not get ready: ${health?.message ?? 'it does not answer'}`, signal);
    }
  }

  async #pause(what: string, signal: AbortSignal): Promise<void> {
    await delay(pollMs, undefined, { signal }).catch((error: unknown) => {
      throw new SpikeError('net_timeout', what, { cause: error });
    });
  }

  async #health(signal: AbortSignal): Promise<NexusHealth | undefined> {
    return await askHealth(`http://127.0.0.1:${this.#ports.get('nexus healthPort') ?? 0}`, signal);
  }

  async #publish(): Promise<void> {
    await writeContext(this.#config.home, this.context);
  }

  get context(): Context {
    const { home, trustDomain, recoveryFile } = this.#config;
    return {
      launcherPid: process.pid,
      trustDomain: trustDomain.name,
      endpointSocket: `unix://${home.agentSocket}`,
      adminSocket: home.adminSocket,
      nexusUrl: this.#nexusUrl(),
      healthUrl: `http://127.0.0.1:${this.#ports.get('nexus healthPort') ?? 0}`,
      keeperUrls: this.#keeperUrls(),
      recoveryFile,
      initCodeFile: this.#initCodeFile,
    };
  }

  get #initCodeFile(): string {
    const { home, env } = this.#config;
    return resolve(env['SPIKE_NEXUS_INIT_CODE_FILE'] || home.initCodeFile);
  }

  #nexusUrl(): string {
    return `https://127.0.0.1:${this.#ports.get('nexus') ?? 0}`;
  }

  #keeperUrls(): readonly string[] {
    return this.#keepers.map(({ name }) => `https://127.0.0.1:${this.#ports.get(name) ?? 0}`);
  }

  #partEnv(own: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
    const { home, trustDomain, env, keeperCount, threshold } = this.#config;
    return {
      ...env,
      SPIKE_HOME: home.root,
      SPIFFE_ENDPOINT_SOCKET: `unix://${home.agentSocket}`,
      SPIKE_TRUST_ROOT: trustDomain.name,
      // A shell that holds the context of another system must not make these parts believe that one.
      SPIKE_TRUST_ROOT_NEXUS: trustDomain.name,
      SPIKE_TRUST_ROOT_KEEPER: trustDomain.name,
      SPIKE_TRUST_ROOT_BOOTSTRAP: trustDomain.name,
      SPIKE_TRUST_ROOT_PILOT: trustDomain.name,
      SPIKE_NEXUS_SHAMIR_SHARES: String(keeperCount),
      SPIKE_NEXUS_SHAMIR_THRESHOLD: String(threshold),
      SPIKE_NEXUS_KEEPER_PEERS: this.#keeperUrls().join(','),
      ...own,
    };
  }

  #nexusEnv(): NodeJS.ProcessEnv {
    const { acceptRollback, keeperProbe } = this.#config;
    return this.#partEnv({
      SPIKE_NEXUS_TLS_PORT: `127.0.0.1:${this.#ports.get('nexus') ?? 0}`,
      SPIKE_NEXUS_HEALTH_PORT: `127.0.0.1:${this.#ports.get('nexus healthPort') ?? 0}`,
      ...(keeperProbe === undefined ? {} : { SPIKE_NEXUS_KEEPER_UPDATE_INTERVAL: keeperProbe }),
      ...(acceptRollback === undefined ? {} : { SPIKE_NEXUS_ACCEPT_ROLLBACK: acceptRollback }),
    });
  }

  #id(path: string): string {
    return `${this.#config.trustDomain.toString()}${path}`;
  }
}
