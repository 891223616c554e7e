import { answerChallenge, Share } from '@spike/crypto';
import type { RecoveryShare } from '@spike/recovery';
import { withFile } from './admin.ts';
import type { RoleClient } from './caller.ts';
import type { System } from './system.ts';

export const parse = <T>(text: string): T => JSON.parse(text) as T;

/** Makes an administrator who has logged in once; answers the environment that his commands run in. */
export async function settle(system: System, name: string, role: string, own: string): Promise<Env> {
  const made = await system.mustSpike(['admin', 'create', name, '--role', role, '-f', 'json']);
  const { oneTimePassword } = parse<{ oneTimePassword: string }>(made);
  const args = ['login', '--user', name, '--password-stdin', '--print-token', '--new-password-file'];
  const token = await withFile(own, (file) => system.mustSpike([...args, file], { input: oneTimePassword }));
  return { SPIKE_TOKEN: token.trim() };
}

type Env = Readonly<Record<string, string>>;

/** The id of the approval that a refused command names. */
export function approvalOf(text: string): string {
  return / spike approve ([a-z0-9-]+)/.exec(text)?.[1] ?? '';
}

/** What the Pilot of a holder answers; nothing of the share is in it. */
export async function answerOf(
  holder: RoleClient,
  id: string,
  { id: number, value }: RecoveryShare,
): Promise<Uint8Array> {
  const { approval, challenge } = await holder.call.getApproval({ id });
  using share = Share.take(number, Uint8Array.from(value));
  return answerChallenge(share, challenge.generation, { ...approval, ...challenge });
}
