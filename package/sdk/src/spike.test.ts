import { test } from 'node:test';
import assert from 'node:assert/strict';
import { nexusTable, type Transport } from '@spike/contract';
import { createClient } from './client.ts';
import { Spike } from './spike.ts';

const time = '2026-11-22T22:00:00.123456789+01:00';
const overview = {
  versions: {
    2: { createdTime: time, version: 2, deletedTime: null },
    1: { createdTime: time, version: 1, deletedTime: time },
  },
  metadata: { currentVersion: 2, oldestVersion: 2, createdTime: time, updatedTime: time, maxVersions: 10 },
};

interface Sent {
  readonly route: string;
  readonly body: unknown;
}

/** A client whose server answers this to everything, and what was sent to it. */
function openSpike(...answers: readonly unknown[]): { readonly spike: Spike; readonly sent: Sent[] } {
  const sent: Sent[] = [];
  const transport: Transport = {
    send: ({ path, action, body }) => {
      sent.push({
        route: `${path}?${action}`,
        body: JSON.parse(Buffer.from(body).toString('utf8')) as unknown,
      });
      const answer = answers[Math.min(sent.length, answers.length) - 1];
      return Promise.resolve({ status: 200, body: Buffer.from(JSON.stringify(answer)) });
    },
  };
  const spike = new Spike(createClient(transport, nexusTable), 'spiffe://x/y', () => Promise.resolve());
  return { spike, sent };
}

void test('texts and bytes are put side by side, with what they follow and how many to keep', async () => {
  const { spike, sent } = openSpike({ version: 4 });
  const values = { text: 'AQID', bytes: Uint8Array.of(1, 2, 255) };
  assert.deepEqual(await spike.put('/a/b/', values, { cas: 3, maxVersions: 5 }), { version: 4 });
  await spike.put('a/b', { text: 'x' });
  assert.deepEqual(
    sent.map(({ body }) => body),
    [
      {
        path: 'a/b',
        values: { text: 'AQID', bytes: 'AQL/' },
        encoding: { bytes: 'base64' },
        cas: 3,
        maxVersions: 5,
      },
      { path: 'a/b', values: { text: 'x' } },
    ],
  );
});

void test('what is neither text nor bytes, or no Unicode, is refused before anything is sent', async () => {
  const { spike, sent } = openSpike({});
  for (const values of ['{"a":1}', '{"a":null}', '{"a":"\\ud800"}', '{"a.b":"x"}', '["x"]']) {
    const put = spike.put('a/b', JSON.parse(values) as Record<string, string>);
    await assert.rejects(put, { code: 'data_invalid_input', message: /^values/ });
  }
  const mixed = { a: Uint8Array.of(1), b: 1 } as unknown;
  await assert.rejects(spike.put('a/b', mixed as Record<string, string>), { code: 'data_invalid_input' });
  assert.equal(sent.length, 0);
});

void test('bytes are read as bytes, and as a text by nobody', async () => {
  const { spike } = openSpike({ data: { b: 'AQL/', t: 'AQL/' }, version: 1, encoding: { b: 'base64' } });
  const secret = await spike.get('a/b');
  const [bytes, text] = [secret.field('b'), secret.field('t')];
  assert.deepEqual([bytes.isBinary, text.isBinary], [true, false]);
  assert.deepEqual(bytes.exposeBytes(), Uint8Array.of(1, 2, 255));
  assert.throws(() => bytes.expose(), { code: 'data_invalid_input' });
  assert.equal(text.expose(), 'AQL/');
  assert.deepEqual(text.exposeBytes(), new TextEncoder().encode('AQL/'));
  bytes.exposeBytes().fill(0);
  assert.deepEqual(bytes.exposeBytes(), Uint8Array.of(1, 2, 255));
});

void test('a server that says base64 and sends something else is not believed', async () => {
  const { spike } = openSpike({ data: { b: 'hunter2' }, version: 1, encoding: { b: 'base64' } });
  await assert.rejects(spike.get('a/b'), (error: Error & { code?: string }) => {
    assert.equal(error.code, 'net_peer_connection');
    assert.ok(!error.message.includes('hunter2'));
    return true;
  });
});

void test('undelete, destroy and metadata send what their routes take', async () => {
  const { spike, sent } = openSpike({});
  await spike.undelete('a/b');
  await spike.undelete('a/b', { versions: [2, 0] });
  await spike.destroy('a/b', { versions: [1, 2] });
  await spike.destroy('a/b', { all: true });
  await spike.setMetadata('a/b', { owner: '', labels: { tier: '1' } });
  assert.deepEqual(sent, [
    { route: '/v1/store/secrets?undelete', body: { path: 'a/b', versions: [] } },
    { route: '/v1/store/secrets?undelete', body: { path: 'a/b', versions: [2, 0] } },
    { route: '/v1/store/secrets?destroy', body: { path: 'a/b', versions: [1, 2] } },
    { route: '/v1/store/secrets?destroy', body: { path: 'a/b', all: true } },
    { route: '/v1/store/secrets/metadata?set', body: { path: 'a/b', owner: '', labels: { tier: '1' } } },
  ]);
  await assert.rejects(spike.destroy('a/b', { versions: [] }), { code: 'data_invalid_input' });
  await assert.rejects(spike.setMetadata('a/b', {}), { code: 'data_invalid_input' });
});

void test('metadata has dates, versions in order, and empty notes of a server that sends none', async () => {
  const { spike } = openSpike(overview);
  const metadata = await spike.metadata('a/b');
  assert.deepEqual(
    metadata.versions.map(({ version, deletedAt }) => [version, deletedAt?.toISOString()]),
    [
      [1, '2026-11-22T21:00:00.123Z'],
      [2, undefined],
    ],
  );
  assert.deepEqual(
    [metadata.current, metadata.owner, metadata.description, metadata.labels],
    [2, '', '', {}],
  );
});

void test('a list is read to its last page, also when one is empty, and is sorted', async () => {
  const { spike, sent } = openSpike(
    { keys: ['b'], cursor: 'x' },
    { keys: [], cursor: 'y' },
    { keys: ['a/'] },
  );
  assert.deepEqual(await spike.list({ prefix: 't/', recursive: false }), ['a/', 'b']);
  assert.deepEqual(
    sent.map(({ body }) => body),
    [undefined, 'x', 'y'].map((cursor) => ({
      limit: 1000,
      prefix: 't/',
      recursive: false,
      ...(cursor === undefined ? {} : { cursor }),
    })),
  );
});
