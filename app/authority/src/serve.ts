import { dirname } from 'node:path';
import { ensurePrivateDirectory } from '@spike/config';
import { PidHandle } from '@spike/host';
import { describeError, type Log } from '@spike/log';
import { BundleServer, WorkloadServer } from '@spike/spiffe';
import { AdminServer } from './admin.ts';
import { Attestor } from './attest.ts';
import { PidBinding } from './binding.ts';
import type { AuthorityConfig } from './config.ts';
import { EntryList } from './entry-list.ts';
import { Federation } from './federation.ts';
import { Issuer } from './issue.ts';
import { JwtKeys } from './jwt-keys.ts';
import { Operations } from './operation.ts';
import { OwnIdentity } from './own-identity.ts';
import { Pulse } from './pulse.ts';
import { AuthorityState } from './state.ts';

const sweepEveryMs = 500;

export const caution =
  'processes of one uid are not protected from each other: each can read and change this authority; use SPIRE where they must be';

/**
 * Opens the whole authority. `launcherPid` is the process that may register parts, our parent; 0 when it is outside
 * of our pid namespace, and then nobody may.
 */
export async function openAuthority(
  config: AuthorityConfig,
  launcherPid: number,
  log: Log,
  signal: AbortSignal,
): Promise<AsyncDisposable> {
  await using scope = new AsyncDisposableStack();
  const startedAt = new Date().toISOString();
  const launcher = launcherPid > 0 ? scope.use(PidHandle.open(launcherPid)) : undefined;
  const state = scope.use(await AuthorityState.open(config.stateDirectory, config.trustDomain));
  const changed = new Pulse();
  const bindings = { parts: scope.use(new PidBinding<string>()), runs: scope.use(new PidBinding<string>()) };
  const entries = scope.use(
    new EntryList({ entries: state.entries, persist: (next) => state.writeEntries(next), changed }),
  );
  const own = state.authority.bundle();
  const jwtKeys = await JwtKeys.open(config.stateDirectory, own);
  const federation = scope.use(
    await Federation.open({ directory: config.stateDirectory, own, changed, log, signal }),
  );
  const identity = new OwnIdentity(state.authority);
  const endpoint = config.bundleEndpoint;
  const bundleServer =
    endpoint === undefined
      ? undefined
      : scope.use(
          await BundleServer.open({
            ...endpoint,
            bundle: () => jwtKeys.bundle,
            credential: { kind: 'https_spiffe', source: identity },
          }),
        );
  let isReady = !config.awaitLauncher;
  const issuer = new Issuer({
    authority: state.authority,
    entries,
    attestor: new Attestor(bindings),
    jwtKeys,
    federation,
    changed,
    isReady: () => isReady,
    svidLifetimeMs: config.svidLifetimeMs,
    rotateEveryMs: config.rotateEveryMs,
    log,
  });
  const operations = new Operations({
    trustDomain: config.trustDomain,
    entries,
    bindings,
    federation,
    bundle: () => jwtKeys.bundle.marshal(),
    changed,
    launcher,
    onReady: () => {
      isReady = true;
      changed.fire();
    },
    persistRuns: (runs) => state.writeRuns(runs),
    status: () => ({
      pid: process.pid,
      uid: process.geteuid?.() ?? -1,
      trustDomain: config.trustDomain.name,
      socketPath: config.socketPath,
      startedAt,
      authorityNotAfter: state.authority.certificate.notAfter.toISOString(),
      svidLifetimeMs: config.svidLifetimeMs,
      rotateEveryMs: config.rotateEveryMs,
      streams: issuer.streams,
      ...(bundleServer === undefined ? {} : { bundleUrl: bundleServer.url }),
      caution,
    }),
    log,
  });
  await operations.restoreRuns(state.runs);
  let rotating: Promise<void> = Promise.resolve();
  const rotate = async (): Promise<void> => {
    if (!(await jwtKeys.rotateWhenDue())) return;
    log.info('token.key.rotated', { sequence: String(jwtKeys.bundle.sequence) });
    changed.fire();
  };
  const fail = (error: unknown): void => log.error('sweep.failed', describeError(error));
  const sweep = setInterval(() => {
    operations.sweep().catch(fail);
    identity.renew();
    rotating = rotating.then(rotate).catch(fail);
  }, sweepEveryMs).unref();
  scope.defer(() => clearInterval(sweep));
  await ensurePrivateDirectory(dirname(config.adminSocketPath));
  scope.use(await AdminServer.open({ path: config.adminSocketPath, handlers: operations.handlers, log }));
  await ensurePrivateDirectory(dirname(config.socketPath));
  scope.use(
    await WorkloadServer.listen({
      path: config.socketPath,
      mode: 0o600,
      handler: issuer,
      report: (error) => log.warn('workload.failed', describeError(error)),
      signal,
    }),
  );
  return scope.move();
}
