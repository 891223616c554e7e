import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { describeContract } from '@spike/contract/openapi';
import { rolePaths } from '@spike/contract';
import { buildSchemathesis, type Schemathesis } from './interop/build.ts';
import { Parts } from './parts.ts';
import { Random } from './random.ts';

/*
 * The contract as OpenAPI, against running servers, by a program that knows the document and nothing else: made up
 * requests, good ones and bad ones, and every answer held against what the document says of it.
 */

const checks = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_schema_conformance',
  'negative_data_rejection',
  'stranger_is_refused',
];
const callers = { ...rolePaths, stranger: '/workload/app' };
/** Starting Python and reading the document come on top of what it is given. */
const slackMs = 120_000;

/** The same requests in each run, so that a change is judged by what it changed; another seed looks further. */
const random = new Random(Number(process.env['SPIKE_TEST_SEED'] ?? 635_495_707));
let schemathesis: Schemathesis;
let parts: Parts;
let folder: string;

before(async () => {
  schemathesis = await buildSchemathesis();
  parts = await Parts.bootstrapped();
  folder = join(parts.home, 'schemathesis');
  await mkdir(folder, { mode: 0o700 });
  await writeFile(join(folder, 'openapi.json'), JSON.stringify(describeContract('0.0.0')));
  for (const [name, path] of Object.entries(callers)) {
    const { svid, bundles } = (await parts.identity(path)).current();
    const { cert, key } = svid.toPem();
    await writeFile(join(folder, `${name}.pem`), `${cert}${key}`, { mode: 0o600 });
    await writeFile(join(folder, 'bundle.pem'), bundles.get(svid.id.trustDomain)?.toPem() ?? '');
  }
});
after(async () => {
  await parts[Symbol.asyncDispose]();
});

interface Run {
  readonly tag: 'Nexus' | 'Keeper';
  readonly url: string;
  readonly caller: keyof typeof callers;
  readonly seconds: number;
}

async function run(context: TestContext, { tag, url, caller, seconds }: Run): Promise<void> {
  const { python, start, hooks } = schemathesis;
  context.diagnostic(`SPIKE_TEST_SEED=${random.seed}`);
  const where = ['--url', url, '--tls-verify', join(folder, 'bundle.pem'), '--include-tag', tag];
  const what = ['--checks', checks.join(','), '--phases', 'coverage,fuzzing', '--continue-on-failure'];
  const bounds = ['--max-time', String(seconds), '--seed', String(random.seed), '--request-timeout', '20'];
  const args = [
    '--config-file',
    join(hooks, 'schemathesis.toml'),
    'run',
    join(folder, 'openapi.json'),
    ...where,
    ...what,
    ...bounds,
    '--warnings',
    'off',
    '--no-color',
  ];
  const child = spawn(python, [...start, ...args], {
    cwd: folder,
    env: {
      ...process.env,
      PYTHONPATH: hooks,
      PYTHONDONTWRITEBYTECODE: '1',
      SCHEMATHESIS_HOOKS: 'hooks',
      SPIKE_TEST_CERTIFICATES: folder,
      SPIKE_TEST_CALLER: caller,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: seconds * 1000 + slackMs,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject).once('close', resolve);
  });
  assert.equal(code, 0, output);
  const cases = /(\d+) generated, (\d+) passed/.exec(output);
  context.diagnostic(`${cases?.[0] ?? 'no'} requests`);
  // A run that reached nothing would pass as well.
  assert.ok(Number(cases?.[1]) > 50, output);
}

test('Nexus answers the superuser as the document says', async (context) => {
  await run(context, { tag: 'Nexus', url: parts.nexus.url, caller: 'superuser', seconds: 45 });
});

test('Nexus refuses a workload without rights as the document says', async (context) => {
  await run(context, { tag: 'Nexus', url: parts.nexus.url, caller: 'stranger', seconds: 15 });
});

test('a Keeper answers Nexus as the document says', async (context) => {
  // One of its own: shares that are made up must not come among those of the system. Python has no hybrid key exchange.
  const keeper = await parts.start('keeper', {
    SPIKE_KEEPER_TLS_PORT: '127.0.0.1:0',
    SPIKE_TLS_CLASSICAL: '1',
  });
  await run(context, { tag: 'Keeper', url: keeper.url, caller: 'nexus', seconds: 10 });
});
