import { once } from 'node:events';
import { AuditFile } from '@spike/audit';
import { ensurePrivateDirectory } from '@spike/config';
import { nexusTableOf, rolePaths } from '@spike/contract';
import { SpikeError } from '@spike/error';
import { readOpenFileLimit, reserveSpace } from '@spike/host';
import { runPart, type PartContext } from '@spike/lifecycle';
import type { Log } from '@spike/log';
import { listen, openHealth, RoleBook, svidSessions } from '@spike/server';
import { authorizeAny, pickBelow, type TlsServer } from '@spike/spiffe';
import { openMemoryStore, openSqliteStore, type Store } from '@spike/store';
import { dirname } from 'node:path';
import manifest from '../package.json' with { type: 'json' };
import type { LayerSettings } from './admin/layer.ts';
import { sessionsOf } from './admin/layer-port.ts';
import type { AlertPort } from './alert/port.ts';
import { FileAudit } from './audit-port.ts';
import { parseConfig, type NexusConfig } from './config.ts';
import { NexusGate } from './gate.ts';
import { createHandlers } from './handler.ts';
import { isLost, openIdentity } from './identity/open.ts';
import { recordLosses, recordReturn } from './identity/record.ts';
import { addressOf, replaceSelf, type Addresses } from './identity/replacement.ts';
import { IdentityTerm } from './identity/term.ts';
import { watchIdentity } from './identity/watch.ts';
import { Monitor } from './monitor.ts';
import { placeOf } from './reset/place.ts';
import { closedApprovals, type ApprovalPort } from './reset/port.ts';
import { Custody } from './recovery/custody.ts';
import { openKeepers } from './recovery/keeper-client.ts';
import { Serving } from './serving.ts';
import { describeAccess } from './status-source.ts';
import { StatusReport } from './status.ts';
import { AnchorFile } from './vault/anchor-file.ts';

/** Requests that run when we are told to stop get this long. */
const drainMs = 5_000;

await runPart('nexus', async (part) => {
  const addresses: Addresses = {};
  try {
    await serve(part, addresses);
  } catch (error) {
    // An identity that is lost while we start is no failure: the next process waits for it.
    if (part.signal.aborted || !isLost(error)) throw error;
    replaceSelf(part, addresses);
  }
});

