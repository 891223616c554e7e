import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { known, learn } from './known/known.ts';
import { openScratch, System, until } from './system.ts';

interface ShownAlert {
  readonly id: number;
  readonly kind: string;
  readonly subject: string;
  readonly acknowledged?: { readonly by: string };
}

const secret = 'a secret of the webhook, 32 long';
const received: { readonly signature: string; readonly body: string }[] = [];
const stack = new AsyncDisposableStack();
let system: System;
let scratch: string;

before(async () => {
  scratch = stack.use(await openScratch()).path;
  await writeFile(join(scratch, 'secret'), secret, { mode: 0o600 });
  learn('value', secret);
  const receiver = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      received.push({ signature: String(request.headers['spike-signature']), body });
      response.end();
    });
  });
  stack.defer(() => receiver.close().closeAllConnections());
  receiver.listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  const script = `cat >> ${join(scratch, 'command.jsonl')}`;
  system = stack.use(
    await System.start({
      args: ['--verbose'],
      env: {
        SPIKE_NEXUS_ALERT_FILE: join(scratch, 'alerts.jsonl'),
        SPIKE_NEXUS_ALERT_WEBHOOK_URL: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`,
        SPIKE_NEXUS_ALERT_WEBHOOK_SECRET_FILE: join(scratch, 'secret'),
        SPIKE_NEXUS_ALERT_COMMAND: JSON.stringify(['/bin/sh', '-c', script]),
        SPIKE_NEXUS_METRICS_PORT: '127.0.0.1:0',
      },
    }),
  );
});

after(async () => await stack.disposeAsync());

const policy = ['--path-pattern', 'tenants/acme/.*', '--spiffeid-pattern', 'spiffe://spike.ist/workload/app'];

async function listAlerts(...args: readonly string[]): Promise<readonly ShownAlert[]> {
  const { alerts } = JSON.parse(await system.mustSpike(['alert', 'list', '-f', 'json', ...args])) as {
    alerts: ShownAlert[];
  };
  return alerts;
}

test('what Nexus notices goes to every sink, and is listed, shown and acknowledged by name', async () => {
  await system.mustSpike(['policy', 'create', '--name', 'app', ...policy, '--permissions', 'read']);
  await system.mustSpike(['policy', 'apply', '--name', 'app', ...policy, '--permissions', 'read,write']);
  const alerts = await listAlerts();
  const kinds = alerts.map(({ kind }) => kind).toSorted();
  // The launcher has fetched the recovery shares of the new system.
  assert.deepEqual(kinds, ['policy_widened', 'recovery_shards_issued']);
  const widened = alerts.find(({ kind }) => kind === 'policy_widened');
  assert(widened !== undefined);
  assert.equal(widened.subject, 'app');
  const shown = await system.mustSpike(['alert', 'show', String(widened.id)]);
  assert.match(shown, /^What: +.*it gives write, too$/m);
  assert.match(shown, /^Times: +2$/m);
  assert.match(shown, /^What to do: +\S/m);
  await system.mustSpike(['alert', 'ack', String(widened.id)]);
  assert.deepEqual(
    (await listAlerts()).map(({ kind }) => kind),
    ['recovery_shards_issued'],
  );
  const kept = (await listAlerts('--all')).find(({ id }) => id === widened.id);
  assert.match(kept?.acknowledged?.by ?? '', /superuser$/);
  const unknown = await system.spike(['alert', 'show', '999']);
  assert.equal(unknown.code, 3, unknown.stderr);

  const told = (text: string): boolean => text.includes('"kind":"policy_widened"');
  await until('the webhook has it', () => received.some(({ body }) => told(body)));
  for (const { signature, body } of received) {
    assert.deepEqual(known.find(body), []);
    const [, seconds = '', hex = ''] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(signature) ?? [];
    assert.equal(hex, createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex'));
  }
  const fileOf = (name: string) => readFile(join(scratch, name), 'utf8').catch(() => '');
  await until('the file has it', async () => told(await fileOf('alerts.jsonl')));
  await until('the command has it', async () => told(await fileOf('command.jsonl')));
  assert.equal((await stat(join(scratch, 'alerts.jsonl'))).mode & 0o777, 0o600);
  assert.match(system.output, /"event":"alert","kind":"policy_widened"/);
});

test('the history begins with the bootstrapping, and goes on after a restart of Nexus', async () => {
  const kinds = async (): Promise<readonly string[]> =>
    (JSON.parse(await system.mustSpike(['status', '--history', '-f', 'json'])) as { kind: string }[]).map(
      ({ kind }) => kind,
    );
  assert.deepEqual(await kinds(), ['recovery_issued', 'auth_mode', 'bootstrapped']);
  const [pid = 0] = await system.pidsOf('nexus');
  process.kill(pid, 'SIGKILL');
  await until('it is another process', async () => (await system.pidsOf('nexus')).some((one) => one !== pid));
  await system.ready();
  assert.deepEqual(await kinds(), ['unlocked', 'recovery_issued', 'auth_mode', 'bootstrapped']);
  assert.match(await system.mustSpike(['status', '--history']), /bootstrapped +a root key and an instance/);
  assert.equal((await listAlerts('--all')).length, 2, 'alerts outlive it, too');
});

test('the doctor looks at machine and system, and says how to mend what is wrong', async () => {
  const well = await system.spike(['doctor', '-f', 'json']);
  const { findings } = JSON.parse(well.stdout) as {
    findings: { check: string; outcome: string; says: string; mend?: string }[];
  };
  const outcomeOf = (check: string) => findings.find((finding) => finding.check === check)?.outcome;
  for (const check of [
    'node',
    'core dumps',
    'context',
    'files',
    'ports',
    'identity',
    'nexus',
    'clock',
    'keepers',
  ])
    assert.equal(outcomeOf(check), 'ok', `${check}: ${well.stdout}`);
  assert.equal(outcomeOf('second layer'), 'note', 'it is off here');
  assert.equal(outcomeOf('alerts'), 'note');
  for (const { outcome, mend = '' } of findings) assert.equal(mend !== '', outcome !== 'ok');
  const lost = await system.spike(['doctor'], {
    env: { SPIFFE_ENDPOINT_SOCKET: 'unix:///nowhere/agent.sock', SPIKE_HOME: join(scratch, 'no-home') },
  });
  assert.equal(lost.code, 1, lost.stdout);
  assert.match(lost.stdout, /^bad +identity +no SPIFFE agent answers/m);
});

test('Prometheus reads figures, and no path, SPIFFE ID or name is among them', async () => {
  await system.mustSpike(['secret', 'put', 'tenants/acme/db', 'pass=1']);
  await system.mustSpike(['secret', 'get', 'tenants/acme/db']);
  const url = /"event":"nexus.serving".*?"metrics":"([^"]+)"/.exec(
    system.output.split('\n').findLast((line) => line.includes('nexus.serving')) ?? '',
  )?.[1];
  assert(url !== undefined);
  const text = await (await fetch(`${url}/metrics`)).text();
  for (const line of [
    /^spike_nexus_request_duration_seconds_count\{route="secret.get",outcome="ok"\} [1-9]/m,
    /^spike_nexus_ready 1$/m,
    /^spike_nexus_keepers_holding 3$/m,
    /^spike_nexus_alerts_open\{severity="critical"\} 1$/m,
    /^spike_nexus_alerts_total\{kind="login_failures",severity="warning"\} 0$/m,
    /^spike_nexus_store_bytes [1-9]/m,
    /^spike_nexus_commit_duration_seconds_count [1-9]/m,
    /^spike_nexus_audit_records [1-9]/m,
    /^nodejs_eventloop_lag_p99_seconds /m,
    /^process_resident_memory_bytes [1-9]/m,
  ])
    assert.match(text, line);
  assert.doesNotMatch(text, /tenants|spiffe:|acme|superuser/);
  assert.equal((await fetch(`${url}/health/ready`)).status, 400, 'nothing else is there');
});
