import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpikeError } from '@spike/error';
import { formatCheckpoint, openCheckpoint, parseCheckpoint, signCheckpoint } from './checkpoint.ts';
import { formatNote, isKeyName, NoteSigner, parseNote, VerifierKey } from './note.ts';

const isMalformed = (error: unknown): boolean =>
  error instanceof SpikeError && error.code === 'data_invalid_input';

function signerOf(name: string, fill: number): NoteSigner {
  return new NoteSigner(name, (use) => use(new Uint8Array(32).fill(fill)));
}

/** The example of c2sp.org/tlog-checkpoint. */
const published = `example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

\u2014 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
`;

test('the published checkpoint is read, and written again to the byte', () => {
  const checkpoint = parseCheckpoint(published);
  assert.equal(checkpoint.origin, 'example.com/behind-the-sofa');
  assert.equal(checkpoint.size, 20_852_163);
  assert.equal(checkpoint.signed.signatures[0]?.id, 0x033de0ae);
  assert.equal(formatNote(checkpoint.signed), published);
  assert.equal(formatCheckpoint(checkpoint), checkpoint.signed.text);
});

test('the published key of sum.golang.org is read, written again, and verifies what it signed', () => {
  const text = 'sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8';
  const key = VerifierKey.parse(text);
  assert.equal(key.toString(), text);
  // That example is signed by this key under another name, so its owner is one we do not know.
  assert.equal(key.verifies(parseNote(published)), false);
});

test('what a key signs verifies under it alone, and not when one byte is another', () => {
  const [signer, other] = [signerOf('log.example/a', 1), signerOf('log.example/a', 2)];
  const { note } = signCheckpoint({ origin: 'log.example/a', size: 7, root: new Uint8Array(32).fill(3) }, [
    signer,
  ]);
  const key = VerifierKey.parse(signer.verifier.toString());
  assert.equal(openCheckpoint(note, key).size, 7);
  assert.throws(() => openCheckpoint(note, other.verifier), isMalformed);
  assert.throws(() => openCheckpoint(note, signerOf('log.example/b', 1).verifier), isMalformed);
  for (let at = 0; at < note.length; at++) {
    const changed = `${note.slice(0, at)}${note[at] === 'A' ? 'B' : 'A'}${note.slice(at + 1)}`;
    assert.throws(() => openCheckpoint(changed, key), isMalformed, `${at}`);
  }
});

test('signatures of unknown keys are not looked at; a wrong one of a known key spoils the note', () => {
  const signer = signerOf('log', 1);
  const text = 'log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n';
  const good = signer.sign(text);
  const foreign = signerOf('witness', 9).sign(text);
  const wrong = { ...good, bytes: Buffer.from(good.bytes).fill(0, 0, 1) };
  const verifies = (...signatures: readonly (typeof good)[]): boolean =>
    signer.verifier.verifies(parseNote(formatNote({ text, signatures })));
  assert.equal(verifies(good), true);
  assert.equal(verifies(foreign, good, foreign), true);
  assert.equal(verifies(foreign), false);
  assert.equal(verifies(good, wrong), false);
  assert.equal(verifies({ ...good, bytes: good.bytes.subarray(1) }), false);
  assert.equal(verifies({ ...good, id: (good.id ^ 1) >>> 0 }), false);
});

test('two keys sign one checkpoint, and each verifies it', () => {
  const [old, next] = [signerOf('log', 1), signerOf('log', 2)];
  const { note } = signCheckpoint({ origin: 'log', size: 1, root: new Uint8Array(32) }, [old, next]);
  for (const signer of [old, next]) assert.equal(openCheckpoint(note, signer.verifier).size, 1);
});

test('what is no note, checkpoint or key is refused', () => {
  const broken = [
    '',
    '\n',
    'text',
    'text\n',
    'text\n\n',
    'text\n\n\u2014 log AAAA',
    'text\n\n- log AAAAAAAA\n',
    'text\n\n\u2014 a+b AAAAAAAA\n',
    'text\n\n\u2014 log AAAA=\n',
    'text\n\n\u2014 log AAAAAA==\n',
    'text\n\n\u2014 log  AAAAAAAA\n',
    'te\txt\n\n\u2014 log AAAAAAAA\n',
    'text\r\n\n\u2014 log AAAAAAAA\n',
    `text\n\n${'\u2014 log AAAAAAAA\n'.repeat(65)}`,
    `${'x'.repeat(200_000)}\n\n\u2014 log AAAAAAAA\n`,
    'te\ud800xt\n\n\u2014 log AAAAAAAA\n',
  ];
  for (const note of broken)
    assert.throws(() => parseNote(note), isMalformed, JSON.stringify(note.slice(0, 40)));
  const root = '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=';
  const bodies = [
    '',
    'log\n',
    'log\n0\n',
    `\n0\n${root}\n`,
    `log\n00\n${root}\n`,
    `log\n-1\n${root}\n`,
    `log\n1e3\n${root}\n`,
    `log\n9007199254740993\n${root}\n`,
    'log\n0\nAAAA\n',
    `log\n0\n${root.slice(0, -1)}\n`,
    `log\n0\n${root}\n\nmore\n`,
  ];
  for (const body of bodies)
    assert.throws(() => parseCheckpoint(`${body}\n\u2014 log AAAAAAAA\n`), isMalformed, body);
  assert.equal(parseCheckpoint(`log\n0\n${root}\nextension\n\n\u2014 log AAAAAAAA\n`).size, 0);
  const good = signerOf('log', 1).verifier.toString();
  const keys = [
    '',
    'log',
    'log+1+1',
    good.replace(/\+./u, '+0'),
    good.slice(0, -4),
    `${good}AAAA`,
    good.replace('log', 'other'),
    ` +${good}`,
  ];
  for (const key of keys) if (key !== good) assert.throws(() => VerifierKey.parse(key), isMalformed, key);
  assert.equal(VerifierKey.parse(`${good}\n`).toString(), good);
  for (const name of ['', 'a b', 'a+b', 'a\u00a0b', 'a\u0085b', 'a\u2003', 'a\nb'])
    assert.equal(isKeyName(name), false);
});
