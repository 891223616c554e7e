import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  DerReader,
  derTag,
  toBitString,
  toBoolean,
  toIntegerBytes,
  toOid,
  toSmallInteger,
  toTime,
} from './der-reader.ts';
import { writeElement, writeInteger, writeOid, writeSmallInteger, writeTime } from './der-writer.ts';

const read = (hex: string) => new DerReader(Buffer.from(hex, 'hex')).next();
const refuses = (hex: string, use: (element: ReturnType<typeof read>) => unknown = () => undefined) => {
  assert.throws(
    () => use(read(hex)),
    { name: 'SpiffeError', code: 'certificate_invalid' },
    `accepted ${hex}`,
  );
};

test('a length is definite, minimal and within its parent', () => {
  assert.equal(read('040141').content.length, 1);
  assert.equal(new DerReader(writeElement(4, new Uint8Array(300))).next().content.length, 300);
  refuses('3080040141' + '0000');
  refuses('04810141');
  refuses('0482000141');
  refuses('048200ff' + '00'.repeat(255));
  refuses('04850000000001' + '41');
  refuses('040241');
  refuses('04');
  refuses('0482');
  refuses('');
  refuses('1f0101');
});

test('bytes that are left over are refused', () => {
  const reader = new DerReader(Buffer.from('05000500', 'hex'));
  reader.next();
  assert.throws(() => reader.end('the test'), { code: 'certificate_invalid' });
});

test('nesting is bounded', () => {
  let der: Uint8Array = writeElement(derTag.null);
  for (let i = 0; i < 40; i++) der = writeElement(derTag.sequence, der);
  const descend = (reader: DerReader): void => {
    if (!reader.done && reader.nextTag === derTag.sequence) descend(reader.enter(derTag.sequence, 'it'));
  };
  assert.throws(() => descend(new DerReader(der)), { code: 'certificate_invalid', message: /nests/ });
});

test('booleans are 00 or FF, integers minimal, bit strings padded with zeros', () => {
  assert.equal(toBoolean(read('0101ff')), true);
  assert.equal(toBoolean(read('010100')), false);
  refuses('010101', toBoolean);
  refuses('0102ffff', toBoolean);
  refuses('0100', toBoolean);
  assert.equal(toSmallInteger(read('0202ff7f'.replace('ff7f', '00ff'))), 255);
  refuses('0200', toIntegerBytes);
  refuses('0202007f', toIntegerBytes);
  refuses('0202ff80', toIntegerBytes);
  refuses('0201ff', toSmallInteger);
  refuses('02050100000000', toSmallInteger);
  assert.equal(toBitString(read('03020780')).unused, 7);
  refuses('030207c0', toBitString);
  refuses('030208' + '00', toBitString);
  refuses('030101', toBitString);
  refuses('0300', toBitString);
});

test('object identifiers are minimal and complete', () => {
  assert.equal(toOid(read('06082a8648ce3d030107')), '1.2.840.10045.3.1.7');
  assert.equal(toOid(read('0603883703')), '2.999.3');
  refuses('0600', toOid);
  refuses('06022a80', toOid);
  refuses('06032a8001', toOid);
  refuses('0641' + '01'.repeat(65), toOid);
});

test('times exist and are in the form of RFC 5280', () => {
  const time = (text: string, tag = 0x17) =>
    toTime(new DerReader(writeElement(tag, Buffer.from(text))).next());
  assert.equal(time('500101000000Z').toISOString(), '1950-01-01T00:00:00.000Z');
  assert.equal(time('491231235959Z').toISOString(), '2049-12-31T23:59:59.000Z');
  assert.equal(time('20500101000000Z', 0x18).toISOString(), '2050-01-01T00:00:00.000Z');
  assert.equal(time('99991231235959Z', 0x18).getUTCFullYear(), 9999);
  for (const text of [
    '500101000000',
    '5001010000Z',
    '500101000000+0000',
    '500230000000Z',
    '500101240000Z',
    '501301000000Z',
  ]) {
    assert.throws(() => time(text), { code: 'certificate_invalid' });
  }
  for (const text of ['20500101000000.5Z', '500101000000Z', '20500101000060Z']) {
    assert.throws(() => time(text, 0x18), { code: 'certificate_invalid' });
  }
  assert.throws(() => time('500101000000Z', 0x16), { code: 'certificate_invalid' });
});

test('what is written is read back, times by the rule for 2050', () => {
  fc.assert(
    fc.property(fc.nat(0x7fffffff), (value) => {
      assert.equal(toSmallInteger(new DerReader(writeSmallInteger(value)).next()), value);
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 24 }), (octets) => {
      const bytes = toIntegerBytes(new DerReader(writeInteger(octets)).next());
      assert.equal(
        BigInt('0x' + Buffer.from(bytes).toString('hex')),
        BigInt('0x' + Buffer.from(octets).toString('hex')),
      );
      assert.ok((bytes[0] ?? 0x80) < 0x80);
    }),
  );
  fc.assert(
    fc.property(fc.array(fc.nat(1e9), { maxLength: 8 }), fc.nat(39), (arcs, second) => {
      const dotted = [1, second, ...arcs].join('.');
      assert.equal(toOid(new DerReader(writeOid(dotted)).next()), dotted);
    }),
  );
  const date = fc.date({
    min: new Date('1950-01-01T00:00:00Z'),
    max: new Date('9999-12-31T23:59:59Z'),
    noInvalidDate: true,
  });
  fc.assert(
    fc.property(date, (time) => {
      const element = new DerReader(writeTime(time)).next();
      assert.equal(toTime(element).getTime(), Math.floor(time.getTime() / 1000) * 1000);
      assert.equal(element.tag, time.getUTCFullYear() < 2050 ? derTag.utcTime : derTag.generalizedTime);
    }),
  );
});
