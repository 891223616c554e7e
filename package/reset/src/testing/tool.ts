import { execFileSync } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Scene } from './scene.ts';

/** What the script calls by name, and what the Node.js of a scene does. */
const names = ['date', 'id', 'uname', 'find', 'cut', 'tail', 'head', 'wc', 'tr', 'grep', 'rm', 'tee', 'sh'];

/**
 * Words before a shell that give it a PATH with the tools that every system has, and these besides: programs by their
 * text.
 */
export async function placeTools(
  scene: Scene,
  programs: Readonly<Record<string, string>>,
): Promise<readonly string[]> {
  const directory = join(scene.scratch, 'tools');
  await mkdir(directory);
  for (const name of names) {
    if (name in programs) continue;
    const real = execFileSync('sh', ['-c', 'command -v "$1"', 'sh', name], { encoding: 'utf8' }).trim();
    await symlink(real, join(directory, name));
  }
  for (const [name, text] of Object.entries(programs))
    await writeFile(join(directory, name), text, { mode: 0o700 });
  // The shell itself is found before.
  return ['sh', '-c', 'shell=$(command -v "$1") && shift && PATH=$0 exec "$shell" "$@"', directory];
}
