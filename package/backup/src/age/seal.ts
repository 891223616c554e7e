import { SpikeError } from '@spike/error';
import { Encrypter } from 'age-encryption';
import { mostRecipients, type Recipient } from './recipient.ts';

/**
 * What comes out is an age file (age-encryption.org/v1) to all of these recipients, any of whom opens it. Memory does not
 * grow with its size. Throws SpikeError `data_invalid_input` for no recipient, too many, or some that age keeps apart.
 */
export async function sealStream(
  plaintext: ReadableStream<Uint8Array>,
  recipients: readonly Recipient[],
): Promise<ReadableStream<Uint8Array>> {
  if (recipients.length === 0) {
    throw new SpikeError(
      'data_invalid_input',
      'name at least one age recipient; `spike backup key` makes one',
    );
  }
  if (recipients.length > mostRecipients) {
    throw new SpikeError('data_invalid_input', `a backup has at most ${mostRecipients} recipients`);
  }
  // One that is not hybrid would take away from all what the others are for; the age tool refuses it, too.
  if (recipients.some(({ isHybrid }) => isHybrid) && recipients.some(({ isHybrid }) => !isHybrid)) {
    throw new SpikeError(
      'data_invalid_input',
      'age seals a file to hybrid recipients (age1pq1…) or to others, not to both: use one kind',
    );
  }
  const encrypter = new Encrypter();
  for (const { text } of recipients) encrypter.addRecipient(text);
  return await encrypter.encrypt(plaintext);
}
