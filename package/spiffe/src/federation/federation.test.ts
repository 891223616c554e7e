import assert from 'node:assert/strict';
import type { RequestListener } from 'node:http';
import { execFile } from 'node:child_process';
import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import type { Duplex } from 'node:stream';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { SpiffeError } from '../error.ts';
import { SpiffeId } from '../id/spiffe-id.ts';
import { TestDomain } from '../testing/domain.ts';
import { RawEndpoint, spiffeBundleOf } from '../testing/endpoint.ts';
import { StaticSource } from '../testing/source.ts';
import { TestCertificate } from '../testing/test-certificate.ts';
import { writeElement } from '../x509/der-writer.ts';
import { toPem } from '../x509/pem.ts';
import { parseEndpointUrl, type EndpointProfile } from './endpoint.ts';
import { fetchBundle } from './fetch.ts';
import { BundleServer } from './server.ts';

const domain = new TestDomain('there.test');
const impostor = new TestDomain('there.test');
const id = SpiffeId.parse('spiffe://there.test/endpoint');
const bundle = spiffeBundleOf(domain, { sequence: 7n, refreshHintSec: 60 });
const spiffe: EndpointProfile = { kind: 'https_spiffe', id, authorities: () => domain.bundle };
/** A certificate of the web for 127.0.0.1. */
const root = TestCertificate.root();
const ipName = writeElement(0x87, Uint8Array.of(127, 0, 0, 1));
const webLeaf = root.leaf('https://unused.test', { names: [ipName] });
const web: EndpointProfile = { kind: 'https_web', authorities: toPem('CERTIFICATE', root.der) };

const hasCode = (code: string) => (error: unknown) => {
  assert.ok(error instanceof SpiffeError, String(error));
  assert.equal(error.code, code, error.message);
  return true;
};
const fetch = (url: string, profile: EndpointProfile, timeoutMs = 5000) =>
  fetchBundle(
    { trustDomain: domain.trustDomain, url, profile },
    { timeoutMs, signal: new AbortController().signal },
  );
