import { once } from 'node:events';
import { suite, test } from 'node:test';
import assert from 'node:assert/strict';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { nexusTable, rolePaths, type NexusTable } from '@spike/contract';
import { SpikeError } from '@spike/error';
import {
  authorizeAny,
  CertificateAuthority,
  openPool,
  type PoolRequest,
  type TlsPool,
  type TlsServer,
  TrustDomain,
  X509Bundle,
  X509BundleSet,
  type X509Svid,
} from '@spike/spiffe';
import { StaticSource, TestCertificate, TestDomain } from '@spike/spiffe/testing';
import { createRefusalLog, fitLimits, listen, type ListenOptions } from './listen.ts';
import { createFakeLog } from './testing/port.ts';
import { samplePath } from './testing/sample.ts';
import { Stage } from './testing/stage.ts';
import { TestSource } from './testing/world.ts';

const timeoutMs = 2000;

/** A server on a real socket, and a superuser's pool of connections to it. */
class Rig implements AsyncDisposable {
  readonly stage = Stage.ofNexus();
  readonly svid: X509Svid = this.stage.world.svid(rolePaths.superuser);
  readonly pool: TlsPool = openPool({
    source: this.stage.world.source(rolePaths.superuser),
    authorize: authorizeAny(),
  });
  #server: TlsServer | undefined;

  static async open(putDeadlineMs = 10_000, limits: ListenOptions<NexusTable>['limits'] = {}): Promise<Rig> {
    const rig = new Rig();
    const { putSecret } = nexusTable;
    const table = {
      ...nexusTable,
      putSecret: {
        ...putSecret,
        limits: { ...putSecret.limits, requestBytes: 2 ** 20, deadlineMs: putDeadlineMs },
      },
    };
    rig.#server = await listen(
      {
        ...rig.stage.options,
        table,
        source: rig.stage.world.source('/spike/nexus'),
        authorize: authorizeAny(),
        host: '127.0.0.1',
        port: 0,
        limits,
      },
      AbortSignal.timeout(timeoutMs),
    );
    return rig;
  }

  get server(): TlsServer {
    assert.ok(this.#server);
    return this.#server;
  }

  post(path: string, body: string, options: Partial<PoolRequest> = {}) {
    return this.pool.request({ method: 'POST', url: this.server.url + path, body, timeoutMs, ...options });
  }

  /** A connection to write anything into. */
  async raw(svid = this.svid): Promise<TLSSocket> {
    const { cert, key } = pemOf(svid);
    const socket = connectTls({ ...this.server.address, cert, key, rejectUnauthorized: false });
    socket.on('error', () => undefined);
    await once(socket, 'secureConnect');
    return socket;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.pool[Symbol.dispose]();
    await this.#server?.[Symbol.asyncDispose]();
  }
}

function pemOf(svid: X509Svid): { cert: string; key: string } {
  const { cert, key } = svid.toPem();
  return { cert, key };
}

/** All that comes until the far side ends the connection. */
async function readAll(socket: TLSSocket): Promise<string> {
  let text = '';
  socket.on('data', (part: Buffer) => (text += part.toString()));
  await once(socket, 'close');
  return text;
}

const head = (length: string): string => `POST /v1/store/secrets HTTP/1.1\r\nHost: x\r\n${length}\r\n\r\n`;

