import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { homeOf } from '@spike/config';
import { formatFindings } from './finding.ts';
import { checkMachine } from './machine.ts';

async function openHome() {
  const root = await mkdtemp(join(tmpdir(), 'spike-doctor-'));
  const home = homeOf({ SPIKE_HOME: root });
  await mkdir(home.audit, { recursive: true, mode: 0o700 });
  const look = async (check: string) =>
    (await checkMachine(home)).find((finding) => finding.check === check) ?? assert.fail(check);
  return { home, look, [Symbol.asyncDispose]: async () => await rm(root, { recursive: true }) };
}

test('files that others may read are named, with the command that mends it', async () => {
  await using rig = await openHome();
  assert.equal((await rig.look('files')).outcome, 'ok');
  await writeFile(rig.home.anchorFile, '', { mode: 0o644 });
  await chmod(rig.home.nexus, 0o755);
  const { outcome, says, mend } = await rig.look('files');
  assert.equal(outcome, 'bad');
  assert.ok(says.includes(rig.home.nexus) && says.includes(rig.home.anchorFile));
  assert.ok(mend?.startsWith('chmod go= '));
});

test('a context that is missing is a note, and one that is damaged is bad', async () => {
  await using rig = await openHome();
  assert.equal((await rig.look('context')).outcome, 'note');
  await writeFile(rig.home.contextFile, '{', { mode: 0o600 });
  assert.equal((await rig.look('context')).outcome, 'bad');
});

test('every finding that is not ok says how to mend it, and acts on no terminal', async () => {
  await using rig = await openHome();
  const findings = await checkMachine(rig.home);
  assert.deepEqual(
    findings.map(({ check }) => check),
    ['node', 'core dumps', 'swap', 'context', 'files', 'audit space'],
  );
  for (const { outcome, mend } of findings) assert.equal(mend !== undefined, outcome !== 'ok');
  const text = formatFindings(
    [{ check: 'x', outcome: 'bad', says: 'a\u001b[2J', mend: 'b' }],
    (_style, line) => line,
  );
  assert.ok(text.startsWith('bad      x') && !text.includes('\u001b'));
});
