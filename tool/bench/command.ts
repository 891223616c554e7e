import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { executableOf } from '../../test/executable.ts';
import { repository, System } from '../../test/system.ts';
import { quantile, type Figure } from './figure.ts';

const times = 10;
const mostMs = 30_000;
/** An executable that finds one of these starts twice, to be without it; few people have them. */
const dropped = /^(?:NODE_|SSL_CERT_)/;

/** L9: how long a person waits for the command, from its source and as an executable. */
export async function measureCommand(): Promise<readonly Figure[]> {
  await using system = await System.start({ args: ['--keeper-probe', '5s'] });
  await system.mustSpike(['secret', 'put', 'bench/command', 'value=v']);
  const env = {
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !dropped.test(name))),
    SPIKE_HOME: system.home.root,
  };
  const cached = { ...env, NODE_COMPILE_CACHE: join(repository, 'node_modules', '.cache', 'compile') };
  const main = join(repository, 'app', 'pilot', 'src', 'main.ts');
  const bin = join(repository, 'bin', 'spike.mjs');
  const executable = await executableOf('spike');
  const onPath = spawnSync('node', ['--version'], { env }).stdout.toString().trim();
  const ways = [
    ['node app/pilot/src/main.ts', cached, process.execPath, [...process.execArgv, main]],
    ['bin/spike.mjs', cached, process.execPath, [bin]],
    ['dist/spike', env, executable, []],
    ...(onPath === '' || onPath === process.version
      ? []
      : [[`bin/spike.mjs started by Node ${onPath}`, cached, 'node', [bin]] as const]),
  ] as const;
  const commands = [
    ['--version', ['--version'], 90],
    ['secret get', ['secret', 'get', 'bench/command', 'value'], 250],
  ] as const;
  const figures: Figure[] = [];
  for (const [name, args, goalMs] of commands) {
    for (const [way, known, program, before] of ways) {
      const wall = Array.from({ length: times }, () => runTimed(program, [...before, ...args], known));
      const what = `spike ${name}, ${way}`;
      const goal = { kind: 'at most', value: goalMs } as const;
      figures.push(
        { bench: 'L9', what: `${what}: median of ${times}`, value: quantile(wall, 0.5), unit: 'ms', goal },
        { bench: 'L9', what: `${what}: least of ${times}`, value: Math.min(...wall), unit: 'ms' },
      );
    }
  }
  return figures;
}

function runTimed(program: string, args: readonly string[], env: NodeJS.ProcessEnv): number {
  const started = performance.now();
  const { status, stderr } = spawnSync(program, args, { env, cwd: repository, timeout: mostMs });
  if (status !== 0) throw new Error(`${args.join(' ')} ended with ${status}: ${stderr.toString()}`);
  return performance.now() - started;
}