void suite('a server on a socket', () => {
  void test('answers with the headers of the original, 200 alone for success', async () => {
    await using rig = await Rig.open();
    const { status, headers, body } = await rig.post(
      '/v1/store/secrets?action=get',
      `{"path":"${samplePath}"}`,
    );
    assert.equal(status, 200);
    assert.equal(body.toString(), '{"data":{"user":"app"},"version":1}');
    assert.equal(headers['content-type'], 'application/json');
    assert.equal(headers['cache-control'], 'no-store, no-cache, must-revalidate, private');
    assert.deepEqual([headers.pragma, headers.expires], ['no-cache', '0']);
    const [record] = rig.stage.audit.records;
    assert.equal(record?.remoteAddress, '127.0.0.1');
    assert.ok((record?.remotePort ?? 0) > 1);
  });

  for (const method of ['GET', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
    void test(`${method} is 400, also before it is ready`, async () => {
      await using rig = await Rig.open();
      rig.stage.gate.refusal = new Error('not ready');
      const { status, body } = await rig.post('/v1/store/secrets', '', { method });
      assert.equal(status, 400);
      assert.match(body.toString(), /^\{"err":"api_bad_request","trail":"[0-9a-f]{32}"/);
    });
  }

  void test('takes the first action of the query and the exact path', async () => {
    await using rig = await Rig.open();
    const ask = async (url: string) => (await rig.post(url, `{"path":"a"}`)).status;
    assert.equal(await ask('/v1/store/secrets?action=get&action=nothing'), 200);
    assert.equal(await ask('/v1/store/secrets?x=1&action=get'), 200);
    assert.equal(await ask('/v1/store/secrets?action=nothing&action=get'), 400);
    assert.equal(await ask('/v1/store/secrets/?action=get'), 400);
    assert.equal(await ask('/v1/store/secrets?action=GET'), 400);
  });

  void test('takes a body in chunks, and refuses one that grows too large while others are served', async () => {
    await using rig = await Rig.open();
    const socket = await rig.raw();
    socket.write(`${head('Transfer-Encoding: chunked')}100000\r\n`);
    const reading = readAll(socket);
    socket.write(Buffer.alloc(0x100000, ' '));
    socket.write('\r\n100000\r\n');
    socket.write(Buffer.alloc(1000, ' '));
    assert.equal((await rig.post('/v1/store/secrets?action=get', '{"path":"a"}')).status, 200);
    assert.match(await reading, /^HTTP\/1\.1 413 [^]*\r\nConnection: close\r\n[^]*api_payload_too_large/);
  });

  void test('refuses a large body by its announcement, without waiting for it', async () => {
    await using rig = await Rig.open();
    const socket = await rig.raw();
    socket.write(head('Content-Length: 100000000'));
    assert.match(await readAll(socket), /^HTTP\/1\.1 413 /);
    assert.equal(rig.stage.calls.length, 0);
  });

  void test('gives a body its deadline, and says so', async () => {
    await using rig = await Rig.open(150);
    const socket = await rig.raw();
    socket.write(`${head('Content-Length: 100')}{"path"`);
    assert.match(await readAll(socket), /^HTTP\/1\.1 400 [^]*the body did not arrive in time/);
  });

  void test('records a caller that leaves in the middle of its body, and goes on', async () => {
    await using rig = await Rig.open();
    const arrived = Promise.withResolvers<void>();
    rig.stage.gate.check = () => arrived.resolve();
    const recorded = Promise.withResolvers<string>();
    rig.stage.audit.append = ({ record }) => {
      recorded.resolve(record);
      return Promise.resolve();
    };
    const socket = await rig.raw();
    socket.write(`${head('Content-Length: 100')}{"path"`);
    await arrived.promise;
    socket.destroy();
    assert.match(await recorded.promise, /"outcome":"failed","code":"api_bad_request"/);
    assert.equal((await rig.post('/v1/store/secrets?action=get', '{"path":"a"}')).status, 200);
  });

  void test('does not take the rest of a refused body for the next request', async () => {
    await using rig = await Rig.open();
    const socket = await rig.raw();
    const smuggled = 'POST /v1/operator/status HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}';
    socket.write(head('Content-Length: 2000000') + smuggled);
    const answer = await readAll(socket);
    assert.equal(answer.split('HTTP/1.1').length, 2);
    assert.deepEqual(
      rig.stage.audit.records.map(({ action }) => action),
      ['secret.put'],
    );
  });

  void test('cuts the connection instead of answering when the identity was lost on the way', async () => {
    await using rig = await Rig.open();
    rig.stage.before = () => {
      rig.stage.gate.identityEpoch += 1;
    };
    await assert.rejects(rig.post('/v1/store/secrets', '{"path":"a"}'), { code: 'connection_lost' });
  });

  void test('answers requests that are pipelined in their order', async () => {
    await using rig = await Rig.open();
    const socket = await rig.raw();
    const body = '{"path":"a"}';
    const one = (action: string, last: boolean): string =>
      `POST /v1/store/secrets?action=${action} HTTP/1.1\r\nHost: x\r\n${last ? 'Connection: close\r\n' : ''}Content-Length: ${body.length}\r\n\r\n${body}`;
    socket.write(one('get', false) + one('nothing', true));
    const statuses = [...(await readAll(socket)).matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);
    assert.deepEqual(statuses, ['200', '400']);
  });
});

/** What the audit and the log tell of a request that never got to a route. */
function assertRecorded(stage: Stage, code: string, route: string): void {
  const [record, ...others] = stage.audit.records;
  assert.deepEqual([record?.outcome, record?.code, record?.route, others.length], ['failed', code, route, 0]);
  assert.match(record?.spiffeId ?? '', /^spiffe:/);
  assert.equal(stage.calls.length, 0);
}

void suite('what is no request of HTTP/1.1', () => {
  const put = 'POST /v1/store/secrets HTTP/1.1\r\n';
  const cases: Readonly<
    Record<string, readonly [text: string, status: number, code: string, route: string]>
  > = {
    'two framings': [
      `${put}Host: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}`,
      400,
      'api_bad_request',
      '',
    ],
    'headers that are too large': [
      `${put}Host: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
      431,
      'api_payload_too_large',
      '',
    ],
    'no host': [`${put}Content-Length: 2\r\n\r\n{}`, 400, 'api_bad_request', '/v1/store/secrets'],
    'an unknown expectation': [
      `${put}Host: x\r\nExpect: gold\r\nContent-Length: 2\r\n\r\n{}`,
      400,
      'api_bad_request',
      '/v1/store/secrets',
    ],
  };
  for (const [why, [text, status, code, route]] of Object.entries(cases)) {
    void test(`${why}: one answer with a trail, one record with the peer, and the end`, async () => {
      await using rig = await Rig.open();
      const socket = await rig.raw();
      socket.write(text);
      const answer = await readAll(socket);
      assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `));
      const body = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n'))) as { err: string; trail: string };
      assert.equal(body.err, code);
      assertRecorded(rig.stage, code, route);
      assert.equal(rig.stage.audit.records[0]?.trail, body.trail);
      assert.equal((await rig.post('/v1/store/secrets', '{"path":"a"}')).status, 200);
    });
  }

  void test('chunks that break off in the middle of a body are one failed request, and never handled', async () => {
    await using rig = await Rig.open();
    const socket = await rig.raw();
    const appended = Promise.withResolvers<void>();
    const { audit } = rig.stage;
    const append = audit.append.bind(audit);
    audit.append = async (...args) => append(...args).finally(() => appended.resolve());
    socket.write(`${put}Host: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{"a"zz\r\n`);
    assert.match(await readAll(socket), /^HTTP\/1\.1 400 /);
    await appended.promise;
    assertRecorded(rig.stage, 'api_bad_request', '/v1/store/secrets');
  });
});

