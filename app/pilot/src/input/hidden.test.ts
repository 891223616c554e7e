import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { Interruption } from '../deadline.ts';
import { promptHidden } from './hidden.ts';

/** A terminal at which these pieces are typed, one after another. */
function open(...pieces: readonly (string | Uint8Array)[]) {
  let shown = '';
  let isRaw = false;
  let askedInRaw: boolean | undefined;
  const input = Object.assign(new PassThrough(), { setRawMode: (mode: boolean) => void (isRaw = mode) });
  for (const piece of pieces) input.write(piece);
  const output = Object.assign(new PassThrough(), {
    write: (text: string) => {
      askedInRaw ??= isRaw;
      shown += text;
      return true;
    },
  });
  const controller = new AbortController();
  return {
    controller,
    ask: () => promptHidden('pass: ', input as never, output, controller.signal),
    /** What stood there, whether nothing was shown from the question on, and is again. */
    seen: () => ({ shown, askedInRaw, isRaw }),
  };
}

const done = { shown: 'pass: \n', askedInRaw: true, isRaw: false };

test('what is typed is read up to the end of the line, corrected, and not shown', async () => {
  for (const [pieces, value] of [
    [['geh', 'eim\r'], 'geheim'],
    [['ab\u007fc\n'], 'ac'],
    [['ä\u007fö\r'], 'ö'],
    [['x\r\n'], 'x'],
    [['x\u0004'], 'x'],
    [['\r'], ''],
  ] as const) {
    const { ask, seen } = open(...pieces);
    assert.equal(await ask(), value);
    assert.deepEqual(seen(), done);
  }
});

test('questions follow one another on one terminal, and leave nothing behind', async () => {
  const input = Object.assign(new PassThrough(), { setRawMode: () => undefined });
  const { signal } = new AbortController();
  const listeners = input.listenerCount('readable');
  for (const value of ['one', 'two', 'three']) {
    input.write(`${value}\r`);
    assert.equal(await promptHidden('a: ', input as never, new PassThrough(), signal), value);
  }
  await new Promise(setImmediate);
  assert.equal(input.listenerCount('readable'), listeners);
});

test('what would not be stored as it was typed is refused, and not repeated', async () => {
  for (const piece of [
    Buffer.from([0x68, 0xe4, 0x0d]),
    '-----BEGIN KEY-----\rhunter2\r-----END KEY-----\r',
    `${'x'.repeat(1_048_577)}\r`,
  ]) {
    const { ask, seen } = open(piece);
    await assert.rejects(ask(), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'data_invalid_input');
      assert.doesNotMatch(error.message, /hunter2|BEGIN/);
      return true;
    });
    assert.deepEqual(seen(), done);
  }
});

test('Ctrl-C and a signal end the question and put the terminal back', async () => {
  const typed = open('abc\u0003');
  await assert.rejects(typed.ask(), (error) => error instanceof Interruption && error.exit === 130);
  assert.deepEqual(typed.seen(), done);
  const told = open('abc');
  const asking = told.ask();
  const reason = new Interruption('SIGTERM');
  setImmediate(() => told.controller.abort(reason));
  await assert.rejects(asking, reason);
  assert.deepEqual(told.seen(), done);
});
