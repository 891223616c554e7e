import assert from 'node:assert/strict';
import { createServer } from 'node:tls';
import { after, before, test } from 'node:test';
import { once } from 'node:events';
import { X509BundleSet } from '@spike/spiffe';
import { hostilePeers, TestCertificate } from '@spike/spiffe/testing';
import { RealPart, type Address } from './hostile/part.ts';
import { until } from './system.ts';
import { drip, flood, statusOf, talk, talkTcp, toRequest, type Ending } from './hostile/peer.ts';

const superuser = 'spiffe://spike.ist/spike/pilot/role/superuser';
const workload = 'spiffe://spike.ist/tenants/acme/web';
const nexusId = 'spiffe://spike.ist/spike/nexus';
const bootstrapId = 'spiffe://spike.ist/spike/bootstrap';
const keeperId = 'spiffe://spike.ist/spike/keeper';

const listSecrets = '/v1/store/secrets?action=list';
const getSecret = '/v1/store/secrets?action=get';
const keeperStatus = '/v1/store/status';

/** The servers' own limits (`listen`, the contract), and how late they may notice on a busy machine. */
const handshakeMs = 10_000;
const headerMs = 10_000;
const bodyMs = 10_000;
const slackMs = 6_000;

const root = TestCertificate.root();
const otherRoot = TestCertificate.root();
const bundles = X509BundleSet.of(...root.bundles('spike.ist'), ...otherRoot.bundles('other.ist'));

let nexus: RealPart;
let keeper: RealPart;
before(async () => {
  [nexus, keeper] = await Promise.all([
    RealPart.start({
      app: 'nexus',
      certificate: root.leaf(nexusId),
      bundles,
      env: {
        SPIKE_NEXUS_BACKEND_STORE: 'memory',
        SPIKE_NEXUS_TLS_PORT: '127.0.0.1:0',
        SPIKE_NEXUS_HEALTH_PORT: '127.0.0.1:0',
      },
    }),
    RealPart.start({
      app: 'keeper',
      certificate: root.leaf(keeperId),
      bundles,
      env: { SPIKE_KEEPER_TLS_PORT: '127.0.0.1:0' },
    }),
  ]);
});
after(async () => {
  await nexus[Symbol.asyncDispose]();
  await keeper[Symbol.asyncDispose]();
});

async function ask(address: Address, leaf: TestCertificate, path: string): Promise<Ending> {
  return await talk(address, leaf.toPem(), (socket) => socket.write(toRequest({ path })));
}

/** It was refused before HTTP: nothing was answered, and no request was recorded. */
async function assertRefused(part: RealPart, why: string, act: () => Promise<Ending>): Promise<void> {
  const before = await part.requests();
  const { text } = await act();
  assert.equal(text, '', why);
  assert.equal(await part.requests(), before, why);
  part.assertAlive();
}

const good = root.leaf(superuser);

/** A superuser who asks again and again, on a new connection each time, for as long as something else goes on. */
function keepAsking(): AsyncDisposable {
  const stop = new AbortController();
  let slowest = 0;
  const asking = (async () => {
    let served = 0;
    do {
      const answer = await ask(nexus.address, good, listSecrets);
      assert.equal(statusOf(answer), 200, `a good client was refused: ${answer.error}${answer.text}`);
      slowest = Math.max(slowest, answer.ms);
      served += 1;
    } while (!stop.signal.aborted);
    return served;
  })();
  // Whoever disposes of it hears of it.
  asking.catch(() => undefined);
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      assert.ok((await asking) > 0);
      assert.ok(slowest < 3_000, `a good client waited ${slowest} ms`);
    },
  };
}

