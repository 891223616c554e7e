import { dirname } from 'node:path';
import { ensurePrivateDirectory } from '@spike/config';
import { PidHandle } from '@spike/host';
import { describeError, type Log } from '@spike/log';
import { WorkloadServer } from '@spike/spiffe';
import { AdminServer } from './admin.ts';
import { Attestor } from './attest.ts';
import { PidBinding } from './binding.ts';
import type { AuthorityConfig } from './config.ts';
import { EntryList } from './entry-list.ts';
import { Issuer } from './issue.ts';
import { Operations } from './operation.ts';
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
  let isReady = !config.awaitLauncher;
  const issuer = new Issuer({
    authority: state.authority,
    entries,
    attestor: new Attestor(bindings),
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
      caution,
    }),
    log,
  });
  await operations.restoreRuns(state.runs);
  const sweep = setInterval(() => {
    operations.sweep().catch((error: unknown) => log.error('sweep.failed', describeError(error)));
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
