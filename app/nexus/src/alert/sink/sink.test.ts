import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silent } from '../testing/sink.ts';
import { CommandSink } from './command.ts';
import { FileSink } from './file.ts';
import { LogSink } from './log.ts';
import type { SinkAlert } from './sink.ts';
import { isWebhookUrl, parseCommand, Sinks } from './sinks.ts';
import { WebhookSink } from './webhook.ts';

const alert: SinkAlert = {
  id: 1,
  kind: 'token_misuse',
  severity: 'critical',
  subject: 'spiffe://spike.ist/x',
  message: 'a token was shown by another',
  advice: 'look',
  detail: {},
  count: 1,
  firstAt: '2027-01-15T08:00:00.000Z',
  lastAt: '2027-01-15T08:00:00.000Z',
  instance: 'i',
};
const secret = Buffer.from('0123456789abcdef0123456789abcdef');

async function scratch() {
  const path = await mkdtemp(join(tmpdir(), 'spike-sink-'));
  return { path, [Symbol.asyncDispose]: async () => await rm(path, { recursive: true }) };
}

interface Received {
  readonly signature: string;
  readonly body: string;
}

/** Answers with these statuses, one after the other, then with 200; `undefined` never answers. */
async function receive(statuses: (number | undefined)[] = []) {
  const received: Received[] = [];
  const server: Server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      received.push({ signature: String(request.headers['spike-signature']), body });
      const status = statuses.length > 0 ? statuses.shift() : 200;
      if (status !== undefined) response.writeHead(status, { Location: '/elsewhere' }).end('noted');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    received,
    url: new URL(`http://127.0.0.1:${port}/hook`),
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

const states = () => {
  const told: (string | undefined)[] = [];
  return { told, onState: (_: string, problem: string | undefined) => void told.push(problem) };
};

test('the webhook signs the body together with the time', async () => {
  await using receiver = await receive();
  const now = () => 1_800_000_000_999;
  await using sink = new WebhookSink({ url: receiver.url, secret, now, ...states() });
  sink.alert(alert);
  sink.checkpoint('spike.ist/spike/i/n/1\n5\nroot\n\n— key sig\n');
  await sink.idle();
  for (const { signature, body } of receiver.received) {
    const hex = createHmac('sha256', secret).update(`1800000000.${body}`).digest('hex');
    assert.equal(signature, `t=1800000000,v1=${hex}`);
    const other = createHmac('sha256', secret).update(`1800000001.${body}`).digest('hex');
    assert.ok(!signature.includes(other), 'another time is another signature');
  }
  const [first, second] = receiver.received.map(({ body }) => JSON.parse(body) as Record<string, unknown>);
  assert.deepEqual(
    [first?.['type'], first?.['kind'], first?.['subject']],
    ['alert', 'token_misuse', alert.subject],
  );
  assert.deepEqual([second?.['type'], String(second?.['note']).slice(0, 9)], ['checkpoint', 'spike.ist']);
  assert.notEqual(first?.['delivery'], second?.['delivery']);
});

test('the webhook tries again what may pass, under the same delivery, and not what is refused', async () => {
  await using receiver = await receive([503, 429, 200, 400]);
  const { told, onState } = states();
  await using sink = new WebhookSink({ url: receiver.url, secret, retryMs: 1, onState });
  sink.alert(alert);
  await sink.idle();
  const deliveries = receiver.received.map(({ body }) => (JSON.parse(body) as { delivery: string }).delivery);
  assert.equal(deliveries.length, 3);
  assert.equal(new Set(deliveries).size, 1);
  assert.deepEqual(
    told,
    ['the webhook answers with 503', undefined],
    'told when it begins and when it is over',
  );
  sink.alert(alert);
  await sink.idle();
  assert.equal(receiver.received.length, 4, 'a refusal is final');
  assert.equal(told.at(-1), 'the webhook answers with 400');
});

test('the webhook follows nobody elsewhere, waits for nobody for ever, and forgets rather than grows', async () => {
  await using receiver = await receive([302, undefined]);
  const { told, onState } = states();
  await using sink = new WebhookSink({ url: receiver.url, secret, retryMs: 1, deadlineMs: 50, onState });
  sink.alert(alert);
  await sink.idle();
  assert.equal(told[0], 'the webhook cannot be reached');
  assert.equal(receiver.received.length, 3, 'a redirection, a silence, and then an answer');
  await using away = new WebhookSink({ url: new URL('http://127.0.0.1:1/'), secret, onState });
  for (let n = 0; n < 10_000; n++) away.alert(alert);
  assert.ok(away.waiting <= 201);
});

test('a webhook is HTTPS, or HTTP on this machine', () => {
  for (const url of [
    'https://alerts.example/x',
    'http://127.0.0.1:9/',
    'http://[::1]:9/',
    'http://localhost/',
  ])
    assert.ok(isWebhookUrl(new URL(url)), url);
  for (const url of [
    'http://alerts.example/',
    'http://127.0.0.1.example/',
    'ftp://127.0.0.1/',
    'https://u:p@x/',
  ])
    assert.ok(!isWebhookUrl(new URL(url)), url);
});

test('the secret of the webhook comes from a file that is ours alone', async () => {
  await using directory = await scratch();
  const path = join(directory.path, 'secret');
  const open = async () =>
    await Sinks.open(
      { file: undefined, webhook: { url: new URL('https://x/'), secretFile: path }, command: undefined },
      silent,
    );
  await assert.rejects(open(), /there is no/);
  await writeFile(path, `${secret.toString()}\n`, { mode: 0o600 });
  await (await open())[Symbol.asyncDispose]();
  await chmod(path, 0o640);
  await assert.rejects(open(), /may be read or written by others/);
  await chmod(path, 0o600);
  await writeFile(path, 'short\n');
  await assert.rejects(open(), /fewer than 16 bytes/);
});

test('the file gets one line for each, is ours alone, and makes room', async () => {
  await using directory = await scratch();
  const path = join(directory.path, 'alerts.jsonl');
  const { told, onState } = states();
  await using sink = new FileSink({ path, mostBytes: 1_000, onState });
  for (let n = 0; n < 5; n++) sink.alert({ ...alert, id: n });
  sink.checkpoint('note\n');
  await sink.idle();
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  const lines = [await readFile(`${path}.1`, 'utf8'), await readFile(path, 'utf8')]
    .join('')
    .trim()
    .split('\n');
  const types = lines.map((line) => (JSON.parse(line) as { type: string }).type);
  assert.deepEqual(types.at(-1), 'checkpoint');
  assert.deepEqual(told, []);
  await chmod(path, 0o666);
  sink.alert(alert);
  while (told.length === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.match(told[0] ?? '', /belongs to others/);
});

test('the command gets the alert on standard input, no shell, and none of our environment', async () => {
  await using directory = await scratch();
  const out = join(directory.path, 'out');
  const { told, onState } = states();
  const script = 'cat > "$1"; env >> "$1"; echo "$2" >> "$1"';
  const argv = ['/bin/sh', '-c', script, 'sh', out, '$(id); `id`'] as const;
  await using sink = new CommandSink({ argv: [...argv], onState });
  sink.alert(alert);
  await sink.idle();
  const text = await readFile(out, 'utf8');
  assert.equal((JSON.parse(text.split('\n')[0] ?? '') as { kind: string }).kind, 'token_misuse');
  assert.ok(text.endsWith('$(id); `id`\n'));
  assert.ok(!text.includes('HOME='));
  assert.deepEqual(told, []);
});

test('a command that fails, hangs or is not there is told of, and what it started ends with it', async () => {
  await using directory = await scratch();
  const pid = join(directory.path, 'pid');
  // What ends by itself has more time than a busy machine takes to start it.
  for (const [argv, problem, deadlineMs] of [
    [['/bin/false'], /ended with 1/, 60_000],
    [['/bin/sh', '-c', `sleep 60 & echo $! > ${pid}; wait`], /SIGKILL/, 2_000],
    [['/no/such/program'], /cannot be run/, 60_000],
  ] as const) {
    const told = Promise.withResolvers<string>();
    const onState = (_: string, found = '') => told.resolve(found);
    await using sink = new CommandSink({ argv: [...argv], onState, deadlineMs, retryMs: 1 });
    sink.alert(alert);
    assert.match(await told.promise, problem);
  }
  const child = Number(await readFile(pid, 'utf8'));
  const look = async () => await readFile(`/proc/${child}/stat`, 'utf8').catch(() => 'gone');
  while (!/gone| Z /.test(await look())) await new Promise((resolve) => setImmediate(resolve));
});

test('a command is an absolute path, alone or with arguments as JSON', () => {
  assert.deepEqual(parseCommand('/usr/bin/page'), ['/usr/bin/page']);
  assert.deepEqual(parseCommand('["/usr/bin/page","a b"]'), ['/usr/bin/page', 'a b']);
  for (const text of ['page', 'sh -c x', '[]', '["page"]', '["/x",1]', '{"a":1}', '["/x"'])
    assert.equal(parseCommand(text), undefined, text);
});

test('the log gets no more than what happened', () => {
  const lines: object[] = [];
  const log = {
    ...silent,
    error: (event: string, fields: object = {}) => void lines.push({ event, ...fields }),
  };
  new LogSink(log).alert({ ...alert, detail: { x: 'y' } });
  assert.deepEqual(lines, [
    {
      event: 'alert',
      kind: 'token_misuse',
      severity: 'critical',
      message: 'a token was shown by another',
      count: 1,
      id: 1,
    },
  ]);
});
