import { once } from 'node:events';
import { SpikeError } from '@spike/error';
import { setParentDeathSignal } from '@spike/host';
import { runPart } from '@spike/lifecycle';
import { help, parseConfig } from './config.ts';
import { caution, openAuthority } from './serve.ts';

const parentPid = process.ppid;

await runPart('authority', async (part) => {
  const { log, signal } = part;
  const config = parseConfig(part.args, part.env);
  if (config === 'help') {
    process.stdout.write(help);
    return;
  }
  if (!setParentDeathSignal('SIGTERM', parentPid)) {
    throw new SpikeError('config_invalid', 'the process that started this authority is gone already');
  }
  await using _authority = await openAuthority(config, parentPid, log, signal);
  log.info('authority.serving', {
    trustDomain: config.trustDomain.name,
    socket: config.socketPath,
    adminSocket: config.adminSocketPath,
    caution,
  });
  part.announce({ socket: config.socketPath, adminSocket: config.adminSocketPath, pid: process.pid });
  if (!signal.aborted) await once(signal, 'abort');
});
