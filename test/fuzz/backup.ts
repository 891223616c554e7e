import assert from 'node:assert/strict';
import { BackupParser, BackupWriter, type Frame } from '@spike/backup';
import {
  generateIdentity,
  openStream,
  parseIdentities,
  parseRecipients,
  sealStream,
  parseRecipient,
} from '@spike/backup/age';
import { SpikeError } from '@spike/error';
import type { FuzzTarget } from '@spike/spiffe/testing';
import { makeRow } from '@spike/store/suite';

const refuses =
  (...codes: readonly string[]) =>
  (error: unknown): boolean =>
    error instanceof SpikeError && codes.includes(error.code);

function writeBackup(): Buffer {
  const writer = new BackupWriter();
  const digests = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
  return Buffer.concat([
    writer.header({
      instance: '8c9e5b1e-6a35-4a55-9f0f-2d9f7f1f6a10',
      createdAt: 1_790_000_000_000,
      release: '0.1.0',
      schema: 1,
      suite: 1,
      revision: 2,
      keyringEpoch: 1,
      recoverable: true,
      recovery: { threshold: 1, count: 2, generation: 1, digests },
    }),
    writer.head(2, new Uint8Array(40).fill(3)),
    writer.checkpoint('a checkpoint\n'),
    writer.row('secret', makeRow('a')),
    writer.row('secret', makeRow('b')),
    writer.row('policy', makeRow('a')),
    writer.trailer((digest) => ({ key: 1, mac: Uint8Array.from(digest) })).bytes,
  ]);
}

async function* feed(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** What people bring to a restore: whoever made the file must neither end Nexus or the command, nor fill their memory. */
export async function createBackupTargets(): Promise<readonly FuzzTarget[]> {
  const whole = writeBackup();
  const { secret, recipient } = await generateIdentity();
  const text = Buffer.from('what is sealed');
  const sealedStream = await sealStream(ReadableStream.from(feed(text)), [parseRecipient(recipient)]);
  const sealed = Buffer.concat(await Array.fromAsync(sealedStream));
  return [
    {
      name: 'backup',
      seeds: [whole, whole.subarray(0, 400), whole.subarray(16)],
      tokens: [
        'spike-backup/v1\n',
        'spike-backup/v2\n',
        'secret',
        '\u0001\u00ff\u00ff\u00ff\u00ff',
        '\u0005',
      ],
      expects: refuses('data_invalid_input'),
      read: (bytes) => {
        // In pieces whose size depends on the input, so that every border is met.
        const step = 1 + ((bytes[bytes.length >>> 1] ?? 0) % 64);
        const parser = new BackupParser();
        const frames: Frame[] = [];
        for (let at = 0; at < bytes.length; at += step)
          frames.push(...parser.push(bytes.subarray(at, at + step)));
        parser.end();
        // The hash is over all of it: nothing but the backup itself is taken.
        assert.ok(Buffer.from(bytes).equals(whole));
        assert.equal(frames.length, 7);
      },
    },
    {
      name: 'age-file',
      seeds: [sealed],
      tokens: ['\n--- ', '\n-> ', '-> mlkem768x25519 ', '-> X25519 ', 'age-encryption.org/v1\n'],
      expects: refuses('data_invalid_input', 'crypto_decryption_failed'),
      read: async (bytes) => {
        const opened = await openStream(feed(bytes), [secret]);
        assert.ok(Buffer.concat(await Array.fromAsync(opened)).equals(text));
      },
    },
    {
      name: 'age-key-files',
      seeds: [`# made today\n${secret}\n`, `${recipient}\n\n# second\n${recipient}`],
      tokens: ['AGE-SECRET-KEY-1', 'AGE-SECRET-KEY-PQ-1', 'age1pq1', 'age1', '#', '\r\n'],
      expects: refuses('data_invalid_input'),
      read: (bytes) => {
        const lines = Buffer.from(bytes).toString('utf8');
        if (lines.includes('SECRET')) parseIdentities(lines);
        else parseRecipients(lines);
      },
    },
  ];
}
