import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { assertFactoryNew, assertNothingLost, checkRefusal } from './testing/check.ts';
import { answersOf, refusals } from './testing/refusal.ts';
import { runProgram, runScript, takePicture } from './testing/run.ts';
import { Scene } from './testing/scene.ts';
import { Shadow } from './testing/shadow.ts';

const shells = ['dash', 'bash'] as const;
const isJournal = (name: string): boolean => name === 'reset.journal';

for (const shell of shells) {
  for (const refusal of refusals) {
    test(`${shell} refuses it when ${refusal.name}`, async () => {
      await checkRefusal(refusal, shell);
    });
  }

  test(`${shell} runs it rightly, with names that are anything`, async () => {
    await using scene = await Scene.open({
      backup: true,
      name: `-it's "a"\n$(touch pwned) \`touch pwned\` * \\`,
    });
    const run = await runScript(scene.script, { shell, answers: answersOf(scene), cwd: scene.root });
    assert.equal(run.code, 0, run.output);
    await assertFactoryNew(scene);
  });

  test(`${shell} loses nothing when the disk is full at any step, and finishes when there is room again`, async () => {
    const limitBytes = 8 * 512;
    let refusedBefore = 0;
    let brokenOff = 0;
    for (let room = 0; room <= 2600; room += 130) {
      await using scene = await Scene.open({ backup: true });
      await scene.beginJournal();
      const { size } = await stat(scene.journal);
      await writeFile(scene.journal, `${'x'.repeat(limitBytes - room - size - 1)}\n`, { flag: 'a' });
      const before = await takePicture(scene.root, isJournal);
      // Writes beyond the limit fail as those on a full disk do, after what still fits.
      const limited = ['sh', '-c', `trap "" XFSZ; ulimit -f 8; exec "$@"`, 'sh'];
      const run = await runScript(scene.script, { shell, answers: answersOf(scene), before: limited });
      await assertNothingLost(scene, before);
      if (run.code === 1) {
        refusedBefore += 1;
        assert.deepEqual(await takePicture(scene.root, isJournal), before);
      } else if (run.code === 3) {
        brokenOff += 1;
        assert.match(run.output, /Run this script again to finish/);
      }
      const again = await runScript(scene.script, { shell, answers: answersOf(scene) });
      assert.equal(again.code, 0, `room ${room}: ${run.output}\n--\n${again.output}`);
      if (run.code !== 0) await assertFactoryNew(scene);
    }
    assert.ok(
      refusedBefore > 2 && brokenOff > 2,
      `${refusedBefore} before the rename, ${brokenOff} after it`,
    );
  });
}

test('wherever one byte is damaged, nothing is changed', async () => {
  await using scene = await Scene.open({ backup: true });
  await scene.beginJournal();
  const whole = await readFile(scene.script);
  const before = await takePicture(scene.root, isJournal);
  // What checks the script is the place where damage could hide itself.
  const from = whole.indexOf('check_self() {');
  const places = [
    ...Array.from({ length: 250 }, () => randomInt(from, whole.indexOf('check_node() {'))),
    ...Array.from({ length: 150 }, () => randomInt(whole.indexOf('main() {'), whole.length)),
    ...Array.from({ length: 200 }, () => randomInt(0, whole.length)),
  ];
  for (const [index, place] of places.entries()) {
    const value = randomInt(256);
    if (whole[place] === value) continue;
    const text = Buffer.from(whole);
    text[place] = value;
    await scene.saveText(text);
    const shell = shells[index % shells.length] ?? 'sh';
    const run = await runScript(scene.script, { shell, answers: answersOf(scene), cwd: scene.root });
    const what = `${shell}, byte ${place} from ${whole[place]} to ${value}: ${run.output}`;
    const now = await takePicture(scene.root, isJournal);
    // A damaged = can be a >, which makes a file of a new name where the script was run; it empties none that is there.
    for (const [name, content] of Object.entries(before))
      assert.equal(now[name], content, `${name}; ${what}`);
    assert.equal((await scene.steps())[0], 'printed', what);
  }
  assert.ok((await scene.steps()).filter((step) => step === 'refused').length > places.length / 2);
});

test('an assignment that damage has made an output empties no file', async () => {
  await using scene = await Scene.open({ backup: true });
  await scene.beginJournal();
  const whole = await readFile(scene.script, 'utf8');
  const before = await takePicture(scene.root, isJournal);
  for (const name of ['anchor', 'journal', 'backup', 'node', 'data']) {
    await scene.saveText(whole.replace(`\n${name}='/`, `\n${name}>'/`));
    for (const shell of shells) {
      const run = await runScript(scene.script, { shell, answers: answersOf(scene) });
      assert.notEqual(run.code, 0, run.output);
      assert.deepEqual(await takePicture(scene.root, isJournal), before, run.output);
      assert.equal((await scene.steps())[0], 'printed');
    }
  }
});

interface Interruption {
  readonly shell: string;
  readonly signal: 'KILL' | 'INT' | 'TERM';
  /** Each n-th call, from a random one on: another run meets others. */
  readonly every: number;
}

