import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newPassword, startGuarded } from './admin.ts';
import { readCommands, runCommand } from './page.ts';
import { runInTerminal } from './terminal.ts';

test('the first five minutes of the README do what it says', async () => {
  const [start, init, ...commands] = await readCommands('README.md', 'The first five minutes');
  assert.deepEqual([start, init], ['npm start', 'npx spike init']);
  assert.ok(commands.length >= 6, commands.join('\n'));
  await using system = await startGuarded();
  const password = newPassword();
  const first = await runInTerminal(
    system,
    ['init'],
    [
      [/Choose a password/, password],
      [/The same again/, password],
    ],
  );
  assert.equal(first.code, 0, first.text);
  let printed = '';
  for (const line of commands) printed += (await runCommand(system, line)).stdout;
  assert.match(printed, /^OK$/m);
  assert.match(printed, /^pass: correct horse$/m);
  assert.match(printed, /^Policy created successfully$/m);
  assert.match(printed, /^connected to the database as app with a password of 13 characters$/m);
  assert.match(printed, /^Nexus: +ready/m);

  // "Stop the system with Ctrl-C, start it again and ask for the secret: […] it is still there."
  await system.stop();
  await using again = await startGuarded({ home: system.home.root });
  const secret = ['secret', 'get', 'tenants/acme/db', 'pass'];
  const asked = await runInTerminal(again, secret, [[/Password of admin: /, password]]);
  assert.equal(asked.code, 0, asked.text);
  assert.match(asked.text, /^correct horse$/m);
  assert.equal(await again.mustSpike(secret), 'correct horse\n');
});
