import { once } from 'node:events';
import { keeperTable, rolePaths } from '@spike/contract';
import type { Log } from '@spike/log';
import { runPart } from '@spike/lifecycle';
import {
  listen,
  noPolicies,
  openGate,
  RoleBook,
  svidSessions,
  type AuditDraft,
  type AuditPort,
} from '@spike/server';
import { authorizeBelow, authorizeEither, pickBelow, X509Source } from '@spike/spiffe';
import { writeSync } from 'node:fs';
import { parseConfig } from './config.ts';
import { createHandlers } from './handler.ts';
import { Slots } from './slot.ts';

const drainMs = 1_000;

await runPart('keeper', async (part) => {
  const { log, env, signal } = part;
  const config = parseConfig(env);
  await using stack = new AsyncDisposableStack();
  const slots = new Slots();
  stack.defer(() => slots.dispose());
  log.info('identity.waiting', { endpoint: config.endpoint });
  const source = stack.use(
    await X509Source.open({
      endpoint: config.endpoint,
      signal,
      pick: pickBelow(config.trustRoots.keeper, rolePaths.keeper),
    }),
  );
  if (config.classical) log.warn('tls.classical', { message: 'X25519 is offered besides X25519MLKEM768' });
  const { nexus, bootstrap } = config.trustRoots;
  const server = stack.use(
    await listen(
      {
        component: 'keeper',
        instance: () => slots.active?.origin?.instance ?? '',
        table: keeperTable,
        handlers: createHandlers(slots),
        roles: new RoleBook({ nexus, bootstrap, keeper: [], pilot: [], lite: [] }),
        policies: noPolicies,
        sessions: svidSessions,
        gate: openGate,
        audit: standardErrorAudit(log),
        log,
        source,
        authorize: authorizeEither(
          authorizeBelow(nexus, rolePaths.nexus),
          authorizeBelow(bootstrap, rolePaths.bootstrap),
        ),
        groups: config.classical ? ['X25519MLKEM768', 'X25519'] : ['X25519MLKEM768'],
        host: config.listen.host,
        port: config.listen.port,
        // A Keeper is asked by one Nexus, and now and then by a Bootstrap.
        limits: { maxConnections: 256, maxPerPeer: 64 },
      },
      signal,
    ),
  );
  part.announce({ port: server.address.port });
  log.info('keeper.serving', { url: server.url });
  if (!signal.aborted) await once(signal, 'abort');
  await server.closeGracefully(drainMs);
});

/** A Keeper writes nothing to disk: its records go to standard error, beside its log. */
function standardErrorAudit(log: Log): AuditPort {
  const write = (draft: AuditDraft): Promise<void> => {
    try {
      writeSync(2, `{"audit":${draft.record}}\n`);
      return Promise.resolve();
    } catch (error) {
      log.error('audit.failed');
      return Promise.reject(error instanceof Error ? error : new Error('standard error is closed'));
    }
  };
  return { append: write, appendIfCommitted: () => Promise.resolve(), appendUnready: write };
}
