import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { SpikeError } from '@spike/error';
import { Deadline } from '../deadline.ts';
import { parseAssignment, readValues, type Terminal } from './value.ts';

function terminal(input: string | Uint8Array, isTTY = false): Terminal & { written: () => string } {
  const stdin = Object.assign(new PassThrough(), { isTTY });
  stdin.end(input);
  const stderr = Object.assign(new PassThrough(), { isTTY });
  return {
    deadline: new Deadline(),
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

test('bytes that are not UTF-8 stay the bytes that they are, from a file and from standard input', async () => {
  const bytes = Uint8Array.of(0xff, 0xfe, 0x0a);
  const dir = await mkdtemp(join(tmpdir(), 'spike-value-'));
  try {
    await writeFile(join(dir, 'f'), bytes);
    const values = await readValues([`file=@${join(dir, 'f')}`, 'input=-'], terminal(bytes));
    for (const key of ['file', 'input']) {
      const value = values.get(key);
      assert(value instanceof Uint8Array, key);
      assert.deepEqual([...value], [...bytes]);
    }
  } finally {
    await rm(dir, { recursive: true });
  }
});
