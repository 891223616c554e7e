import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzz, parseInputs, formatInput } from './fuzz-run.ts';
import { createSpiffeTargets } from './fuzz-target.ts';

for (const target of createSpiffeTargets()) {
  test(`mutated input of ${target.name} is read or refused, soon`, async (t) => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const { taken, runs } = await fuzz(target, { runs: 500, seed });
    t.diagnostic(`seed ${seed}, ${taken} of ${runs} taken`);
    assert.ok(taken > 0);
  });
}

test('the harness tells of a parser that fails in another way, with its input', async () => {
  const target = {
    name: 'weak',
    seeds: ['good'],
    read: (bytes: Uint8Array) => {
      if (bytes[0] !== 0x67) throw new TypeError('oops');
    },
    expects: () => false,
  };
  await assert.rejects(fuzz(target, { runs: 1000, seed: 1 }), /^Error: weak, seed 1, run \d+: "/);
});

test('a corpus holds any byte', () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
  assert.deepEqual(parseInputs(`# all\n\n${formatInput(bytes)}\n`), [Buffer.from(bytes)]);
});
