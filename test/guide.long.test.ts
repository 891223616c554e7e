import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readShareFiles } from '@spike/recovery';
import { join } from 'node:path';
import { readCommands, runCommand } from './page.ts';
import { System } from './system.ts';

test('the commands of the guides do what the guides say', async () => {
  await using system = await System.start();
  const run = async (page: string): Promise<string> => {
    const commands = await readCommands(`doc/guide/${page}.md`);
    assert.ok(commands.length > 0, page);
    let printed = '';
    for (const line of commands) printed += (await runCommand(system, line)).stdout;
    return printed;
  };
  assert.match(await run('policy'), /Path Pattern: \^tenants\/acme\/\.\*/);
  assert.match(await run('workload'), /connected to the database as app[^]*Selector: +path:\/usr\/bin\/app/);
  assert.match(await run('recovery'), /saved to the recovery directory/);
  assert.equal((await readShareFiles(join(system.home.root, 'recover'))).length, 3);
});
