import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { SpikeError } from '@spike/error';
import { publicKeyOf, resetKeyOf, verifyScript } from './signature.ts';
import { writeScript } from './script.ts';
import { Scene } from './testing/scene.ts';

const refused = (reason: RegExp) => (error: unknown) =>
  error instanceof SpikeError && error.code === 'data_invalid_input' && reason.test(error.message);

/** As whoever changes a script would do it: the checksum is right again. */
function reseal(text: string): string {
  const body = text.split('\n').slice(0, -2).join('\n') + '\n';
  const digest = createHash('sha256').update(body).digest('hex');
  const bytes = Buffer.byteLength(body) + `# checksum sha256 ${digest}, 12345 bytes\n`.length;
  return `${body}# checksum sha256 ${digest}, ${bytes} bytes\n`;
}

test('a script verifies with its key, and says what it is for', async () => {
  await using scene = await Scene.open();
  const verified = verifyScript(await readFile(scene.script), [publicKeyOf(scene.key)]);
  assert.equal(verified.instance, scene.instance);
  assert.equal(verified.expiresAt.getTime(), scene.manifest.expiresAt.getTime());
});

test('a script that was changed, was signed by another key or by none is refused', async () => {
  await using scene = await Scene.open();
  const text = await readFile(scene.script, 'utf8');
  const trusted = [publicKeyOf(scene.key)];
  const verify = (script: string) => () => verifyScript(Buffer.from(script), trusted);
  assert.throws(verify(text.replace('umask 077', 'umask 000')), refused(/damaged/));
  assert.throws(
    verify(reseal(text.replace('umask 077', 'umask 000'))),
    refused(/changed after it was signed/),
  );
  assert.throws(verify(reseal(text.replace(/# signature .*\n/, ''))), refused(/no signature/));
  assert.throws(verify(text.slice(0, -1)), refused(/damaged/));
  assert.throws(verify(''), refused(/damaged/));
  const other = resetKeyOf(randomBytes(32));
  assert.throws(verify(await writeScript(scene.manifest, other)), refused(/not trusted here/));
  assert.throws(() => verifyScript(Buffer.from(text), ['no key']), refused(/no Ed25519 public key/));
  verify(text)();
});
