import { homeOf, readContext, readPrivateFile, type Environment } from '@spike/config';
import { SpikeError } from '@spike/error';
import { firstName, keep } from '../access/login.ts';
import { readNewPassword } from '../access/password-input.ts';
import { pinAuditKey } from '../audit/trust.ts';
import { readSmallFile } from '../input/file.ts';
import { promptHidden } from '../input/hidden.ts';
import type { Invocation } from '../invocation.ts';
import type { InitFlags } from '../option.ts';
import { openSession } from '../session.ts';
import { showBegun } from './login.ts';

const mostBytes = 1_024;

/** Makes the first administrator, once, and keeps the first token. */
export async function initialize(invocation: Invocation, flags: InitFlags): Promise<void> {
  const user = flags.user ?? firstName;
  await using session = await openSession(invocation, 'superuser', { administrator: 'none' });
  const code = await readCode(invocation, flags.codeFile);
  const password = await readNewPassword(invocation, flags, `Choose a password for ${user}: `);
  const begun = await session.client.initialize({ user, password, code }, session.call);
  const file = flags.printToken === true ? undefined : await keep(invocation, begun, session.url);
  await showBegun(invocation, begun, file, `SPIKE is initialised, and ${user} is its first administrator.`);
  if (begun.auditKey === undefined) return;
  await pinAuditKey(invocation, begun.auditKey);
  if (invocation.settings.format === 'human')
    invocation.stderr.write(
      `The audit is signed by this key, which is pinned here; tell it to the other administrators:\n${begun.auditKey}\n`,
    );
}

async function findCodeFile(env: Environment): Promise<string> {
  const home = homeOf(env);
  const context = await readContext(home);
  return env['SPIKE_NEXUS_INIT_CODE_FILE'] || context?.initCodeFile || home.initCodeFile;
}

/** From the file that is named, the one that Nexus left in this home, or a person. */
async function readCode(invocation: Invocation, named: string | undefined): Promise<string> {
  const { env, stdin, stderr, deadline, signal } = invocation;
  const bytes =
    named === undefined
      ? await readPrivateFile(await findCodeFile(env), mostBytes)
      : await readSmallFile(named, mostBytes);
  if (bytes !== undefined) return Buffer.from(bytes).toString('utf8').trim();
  if (stdin.isTTY) return await deadline.pauseFor(() => promptHidden('Init code: ', stdin, stderr, signal));
  throw new SpikeError(
    'data_invalid_input',
    'name the file with the init code: --code-file; Nexus writes it to SPIKE_NEXUS_INIT_CODE_FILE on its host',
  );
}
