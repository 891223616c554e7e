import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSpikeError, makeRow } from '@spike/store/suite';
import { toSealed } from '@spike/store/seal';
import type { Row } from '@spike/store';
import fc from 'fast-check';
import { BackupParser, BackupWriter } from './index.ts';
import { longestFrame } from './format.ts';
import { parseWhole, sampleContent, sampleHeader, writeSample, type Content } from './testing/sample.ts';

const refused = isSpikeError('data_invalid_input');

function rowsArbitrary(): fc.Arbitrary<readonly Row[]> {
  const number = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
  const row = fc.record({
    key: fc.uint8Array({ minLength: 1, maxLength: 40 }),
    format: number,
    suite: number,
    term: number,
    revision: number,
    version: number,
    field: number,
    nonce: fc.uint8Array({ maxLength: 24 }),
    body: fc.uint8Array({ maxLength: 300 }).map(toSealed),
  });
  return fc
    .uniqueArray(row, { maxLength: 12, selector: ({ key }) => Buffer.from(key).toString('hex') })
    .map((rows) => rows.toSorted((a, b) => Buffer.compare(a.key, b.key)));
}

function contentArbitrary(): fc.Arbitrary<Content> {
  return fc.record({
    checkpoints: fc.array(fc.string({ maxLength: 50 }), { maxLength: 3 }),
    tables: fc
      .uniqueArray(
        fc.record({
          table: fc.constantFrom(
            'secret' as const,
            'secret_version' as const,
            'policy' as const,
            'state' as const,
          ),
          rows: rowsArbitrary(),
        }),
        { selector: ({ table }) => table },
      )
      .map((tables) => tables.filter(({ rows }) => rows.length > 0)),
  });
}

test('what is written is what is read, in pieces of any size', () => {
  fc.assert(
    fc.property(contentArbitrary(), fc.integer({ min: 1, max: 400 }), (content, step) => {
      const [header, head, ...rest] = parseWhole(writeSample(content), step);
      assert.deepEqual(plain(header), plain({ kind: 'header', header: sampleHeader }));
      assert.deepEqual(plain(head), plain({ kind: 'head', revision: 7, bytes: new Uint8Array(200).fill(5) }));
      const trailer = rest.pop();
      assert.deepEqual(
        plain(rest),
        plain([
          ...content.checkpoints.map((text) => ({ kind: 'checkpoint', text })),
          ...content.tables.flatMap(({ table, rows }) => rows.map((row) => ({ kind: 'row', table, row }))),
        ]),
      );
      assert.ok(trailer?.kind === 'trailer');
      assert.deepEqual(
        trailer.trailer.counts,
        content.tables.map(({ table, rows }) => ({ table, rows: rows.length })),
      );
      assert.deepEqual(Buffer.from(trailer.trailer.mac), Buffer.from(trailer.trailer.digest));
    }),
    { numRuns: 100 },
  );
});

test('a backup with any byte changed, cut off at any place or with anything behind it is refused', () => {
  const whole = writeSample();
  for (let at = 0; at < whole.length; at++) {
    const changed = Buffer.from(whole);
    changed[at] = (changed[at] ?? 0) ^ 0x11;
    assert.throws(() => parseWhole(changed), refused, `byte ${at}`);
    assert.throws(() => parseWhole(whole.subarray(0, at)), refused, `the first ${at} bytes`);
  }
  assert.throws(() => parseWhole(Buffer.concat([whole, Buffer.of(0)])), refused);
  assert.throws(() => parseWhole(Buffer.concat([whole, whole])), refused);
  assert.equal(parseWhole(whole).length, 7);
});

test('frames, tables and records that are swapped, repeated or left out are refused though each is sound', () => {
  const [a, b] = [makeRow('a'), makeRow('b')];
  const content = (tables: Content['tables']): Content => ({ checkpoints: [], tables });
  const cases: Record<string, Content> = {
    'swapped records': content([{ table: 'secret', rows: [b, a] }]),
    'a record twice': content([{ table: 'secret', rows: [a, a] }]),
    'a table twice': content([
      { table: 'secret', rows: [a] },
      { table: 'policy', rows: [a] },
      { table: 'secret', rows: [b] },
    ]),
  };
  for (const [name, one] of Object.entries(cases))
    assert.throws(() => parseWhole(writeSample(one)), refused, name);
  const writer = new BackupWriter();
  const [header, head] = [writer.header(sampleHeader), writer.head(7, new Uint8Array(9))];
  const row = writer.row('secret', a);
  const { bytes: trailer } = writer.trailer(() => ({ key: 1, mac: new Uint8Array(32) }));
  assert.equal(parseWhole(Buffer.concat([header, head, row, trailer])).length, 4);
  assert.throws(() => parseWhole(Buffer.concat([header, head, trailer])), refused);
  assert.throws(() => parseWhole(Buffer.concat([header, row, head, trailer])), refused);
  assert.throws(() => parseWhole(Buffer.concat([header, head, head, row, trailer])), refused);
});

test('a length beyond every limit is refused before room is made for it', () => {
  const start = writeSample().subarray(0, 17);
  for (const kind of [1, 2, 3, 4, 5, 6, 0, 255]) {
    const frame = Buffer.of(kind, 0xff, 0xff, 0xff, 0xff);
    const before = process.memoryUsage().arrayBuffers;
    assert.throws(() => parseWhole(Buffer.concat([start, frame, Buffer.alloc(100)])), refused);
    assert.ok(process.memoryUsage().arrayBuffers - before < 16 * 1024 * 1024);
  }
  assert.ok(Math.max(...Object.values(longestFrame)) < 5 * 1024 * 1024);
});

test('a backup of a later format is told from what is none', () => {
  const whole = writeSample();
  const later = Buffer.concat([Buffer.from('spike-backup/v2\n'), whole.subarray(16)]);
  assert.throws(() => parseWhole(later), { code: 'data_invalid_input', message: /format 2.*reads 1/ });
  for (const text of [
    '',
    'spike-backup/v1',
    'spike-backup/v0\n',
    'spike-backup/vx\n',
    'hello\n',
    'x'.repeat(100),
  ]) {
    assert.throws(() => parseWhole(Buffer.from(text)), refused, text);
  }
});

test('it tells how far it has come', () => {
  const whole = writeSample(sampleContent);
  const parser = new BackupParser();
  for (const _ of parser.push(whole.subarray(0, 40))) assert.fail('nothing is whole yet');
  assert.deepEqual([parser.bytes, parser.complete], [40, false]);
  assert.equal([...parser.push(whole.subarray(40))].length, 7);
  assert.deepEqual([parser.bytes, parser.complete], [whole.length, true]);
});

/** Comparable whatever kind of byte array it is. */
function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_, part: unknown) =>
      part instanceof Uint8Array || isBufferJson(part) ? Buffer.from(bytesOf(part)).toString('hex') : part,
    ),
  );
}

function isBufferJson(part: unknown): part is { readonly type: 'Buffer'; readonly data: number[] } {
  return typeof part === 'object' && part !== null && Reflect.get(part, 'type') === 'Buffer';
}

function bytesOf(part: Uint8Array | { readonly data: number[] }): Uint8Array {
  return part instanceof Uint8Array ? part : Uint8Array.from(part.data);
}