async function serve(part: PartContext, addresses: Addresses): Promise<void> {
  const { log, signal } = part;
  const config = parseConfig(part.env);
  await using stack = new AsyncDisposableStack();
  // What is raised before there is a custody belongs to no instance yet.
  const place: { custody?: Custody<Serving> } = {};
  const monitor = stack.use(
    await Monitor.open({
      config,
      log,
      instance: () => place.custody?.instanceId ?? '',
      ready: () => place.custody?.state === 'ready',
    }),
  );
  let state = () => ({ ready: false, state: 'starting' });
  const health = stack.use(await openHealth({ ...config.health, health: () => state() }, signal));
  addresses.health = addressOf(health.url);
  const pick = pickBelow(config.trustRoots.nexus, rolePaths.nexus);
  const source = stack.use(await openIdentity(config.endpoint, pick, part));
  const term = stack.use(new IdentityTerm({ source, graceMs: config.agentGraceMs }));

  const transient = config.store.kind === 'memory';
  const anchorFile = transient ? undefined : stack.use(await openAnchorFile(config, log));
  const store = stack.use(monitor.meter(await openStore(config, signal)));
  const audit = stack.use(
    await AuditFile.open({
      directory: config.auditDirectory,
      reserve: { bytes: config.auditReserve, allocate: reserveSpace },
      signal,
    }),
  );
  monitor.watch({
    source,
    term,
    audit: () => audit.problem ?? place.custody?.opened?.checkpointer.problem,
  });
  const { alerts, history } = monitor;
  const fileAudit = new FileAudit(audit, (reason) => {
    monitor.recordRefused();
    log.error('audit.owed', {
      message: 'a change was made whose record waits in the store until the audit can be written',
      cause: reason instanceof Error ? reason.message : '',
    });
  });
  const keepers = stack.use(openKeepers(config, source, log, alerts));
  const roles = new RoleBook(config.trustRoots);
  if (config.adminAuth === 'svid')
    log.warn('access.svid', {
      message:
        'SPIKE_NEXUS_ADMIN_AUTH is svid: whoever has the SVID of a superuser may do everything, without a password',
    });
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
      note: () => custody.opened?.note,
      alerts,
      history,
      unlock: async (instance) => {
        const serving = await Serving.open(instance, {
          store,
          audit,
          fileAudit,
          logKeeping: {
            directory: config.auditDirectory,
            trustDomain: source.current().svid.id.trustDomain.name,
            checkpointMs: config.auditCheckpointMs,
            keepMs: config.auditKeepMs,
            keepBytes: config.auditKeepBytes,
            sinks: [monitor.sinks],
          },
          losses: monitor,
          anchorFile,
          notes: keepers.set.notes,
          acceptRollback: config.acceptRollback,
          cacheBytes: config.rowCacheBytes,
          maxPolicies: config.maxPolicies,
          maxSecretVersions: config.maxSecretVersions,
          maxValueBytes: config.maxValueBytes,
          maxSecretBytes: config.maxSecretBytes,
          maxCiphertextBytes: config.maxCiphertextBytes,
          alerts,
          history,
          sealed: monitor.sealed,
          access: config.adminAuth === 'svid' ? undefined : layerSettings(config, roles, alerts),
          release: manifest.version,
          reset: {
            place: placeOf(config, () => [server.address, addressOf(health.url)]),
            ports: {
              approvals: transient ? closedApprovals : approvalsOf(() => custody.opened),
              backups: { newest: async () => await custody.opened?.backups.newest() },
              alerts,
            },
          },
          emergency: {
            roles,
            alerts,
            breakglassDelayMs: config.breakglassDelayMs,
          },
          denial: {
            roles,
            alerts,
            cut: (isMeant) => server.resetPeers(({ id }) => isMeant(id)),
          },
          log,
          signal,
        });
        monitor.noteMode(config.adminAuth);
        serving.keepLog();
        serving.checkInBackground((problems) => status.noteBackground(problems));
        return serving;
      },
    }),
  );
  place.custody = custody;
  const gate = stack.use(new NexusGate(source, custody, term));
  const live: { server?: TlsServer } = {};
  stack.use(
    watchIdentity(
      {
        source,
        term,
        endpoint: config.endpoint,
        pick,
        cut: (loss) => {
          gate.close();
          live.server?.resetAll();
          custody.opened?.access?.endAll();
          monitor.lost(loss);
        },
        record: async () => {
          const { opened } = custody;
          if (opened === undefined) return;
          await recordLosses({ audit, fileAudit, losses: monitor }, 'at once');
          await Promise.all([monitor.flush(), opened.checkpointer.sign()]);
        },
        returned: async (loss) => {
          if (custody.opened === undefined) return;
          await recordReturn({ audit, fileAudit, losses: monitor }, loss, 'kept');
        },
        replace: () => replaceSelf(part, addresses),
      },
      part,
    ),
  );
  const status: StatusReport = new StatusReport({
    custody,
    keepers: keepers.set,
    source,
    store,
    audit,
    threshold: config.threshold,
    version: manifest.version,
    adminAuth: config.adminAuth,
  });
  status.plug({
    alerts: () => alerts.countOpen(),
    problems: () => monitor.problems(),
    warnings: () => monitor.warnings(),
    administration: () => describeAccess(config.adminAuth, custody.opened?.access?.overview()),
    done: async () => ({
      accessReviewedAt: await custody.opened?.audit.lastReview(),
      backupVerifiedAt: await custody.opened?.backups.lastVerified(),
      resetTestedAt: await custody.opened?.reset.lastTested(),
    }),
  });
  if (transient) await custody.makeTransient();
  else await custody.look();
  const server: TlsServer = stack.use(
    await listen(
      {
        component: 'nexus',
        instance: () => custody.instanceId ?? '',
        table: nexusTableOf({ secretBytes: config.maxSecretBytes }),
        handlers: createHandlers({
          custody,
          status,
          alerts,
          history,
          adminAuth: config.adminAuth,
          transient,
          maxShareId: config.maxShareId,
        }),
        roles,
        policies: {
          allows: (peer, action, path) =>
            custody.opened?.policies.engine.decide(peer.toString(), action, path) ?? { allowed: false },
          allowsAnywhere: (peer, action) => ({
            allowed: custody.opened?.policies.engine.givesAnywhere(peer.toString(), action) ?? false,
          }),
        },
        sessions: config.adminAuth === 'svid' ? svidSessions : sessionsOf(() => custody.opened?.access),
        gate,
        audit: fileAudit,
        observe: (observed) => monitor.observe(observed),
        log,
        source,
        // Every verified SVID may connect; each request is judged by its route.
        authorize: authorizeAny(),
        host: config.listen.host,
        port: config.listen.port,
        limits: {
          maxConnections: config.maxConnections,
          maxPerPeer: Math.min(config.maxConnectionsPerPeer, config.maxConnections),
        },
        openFiles: readOpenFileLimit(),
      },
      signal,
    ),
  );
  live.server = server;
  addresses.tls = server.address;
  status.watchServer(server);
  state = () => ({ ready: gate.unlocked && gate.holdsIdentity, state: custody.state });
  // A key that dies with this process is not for Keepers.
  const watching = transient ? undefined : custody.watch(signal);
  const metricsUrl = await monitor.serveMetrics(
    status.metrics(() => gate.unlocked),
    signal,
  );
  if (metricsUrl !== undefined) addresses.metrics = addressOf(metricsUrl);
  part.announce({
    port: server.address.port,
    healthPort: Number(new URL(health.url).port),
    ...(metricsUrl === undefined ? {} : { metricsPort: Number(new URL(metricsUrl).port) }),
  });
  log.info('nexus.serving', {
    url: server.url,
    health: health.url,
    ...(metricsUrl === undefined ? {} : { metrics: metricsUrl }),
    state: custody.state,
  });
  if (!signal.aborted) await once(signal, 'abort');
  await watching;
  await server.closeGracefully(drainMs);
}

