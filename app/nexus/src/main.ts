import { once } from 'node:events';
import { AuditFile } from '@spike/audit';
import { ensurePrivateDirectory } from '@spike/config';
import { nexusTable, rolePaths } from '@spike/contract';
import { replaceProcess } from '@spike/host';
import { runPart, type PartContext } from '@spike/lifecycle';
import type { Log } from '@spike/log';
import { listen, openHealth, RoleBook } from '@spike/server';
import { authorizeAny, pickBelow, X509Source, type TlsServer } from '@spike/spiffe';
import { openMemoryStore, openSqliteStore, type Store } from '@spike/store';
import { dirname } from 'node:path';
import manifest from '../package.json' with { type: 'json' };
import { FileAudit } from './audit-port.ts';
import { parseConfig, type NexusConfig } from './config.ts';
import { NexusGate } from './gate.ts';
import { createHandlers } from './handler.ts';
import { Custody } from './recovery/custody.ts';
import { openKeepers } from './recovery/keeper-client.ts';
import { Serving } from './serving.ts';
import { StatusReport } from './status.ts';
import { AnchorFile } from './vault/anchor-file.ts';

/** Requests that run when we are told to stop get this long. */
const drainMs = 5_000;
/** An identity that comes back within this was only renewed in two steps; else keys and all go. */
const confirmMs = 500;
const longestWaitMs = 60_000;

await runPart('nexus', async (part) => {
  const { log, signal } = part;
  const config = parseConfig(part.env);
  await using stack = new AsyncDisposableStack();
  let state = () => ({ ready: false, state: 'starting' });
  const health = stack.use(await openHealth({ ...config.health, health: () => state() }, signal));
  const source = stack.use(await openIdentity(config, part));

  const transient = config.store.kind === 'memory';
  const anchorFile = transient ? undefined : stack.use(await openAnchorFile(config, log));
  const store = stack.use(await openStore(config, signal));
  const audit = stack.use(await AuditFile.open({ directory: config.auditDirectory, signal }));
  const fileAudit = new FileAudit(audit);
  const keepers = stack.use(openKeepers(config, source, log));
  const custody: Custody<Serving> = stack.use(
    new Custody({
      store,
      keepers: keepers.set,
      log,
      anchor: () => anchorFile?.found ?? { kind: 'absent' },
      threshold: config.threshold,
      count: config.shareCount,
      pinned: config.pinnedInstance,
      leaseTtlMs: config.leaseTtlMs,
      probeMs: config.probeMs,
      audit: () => fileAudit.position,
      unlock: async (instance) => {
        const serving = await Serving.open(instance, {
          store,
          audit,
          fileAudit,
          anchorFile,
          acceptRollback: config.acceptRollback,
          maxSecretVersions: config.maxSecretVersions,
          log,
          signal,
        });
        serving.checkInBackground((problems) => status.noteBackground(problems));
        return serving;
      },
    }),
  );
  const gate = stack.use(new NexusGate(source, custody));
  const status: StatusReport = new StatusReport({
    custody,
    keepers: keepers.set,
    source,
    store,
    audit,
    threshold: config.threshold,
    version: manifest.version,
  });
  if (transient) await custody.makeTransient();
  else await custody.look();
  const { trustRoots } = config;
  const server = stack.use(
    await listen(
      {
        component: 'nexus',
        instance: () => custody.instanceId ?? '',
        table: nexusTable,
        handlers: createHandlers({ custody, status, transient }),
        roles: new RoleBook({ ...trustRoots, lite: trustRoots.pilot }),
        policies: {
          allows: (peer, action, path) =>
            custody.opened?.policies.engine.decide(peer.toString(), action, path) ?? { allowed: false },
          allowsAnywhere: (peer, action) => ({
            allowed: custody.opened?.policies.engine.givesAnywhere(peer.toString(), action) ?? false,
          }),
        },
        gate,
        audit: fileAudit,
        log,
        source,
        // Every verified SVID may connect; each request is judged by its route.
        authorize: authorizeAny(),
        host: config.listen.host,
        port: config.listen.port,
      },
      signal,
    ),
  );
  state = () => ({ ready: gate.unlocked && source.state !== 'withdrawn', state: custody.state });
  using _watch = watchIdentity(source, server, new URL(health.url), part);
  // A key that dies with this process is not for Keepers.
  const watching = transient ? undefined : custody.watch(signal);
  part.announce({ port: server.address.port, healthPort: Number(new URL(health.url).port) });
  log.info('nexus.serving', { url: server.url, health: health.url, state: custody.state });
  if (!signal.aborted) await once(signal, 'abort');
  await watching;
  await server.closeGracefully(drainMs);
});