void test('a peer with too many connections at work is told so with a record, and a superuser is served', async () => {
  await using rig = await Rig.open(10_000, { maxConnections: 1, reserved: 1 });
  const workload = rig.stage.world.svid('/workload');
  const busy = await rig.raw(workload);
  busy.write(`${head('Content-Length: 20')}{"path"`);
  const asked = Promise.withResolvers<void>();
  rig.stage.gate.check = () => asked.resolve();
  await asked.promise;
  const crowded = await rig.raw(rig.stage.world.svid('/other'));
  crowded.write(`${head('Content-Length: 2')}{}`);
  assert.match(await readAll(crowded), /^HTTP\/1\.1 429 [^]*Retry-After: 1[^]*"err":"limit_exceeded"/);
  assert.equal((await rig.post('/v1/store/secrets', '{"path":"a"}')).status, 200);
  assert.deepEqual(
    rig.stage.audit.records.map(({ spiffeId, code }) => [spiffeId, code]),
    [
      ['spiffe://spike.ist/other', 'limit_exceeded'],
      ['spiffe://spike.ist/spike/pilot/role/superuser', ''],
    ],
  );
  busy.destroy();
});

void test('what was too much is told when to come again, in whole seconds', async () => {
  await using rig = await Rig.open();
  for (const [retryAfterMs, header] of [
    [1, '1'],
    [1_001, '2'],
    [60_000, '60'],
  ] as const) {
    rig.stage.before = () => {
      throw new SpikeError('limit_exceeded', 'too many', { detail: { retryAfterMs } });
    };
    const { status, headers } = await rig.post('/v1/store/secrets', '{"path":"a","values":{"k":"v"}}');
    assert.deepEqual([status, headers['retry-after']], [429, header]);
  }
});