test('Nexus serves a good client, and a Keeper serves Nexus and Bootstrap', async () => {
  assert.equal(statusOf(await ask(nexus.address, good, listSecrets)), 200);
  assert.equal(statusOf(await ask(nexus.address, root.leaf(workload), listSecrets)), 401);
  assert.equal(statusOf(await ask(nexus.address, otherRoot.leaf('spiffe://other.ist/w'), listSecrets)), 401);
  assert.equal(statusOf(await ask(keeper.address, root.leaf(nexusId), keeperStatus)), 200);
  assert.equal(statusOf(await ask(keeper.address, root.leaf(bootstrapId), keeperStatus)), 401);
  // What the other tests count is there to be counted.
  assert.deepEqual([await nexus.requests(), await keeper.requests()], [3, 2]);
  assert.equal(await nexus.requests(superuser), 1);
});

test('no hostile certificate gets as far as HTTP at Nexus, and a good client is served meanwhile', async () => {
  await using _busy = keepAsking();
  for (const hostile of hostilePeers) {
    const { text } = await ask(nexus.address, hostile.make(root, `${superuser}/hostile`), listSecrets);
    assert.equal(text, '', hostile.why);
    assert.equal(await nexus.requests(`${superuser}/hostile`), 0, hostile.why);
  }
  nexus.assertAlive();
  assert.ok(nexus.refusals.length > 0, 'no refusal was logged');
});

test('no hostile certificate gets as far as HTTP at a Keeper, which serves Nexus after it', async () => {
  for (const hostile of hostilePeers) {
    const leaf = hostile.make(root, nexusId);
    await assertRefused(keeper, hostile.why, () => ask(keeper.address, leaf, keeperStatus));
  }
  assert.equal(statusOf(await ask(keeper.address, root.leaf(nexusId), keeperStatus)), 200);
});

test('an authority is believed about its own trust domain alone', async () => {
  const wrong = [
    root.leaf('spiffe://other.ist/spike/pilot/role/superuser'),
    otherRoot.leaf(superuser),
    root.leaf('spiffe://unknown.ist/workload'),
  ];
  for (const leaf of wrong) {
    await assertRefused(nexus, 'wrong authority', () => ask(nexus.address, leaf, listSecrets));
  }
  // Believed about itself, it is still no superuser of ours.
  const theirs = otherRoot.leaf('spiffe://other.ist/spike/pilot/role/superuser');
  assert.equal(statusOf(await ask(nexus.address, theirs, listSecrets)), 401);
  assert.equal(statusOf(await ask(nexus.address, good, listSecrets)), 200);
});

test('a Keeper refuses everybody but Nexus and Bootstrap in the handshake', async () => {
  const strangers = [superuser, workload, keeperId, `${nexusId}-not`, 'spiffe://spike.ist/x/spike/nexus'];
  for (const id of strangers) {
    await assertRefused(keeper, id, () => ask(keeper.address, root.leaf(id), keeperStatus));
  }
  const theirs = otherRoot.leaf('spiffe://other.ist/spike/nexus');
  await assertRefused(keeper, 'other.ist', () => ask(keeper.address, theirs, keeperStatus));
  assert.equal(statusOf(await ask(keeper.address, root.leaf(nexusId), keeperStatus)), 200);
});

test('a Keeper takes no key exchange without ML-KEM, and Nexus takes X25519 too', async () => {
  const classical = { ecdhCurve: 'X25519' };
  const talkClassical = (address: Address, leaf: TestCertificate, path: string) =>
    talk(address, { ...leaf.toPem(), ...classical }, (socket) => socket.write(toRequest({ path })));
  await assertRefused(keeper, 'X25519', () =>
    talkClassical(keeper.address, root.leaf(nexusId), keeperStatus),
  );
  assert.equal(statusOf(await talkClassical(nexus.address, good, listSecrets)), 200);
});