async function openIdentity(config: NexusConfig, { signal, log }: PartContext): Promise<X509Source> {
  log.info('identity.waiting', { endpoint: config.endpoint });
  const source = await X509Source.open({
    endpoint: config.endpoint,
    signal,
    pick: pickBelow(config.trustRoots.nexus, rolePaths.nexus),
  });
  log.info('identity.held', { id: source.current().svid.id.toString() });
  return source;
}

async function openAnchorFile(config: NexusConfig, log: Log): Promise<AnchorFile> {
  await ensurePrivateDirectory(dirname(config.anchorFile));
  return await AnchorFile.open({
    path: config.anchorFile,
    onError: (error) => log.error('anchor.failed', { code: error.code, message: error.message }),
  });
}

async function openStore(config: NexusConfig, signal: AbortSignal): Promise<Store> {
  if (config.store.kind === 'memory') return openMemoryStore();
  await ensurePrivateDirectory(dirname(config.store.directory));
  return await openSqliteStore({ directory: config.store.directory, signal });
}

/**
 * When our identity is taken away, the gate is closed and the connections are reset in the same turn; unless it comes
 * back at once, this process then becomes a fresh one that waits for its identity, so that the kernel drops all memory
 * which ever held a key. An identity that expires while the agent is away is gone, too, and nobody tells us.
 */
function watchIdentity(
  source: X509Source,
  server: TlsServer,
  health: URL,
  { log, env, signal }: PartContext,
): Disposable {
  const forget = (): void => {
    log.error('identity.forgetting', {
      message: 'this process drops its memory and waits for its identity',
    });
    const [, script = '', ...args] = process.argv;
    try {
      replaceProcess(process.execPath, [...process.execArgv, script, ...args], {
        ...env,
        SPIKE_NEXUS_TLS_PORT: `${server.address.host}:${server.address.port}`,
        SPIKE_NEXUS_HEALTH_PORT: health.host,
      });
    } catch (error) {
      log.error('identity.forgetting_failed', { message: error instanceof Error ? error.message : '' });
      process.exit(1);
    }
  };
  let expiry: NodeJS.Timeout | undefined;
  const awaitExpiry = (notAfter: Date): void => {
    const leftMs = notAfter.getTime() - Date.now();
    if (leftMs < 0) {
      log.error('identity.expired', { notAfter: notAfter.toISOString() });
      server.resetAll();
      forget();
    }
    // The wall clock can be set, which timers do not know.
    expiry = setTimeout(() => awaitExpiry(notAfter), Math.min(leftMs + 1, longestWaitMs)).unref();
  };
  const subscription = source.subscribe((change) => {
    clearTimeout(expiry);
    if (change.kind === 'unreachable') {
      const notAfter = endOf(source);
      log.warn('identity.unreachable', {
        message: change.error.message,
        servesUntil: notAfter.toISOString(),
      });
      awaitExpiry(notAfter);
    }
    if (change.kind !== 'withdrawn') return;
    log.error('identity.withdrawn', { reason: change.reason });
    setTimeout(() => {
      if (source.state === 'withdrawn' && !signal.aborted) forget();
    }, confirmMs).unref();
  });
  return {
    [Symbol.dispose]: () => {
      clearTimeout(expiry);
      subscription[Symbol.dispose]();
    },
  };
}

/** Until when the identity that we hold serves, the past when it is over. */
function endOf(source: X509Source): Date {
  try {
    return source.current().svid.notAfter;
  } catch {
    return new Date(0);
  }
}
