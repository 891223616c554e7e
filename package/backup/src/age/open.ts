import { SpikeError, toSpikeError } from '@spike/error';
import { Decrypter } from 'age-encryption';
import { damagedBackup } from '../format.ts';

/** Recipients' stanzas: a hybrid one has 1.6 KiB. A header that goes on behind this is none. */
const longestHeader = 128 * 1024;
const firstLine = 'age-encryption.org/v1\n';
const armorLine = '-----BEGIN AGE ENCRYPTED FILE-----';
const decoder = new TextDecoder('latin1');

/**
 * What is in an age file that is sealed to one of these identities. The stream fails with SpikeError
 * `data_invalid_input` at a byte that was changed or where the file is cut off; what came before it is as it was sealed.
 * Throws `crypto_decryption_failed` when none of the identities is of a recipient.
 */
export async function openStream(
  sealed: AsyncIterable<Uint8Array>,
  identities: readonly string[],
): Promise<ReadableStream<Uint8Array>> {
  const source = sealed[Symbol.asyncIterator]();
  const head = await readHead(source);
  const decrypter = new Decrypter();
  try {
    for (const identity of identities) decrypter.addIdentity(identity);
  } catch {
    // The cause would repeat a part of the identity.
    throw new SpikeError('data_invalid_input', 'an identity is mistyped: its checksum does not fit');
  }
  let opened: ReadableStream<Uint8Array>;
  try {
    opened = await decrypter.decrypt(streamOf(head, source));
  } catch (thrown) {
    if (thrown instanceof SpikeError) throw thrown;
    if (thrown instanceof Error && thrown.message.startsWith('no identity matched')) {
      throw new SpikeError(
        'crypto_decryption_failed',
        'this backup is sealed to other recipients than this identity is of: use the identity of one of them',
      );
    }
    throw damagedBackup('its age header is not as it was written', thrown);
  }
  const reader = opened.getReader();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      } catch (thrown) {
        const failed = thrown instanceof SpikeError;
        controller.error(failed ? toSpikeError(thrown) : damagedBackup('a part of it was changed', thrown));
      }
    },
    async cancel(reason) {
      await reader.cancel(reason);
    },
  });
}

/** Everything up to a point behind the header, so that a header without an end is not read for ever. */
async function readHead(source: AsyncIterator<Uint8Array>): Promise<readonly Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  let text = '';
  for (;;) {
    const { done, value } = await source.next();
    if (done !== true) {
      chunks.push(Uint8Array.from(value));
      text += decoder.decode(value);
    }
    if (text.startsWith(armorLine)) {
      throw new SpikeError('data_invalid_input', 'this age file is armored: decode it with age first');
    }
    const seen = text.slice(0, firstLine.length);
    if (!firstLine.startsWith(seen) || (done === true && text.length < firstLine.length)) {
      throw new SpikeError('data_invalid_input', 'this is no backup: it is no file of age');
    }
    if (/\n--- [^\n]*\n/.test(text)) return chunks;
    if (done === true || text.length > longestHeader) throw damagedBackup('its age header has no end');
  }
}

function streamOf(
  head: readonly Uint8Array[],
  source: AsyncIterator<Uint8Array>,
): ReadableStream<Uint8Array> {
  const waiting = [...head];
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const first = waiting.shift();
      if (first !== undefined) {
        controller.enqueue(first);
        return;
      }
      const { done, value } = await source.next();
      if (done === true) controller.close();
      // The library may keep what it is given.
      else controller.enqueue(Uint8Array.from(value));
    },
    async cancel() {
      await source.return?.();
    },
  });
}