/** What does not end at all ends with another error than that of the deadline. */
async function withinTime(promise: Promise<unknown>): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error('it did not end')), 10_000);
  try {
    await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
const serve = (answer: RequestListener, credential = domain.issue('/endpoint').toPem()) =>
  RawEndpoint.open(credential, answer);
const good: RequestListener = (_request, response) => void response.end(bundle.marshal());

function openServer(
  source = new StaticSource(domain.issue('/endpoint'), domain.bundles),
): Promise<BundleServer> {
  const credential = { kind: 'https_spiffe', source } as const;
  return BundleServer.open({ bundle: () => bundle, credential, host: '127.0.0.1', port: 0 });
}

test('F-1 a bundle is served and fetched by SPIFFE ID, and by the web', async () => {
  await using server = await openServer();
  const fetched = await fetch(server.url, spiffe);
  assert.equal(fetched.marshal(), bundle.marshal());
  assert.ok(fetched.trustDomain.equals(domain.trustDomain));

  const certificate = webLeaf.toPem();
  const options = { bundle: () => bundle, host: '127.0.0.1', port: 0, path: '/b.json' };
  await using other = await BundleServer.open({ ...options, credential: { kind: 'https_web', certificate } });
  assert.equal((await fetch(other.url, web)).marshal(), bundle.marshal());
});

test('F-2 the URL is https and names no user, and nothing else is asked of it', () => {
  for (const text of [
    'https://host.test',
    'https://host.test:8443/a/b?c#d',
    'HTTPS://host.test/',
    'https://[::1]/@',
  ])
    assert.equal(parseEndpointUrl(text).protocol, 'https:');
  for (const text of [
    'http://host.test/',
    'spiffe://td',
    'host.test',
    '',
    'file:///etc/passwd',
    'https://',
    'https://me@host.test/',
    'https://me:secret@host.test/',
    'https://@host.test/',
    'https:\\\\@host.test/',
    ' https://:@host.test/',
  ])
    assert.throws(() => parseEndpointUrl(text), hasCode('endpoint_invalid'), text);
});

test('F-3 the server of https_spiffe has to hold the ID that was configured, of the trust domain that is known', async () => {
  const attempt = async (credential: { cert: string; key: string }, profile = spiffe): Promise<void> => {
    await using endpoint = await serve(good, credential);
    try {
      await fetch(endpoint.url, profile);
    } finally {
      // Nobody who is not the right one learns what is asked for.
      if (credential !== honest) assert.deepEqual(endpoint.asked, []);
    }
  };
  const honest = domain.issue('/endpoint').toPem();
  await attempt(honest);
  await assert.rejects(attempt(domain.issue('/other').toPem()), hasCode('peer_refused'));
  await assert.rejects(attempt(impostor.issue('/endpoint').toPem()), hasCode('chain_invalid'));
  await assert.rejects(attempt(webLeaf.toPem()), hasCode('chain_invalid'));
  const past = { now: new Date(Date.now() - 7_200_000), lifetimeMs: 3_600_000 };
  await assert.rejects(attempt(domain.issue('/endpoint', past).toPem()), hasCode('chain_invalid'));
  const unknown = { ...spiffe, authorities: () => undefined };
  await assert.rejects(attempt(domain.issue('/endpoint').toPem(), unknown), hasCode('bundle_unknown'));
  const foreign = { ...spiffe, authorities: () => new TestDomain('other.test').bundle };
  await assert.rejects(attempt(domain.issue('/endpoint').toPem(), foreign), hasCode('bundle_unknown'));
});

test('F-4 the server of https_web is judged by the web: its authority and its host name, and by no SPIFFE ID', async () => {
  await using endpoint = await serve(good, webLeaf.toPem());
  assert.equal((await fetch(endpoint.url, web)).marshal(), bundle.marshal());
  await assert.rejects(
    fetch(endpoint.url.replace('127.0.0.1', '[::ffff:127.0.0.1]'), web),
    hasCode('chain_invalid'),
  );
  const others = toPem('CERTIFICATE', TestCertificate.root().der);
  await assert.rejects(
    fetch(endpoint.url, { kind: 'https_web', authorities: others }),
    hasCode('chain_invalid'),
  );
  // What the machine trusts is not the root of this test.
  await assert.rejects(fetch(endpoint.url, { kind: 'https_web' }), hasCode('chain_invalid'));
  await using nameless = await serve(good, root.leaf('https://x').toPem());
  await assert.rejects(fetch(nameless.url, web), hasCode('chain_invalid'));
  assert.deepEqual(nameless.asked, []);
});

test('F-4 without authorities of its own, https_web believes those of the machine', async () => {
  await using endpoint = await serve(good, webLeaf.toPem());
  const directory = await mkdtempDisposable(join(tmpdir(), 'spiffe-root-'));
  await using _directory = directory;
  const file = join(directory.path, 'root.pem');
  await writeFile(file, toPem('CERTIFICATE', root.der));
  const source = `
    import { fetchBundle, TrustDomain } from '${new URL('../index.ts', import.meta.url).href}';
    const endpoint = { trustDomain: TrustDomain.parse('there.test'), url: '${endpoint.url}', profile: { kind: 'https_web' } };
    const bundle = await fetchBundle(endpoint, { signal: AbortSignal.timeout(10_000) });
    process.stdout.write(bundle.marshal());`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', source], {
    env: { SSL_CERT_FILE: file },
  });
  assert.equal(stdout, bundle.marshal());
});

test('F-5 the server asks for no certificate, answers GET with JSON and nothing else with anything', async () => {
  await using server = await openServer();
  const { request } = await import('node:https');
  const ask = (path: string, method = 'GET', headers: Record<string, string> = {}) =>
    new Promise<readonly unknown[]>((resolve, reject) => {
      const outgoing = request(new URL(path, server.url), {
        method,
        headers,
        rejectUnauthorized: false,
        agent: false,
      });
      outgoing.on('error', reject).on('response', (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () => resolve([response.statusCode, response.headers['content-type'], text]));
      });
      outgoing.end();
    });
  assert.deepEqual(await ask('/'), [200, 'application/json', bundle.marshal()]);
  assert.deepEqual(await ask('/?x=1'), [200, 'application/json', bundle.marshal()]);
  assert.deepEqual(await ask('/', 'HEAD'), [200, 'application/json', '']);
  assert.deepEqual((await ask('/other'))[0], 404);
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS'])
    assert.deepEqual((await ask('/', method))[0], 405);
  assert.deepEqual((await ask('/', 'GET', { 'content-length': '0' }))[0], 400);
});

