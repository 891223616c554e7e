import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { rolePaths } from '@spike/contract';
import { argon2id, defaultCost, type Argon2 } from '../../app/nexus/src/admin/password-hash.ts';
import {
  Stage as AccessStage,
  hour,
  minute,
  passwords,
  root,
} from '../../app/nexus/src/admin/testing/stage.ts';
import { initialize, startGuarded } from '../../test/admin.ts';
import { quantile, type Figure, type Goal } from './figure.ts';
import type { FloodResult, FloodSpec } from './login-flood.ts';
import { spawnProgram, Stage } from './stage.ts';

const outcomes = ['unknown user', 'wrong password', 'locked', 'right password'] as const;
type Outcome = (typeof outcomes)[number];

/** Milliseconds of one login. */
interface Sample {
  readonly wallMs: number;
  /** Of this process, in all of its threads. */
  readonly cpuMs: number;
}

const roundsPerSecond = 8;
const getRate = 500;
/** From the start of the logins to their end, on a machine that may be busy. */
const floodMs = 120_000;
const logins = 1_000;
/** As many as it takes for the queue of hashes to be what refuses them, and not the limit of one ID. */
const identities = 40;
const figure = (what: string, value: number, unit: string, goal?: Goal): Figure => ({
  bench: 'LOGIN',
  what,
  value,
  unit,
  ...(goal === undefined ? {} : { goal }),
});

/** What the time of a login tells about its outcome, and what logins that wait cost workloads. */
export async function measureLogin(seconds: number): Promise<readonly Figure[]> {
  return [...(await measureOutcomes(seconds * roundsPerSecond)), ...(await measureWaiting(seconds))];
}

/**
 * The second layer alone, over a store in memory, so that no network and no disk hides a difference. In each round one
 * login of each outcome, in a random order.
 */
async function measureOutcomes(rounds: number): Promise<readonly Figure[]> {
  let measured = false;
  const argon2: Argon2 = async (password, salt, cost) =>
    await argon2id(password, salt, measured ? cost : { ...cost, memory: 32, passes: 1, lanes: 1 });
  // With today's cost in every record, though what only prepares is hashed for nothing.
  await using stage = await AccessStage.open({ cost: defaultCost, argon2 });
  await stage.init('admin');
  const { administrators } = stage.layer;
  const manager = { name: 'admin', role: 'super_admin', tenant: undefined } as const;
  const position = { role: 'auditor', tenant: undefined, spiffeId: root } as const;
  measured = true;
  for (const name of ['known', 'locked']) {
    const { oneTimePassword } = await administrators.create(manager, { ...position, name }, stage.asked());
    await stage.login(name, oneTimePassword, { newPassword: passwords.second });
  }
  const logIn: Readonly<Record<Outcome, (round: number) => Promise<unknown>>> = {
    'unknown user': (round) => stage.login(`nobody-${round}`, passwords.third),
    'wrong password': () => stage.login('known', passwords.third),
    locked: () => stage.login('locked', passwords.second),
    'right password': () => stage.login('known', passwords.second),
  };
  const samples = Object.fromEntries(outcomes.map((outcome) => [outcome, [] as Sample[]]));
  for (let round = 0; round < rounds; round += 1) {
    // Nothing of the round before counts any more.
    stage.pass(hour);
    measured = false;
    for (let failure = 0; failure < 5; failure += 1) {
      await stage.login('locked', 'wrong').catch(() => undefined);
      stage.pass(minute / 2);
    }
    measured = true;
    for (const outcome of shuffle(outcomes)) samples[outcome]?.push(await take(() => logIn[outcome](round)));
  }
  const of = (outcome: Outcome, kind: keyof Sample): readonly number[] =>
    (samples[outcome] ?? []).map((sample) => sample[kind]);
  const goal = { kind: 'at most', value: 0.15 } as const;
  return [
    ...outcomes.flatMap((outcome) => [
      figure(`login, ${outcome}: CPU, median of ${rounds}`, quantile(of(outcome, 'cpuMs'), 0.5), 'ms'),
      figure(`login, ${outcome}: time, median`, quantile(of(outcome, 'wallMs'), 0.5), 'ms'),
      figure(`login, ${outcome}: time, p99`, quantile(of(outcome, 'wallMs'), 0.99), 'ms'),
    ]),
    ...(['unknown user', 'locked', 'right password'] as const).map((outcome) => {
      const told = Math.abs(shareAbove(of(outcome, 'wallMs'), of('wrong password', 'wallMs')) - 0.5);
      const what = `login, ${outcome} or wrong password by its time: better than a guess by`;
      // Whoever is let in knows that the password was right.
      return outcome === 'right password' ? figure(what, told, '') : figure(what, told, '', goal);
    }),
  ];
}

