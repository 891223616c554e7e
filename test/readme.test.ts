import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readCommands, runCommand } from './page.ts';
import { System } from './system.ts';

test('the first five minutes of the README do what it says', async () => {
  const [start, ...commands] = await readCommands('README.md', 'The first five minutes');
  assert.equal(start, 'npm start');
  assert.ok(commands.length >= 6, commands.join('\n'));
  await using system = await System.start();
  let printed = '';
  for (const line of commands) printed += (await runCommand(system, line)).stdout;
  assert.match(printed, /^OK$/m);
  assert.match(printed, /^pass: correct horse$/m);
  assert.match(printed, /^Policy created successfully$/m);
  assert.match(printed, /^connected to the database as app with a password of 13 characters$/m);
  assert.match(printed, /^Nexus: +ready/m);

  // "Stop the system with Ctrl-C and start it again: the secret is still there."
  await system.stop();
  await using again = await System.start({ home: system.home.root });
  assert.equal(await again.mustSpike(['secret', 'get', 'tenants/acme/db', 'pass']), 'correct horse\n');
});