test('no certificate, TLS 1.2 and plain HTTP get no answer', async () => {
  const write = (path: string) => (socket: { write(text: string): unknown }) =>
    void socket.write(toRequest({ path }));
  const parts = [
    { part: nexus, leaf: good, path: listSecrets },
    { part: keeper, leaf: root.leaf(nexusId), path: keeperStatus },
  ];
  for (const { part, leaf, path } of parts) {
    const { address } = part;
    await assertRefused(part, 'no certificate', () => talk(address, {}, write(path)));
    await assertRefused(part, 'TLS 1.2', () =>
      talk(address, { ...leaf.toPem(), minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' }, write(path)),
    );
    const before = await part.requests();
    const { text } = await talkTcp(address, write(path));
    assert.doesNotMatch(text, /HTTP/);
    assert.equal(await part.requests(), before);
  }
});

test('no session is resumed: not that of a good client, nor with a ticket from elsewhere', async () => {
  let session: Buffer | undefined;
  const first = await talk(nexus.address, good.toPem(), (socket) => {
    // OpenSSL hands tickets out whatever it is told: what counts is that none is taken back.
    socket.on('session', (ticket: Buffer) => {
      session = ticket;
    });
    socket.write(toRequest({ path: listSecrets }));
  });
  assert.equal(statusOf(first), 200);
  for (const ticket of [session, await foreignSession()]) {
    assert.ok(ticket !== undefined && ticket.length > 0);
    const again = await talk(nexus.address, { ...good.toPem(), session: ticket }, (socket) =>
      socket.write(toRequest({ path: listSecrets })),
    );
    assert.deepEqual([statusOf(again), again.resumed], [200, false]);
    // With a session one needs no certificate where resumption is on.
    await assertRefused(nexus, 'a session alone', () =>
      talk(nexus.address, { session: ticket }, (socket) => socket.write(toRequest({ path: listSecrets }))),
    );
  }
});

/** A real ticket, of a server that gives them. */
async function foreignSession(): Promise<Buffer> {
  await using server = createServer({ ...root.leaf(nexusId).toPem(), minVersion: 'TLSv1.3' }, (socket) => {
    socket.on('error', () => undefined);
    socket.write('x');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const { promise, resolve } = Promise.withResolvers<Buffer>();
  await talk({ host: '127.0.0.1', port: address.port }, {}, (socket) => {
    socket.once('session', (ticket: Buffer) => {
      resolve(ticket);
      socket.end();
    });
  });
  return await promise;
}

/** Every way to be slow at once, since each takes as long as its deadline; a good client is served meanwhile. */
test('slow, endless and unfinished peers are cut at their deadlines, and a good client is served meanwhile', async () => {
  const { address } = nexus;
  const assertCut = ({ ms }: Ending, deadlineMs: number, why: string): void => {
    assert.ok(ms > deadlineMs * 0.8, `${why} was cut after ${ms} ms already`);
    assert.ok(ms < deadlineMs + slackMs, `${why} lived for ${ms} ms`);
  };
  const head = `POST ${listSecrets} HTTP/1.1\r\nHost: test\r\n`;
  const fail = (why: string) => (error: unknown) => {
    throw new Error(why, { cause: error });
  };
  await using _busy = keepAsking();
  const cases: Record<string, () => Promise<void>> = {
    'a silent connection': async () => {
      const ending = await talkTcp(address, () => undefined);
      assertCut(ending, handshakeMs, 'a silent connection');
      assert.equal(ending.text, '');
    },
    'a handshake byte by byte': async () => {
      // The head of a TLS record that announces more than will ever come.
      const bytes = [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc];
      let at = 0;
      const ending = await talkTcp(address, (socket) =>
        drip(socket, 400, () => Uint8Array.of(bytes[at++] ?? 0x03)),
      );
      assertCut(ending, handshakeMs, 'a slow handshake');
    },
    'a header line by line': async () => {
      const ending = await talk(address, good.toPem(), (socket) => {
        socket.write(head);
        drip(socket, 300, () => 'X-More: 1\r\n');
      });
      assertCut(ending, headerMs, 'a slow header');
      assert.equal(statusOf(ending), 408);
    },
    'a body byte by byte': async () => {
      const ending = await talk(address, good.toPem(), (socket) => {
        socket.write(`${head.replace(listSecrets, getSecret)}Content-Length: 1000\r\n\r\n`);
        drip(socket, 300, () => ' ');
      });
      assertCut(ending, bodyMs, 'a slow body');
      assert.equal(statusOf(ending), 400);
    },
    'half a request and the end': async () => {
      const ending = await talk(address, good.toPem(), (socket) => {
        socket.write(`${head}Content-Length: 1000\r\n\r\n{`);
        socket.end();
      });
      assert.ok(ending.ms < bodyMs + slackMs, `half a request lived for ${ending.ms} ms`);
      assert.notEqual(statusOf(ending), 200);
    },
    'half a header and the end': async () => {
      const ending = await talk(address, good.toPem(), (socket) => void socket.end('POST /v1/sto'));
      assert.ok(ending.ms < headerMs + slackMs, `half a header lived for ${ending.ms} ms`);
      assert.notEqual(statusOf(ending), 200);
    },
  };
  await Promise.all(Object.entries(cases).map(([why, run]) => run().catch(fail(why))));
  nexus.assertAlive();
});

test('a sender who closes its half after a request keeps nothing open', async () => {
  const ending = await talk(nexus.address, good.toPem(), (socket) => {
    socket.end(toRequest({ path: listSecrets, headers: { Connection: 'keep-alive' } }));
  });
  assert.ok([200, 0].includes(statusOf(ending)), ending.text);
  assert.ok(ending.ms < 2_000, `it stayed for ${ending.ms} ms`);
});

test('what is too large is refused while it is being sent, and not read to its end', async () => {
  const { address } = nexus;
  const piece = Buffer.alloc(64 * 1024, 0x20);
  const head = `POST ${listSecrets} HTTP/1.1\r\nHost: test\r\n`;
  const announced = await talk(address, good.toPem(), (socket) => {
    socket.write(`${head}Content-Length: 100000000\r\n\r\n`);
  });
  assert.equal(statusOf(announced), 413);

  let sent = 0;
  const chunked = await talk(address, good.toPem(), (socket) => {
    socket.once('close', () => {
      sent = socket.bytesWritten;
    });
    socket.write(`${head}Transfer-Encoding: chunked\r\n\r\n`);
    const chunk = `${piece.length.toString(16)}\r\n${piece.toString('latin1')}\r\n`;
    flood(socket, Buffer.from(chunk, 'latin1'));
  });
  // A reset may overtake the answer: then there is none.
  assert.ok([413, 0].includes(statusOf(chunked)), chunked.text);
  assert.ok(chunked.ms < 5_000, `it went on for ${chunked.ms} ms`);

  const header = await talk(address, good.toPem(), (socket) => {
    socket.write(`${head}X-Endless: `);
    flood(socket, Buffer.alloc(64 * 1024, 0x61));
  });
  assert.ok([431, 0].includes(statusOf(header)), header.text);
  assert.ok(header.ms < 5_000, `it went on for ${header.ms} ms`);
  assert.ok(sent < 64 * 1024 * 1024, `${sent} bytes were taken`);
  assert.equal(statusOf(await ask(address, good, listSecrets)), 200);
});

/** What no server may read in a way of its own, and the status that says so. */
function malformedRequests(path: string): readonly (readonly [why: string, text: string, status: number])[] {
  const inner = toRequest({ path });
  const post = `POST ${path} HTTP/1.1\r\nHost: a\r\n`;
  const chunked = `${post}Transfer-Encoding: chunked\r\n`;
  return [
    ['two framings', `${chunked}Content-Length: 4\r\n\r\n0\r\n\r\n${inner}`, 400],
    ['chunked twice', `${chunked}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n${inner}`, 400],
    [
      'a coding that is not the last',
      `${post}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n${inner}`,
      400,
    ],
    ['two lengths', `${post}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}${inner}`, 400],
    ['a length twice', `${post}Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}${inner}`, 400],
    ['a length with a sign', `${post}Content-Length: +2\r\n\r\n{}${inner}`, 400],
    ['a negative length', `${post}Content-Length: -2\r\n\r\n{}${inner}`, 400],
    ['a length beyond all numbers', `${post}Content-Length: ${'9'.repeat(30)}\r\n\r\n{}`, 400],
    ['a folded header', `${post}X: a\r\n b\r\nContent-Length: 2\r\n\r\n{}`, 400],
    ['a blank before a colon', `${post}Content-Length : 2\r\n\r\n{}`, 400],
    ['NUL in a header', `${post}X: \0\r\nContent-Length: 2\r\n\r\n{}`, 400],
    ['NUL in the path', `POST ${path}\0 HTTP/1.1\r\nHost: a\r\n\r\n`, 400],
    ['a blank in the path', `POST ${path} x HTTP/1.1\r\nHost: a\r\n\r\n`, 400],
    ['no host', `POST ${path} HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}${inner}`, 400],
    ['bare line feeds', `POST ${path} HTTP/1.1\nHost: a\nContent-Length: 2\n\n{}`, 400],
    ['an unknown expectation', `${post}Expect: gold\r\nContent-Length: 2\r\n\r\n{}${inner}`, 400],
    ['a tunnel', `CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n${inner}`, 400],
    ['the preface of HTTP/2', `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${inner}`, 400],
    ['another protocol', `\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03${inner}`, 400],
    ['headers that are too large', `${post}X: ${'x'.repeat(20_000)}\r\n\r\n${inner}`, 431],
    ['a chunk size that is none', `${chunked}\r\nzz\r\n{}\r\n0\r\n\r\n${inner}`, 400],
    ['a chunk size beyond all numbers', `${chunked}\r\n${'f'.repeat(20)}\r\n{}\r\n`, 400],
    ['chunk extensions without end', `${chunked}\r\n2;${'x'.repeat(40_000)}\r\n{}\r\n0\r\n\r\n`, 413],
    ['a chunk that is longer than it says', `${chunked}\r\n1\r\n{}\r\n0\r\n\r\n${inner}`, 400],
  ];
}

for (const name of ['nexus', 'keeper'] as const) {
  test(`what is no request is refused and recorded once by the ${name}, and nothing is taken out of it`, async () => {
    const part = name === 'nexus' ? nexus : keeper;
    const path = name === 'nexus' ? listSecrets : keeperStatus;
    const leaf = name === 'nexus' ? good : root.leaf(nexusId);
    for (const [why, text, status] of malformedRequests(path)) {
      const before = await part.requests();
      const ending = await talk(part.address, leaf.toPem(), (socket) => socket.write(text, 'latin1'));
      // A reset may overtake the answer to what is larger than a buffer.
      const isLarge = text.length > 16_384;
      assert.ok(statusOf(ending) === status || (isLarge && statusOf(ending) === 0), `${why}: ${ending.text}`);
      assert.equal(ending.text.match(/^HTTP\/1\.1 \d/gm)?.length ?? 0, statusOf(ending) === 0 ? 0 : 1, why);
      await until(`${why} is recorded`, async () => (await part.requests()) > before, 5_000);
      assert.equal(await part.requests(), before + 1, why);
      part.assertAlive();
    }
    assert.equal(statusOf(await ask(part.address, leaf, path)), 200);
  });

  test(`what HTTP allows and the ${name} has no use for does no harm`, async () => {
    const part = name === 'nexus' ? nexus : keeper;
    const path = name === 'nexus' ? listSecrets : keeperStatus;
    const leaf = name === 'nexus' ? good : root.leaf(nexusId);
    const send = async (text: string): Promise<Ending> =>
      await talk(part.address, leaf.toPem(), (socket) => socket.write(text));
    const plain = toRequest({ path });
    for (const method of ['GET', 'PUT', 'DELETE', 'TRACE', 'OPTIONS', 'PATCH']) {
      const { text } = await send(plain.replace('POST', method));
      assert.match(text, /^HTTP\/1\.1 400 /, method);
      assert.doesNotMatch(text, /Host: test/, method);
    }
    for (const wrong of [
      `/${path}`,
      `${path}/`,
      `${path}%20`,
      path.replace('v1', 'V1'),
      '*',
      '/',
      '/../etc',
    ]) {
      assert.equal(statusOf(await send(toRequest({ path: wrong }))), 400, wrong);
    }
    const expecting = await send(toRequest({ path, headers: { Expect: '100-continue' } }));
    assert.match(expecting.text, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /);
    const upgrading = await send(
      plain.replace('Connection: close', 'Connection: Upgrade, close\r\nUpgrade: h2c'),
    );
    assert.equal(statusOf(upgrading), 200);
    assert.equal(statusOf(await send(plain.replace('HTTP/1.1', 'HTTP/1.0'))), 200);
    assert.equal(statusOf(await send(toRequest({ path: `https://elsewhere.example${path}` }))), 200);
    const body = '2;ext=1\r\n{}\r\n0\r\nTrailer: x\r\n\r\n';
    const chunked = `POST ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n${body}`;
    assert.equal(statusOf(await send(chunked)), 200);
    part.assertAlive();
  });
}

test('bodies that are no JSON of ours are refused over the wire, and names of the language are names', async () => {
  const send = async (body: string | Buffer, path: string): Promise<Ending> =>
    await talk(nexus.address, good.toPem(), (socket) => {
      const head = `POST ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n`;
      socket.write(`${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n`);
      socket.write(body);
    });
  const put = '/v1/store/secrets';
  const refused: Readonly<Record<string, string | Buffer>> = {
    'a byte order mark': '\uFEFF{"path":"a"}',
    'no UTF-8': Buffer.from('{"path":"a\xff"}', 'latin1'),
    'half a surrogate': '{"path":"a","values":{"k":"\\ud800"}}',
    'many levels': `${'[['.repeat(50_000)}${']]'.repeat(50_000)}`,
    'a list': '[]',
    nothing: '',
    'a number beyond all': '{"path":"a","values":{"k":"v"},"cas":1e999}',
    'something behind': '{"path":"a","values":{"k":"v"}} {}',
  };
  for (const [why, body] of Object.entries(refused)) {
    assert.equal(statusOf(await send(body, put)), 400, why);
  }
  const names = ['__proto__', 'constructor', 'hasOwnProperty', 'toString', 'then'];
  for (const name of names) {
    const written = `{"path":"${name}/x","values":{"${name}":"value of ${name}"},"__proto__":{"polluted":1}}`;
    assert.equal(statusOf(await send(written, put)), 200, name);
    const read = await send(`{"path":"${name}/x"}`, getSecret);
    assert.ok(read.text.includes(`{"data":{"${name}":"value of ${name}"}`), read.text);
  }
  assert.equal(statusOf(await ask(nexus.address, good, listSecrets)), 200);
});

test('a thousand silent connections and aborted handshakes do not keep a good client out', async () => {
  const { address } = nexus;
  const crowd = 1_000;
  await using _busy = keepAsking();
  await Promise.all(
    Array.from({ length: crowd }, async (_, index) => {
      await talkTcp(address, (socket) => {
        if (index % 2 === 0) socket.once('connect', () => socket.resetAndDestroy());
        // Noise instead of a handshake is cut at once.
        else socket.write('\u0000'.repeat(100));
      });
    }),
  );
  await Promise.all(
    Array.from({ length: 50 }, async () => {
      await talk(address, good.toPem(), (socket) => {
        socket.write(toRequest({ path: listSecrets }), () => socket.destroy());
      });
    }),
  );
  nexus.assertAlive();
});
