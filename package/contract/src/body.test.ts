import { test } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { SpikeError } from '@spike/error';
import { bodyKindOf, readRequest, readResponse, writeRequest, writeResponse } from './body.ts';
import { formatEnvelope, parseEnvelope } from './cipher-envelope.ts';
import { keeperTable, nexusTable } from './table.ts';

const { encrypt, decrypt } = nexusTable;
const nonce = Uint8Array.from({ length: 12 }, (_, i) => i + 1);
const bytes = fc.uint8Array({ maxLength: 100 });

const bytesOf = (body: Uint8Array | string): Uint8Array =>
  typeof body === 'string' ? Buffer.from(body) : body;

void test('only a route that says so speaks plain bytes, and only for exactly this content type', () => {
  assert.equal(bodyKindOf(encrypt, 'application/octet-stream'), 'octets');
  for (const other of [
    undefined,
    '',
    'application/json',
    'application/octet-stream; x=y',
    'Application/Octet-Stream',
  ])
    assert.equal(bodyKindOf(encrypt, other), 'json');
  assert.equal(bodyKindOf(nexusTable.getSecret, 'application/octet-stream'), 'json');
  assert.equal(bodyKindOf(keeperTable.fetchShare, 'application/octet-stream'), 'json');
});

void test('what was encrypted is, as one piece, the version, the nonce and the ciphertext', () => {
  const envelope = { version: 1, nonce, ciphertext: Uint8Array.of(0xaa, 0xbb) } as const;
  const piece = writeResponse(encrypt, 'octets', envelope);
  assert.equal(Buffer.from(piece).toString('hex'), '010102030405060708090a0b0caabb');
  assert.deepEqual(readRequest(decrypt, 'octets', bytesOf(piece)), envelope);
});

void test('both kinds bring the same request and the same answer', () => {
  fc.assert(
    fc.property(bytes, (ciphertext) => {
      const envelope = { version: 1, nonce, ciphertext } as const;
      for (const kind of ['json', 'octets'] as const) {
        const asked = readRequest(decrypt, kind, writeRequest(decrypt, kind, envelope));
        assert.deepEqual(asked, envelope);
        const told = readResponse(encrypt, kind, bytesOf(writeResponse(encrypt, kind, envelope)));
        assert.deepEqual(told, envelope);
        const plain = { plaintext: ciphertext };
        assert.deepEqual(readRequest(encrypt, kind, writeRequest(encrypt, kind, plain)), plain);
        assert.deepEqual(readResponse(decrypt, kind, bytesOf(writeResponse(decrypt, kind, plain))), plain);
      }
    }),
  );
});

void test('what is no envelope is refused in words that say nothing of it', () => {
  for (const piece of [
    Uint8Array.of(),
    Uint8Array.of(2, ...nonce),
    Uint8Array.of(1),
    Uint8Array.of(1, ...nonce.subarray(1)),
  ])
    assert.throws(() => parseEnvelope(piece), { code: 'data_invalid_input' });
  fc.assert(
    fc.property(bytes, (piece) => {
      try {
        assert.deepEqual(formatEnvelope(parseEnvelope(piece)), piece);
      } catch (error) {
        assert.ok(error instanceof SpikeError && error.code === 'data_invalid_input');
      }
    }),
  );
});

void test('in JSON a version other than 1, a nonce of another length and absent fields are refused', () => {
  const good = { version: 1, nonce: 'AAAAAAAAAAAAAAAA', ciphertext: 'AQ==' };
  const ask = (value: unknown) => readRequest(decrypt, 'json', Buffer.from(JSON.stringify(value)));
  ask(good);
  ask({ ...good, algorithm: 'AES' });
  for (const change of [
    { version: 2 },
    { version: '1' },
    { version: undefined },
    { nonce: 'AAAA' },
    { nonce: null },
    { ciphertext: undefined },
    { ciphertext: 'AQ' },
  ])
    assert.throws(() => ask({ ...good, ...change }), { code: 'api_bad_request' }, JSON.stringify(change));
});

void test('nothing is encrypted as nothing, however it is written', () => {
  for (const body of ['{}', '{"plaintext":null}', '{"plaintext":""}'])
    assert.deepEqual(readRequest(encrypt, 'json', Buffer.from(body)), { plaintext: new Uint8Array() });
  assert.deepEqual(readRequest(encrypt, 'octets', new Uint8Array()), { plaintext: new Uint8Array() });
});