void test('a body that comes byte by byte is put together again', async () => {
  await using rig = await Rig.open();
  const socket = await rig.raw();
  const value = Array.from({ length: 1000 }, (_, index) => index).join('-');
  socket.write(`${head('Transfer-Encoding: chunked\r\nConnection: close')}`);
  for (const letter of `{"path":"a","values":{"k":"${value}"}}`) socket.write(`1\r\n${letter}\r\n`);
  socket.write('0\r\n\r\n');
  assert.match(await readAll(socket), /^HTTP\/1\.1 200 /);
  assert.match(JSON.stringify(rig.stage.calls[0]?.input), new RegExp(`"${value}"`));
});

void test('strangers fill no log: one line in a second, with the number of the others', () => {
  const { log, lines } = createFakeLog();
  let now = 0;
  const refused = createRefusalLog(log, () => now);
  const refusal = { code: 'peer_refused', message: 'no', remoteAddress: '127.0.0.1' } as const;
  for (let i = 0; i < 1000; i++) refused(refusal);
  now = 1001;
  refused(refusal);
  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as { unsaid: number }).unsaid),
    [0, 999],
  );
});

void test('a partner whose authorities have no room in a handshake is named in the log', async () => {
  const stage = Stage.ofNexus();
  const trustDomain = TrustDomain.parse('large.test');
  const authorities = Array.from(
    { length: 60 },
    () => CertificateAuthority.create({ trustDomain }).certificate,
  );
  const bundles = X509BundleSet.of(...stage.world.bundles, X509Bundle.of(trustDomain, authorities));
  const source = new TestSource({ svid: stage.world.svid('/spike/nexus'), bundles });
  const options = { ...stage.options, source, authorize: authorizeAny(), host: '127.0.0.1', port: 0 };
  await using _server = await listen(options, AbortSignal.timeout(timeoutMs));
  assert.match(stage.log.lines.join(''), /"federation\.omitted".*"large\.test"/);
});

void test('the log says what to do when the names of our own authorities have no room in a handshake, and when they have', async () => {
  const stage = Stage.ofNexus();
  const domain = new TestDomain('spike.ist');
  const { privateKey } = TestCertificate.root();
  const many = Array.from({ length: 30 }, (_, index) =>
    TestCertificate.root({ subject: `${index} ${'x'.repeat(1500)}`, privateKey }),
  );
  const svid = domain.issue('/spike/nexus');
  const source = new StaticSource(svid, TestCertificate.root().bundles('spike.ist', ...many));
  const options = { ...stage.options, source, authorize: authorizeAny(), host: '127.0.0.1', port: 0 };
  await using _server = await listen(options, AbortSignal.timeout(timeoutMs));
  const told = (): unknown[] =>
    stage.log.lines
      .splice(0)
      .map((line) => JSON.parse(line) as { level: string; event: string; message?: string })
      .map(({ level, event, message = '' }) => [level, event, /keep fewer .* shorter names/.test(message)]);
  assert.deepEqual(told(), [['warn', 'bundle.unlisted', true]]);
  source.set(svid, domain.bundles);
  assert.deepEqual(told(), [['info', 'bundle.listed', false]]);
});

void test('there are no more connections than files for them', () => {
  const limits = {
    handshakeMs: 1,
    headerMs: 1,
    requestMs: 1,
    idleMs: 1,
    maxConnections: 10_000,
    maxHeaderBytes: 1,
  };
  assert.equal(fitLimits(limits), limits);
  assert.equal(fitLimits(limits, 20_000), limits);
  assert.equal(fitLimits(limits, 1024).maxConnections, 614);
  assert.equal(fitLimits(limits, 100).maxConnections, 16);
});
