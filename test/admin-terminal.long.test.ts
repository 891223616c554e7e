import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { newPassword, startGuarded } from './admin.ts';
import type { System } from './system.ts';
import { runInTerminal } from './terminal.ts';

let system: System;
before(async () => {
  system = await startGuarded();
});
after(async () => {
  await system[Symbol.asyncDispose]();
});

const password = newPassword();

test('init asks twice for a password that is not shown, and takes nothing that was typed differently', async () => {
  const slip = await runInTerminal(
    system,
    ['init'],
    [
      [/Choose a password for admin: /, password],
      [/The same again: /, `${password}x`],
    ],
  );
  assert.equal(slip.code, 2, slip.text);
  assert.match(slip.text, /not the same/);
  const { code, text } = await runInTerminal(
    system,
    ['init'],
    [
      [/Choose a password for admin: /, password],
      [/The same again: /, password],
    ],
  );
  assert.equal(code, 0, text);
  assert.match(text, /admin is its first administrator/);
  assert.ok(!text.includes(password) && !text.includes('spk_'));
});

test('a command without a session asks for the password, and goes on with what was asked for', async () => {
  await system.mustSpike(['logout']);
  const put = await runInTerminal(
    system,
    ['secret', 'put', 'tenants/acme/db', 'pass=-'],
    [
      [/pass: /, 'a value nobody sees'],
      [/Password of admin: /, password],
    ],
  );
  assert.equal(put.code, 0, put.text);
  assert.match(put.text, /OK/);
  assert.ok(!put.text.includes(password) && !put.text.includes('nobody sees'));
  assert.equal(await system.mustSpike(['secret', 'get', 'tenants/acme/db', 'pass']), 'a value nobody sees\n');
});

test('a wrong password in a terminal fails without doing what was asked for', async () => {
  await system.mustSpike(['logout']);
  const refused = await runInTerminal(
    system,
    ['secret', 'put', 'a/b', 'c=d'],
    [[/Password of admin: /, 'wrong']],
  );
  assert.equal(refused.code, 4, refused.text);
  await runInTerminal(system, ['login'], [[/Password of admin: /, password]]);
  assert.equal((await system.spike(['secret', 'get', 'a/b'])).code, 3);
});

test('a one-time password is changed at the first login, in the same command', async () => {
  const made = await system.mustSpike(['admin', 'create', 'ann', '--role', 'auditor', '-f', 'json']);
  const { oneTimePassword } = JSON.parse(made) as { oneTimePassword: string };
  const own = newPassword();
  const { code, text } = await runInTerminal(
    system,
    ['login', '--user', 'ann'],
    [
      [/Password of ann: /, oneTimePassword],
      [/New password: /, own],
      [/The same again: /, own],
    ],
  );
  assert.equal(code, 0, text);
  assert.ok(!text.includes(own) && !text.includes(oneTimePassword));
  assert.match(await system.mustSpike(['token', 'show']), /^ann/);
});