const interruptions: readonly Interruption[] = [
  { shell: 'dash', signal: 'KILL', every: 6 },
  { shell: 'bash', signal: 'INT', every: 9 },
  { shell: 'dash', signal: 'TERM', every: 9 },
];

for (const { shell, signal, every } of interruptions) {
  test(`${shell}, interrupted by SIG${signal} at any step, has lost nothing, and a second run finishes`, async () => {
    await using whole = await Scene.open({ backup: true });
    const counting = await Shadow.place(whole, 0, signal, process.env);
    const run = await runScript(whole.script, { shell, answers: answersOf(whole), env: counting.env });
    assert.equal(run.code, 0, run.output);
    const calls = await counting.calls();
    assert.ok(calls > 50, `${calls} calls`);
    const first = randomInt(1, every + 1);
    const steps = Array.from({ length: Math.floor(calls / every) }, (_, index) => first + index * every);
    let resumed = 0;
    const interruptAt = async (at: number): Promise<void> => {
      await using scene = await Scene.open({ backup: true });
      await scene.beginJournal();
      const shadow = await Shadow.place(scene, at, signal, process.env);
      const before = await takePicture(scene.root, isJournal);
      const broken = await runScript(scene.script, { shell, answers: answersOf(scene), env: shadow.env });
      const where = `call ${at}: ${broken.output}`;
      await assertNothingLost(scene, before);
      const told = await scene.steps();
      if (signal !== 'KILL' && told.includes('started') && broken.code !== 0)
        assert.ok(told.includes('interrupted') || told.includes('refused'), where);
      const env = { ...shadow.env, TEST_AT: '0' };
      const again = await runScript(scene.script, { shell, answers: answersOf(scene), env });
      assert.equal(again.code, 0, `${where}\n--\n${again.output}`);
      if (/it goes on/.test(again.output)) resumed += 1;
      await assertFactoryNew(scene);
    };
    await Promise.all(
      Array.from({ length: availableParallelism() }, async () => {
        for (let at = steps.shift(); at !== undefined; at = steps.shift()) await interruptAt(at);
      }),
    );
    assert.ok(resumed > 2, `${resumed} were broken off after the rename`);
  });
}

for (const shell of shells) {
  test(`in ${shell} what was broken off goes on only while nobody has begun anew in its place`, async () => {
    await using scene = await Scene.open({ backup: true });
    await mkdir(scene.aside(scene.audit));
    const first = await runScript(scene.script, { shell, answers: answersOf(scene) });
    assert.equal(first.code, 3, first.output);
    await rm(scene.aside(scene.audit), { recursive: true });

    // A Nexus that was started meanwhile has left an empty store, or an instance.
    await mkdir(scene.data);
    scene.writeStore('another-instance');
    const before = await takePicture(scene.root, isJournal);
    const refused = await runScript(scene.script, { shell, answers: [scene.instance] });
    assert.equal(refused.code, 3, refused.output);
    assert.match(refused.output, /there is an instance in .* again \(another-instance\)/);
    assert.deepEqual(await takePicture(scene.root, isJournal), before);

    const store = join(scene.data, 'store.sqlite');
    await rename(store, `${store}.kept`);
    await writeFile(store, 'no database');
    const unread = await runScript(scene.script, { shell, answers: [scene.instance] });
    assert.match(unread.output, /the data in .* cannot be read/);
    await rename(`${store}.kept`, store);

    scene.emptyStore();
    await scene.writeAnchor('another-instance');
    const anchored = await runScript(scene.script, { shell, answers: [scene.instance] });
    assert.match(anchored.output, /anchor file .* names another instance/);
    await rm(scene.anchor);

    const wrong = await runScript(scene.script, { shell, answers: ['no'] });
    assert.equal(wrong.code, 3, wrong.output);
    await writeFile(scene.backup, 'changed');
    const changed = await runScript(scene.script, { shell, answers: [scene.instance] });
    assert.match(changed.output, /the backup .* is not the one/);
    assert.ok(
      (await takePicture(scene.gone))['store.sqlite'] !== undefined,
      'the data are there for as long',
    );
    await writeFile(scene.backup, 'sealed bytes\n');

    const again = await runScript(scene.script, { shell, answers: [scene.instance] });
    assert.equal(again.code, 0, again.output);
    assert.deepEqual(Object.keys(await takePicture(scene.data)), ['store.sqlite'], 'the empty store stays');
  });
}

test('shellcheck has nothing to say about it', async () => {
  for (const backup of [true, false]) {
    await using scene = await Scene.open({ backup, name: `it's $(odd) \`name\`` });
    for (const dialect of ['sh', 'dash', 'bash']) {
      const { code, output } = await runProgram('shellcheck', [
        '--shell',
        dialect,
        '--enable=all',
        '--exclude=SC2250,SC2310,SC2311,SC2312,SC2292',
        scene.script,
      ]);
      assert.equal(code, 0, output);
    }
  }
});
