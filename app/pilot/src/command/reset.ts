import type { NexusTable, OutputOf } from '@spike/contract';
import { SpikeError } from '@spike/error';
import { keyIdOf, verifyScript } from '@spike/reset';
import { readSmallFile } from '../input/file.ts';
import { askLine } from '../input/line.ts';
import { prepareBackup } from '../backup/prepare.ts';
import type { Invocation } from '../invocation.ts';
import type { ResetFlags, VerifyResetFlags } from '../option.ts';
import { rehearseScript } from './reset-rehearsal.ts';
import { formatAge } from '../output/age.ts';
import { show } from '../output/show.ts';
import { openSession } from '../session.ts';

const mostScriptBytes = 1024 * 1024;
const mostKeyBytes = 16 * 1024;

/** Nobody should run what came over a clipboard, or lies where others may write. */
const saving =
  'To get the script, in a file that nobody else may write: (umask 077; spike reset --force > reset.sh)';

type Explanation = OutputOf<NexusTable['explainReset']>;

/**
 * Explains a factory reset and exits with 1; with `force` prints its script, and runs nothing either. With `dryRun` a
 * script is tried as `sh FILE --dry-run` does it.
 */
export async function resetSystem(invocation: Invocation, flags: ResetFlags): Promise<void> {
  await using session = await openSession(invocation, 'superuser');
  const explanation = await session.client.explainReset({}, session.call);
  if (flags.dryRun === true && flags.force === true)
    throw new SpikeError(
      'data_invalid_input',
      '--force prints the script, --dry-run tries one: say one of them',
    );
  if (flags.dryRun === true) {
    const { instance } = explanation;
    const { script } = await session.client.printReset({ instance }, session.call);
    process.exitCode = await rehearseScript(script, invocation);
    return;
  }
  if (flags.force !== true) {
    await show(invocation, { human: () => describe(explanation), value: explanation });
    invocation.stderr.write(`Nothing was done. ${saving}\n`);
    process.exitCode = 1;
    return;
  }
  const { instance } = explanation;
  await confirmInstance(invocation, instance);
  const backup =
    flags.backup === undefined
      ? undefined
      : await prepareBackup(invocation, session, { ...flags, file: flags.backup, instance });
  const request = { instance, ...(backup === undefined ? {} : { backup }) };
  const printed = await session.client.printReset(request, session.call);
  await show(invocation, { human: () => printed.script, value: printed });
  const { stdout, stderr } = invocation;
  const advice = stdout.isTTY
    ? saving
    : 'Read it, check who signed it (spike reset verify FILE), and try it: sh FILE --dry-run';
  stderr.write(`Nothing was run. The script is valid until ${printed.expiresAt}. ${advice}\n`);
}

/** Checks a script's signature against the keys of Nexus, or against one that was pinned. */
export async function verifyReset(
  invocation: Invocation,
  file: string,
  { key }: VerifyResetFlags,
): Promise<void> {
  const script = await readSmallFile(file, mostScriptBytes);
  const trusted = key === undefined ? await askKeys(invocation) : [await readText(key)];
  const { keyId, instance, createdAt, expiresAt } = verifyScript(script, trusted);
  const over = expiresAt.getTime() <= Date.now();
  const validity = `${over ? 'its hour is over since' : 'valid until'} ${expiresAt.toISOString()}`;
  await show(invocation, {
    human: () =>
      `It is unchanged, for instance ${instance}, printed at ${createdAt.toISOString()}, ${validity} (key ${keyId}).\n`,
    value: {
      keyId,
      instance,
      createdAt: createdAt.toISOString(),
      expiresAt: expiresAt.toISOString(),
      expired: over,
    },
  });
}

/** The current public key, in PEM. */
export async function showResetKey(invocation: Invocation): Promise<void> {
  await using session = await openSession(invocation, 'superuser');
  const { instance, keys } = await session.client.getResetKeys({}, session.call);
  await show(invocation, { human: () => keys[0]?.publicKey ?? '', value: { instance, keys } });
}

/** Whoever sits at a terminal says which instance is meant; a program has asked for this very one. */
async function confirmInstance(invocation: Invocation, instance: string): Promise<void> {
  if (!invocation.stdin.isTTY) return;
  const question = `This prints the script of a factory reset of instance\n  ${instance}\nType its id to go on: `;
  // Standard output is where the script goes.
  const typed = await askLine(invocation, question, invocation.stderr);
  if (typed.trim() !== instance)
    throw new SpikeError('data_invalid_input', 'that is not the id of the instance; nothing was printed');
}

async function askKeys(invocation: Invocation): Promise<readonly string[]> {
  await using session = await openSession(invocation, 'superuser');
  const { keys } = await session.client.getResetKeys({}, session.call);
  return keys.map(({ publicKey }) => publicKey);
}

async function readText(file: string): Promise<string> {
  const text = Buffer.from(await readSmallFile(file, mostKeyBytes)).toString('utf8');
  // Throws with what it should be.
  keyIdOf(text);
  return text;
}

function describe({
  instance,
  counts,
  newestBackup,
  lastDryRun,
  removes,
  aside,
  journal,
}: Explanation): string {
  const ago = (time: string | undefined): string =>
    time === undefined ? 'none' : `${formatAge(Date.now() - Date.parse(time))} old (${time})`;
  return [
    `A factory reset of instance ${instance} would lose, for good:`,
    `  ${counts.secrets} secrets in ${counts.versions} versions`,
    `  ${counts.policies} policies`,
    `  ${counts.administrators} administrators`,
    '',
    `Newest backup: ${ago(newestBackup)}`,
    `Last dry run:  ${ago(lastDryRun)}`,
    `Removes:       ${removes}`,
    ...aside.map(({ what, path }) => `Keeps beside:  ${what} ${path}`),
    `Journal:       ${journal}`,
    '',
  ].join('\n');
}
