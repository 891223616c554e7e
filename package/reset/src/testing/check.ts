import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { basename, join, sep } from 'node:path';
import { answersOf, type Refusal } from './refusal.ts';
import { runScript, takePicture } from './run.ts';
import { Scene } from './scene.ts';

const isNoData = (name: string): boolean => name === 'reset.journal' || /^data\/store\.lock$/.test(name);

/** Runs what must be refused: nothing is changed but the journal, which tells of it. */
export async function checkRefusal(
  { name, scene: options, prepare, reason }: Refusal,
  shell: string,
): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const scene = stack.use(await Scene.open(options));
  // Printed by Nexus, which begins the journal.
  await scene.beginJournal();
  const asked = await prepare(scene, stack);
  const before = await takePicture(scene.root, isNoData);
  const run = await runScript(scene.script, { shell, answers: answersOf(scene), ...asked });
  assert.match(run.output, reason, name);
  assert.match(run.output, /Nothing was changed\./, name);
  assert.equal(run.code, 1, `${name}: ${run.output}`);
  assert.deepEqual(await takePicture(scene.root, isNoData), before, name);
  const steps = await scene.steps();
  assert.equal(steps.at(-1), 'refused', `${name}: ${steps.join(' ')}`);
  assert.ok(!steps.includes('removing'), name);
}

/** Nothing of the instance is where Nexus, Bootstrap or the launcher look; what is evidence is kept beside. */
export async function assertFactoryNew(scene: Scene): Promise<void> {
  const picture = Object.keys(await takePicture(scene.root));
  const kept = [scene.anchor, scene.audit, scene.recovery].map((path) => scene.aside(path));
  const files = ['segment', 'spike.recovery.1.txt'];
  const expected = [
    ...kept.map((path) => basename(path)),
    join(basename(scene.aside(scene.audit)), files[0] ?? ''),
    join(basename(scene.aside(scene.recovery)), files[1] ?? ''),
    'backup.age',
    'reset.journal',
  ];
  assert.deepEqual(picture.toSorted(), expected.toSorted());
  assert.equal(await readFile(join(scene.aside(scene.audit), 'segment'), 'utf8'), 'lines of evidence\n');
  assert.equal((await scene.steps()).at(-1), 'done');
}

/**
 * Whatever was there before is there now, in its place or beside it. The data may be gone in part when their deletion has
 * begun, and that begins when all else is done.
 */
export async function assertNothingLost(
  scene: Scene,
  before: Readonly<Record<string, string>>,
): Promise<void> {
  const now = await takePicture(scene.root);
  const moved = [scene.data, scene.anchor, scene.audit, scene.recovery].map((path) => basename(path));
  const deleting = (await scene.steps()).includes('deleting');
  for (const [name, content] of Object.entries(before)) {
    const [top = '', ...rest] = name.split(sep);
    if (top === basename(scene.data) && deleting) continue;
    const beside = moved.includes(top) ? join(basename(scene.aside(join(scene.root, top))), ...rest) : name;
    assert.equal(now[name] ?? now[beside], content, `${name} is lost`);
  }
}
