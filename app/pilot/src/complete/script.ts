import { readAsset } from '@spike/asset';

const scripts = {
  bash: new URL('./spike.bash', import.meta.url),
  zsh: new URL('./spike.zsh', import.meta.url),
  fish: new URL('./spike.fish', import.meta.url),
};

/** The script that a shell evaluates to complete the words of `spike`. */
export async function readScript(shell: keyof typeof scripts): Promise<string> {
  return await readAsset(scripts[shell]);
}
