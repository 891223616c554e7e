import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { signCheckpoint } from './checkpoint.ts';
import { formatCopyHead } from './copy.ts';
import { followHandover } from './handover.ts';
import { NoteSigner, type VerifierKey } from './note.ts';
import { edgeRanges, inclusionRanges } from './proof.ts';
import { slowPath, slowRoot } from './testing/slow-tree.ts';
import { verifyCopy, type FindingKind, type Verified, type VerifyOptions } from './verify.ts';

const origin = 'spike.ist/spike/b2c1/nexus/1';
const otherOrigin = 'spike.ist/spike/ffff/nexus/1';
const signerOf = (name: string, fill: number): NoteSigner =>
  new NoteSigner(name, (use) => use(new Uint8Array(32).fill(fill)));
const signer = signerOf(origin, 1);
const key = signer.verifier;

const lineOf = (n: number, instance = 'a'): string =>
  `{"sequence":${n},"salt":"${instance}${n}","path":"tenants/${n % 7}"}`;
const linesTo = (size: number, instance?: string): string[] =>
  Array.from({ length: size }, (_, n) => lineOf(n, instance));
const leavesOf = (lines: readonly string[]): Buffer[] => lines.map((line) => Buffer.from(line));
const noteOf = (
  lines: readonly string[],
  signers: readonly [NoteSigner, ...NoteSigner[]] = [signer],
  name = origin,
): string =>
  signCheckpoint({ origin: name, size: lines.length, root: slowRoot(leavesOf(lines)) }, signers).note;

async function* pieces(text: string, size = 1_000): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.byteLength; at += size)
    yield await Promise.resolve(bytes.subarray(at, at + size));
}

const textOf = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');

async function verify(
  text: string,
  checkpoints: readonly string[],
  more: Partial<VerifyOptions> = {},
): Promise<Verified> {
  return verifyCopy({ bytes: pieces(text), checkpoints, key, ...more });
}

const kinds = ({ findings }: Verified): FindingKind[] => findings.map(({ kind }) => kind);

test('a copy that is whole verifies, in pieces of any size and with any checkpoints of it', async () => {
  const lines = linesTo(100);
  for (const size of [1, 7, 1_000_000]) {
    const verified = await verifyCopy({
      bytes: pieces(textOf(lines), size),
      checkpoints: [noteOf(lines), noteOf(lines.slice(0, 33)), noteOf([])],
      key,
    });
    assert.deepEqual(verified, {
      ok: true,
      findings: [],
      first: 0,
      size: 100,
      covered: 100,
      matching: 3,
      skipped: 0,
      key,
    });
  }
  const empty = await verify('', [noteOf([])]);
  assert.deepEqual([empty.ok, empty.matching], [true, 1]);
});

test('without a checkpoint that covers it nothing is well', async () => {
  const lines = linesTo(20);
  assert.deepEqual(kinds(await verify(textOf(lines), [])), ['uncovered']);
  assert.deepEqual(kinds(await verify('', [])), ['uncovered']);
  const partly = await verify(textOf(lines), [noteOf(lines.slice(0, 15))]);
  assert.deepEqual([kinds(partly), partly.covered], [['uncovered'], 15]);
  const allowed = await verify(textOf(lines), [noteOf(lines.slice(0, 15))], { allowUncovered: true });
  assert.deepEqual([allowed.ok, allowed.covered], [true, 15]);
  assert.equal((await verify(textOf(lines), [], { allowUncovered: true })).ok, false);
});

/** What somebody may do to a copy who does not have the key. */
interface Mutation {
  readonly how: 'alter' | 'drop' | 'insert' | 'move' | 'cut' | 'tear' | 'append' | 'renumber' | 'swap';
  readonly at: number;
  readonly to: number;
}

