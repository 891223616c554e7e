import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openScratch, System, type SystemOptions } from './system.ts';

/** A system with two layers. */
export async function startGuarded(options: SystemOptions = {}): Promise<System> {
  return await System.start({ ...options, env: { SPIKE_NEXUS_ADMIN_AUTH: 'password', ...options.env } });
}

/** A password that is good enough and that nobody has used before, so that it can be looked for afterwards. */
export function newPassword(): string {
  return `correct ${randomBytes(6).toString('hex')} battery staple`;
}

/** Makes the first administrator as a script does, and answers his password. */
export async function initialize(system: System, password = newPassword()): Promise<string> {
  await system.mustSpike(['init', '--password-stdin'], { input: `${password}\n` });
  return password;
}

/** A file with a secret in it, for one command. */
export async function withFile<T>(content: string, use: (path: string) => Promise<T>): Promise<T> {
  await using scratch = await openScratch();
  const path = join(scratch.path, 'secret');
  await writeFile(path, content, { mode: 0o600 });
  return await use(path);
}
