import { readPrivateFile } from '@spike/config';
import { parseIdentities, parseRecipient, parseRecipients, type Recipient } from '@spike/backup/age';
import { SpikeError } from '@spike/error';
import { readSmallFile } from '../input/file.ts';

const mostFileBytes = 256 * 1024;

/** All recipients that were named, each once. Throws SpikeError `data_invalid_input` where there is none. */
export async function readRecipients(
  texts: readonly string[],
  files: readonly string[],
): Promise<readonly Recipient[]> {
  const named = texts.map(parseRecipient);
  for (const path of files) {
    const text = Buffer.from(await readSmallFile(path, mostFileBytes)).toString('utf8');
    named.push(...parseRecipients(text));
  }
  const unique = new Map(named.map((recipient) => [recipient.text, recipient]));
  if (unique.size > 0) return [...unique.values()];
  throw new SpikeError(
    'data_invalid_input',
    'name whom the backup is sealed to: --recipient or --recipients-file; `spike backup key` makes a key for it',
  );
}

/** The identities of these files, which nobody else may read. Throws `fs_unsafe` and `data_invalid_input`. */
export async function readIdentities(files: readonly string[]): Promise<readonly string[]> {
  if (files.length === 0) {
    throw new SpikeError('data_invalid_input', 'name the identity that opens the backup: --identity <file>');
  }
  const identities: string[] = [];
  for (const path of files) {
    const bytes = await readPrivateFile(path, mostFileBytes);
    if (bytes === undefined)
      throw new SpikeError('data_invalid_input', `${path} cannot be read: there is no such file`);
    try {
      identities.push(...parseIdentities(bytes.toString('utf8')));
    } finally {
      bytes.fill(0);
    }
  }
  return identities;
}