async function take(login: () => Promise<unknown>): Promise<Sample> {
  const before = process.cpuUsage();
  const started = performance.now();
  await login().catch(() => undefined);
  const wallMs = performance.now() - started;
  const { user, system } = process.cpuUsage(before);
  return { wallMs, cpuMs: (user + system) / 1_000 };
}

/** How likely one of the first is greater than one of the others (Mann-Whitney): 0.5 where nothing tells them apart. */
function shareAbove(first: readonly number[], others: readonly number[]): number {
  const wins = first.flatMap((one) => others.map((other) => (one > other ? 1 : one === other ? 0.5 : 0)));
  return wins.reduce((sum: number, win) => sum + win, 0) / wins.length;
}

function shuffle<Value>(values: readonly Value[]): readonly Value[] {
  return values
    .map((value) => ({ value, at: Math.random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ value }) => value);
}

/** Gets of a workload at a steady rate, without logins and while many wait. */
async function measureWaiting(seconds: number): Promise<readonly Figure[]> {
  await using system = await startGuarded({ args: ['--keeper-probe', '5s'] });
  await initialize(system);
  const { token } = JSON.parse(await readFile(system.home.tokenFile, 'utf8')) as { readonly token: string };
  await using stage = await Stage.open({ home: system.home.root, token });
  const load = { operation: 'get', connections: 8, fresh: false, seconds, rate: getRate } as const;
  const quiet = await stage.run(stage.nexus, load);
  const { adminSocket, endpointSocket: endpoint, trustDomain } = stage.context;
  const spec: FloodSpec = {
    adminSocket,
    endpoint,
    port: stage.nexus.port,
    logins,
    spiffeIds: Array.from(
      { length: identities },
      (_, index) => `spiffe://${trustDomain}${rolePaths.superuser}/flood-${index}`,
    ),
  };
  const child = spawnProgram('login-flood.ts', spec);
  const timer = setTimeout(() => child.kill('SIGKILL'), floodMs + seconds * 2_000);
  try {
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    if ((await lines.next()).done === true) throw new Error('the logins ended before they waited');
    const busy = await stage.run(stage.nexus, load);
    child.stdin.end();
    const last = await lines.next();
    if (last.done === true) throw new Error('the logins ended without a result');
    const counts = JSON.parse(last.value) as FloodResult;
    // It gives its identities back, to a system that still runs.
    if (child.exitCode === null) await once(child, 'exit');
    return [
      figure(`get at ${getRate}/s: p50`, quiet.p50Ms, 'ms'),
      figure(`get at ${getRate}/s: p99`, quiet.p99Ms, 'ms'),
      figure(`the same while ${logins} logins wait: rate`, busy.operations / busy.seconds, '/s'),
      figure('the same: p50', busy.p50Ms, 'ms'),
      figure('the same: p99', busy.p99Ms, 'ms'),
      figure('p99, while they wait : without them', busy.p99Ms / quiet.p99Ms, ''),
      figure('the same: server busy', busy.serverCpuSeconds / busy.seconds, 'cores'),
      figure('logins that were judged meanwhile', counts['401'] ?? 0, ''),
      figure('logins that were refused with 429 meanwhile', counts['429'] ?? 0, ''),
    ];
  } finally {
    clearTimeout(timer);
    child.stdin.end();
  }
}
