import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codeTable, isErrorCode, SpikeError, type ErrorCode } from '@spike/error';
import { SpiffeError } from '@spike/spiffe';
import { parse } from 'yaml';
import { Interruption } from '../deadline.ts';
import { describeFailure, formatFailure } from './failure.ts';
import { Headlined, withPeer } from './headline.ts';

/** As a person reads it. */
async function tell(thrown: unknown): Promise<{ readonly exit: number; readonly text: string }> {
  const failure = describeFailure(thrown);
  return { exit: failure.exit, text: await formatFailure(failure, 'human') };
}

test('every code ends with the exit code of its row, and its text says what happened and why', async () => {
  for (const code of Object.keys(codeTable).filter(isErrorCode)) {
    const { exit, text } = await tell(new SpikeError(code, 'because of the test'));
    assert.equal(exit, codeTable[code].exit, code);
    assert.match(text, /^Error: .+\n {2}because of the test\n/, code);
    assert.ok(text.endsWith('\n'), code);
  }
});

test('what scripts look for in the output of the Go command is there', async () => {
  const textOf = async (code: ErrorCode): Promise<string> => (await tell(new SpikeError(code, 'x'))).text;
  assert.match(await textOf('net_peer_connection'), /Failed to connect to SPIKE Nexus/);
  assert.match(await textOf('state_not_ready'), /not ready[^]*not initialized/);
  assert.match(await textOf('access_unauthorized'), /access_unauthorized/);
});

test('whoever asked for too much is told when to come again, with an exit code that says so', async () => {
  const told = (retryAfterMs: number) =>
    tell(new SpikeError('limit_exceeded', 'too many', { detail: { retryAfterMs } }));
  const { exit, text } = await told(2_000);
  assert.equal(exit, 5);
  assert.match(text, /Try again in 2s\./);
  assert.match((await told(60_000)).text, /Try again in 1m\./);
});

test('whoever has no identity is told to make one, not to change a policy', async () => {
  const { exit, text } = await tell(new SpikeError('spiffe_no_identity', 'create one: …'));
  assert.equal(exit, 4);
  assert.doesNotMatch(text, /policy/);
});

test('whose registration entry is gone is told: that of Nexus, when Nexus says so, else the own one', async () => {
  const ofNexus = new SpikeError('identity_withdrawn', 'x', { detail: { sent: true, status: 503 } });
  assert.match((await tell(ofNexus)).text, /entry of Nexus/);
  const own = await tell(new SpikeError('identity_withdrawn', 'x', { detail: { sent: false } }));
  assert.match(own.text, /entry of this process is gone: create it again/);
  // Under either authority.
  for (const command of [/`spire-server entry create`/, /`spike authority entry create`/])
    assert.match(own.text, command);
});

test('a failure of the SPIFFE library is an agent that does not answer, or an identity that is not there', async () => {
  assert.equal((await tell(new SpiffeError('unavailable', 'nobody there'))).exit, 7);
  assert.equal((await tell(new SpiffeError('permission_denied', 'none for you'))).exit, 4);
});

test('a system call that fails is told as it is, and anything else without what it held', async () => {
  const denied = Object.assign(new Error("EACCES: permission denied, open '/x'"), { syscall: 'open' });
  const told = await tell(denied);
  assert.equal(told.exit, 1);
  assert.match(told.text, /permission denied, open '\/x'/);
  const bug = await tell(new TypeError('correct horse'));
  assert.equal(bug.exit, 1);
  assert.doesNotMatch(bug.text, /correct horse/);
});

test('who is not reached is named: Nexus only when it was Nexus', async () => {
  const unreached = new SpikeError('net_peer_connection', 'nobody listens');
  const call = withPeer('the identity authority', () => Promise.reject(unreached));
  const error: unknown = await call.catch((thrown: unknown) => thrown);
  const { exit, text } = await tell(error);
  assert.equal(exit, 7);
  assert.match(text, /^Error: Failed to connect to the identity authority\n {2}nobody listens\n/);
  assert.doesNotMatch(text, /Nexus/);
  const refused = new SpikeError('access_unauthorized', 'not yours');
  await assert.rejects(
    withPeer('the identity authority', () => Promise.reject(refused)),
    refused,
  );
});

test('a program gets one object, with the trail and the exit code', async () => {
  const detail = { trail: 'abc123', status: 404 };
  const failure = describeFailure(new SpikeError('api_not_found', 'nothing there', { detail }));
  const error = {
    code: 'api_not_found',
    message: 'nothing there',
    advice: failure.advice,
    trail: 'abc123',
    exit: 3,
  };
  assert.deepEqual(JSON.parse(await formatFailure(failure, 'json')), { error });
  assert.deepEqual(parse(await formatFailure(failure, 'yaml')), { error });
  assert.match(await formatFailure(failure, 'human'), /trail in the audit is abc123/);
});

test('the exit code of an error under another headline is that of the error', () => {
  const cause = new SpikeError('state_not_ready', 'wait', { detail: { trail: 't' } });
  const failure = describeFailure(new Headlined('Failed to communicate with SPIKE Nexus', cause));
  assert.deepEqual([failure.exit, failure.code, failure.trail], [5, 'state_not_ready', 't']);
});

test('an interruption ends as shells expect it', async () => {
  assert.equal((await tell(new Interruption('SIGINT'))).exit, 130);
  assert.equal((await tell(new Interruption('SIGTERM'))).exit, 143);
});

test('what a server says does not act on the terminal', async () => {
  const { text } = await tell(new SpikeError('api_bad_request', 'bad \u001b]0;owned\u0007 thing'));
  assert.ok(!text.includes('\u001b') && !text.includes('\u0007'));
  assert.ok(text.includes('\\u001b]0;owned\\u0007'));
});
