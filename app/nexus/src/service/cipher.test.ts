import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createTestInstance, hasCode } from '../vault/testing/instance.ts';
import { CipherService } from './cipher.ts';

const grant = { peer: { id: 'spiffe://spike.ist/app' } };
const { instance } = await createTestInstance();
const service = new CipherService({ keys: instance.cipher, maxCiphertextBytes: 100 });

test('everything that is encrypted can be decrypted, up to the last byte that is taken', () => {
  for (const size of [0, 1, 83, 84]) {
    const plaintext = new Uint8Array(size).fill(7);
    const envelope = service.encrypt(grant, plaintext);
    assert.equal(envelope.version, 1);
    assert.deepEqual(Uint8Array.from(service.decrypt(grant, envelope)), plaintext);
  }
});

test('one byte more is refused, and the sentence says how many there may be', () => {
  assert.throws(() => service.encrypt(grant, new Uint8Array(85)), {
    code: 'data_invalid_input',
    message: /at most 84 /,
  });
  const { nonce } = service.encrypt(grant, new Uint8Array());
  const ciphertext = new Uint8Array(101);
  assert.throws(() => service.decrypt(grant, { nonce, ciphertext }), {
    code: 'data_invalid_input',
    message: /at most 100 /,
  });
  assert.throws(
    () => service.decrypt(grant, { nonce, ciphertext: new Uint8Array(100) }),
    hasCode('crypto_decryption_failed'),
  );
});

test('what the store holds does not open here, nor the other way about', () => {
  const key = instance.vault.key('secret', ['a']);
  const row = instance.vault.seal('secret', key, { revision: 1, version: 1, field: 0 }, Buffer.from('value'));
  for (const nonce of [row.nonce.subarray(0, 12), row.nonce.subarray(12)])
    assert.throws(
      () => service.decrypt(grant, { nonce, ciphertext: row.body.subarray(0, 100) }),
      hasCode('crypto_decryption_failed'),
    );
});