test('F-6 redirects are followed by the same rules, and not for ever', async () => {
  await using target = await serve(good);
  await using stranger = await serve(good, domain.issue('/other').toPem());
  const locations: Record<string, string> = {
    '/': '/next',
    '/next': `${target.url}final`,
    '/loop': '/loop',
    '/plain': 'http://127.0.0.1/',
    '/user': 'https://me@127.0.0.1/',
    '/stranger': stranger.url,
  };
  await using endpoint = await serve((request, response) => {
    const location = locations[request.url ?? ''];
    response.writeHead(307, location === undefined ? {} : { location }).end();
  });
  assert.equal((await fetch(endpoint.url, spiffe)).marshal(), bundle.marshal());
  assert.deepEqual(target.asked, ['/final']);
  const at = (path: string) => fetch(new URL(path, endpoint.url).href, spiffe);
  await assert.rejects(at('/loop'), hasCode('limit_exceeded'));
  assert.equal(endpoint.asked.filter((path) => path === '/loop').length, 6);
  await assert.rejects(at('/plain'), hasCode('endpoint_invalid'));
  await assert.rejects(at('/user'), hasCode('endpoint_invalid'));
  await assert.rejects(at('/stranger'), hasCode('peer_refused'));
  assert.deepEqual(stranger.asked, []);
  await assert.rejects(at('/nowhere'), hasCode('protocol_invalid'));
});

test('F-7 an answer that is no bundle, too large, too slow or cut off is none', async () => {
  const answers: readonly (readonly [string, RequestListener])[] = [
    ['protocol_invalid', (_request, response) => void response.writeHead(500).end(bundle.marshal())],
    ['protocol_invalid', (_request, response) => void response.writeHead(204).end()],
    [
      'protocol_invalid',
      (_request, response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end(),
    ],
    ['bundle_invalid', (_request, response) => void response.end('<html>')],
    ['bundle_invalid', (_request, response) => void response.end('{}')],
    [
      'bundle_invalid',
      (_request, response) => void response.end(Buffer.from('{"keys":[],"a":"\xff"}', 'latin1')),
    ],
    ['bundle_invalid', (_request, response) => void response.end('{"keys":[],"keys":[]}')],
    ['limit_exceeded', (_request, response) => void response.end(`{"keys":[]}${' '.repeat(262_144)}`)],
    ['connection_failed', (request) => void request.socket.destroy()],
    [
      'connection_failed',
      (_request, response) => {
        response.writeHead(200, { 'content-length': 100 }).write('{', () => response.destroy());
      },
    ],
  ];
  for (const [code, answer] of answers) {
    await using endpoint = await serve(answer);
    await assert.rejects(fetch(endpoint.url, spiffe), hasCode(code));
  }
  const longest = '{"keys":[]}'.padEnd(262_144);
  await using large = await serve((_request, response) => void response.end(longest));
  assert.deepEqual((await fetch(large.url, spiffe)).x509Authorities, []);
  await using silent = await serve(() => undefined);
  await assert.rejects(fetch(silent.url, spiffe, 300), hasCode('deadline_exceeded'));
  await using dripping = await serve((_request, response) => {
    const drip = setInterval(() => response.write(' '), 20);
    response.on('close', () => clearInterval(drip));
  });
  await assert.rejects(fetch(dripping.url, spiffe, 300), hasCode('deadline_exceeded'));
  await assert.rejects(fetch('https://127.0.0.1:1/', spiffe), hasCode('connection_failed'));
  await assert.rejects(fetch('https://127.0.0.1:1/', web), hasCode('connection_failed'));
});

test('F-7 a server that switches to another protocol, or to none, ends the fetch and does not hold it', async () => {
  const upgrade = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n';
  for (const [code, text] of [
    ['protocol_invalid', upgrade],
    ['protocol_invalid', `${upgrade}more`],
    ['connection_failed', 'HTTP/1.1 103 Early Hints\r\n\r\n'],
  ] as const) {
    await using endpoint = await serve((request) => void request.socket.end(text));
    await assert.rejects(withinTime(fetch(endpoint.url, spiffe)), hasCode(code), text);
  }
  // It holds the connection open, too.
  const held: Duplex[] = [];
  await using endpoint = await serve(({ socket }) => void (socket.write(upgrade), held.push(socket)));
  await assert.rejects(withinTime(fetch(endpoint.url, spiffe)), hasCode('protocol_invalid'));
  for (const socket of held) socket.destroy();
});

test('F-8 a server shows its newest SVID, and shows nothing without an identity', async () => {
  const source = new StaticSource(domain.issue('/other'), domain.bundles);
  await using server = await openServer(source);
  await assert.rejects(fetch(server.url, spiffe), hasCode('peer_refused'));
  source.set(domain.issue('/endpoint'), domain.bundles);
  assert.equal((await fetch(server.url, spiffe)).sequence, 7n);
  source.withdraw();
  await assert.rejects(fetch(server.url, spiffe), hasCode('connection_failed'));
});
