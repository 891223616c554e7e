import { keeperTable, nexusTable, rolePaths } from '@spike/contract';
import { SpikeError } from '@spike/error';
import { runPart } from '@spike/lifecycle';
import { authorizeRole, openClient } from '@spike/sdk';
import { pickBelow, X509Source } from '@spike/spiffe';
import { runCeremony } from './ceremony.ts';
import { parseConfig } from './config.ts';

/** Nothing that makes or carries the root key goes over a key exchange that a later quantum computer breaks. */
const group = 'X25519MLKEM768';

await runPart('bootstrap', async ({ log, env, args, signal: stop }) => {
  if (args.length !== 1 || args[0] !== '-init') {
    throw new SpikeError(
      'config_invalid',
      'usage: bootstrap -init (makes the root key of an empty system, once)',
    );
  }
  const config = parseConfig(env);
  const signal = AbortSignal.any([stop, AbortSignal.timeout(config.timeoutMs)]);
  await using stack = new AsyncDisposableStack();
  const source = stack.use(
    await X509Source.open({
      endpoint: config.endpoint,
      signal,
      pick: pickBelow(config.trustRoots.bootstrap, rolePaths.bootstrap),
    }),
  );
  const shared = { source, groups: [group], requireGroup: group };
  const nexus = stack.use(
    openClient({
      ...shared,
      table: nexusTable,
      url: config.nexusUrl,
      authorize: authorizeRole('nexus', config.trustRoots.nexus),
    }),
  );
  const keepers = config.keeperUrls.map((url) =>
    stack.use(
      openClient({
        ...shared,
        table: keeperTable,
        url,
        authorize: authorizeRole('keeper', config.trustRoots.keeper),
      }),
    ),
  );
  const done = await runCeremony(
    { nexus: nexus.call, keepers: keepers.map(({ call }) => call), threshold: config.threshold, log },
    signal,
  );
  log.info('bootstrap.done', { instance: done.instance });
});
