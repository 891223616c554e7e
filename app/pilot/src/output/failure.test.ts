import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codeTable, isErrorCode, SpikeError } from '@spike/error';
import { SpiffeError } from '@spike/spiffe';
import { describeFailure } from './failure.ts';

test('every code ends with the exit code of its row, and its text says what happened and why', () => {
  for (const code of Object.keys(codeTable).filter(isErrorCode)) {
    const { exit, text } = describeFailure(new SpikeError(code, 'because of the test'));
    assert.equal(exit, codeTable[code].exit, code);
    assert.match(text, /^Error: .+\n {2}because of the test\n/, code);
    assert.ok(text.endsWith('\n'), code);
  }
});

test('what scripts look for in the output of the Go command is there', () => {
  const textOf = (code: 'net_peer_connection' | 'state_not_ready' | 'access_unauthorized'): string =>
    describeFailure(new SpikeError(code, 'x')).text;
  assert.match(textOf('net_peer_connection'), /Failed to connect to SPIKE Nexus/);
  assert.match(textOf('state_not_ready'), /not ready/);
  assert.match(textOf('access_unauthorized'), /access_unauthorized/);
});

test('whoever has no identity is told to make one, not to change a policy', () => {
  const { exit, text } = describeFailure(new SpikeError('spiffe_no_identity', 'create one: …'));
  assert.equal(exit, 4);
  assert.doesNotMatch(text, /policy/);
});

test('a failure of the SPIFFE library is an agent that does not answer, or an identity that is not there', () => {
  assert.equal(describeFailure(new SpiffeError('unavailable', 'nobody there')).exit, 7);
  assert.equal(describeFailure(new SpiffeError('permission_denied', 'none for you')).exit, 4);
});

test('a system call that fails is told as it is, and anything else without what it held', () => {
  const denied = Object.assign(new Error("EACCES: permission denied, open '/x'"), { syscall: 'open' });
  const told = describeFailure(denied);
  assert.equal(told.exit, 1);
  assert.match(told.text, /permission denied, open '\/x'/);
  const bug = describeFailure(new TypeError('correct horse'));
  assert.equal(bug.exit, 1);
  assert.doesNotMatch(bug.text, /correct horse/);
});
