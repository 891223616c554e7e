import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Settings } from '../setting.ts';
import { rehearse } from '../testing/invocation.ts';
import { paintFor } from './color.ts';
import { show } from './show.ts';
import { toPrintable, toPrintableLine } from './text.ts';

const lines = (count: number): string => Array.from({ length: count }, (_, i) => `line ${i}\n`).join('');
const long = { human: () => lines(100), value: [1], yaml: { a: 1 }, isPaged: true };

test('an answer has three forms, and a YAML of its own where the Go command has one', async () => {
  const printed = async (settings: Partial<Settings>): Promise<string> => {
    const { invocation, written } = rehearse({ settings });
    await show(invocation, long);
    return written.out;
  };
  assert.equal(await printed({ format: 'human' }), lines(100));
  assert.equal(await printed({ format: 'json' }), '[\n  1\n]\n');
  assert.equal(await printed({ format: 'yaml' }), 'a: 1\n\n');
});

test('colours are for terminals, and NO_COLOR, --no-color and a dumb terminal forbid them', () => {
  const painted = (env: Readonly<Record<string, string>>, color: boolean, isTerminal: boolean): string => {
    const { invocation } = rehearse({ env, isTerminal, settings: { color } });
    return paintFor(invocation.stdout, invocation)('red', 'x');
  };
  assert.equal(painted({}, true, true), '\u001b[31mx\u001b[39m');
  assert.equal(painted({ NO_COLOR: '' }, true, true), '\u001b[31mx\u001b[39m', 'empty is not set');
  assert.equal(painted({}, true, false), 'x');
  assert.equal(painted({}, false, true), 'x');
  assert.equal(painted({ NO_COLOR: '1' }, true, true), 'x');
  assert.equal(painted({ TERM: 'dumb' }, true, true), 'x');
});

test('a pager gets what is too long for the terminal, and nothing else', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'spike-pager-'));
  try {
    const file = join(dir, 'paged');
    const run = async (options: Parameters<typeof rehearse>[0], shown = long): Promise<string> => {
      await rm(file, { force: true });
      const { invocation, written } = rehearse({ env: { PAGER: `cat > '${file}'` }, ...options });
      await show(invocation, shown);
      const paged = await readFile(file, 'utf8').catch(() => '');
      assert.equal(
        paged === '' ? written.out : paged,
        shown.human(),
        'it is shown once, in one of the two places',
      );
      return paged;
    };
    assert.notEqual(await run({ isTerminal: true }), '');
    assert.equal(await run({ isTerminal: false }), '', 'no terminal');
    assert.equal(await run({ isTerminal: true, settings: { pager: false } }), '', '--no-pager');
    assert.equal(await run({ isTerminal: true }, { ...long, isPaged: false }), '', 'the value of a secret');
    assert.equal(await run({ isTerminal: true }, { ...long, human: () => lines(10) }), '', 'it fits');
  } finally {
    await rm(dir, { recursive: true });
  }
});

test('a pager gets what the person has set, and nothing of ours', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'spike-pager-'));
  try {
    const file = join(dir, 'seen');
    const env = {
      PAGER: `cat >/dev/null; env > '${file}'`,
      EDITOR: 'vi',
      SPIKE_TOKEN: 'spk_a',
      SPIKE_HOME: '/h',
    };
    const { invocation } = rehearse({ isTerminal: true, env });
    await show(invocation, long);
    const seen = await readFile(file, 'utf8');
    assert.match(seen, /^EDITOR=vi$/m);
    assert.match(seen, /^LESS=FRX$/m);
    assert.doesNotMatch(seen, /SPIKE|spk_a/);
  } finally {
    await rm(dir, { recursive: true });
  }
});

test('a pager that is not there, fails or is none loses nothing', async () => {
  for (const PAGER of ['', 'cat', '/no/such/pager', 'exit 3', 'kill -9 $$', 'head -c 1 >/dev/null; exit 1']) {
    const { invocation, written } = rehearse({ isTerminal: true, env: { PAGER } });
    await show(invocation, { ...long, human: () => lines(100_000) });
    assert.equal(written.out, lines(100_000), PAGER);
  }
  const left = rehearse({ isTerminal: true, env: { PAGER: 'head -c 1 >/dev/null' } });
  await show(left.invocation, { ...long, human: () => lines(100_000) });
  assert.equal(left.written.out, '', 'whoever leaves early has seen enough');
});

test('what would act on a terminal is written out', () => {
  assert.equal(
    toPrintable('a\u001b[2J\u0007\u009b1m\u202eb\r\n\tc é 😀'),
    'a\\u001b[2J\\u0007\\u009b1m\\u202eb\\u000d\n\tc é 😀',
  );
  assert.equal(toPrintableLine('a\n\tb'), 'a\\n\\tb');
});