function mutate(lines: readonly string[], { how, at, to }: Mutation): string {
  const copy = [...lines];
  const line = copy[at] ?? '';
  const place = Math.min(to, copy.length - 1);
  switch (how) {
    case 'alter': {
      const place = to % line.length;
      copy[at] = `${line.slice(0, place)}${line[place] === 'x' ? 'y' : 'x'}${line.slice(place + 1)}`;
      return textOf(copy);
    }
    case 'drop':
      copy.splice(at, 1 + (to % 3));
      return textOf(copy);
    case 'insert':
      copy.splice(at, 0, lineOf(at, 'forged'));
      return textOf(copy);
    case 'move':
      copy.splice(place === at ? (at + 1) % copy.length : place, 0, ...copy.splice(at, 1));
      return textOf(copy);
    case 'cut':
      return textOf(copy.slice(0, at));
    case 'tear':
      return textOf(copy).slice(0, -1 - (to % 50));
    case 'append':
      return textOf([...copy, lineOf(copy.length, 'forged')]);
    case 'renumber': {
      // A forger who takes a line out and numbers all that follow anew.
      copy.splice(at, 1);
      return textOf(copy.map((text, n) => text.replace(/^\{"sequence":\d+/u, `{"sequence":${n}`)));
    }
    case 'swap':
      return textOf(copy.map((text, n) => (n === at ? lineOf(n, 'other') : text)));
  }
}

test('every change of a copy is found (R8)', async () => {
  const size = fc.integer({ min: 2, max: 60 });
  const how = fc.constantFrom('alter', 'drop', 'insert', 'move', 'cut', 'tear', 'append', 'renumber', 'swap');
  await fc.assert(
    fc.asyncProperty(size, how, fc.nat(), fc.nat(), fc.nat(), async (count, kind, seed, to, old) => {
      const lines = linesTo(count);
      const checkpoints = [noteOf(lines), noteOf(lines.slice(0, old % count))];
      assert.equal((await verify(textOf(lines), checkpoints)).ok, true);
      const changed = mutate(lines, { how: kind, at: seed % count, to });
      if (changed === textOf(lines)) return;
      const verified = await verify(changed, checkpoints);
      assert.equal(verified.ok, false, kind);
      // With nothing newer than what somebody kept long ago, all is found that lies before it.
      const early = await verify(changed, [noteOf(lines)], { allowUncovered: true });
      assert.equal(early.ok, kind === 'append', kind);
    }),
    { numRuns: 500 },
  );
});

test('every change of a checkpoint is found, and those of other logs and keys', async () => {
  const lines = linesTo(30);
  const note = noteOf(lines);
  await fc.assert(
    fc.asyncProperty(fc.nat(note.length - 1), fc.constantFrom('a', 'B', '1', '\n', ' '), async (at, put) => {
      const changed = `${note.slice(0, at)}${put}${note.slice(at + 1)}`;
      if (changed !== note) assert.equal((await verify(textOf(lines), [changed])).ok, false);
    }),
    { numRuns: 300 },
  );
  const forger = signerOf(origin, 66);
  assert.deepEqual(kinds(await verify(textOf(lines), [noteOf(lines, [forger])])), ['forged', 'uncovered']);
  // One that is right does not excuse one that is not.
  assert.deepEqual(kinds(await verify(textOf(lines), [note, noteOf(lines, [forger])])), ['forged']);
  assert.deepEqual(kinds(await verify(textOf(lines), [note, 'what?'])), ['forged']);
});

test('two instances that are swapped are found, lines and checkpoint alike', async () => {
  const lines = linesTo(30);
  const others = linesTo(30, 'b');
  const otherNote = noteOf(others, [signerOf(otherOrigin, 2)], otherOrigin);
  assert.deepEqual(kinds(await verify(textOf(others), [noteOf(lines)])), ['root', 'uncovered']);
  assert.deepEqual(kinds(await verify(textOf(others), [otherNote])), ['foreign', 'uncovered']);
  assert.deepEqual(kinds(await verify(textOf(lines), [noteOf(lines), otherNote])), ['foreign']);
  const sameKey = signerOf(otherOrigin, 1);
  const verified = await verify(textOf(others), [noteOf(others, [sameKey], otherOrigin)], {
    key: sameKey.verifier,
  });
  assert.equal(verified.ok, true);
});

test('a log that was written anew under the same key is found by a checkpoint that somebody kept', async () => {
  const lines = linesTo(40);
  const rewritten = linesTo(40, 'rewritten');
  const verified = await verify(textOf(rewritten), [noteOf(rewritten), noteOf(lines.slice(0, 10))]);
  assert.deepEqual(kinds(verified), ['root']);
  assert.match(verified.findings[0]?.message ?? '', /from 0 to 9/u);
});

test('a copy of the end of a log verifies with the hashes of what it leaves out', async () => {
  const lines = linesTo(77);
  const leaves = leavesOf(lines);
  for (const first of [1, 32, 50, 76, 77]) {
    const edge = edgeRanges(first).map(({ from, to }) => slowRoot(leaves.slice(from, to)));
    const head = formatCopyHead({ first, edge });
    const text = `${head}\n${textOf(lines.slice(first))}`;
    const notes = [noteOf(lines), noteOf(lines.slice(0, 20))];
    const verified = await verify(text, notes, { first });
    assert.deepEqual([verified.findings, verified.first, verified.skipped], [[], first, first > 20 ? 1 : 0]);
    assert.equal(
      (await verify(textOf(lines.slice(first)), notes, { first, head: { first, edge } })).ok,
      true,
    );
    // Nobody left lines out who was not asked to.
    assert.deepEqual(kinds(await verify(text, notes)), ['short']);
    const [hash] = edge;
    const forged = formatCopyHead({ first, edge: [Buffer.from(hash ?? []).fill(1, 0, 1), ...edge.slice(1)] });
    assert.equal((await verify(text.replace(head, forged), notes, { first })).ok, false);
    assert.equal(
      (
        await verify(text.replace(head, head.replace(`${first}`, `${first + 1}`)), notes, { first }).catch(
          () => ({ ok: false }),
        )
      ).ok,
      false,
    );
  }
});

test('a key hands over to the next by a leaf and a checkpoint that both sign', async () => {
  const next = signerOf(origin, 2);
  const third = signerOf(origin, 3);
  const announce = (n: number, of: VerifierKey): string =>
    `{"sequence":${n},"action":"audit.key","key":"${of.toString()}"}`;
  const lines = [
    ...linesTo(10),
    announce(10, next.verifier),
    lineOf(11),
    announce(12, third.verifier),
    ...linesTo(20).slice(13),
  ];
  const upTo = (size: number): string[] => lines.slice(0, size);
  const first = noteOf(upTo(11), [signer, next]);
  const second = noteOf(upTo(13), [next, third]);
  const last = noteOf(upTo(20), [third]);
  const verified = await verify(textOf(lines), [noteOf(upTo(5)), first, second, last]);
  assert.deepEqual([verified.findings, verified.key.equals(third.verifier)], [[], true]);
  const forged: Record<string, readonly string[]> = {
    'the next without the two': [noteOf(upTo(20), [next])],
    'one that skips a key': [first, last],
    'a key that nobody announced': [
      noteOf(upTo(11), [signer, signerOf(origin, 9)]),
      noteOf(upTo(20), [signerOf(origin, 9)]),
    ],
    'an announcement that the old key did not sign': [noteOf(upTo(11), [next]), noteOf(upTo(20), [next])],
    'the old key after it handed over': [first, noteOf(upTo(12), [signer])],
  };
  for (const [name, notes] of Object.entries(forged)) {
    assert.ok(kinds(await verify(textOf(lines), notes, { allowUncovered: true })).includes('forged'), name);
  }
  // Beside a copy lie all handovers: those that fit are followed, and no other is a finding.
  const newest = [noteOf(upTo(20), [next])];
  const hints = [first, noteOf(upTo(30), [third]), 'what?'];
  const led = await verify(textOf(lines), newest, { handovers: hints, allowUncovered: true });
  assert.deepEqual([led.findings, led.key.toString()], [[], next.verifier.toString()]);
  const newer = await verify(textOf(lines), newest, {
    handovers: [noteOf(upTo(5), [signerOf(origin, 8), signer]), first],
    key: next.verifier,
    allowUncovered: true,
  });
  assert.deepEqual(newer.findings, []);
  for (const handovers of [[], [noteOf(upTo(11), [next])], [noteOf(upTo(11), [signer])]]) {
    const astray = await verify(textOf(lines), newest, { handovers, allowUncovered: true });
    assert.ok(kinds(astray).includes('forged'));
  }
  const path = slowPath(10, leavesOf(upTo(11)));
  assert.equal(inclusionRanges(10, 11).length, path.length);
  const handover = { sequence: 10, line: lines[10] ?? '', note: first, path };
  assert.equal(followHandover(key, handover).toString(), next.verifier.toString());
  for (const wrong of [
    { ...handover, line: announce(10, third.verifier) },
    { ...handover, note: noteOf(upTo(11), [next]) },
    { ...handover, note: noteOf(upTo(11), [signer]) },
    { ...handover, sequence: 9 },
    { ...handover, path: path.slice(1) },
  ]) {
    assert.throws(() => followHandover(key, wrong));
  }
});
