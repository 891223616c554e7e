import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { instanceOf, PrintedReset } from './reset.ts';
import { openScratch, System } from './system.ts';

test('a running system explains its reset and prints it; stopped and reset it begins anew', async () => {
  await using scratch = await openScratch();
  const home = join(scratch.path, "a home with 'quotes' and $(blanks)");
  await using first = await System.start({ home });
  await first.mustSpike(['secret', 'put', 'tenants/acme/db', 'pass=correct horse']);
  const explained = await first.spike(['reset']);
  assert.equal(explained.code, 1, explained.stderr);
  assert.match(explained.stdout, /1 secrets in 1 versions/);
  assert.match(explained.stderr, /Nothing was done/);

  const printed = await PrintedReset.print(first, scratch.path);
  const running = await printed.run();
  assert.equal(running.code, 1, running.output);
  assert.match(running.output, /Nexus still runs/);
  assert.match(running.output, /Keeper 3 still runs/);
  assert.match(await first.mustSpike(['secret', 'get', 'tenants/acme/db', 'pass']), /correct horse/);

  await first.stop();
  assert.match(await printed.mustRun(), /What comes next/);
  const kept = (await readdir(home)).find((name) => name.startsWith('recovery.reset-')) ?? '';
  assert.equal((await readdir(join(home, kept))).length, 3, 'the old recovery shares are kept');

  await using second = await System.start({ home });
  await second.ready();
  assert.notEqual(await instanceOf(second), printed.instance);
  assert.equal((await second.spike(['secret', 'get', 'tenants/acme/db'])).code, 3);
});
