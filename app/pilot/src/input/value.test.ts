import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { SpikeError } from '@spike/error';
import { parseAssignment, readValues, type Terminal } from './value.ts';

function terminal(input: string, isTTY = false): Terminal & { written: () => string } {
  const stdin = Object.assign(new PassThrough(), { isTTY });
  stdin.end(input);
  const stderr = Object.assign(new PassThrough(), { isTTY });
  return {
    stdin: stdin as never,
    stderr: stderr as never,
    written: () => String(stderr.read() ?? ''),
  };
}

test('an assignment is split at its first =, and what stands after it says where the value comes from', () => {
  assert.deepEqual(parseAssignment('a=b=c'), { key: 'a', source: { kind: 'literal', text: 'b=c' } });
  assert.deepEqual(parseAssignment('a=-'), { key: 'a', source: { kind: 'input' } });
  assert.deepEqual(parseAssignment('a=@/x'), { key: 'a', source: { kind: 'file', path: '/x' } });
  assert.deepEqual(parseAssignment('a='), { key: 'a', source: { kind: 'literal', text: '' } });
  assert.equal(parseAssignment('a'), undefined);
});

test('values come from arguments, from standard input without its last line break, and from files as they are', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'spike-value-'));
  try {
    await writeFile(join(dir, 'f'), 'from file\n');
    const values = await readValues(['a=1', 'b=-', `c=@${join(dir, 'f')}`], terminal('line\n\n'));
    assert.deepEqual(
      [...values],
      [
        ['a', '1'],
        ['b', 'line\n'],
        ['c', 'from file\n'],
      ],
    );
  } finally {
    await rm(dir, { recursive: true });
  }
});

test('a value in the arguments draws a warning in a terminal, and none where nobody reads it', async () => {
  const person = terminal('', true);
  await readValues(['pass=hunter2'], person);
  const warning = person.written();
  assert.match(warning, /visible to other processes/);
  assert.doesNotMatch(warning, /hunter2/);
  const script = terminal('');
  await readValues(['pass=hunter2'], script);
  assert.equal(script.written(), '');
});

test('what is not an assignment is refused without being repeated', async () => {
  for (const bad of [['hunter2'], ['=hunter2'], ['a=1', 'a=hunter2'], ['a=-', 'b=-'], ['a=@/no/such/file']]) {
    await assert.rejects(
      readValues(bad, terminal('x')),
      (error: unknown) =>
        error instanceof SpikeError &&
        error.code === 'data_invalid_input' &&
        !error.message.includes('hunter2'),
    );
  }
});

test('standard input that is not UTF-8 is refused instead of being altered', async () => {
  const stdin = Object.assign(new PassThrough(), { isTTY: false });
  stdin.end(Buffer.from([0xff, 0xfe]));
  await assert.rejects(readValues(['a=-'], { stdin: stdin as never, stderr: terminal('').stderr }), {
    code: 'data_invalid_input',
  });
});