async function openAnchorFile(config: NexusConfig, log: Log): Promise<AnchorFile> {
  await ensurePrivateDirectory(dirname(config.anchorFile));
  return await AnchorFile.open({
    path: config.anchorFile,
    onError: (error) => log.error('anchor.failed', { code: error.code, message: error.message }),
  });
}

/** Resets know administrators by name. */
function approvalsOf(opened: () => Serving | undefined): ApprovalPort {
  return {
    require: ({ kind, target, administrator }) => {
      const serving = opened();
      if (serving === undefined) throw new SpikeError('state_not_ready', 'Nexus has no root key');
      serving.emergency.approvals.require({ kind, target, by: administrator });
    },
  };
}

function layerSettings(config: NexusConfig, roles: RoleBook, alerts: AlertPort): LayerSettings {
  return {
    passwords: config.passwords,
    remembered: config.rememberedPasswords,
    idleMs: config.sessionIdleMs,
    lockout: config.lockout,
    initCodeFile: config.initCodeFile,
    roles,
    alerts,
  };
}

async function openStore(config: NexusConfig, signal: AbortSignal): Promise<Store> {
  if (config.store.kind === 'memory') return openMemoryStore();
  await ensurePrivateDirectory(dirname(config.store.directory));
  return await openSqliteStore({ directory: config.store.directory, signal });
}
