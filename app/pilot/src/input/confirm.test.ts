import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { rehearse } from '../testing/invocation.ts';
import { confirm, confirmFinal } from './confirm.ts';

test('a person is asked, and y alone is a yes', async () => {
  for (const [input, answer] of [
    ['y\n', true],
    ['Y\n', true],
    [' y \n', true],
    ['yes\n', false],
    ['n\n', false],
    ['\n', false],
    ['', false],
  ] as const) {
    const { invocation, written } = rehearse({ input, isTerminal: true });
    assert.equal(await confirm(invocation, 'Really?'), answer, input);
    assert.equal(written.out, 'Really? (y/N): ');
  }
});

test('where a program reads the answer, the question goes to standard error', async () => {
  const { invocation, written } = rehearse({ input: 'y\n', isTerminal: true, settings: { format: 'json' } });
  assert.equal(await confirm(invocation, 'Really?'), true);
  assert.deepEqual(written, { out: '', err: 'Really? (y/N): ' });
});

test('what is final needs --yes outside of a terminal, or the y of a script where that is taken', async () => {
  const final = (input: string, yes: boolean, takesPipe: boolean, isTerminal = false): Promise<boolean> =>
    confirmFinal(rehearse({ input, isTerminal }).invocation, 'Really?', { yes, takesPipe });
  assert.equal(await final('', true, false), true);
  assert.equal(await final('y\n', false, false, true), true);
  assert.equal(await final('n\n', false, false, true), false);
  assert.equal(await final('y\n', false, true), true);
  assert.equal(await final('no\n', false, true), false);
  for (const [input, takesPipe] of [
    ['', true],
    ['\n', true],
    ['y\n', false],
  ] as const) {
    await assert.rejects(final(input, false, takesPipe), { code: 'data_invalid_input', message: /--yes/ });
  }
});

test('whoever interrupts a question has not said yes, before it is asked or while it waits', async () => {
  for (const isEarly of [true, false]) {
    const { invocation } = rehearse({ isTerminal: true });
    const stdin = Object.assign(new PassThrough(), { isTTY: true }) as never;
    if (isEarly) invocation.deadline.interrupt('SIGINT');
    const stdout = Object.assign(invocation.stdout, {
      // Asked: now it waits.
      write: () => {
        setImmediate(() => invocation.deadline.interrupt('SIGINT'));
        return true;
      },
    });
    await assert.rejects(confirm({ ...invocation, stdin, stdout }, 'Really?'), { name: 'Interruption' });
  }
});
