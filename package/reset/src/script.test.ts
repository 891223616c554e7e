import assert from 'node:assert/strict';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { test } from 'node:test';
import { assertOurProgram } from './script.ts';
import { assertFactoryNew, checkRefusal } from './testing/check.ts';
import { answersOf, refusals } from './testing/refusal.ts';
import { runScript, takePicture } from './testing/run.ts';
import { Scene } from './testing/scene.ts';

/** One of each kind; the long test has all of them, in every shell. */
const quick = [
  'Nexus still runs',
  'a Keeper still runs',
  'the data are of another instance',
  'its hour is over',
  'the backup was changed and has the same size',
  'the id of the instance is typed wrong',
  'there is no terminal',
  'its file may be written by the group',
];

for (const refusal of refusals.filter(({ name }) => quick.includes(name))) {
  test(`it is refused when ${refusal.name}`, async () => {
    await checkRefusal(refusal, 'sh');
  });
}

test('run rightly it removes the data, keeps the evidence beside, tells what comes next, and is done once', async () => {
  await using scene = await Scene.open({ backup: true });
  const run = await runScript(scene.script, { answers: answersOf(scene) });
  assert.equal(run.code, 0, run.output);
  assert.match(run.output, /made 60 minutes ago/);
  assert.match(run.output, /spike backup restore/);
  await assertFactoryNew(scene);
  const again = await runScript(scene.script, { answers: answersOf(scene) });
  assert.match(again.output, /done already/);
  assert.equal(again.code, 0);
  await assertFactoryNew(scene);
});

test('without a backup it asks for the loss to be accepted, and goes on when it is', async () => {
  await using scene = await Scene.open();
  const run = await runScript(scene.script, { answers: answersOf(scene) });
  assert.equal(run.code, 0, run.output);
  assert.ok((await scene.steps()).includes('loss-accepted'));
  await assertFactoryNew(scene);
});

test('a dry run changes nothing but the journal, needs no terminal, and says what a real run would do', async () => {
  await using scene = await Scene.open();
  const before = await takePicture(scene.root);
  const run = await runScript(scene.script, { args: ['--dry-run'], terminal: false });
  assert.equal(run.code, 0, run.output);
  assert.match(run.output, /Would remove: .*\/data \(2 secrets in 3 versions/);
  assert.deepEqual(await scene.steps(), ['dry-run-started', 'dry-run-passed']);
  assert.deepEqual(await takePicture(scene.root, (name) => name === 'reset.journal'), before);
});

test('what was broken off after the rename is finished by a second run, also when the hour is over', async () => {
  await using scene = await Scene.open();
  // The first run ends where the audit directory cannot be moved aside.
  await mkdir(scene.aside(scene.audit));
  const first = await runScript(scene.script, { answers: answersOf(scene) });
  assert.equal(first.code, 3, first.output);
  assert.match(first.output, /Run this script again to finish/);
  assert.ok((await takePicture(scene.gone))['store.sqlite'] !== undefined, 'all data are still there');
  await rm(scene.aside(scene.audit), { recursive: true });
  await scene.save({
    createdAt: new Date(Date.now() - 7_200_000),
    expiresAt: new Date(Date.now() - 3_600_000),
  });
  const second = await runScript(scene.script, { answers: [scene.instance] });
  assert.equal(second.code, 0, second.output);
  await assertFactoryNew(scene);
});

test('it does not run from a pipe', async () => {
  await using scene = await Scene.open();
  const before = await takePicture(scene.root);
  const piped = await readFile(scene.script, 'utf8');
  const run = await runScript(scene.script, { piped, terminal: false });
  assert.equal(run.code, 1, run.output);
  assert.match(run.output, /not from a pipe/);
  assert.deepEqual(await takePicture(scene.root), before);
});

test('of a script that was cut off nothing runs, and one damaged byte is found', async () => {
  await using scene = await Scene.open();
  await scene.beginJournal();
  const whole = await readFile(scene.script);
  const before = await takePicture(scene.root, (name) => name === 'reset.journal');
  const at = (fraction: number): number => Math.floor(whole.length * fraction);
  const flip = (index: number): Buffer =>
    Buffer.from(whole.map((byte, i) => (i === index ? byte ^ 1 : byte)));
  const texts = [
    whole.subarray(0, at(0.5)),
    whole.subarray(0, -1),
    Buffer.concat([whole, Buffer.from('\n')]),
    flip(at(0.1)),
    flip(whole.length - 40),
    flip(whole.indexOf('/data') + 2),
  ];
  for (const text of texts) {
    await scene.saveText(text);
    const run = await runScript(scene.script, { answers: answersOf(scene) });
    assert.notEqual(run.code, 0, run.output);
    assert.doesNotMatch(run.output, /To go on/, 'it asks nothing before it is known to be whole');
    assert.deepEqual(await takePicture(scene.root, (name) => name === 'reset.journal'), before);
  }
  assert.ok((await scene.steps()).includes('refused'));
});

test('a script in which the check of the shell is damaged is found by that of Node.js', async () => {
  await using scene = await Scene.open({ backup: true });
  const whole = await readFile(scene.script, 'utf8');
  const before = await takePicture(scene.root, (name) => name === 'reset.journal');
  await scene.saveText(whole.replace('[ "$last" = "# checksum', '[ "$last" ] || [ "# checksum'));
  const run = await runScript(scene.script, { answers: answersOf(scene) });
  assert.equal(run.code, 1, run.output);
  assert.match(run.output, /To go on[^]*the script is damaged[^]*Nothing was changed/);
  assert.deepEqual(await takePicture(scene.root, (name) => name === 'reset.journal'), before);
});

test('names with quotes, blanks, line breaks and commands in them are names and nothing else', async () => {
  const name = `it's "a" $(touch pwned) \`touch pwned\` ; touch pwned\n & $HOME * \\ -n é`;
  await using scene = await Scene.open({
    name,
    backup: true,
    change: (manifest) => ({ ...manifest, administrator: `'; touch pwned; '$(touch pwned)\n# x` }),
  });
  const run = await runScript(scene.script, { answers: answersOf(scene), cwd: scene.root });
  assert.equal(run.code, 0, run.output);
  await assertFactoryNew(scene);
  const files = Object.keys(await takePicture(scene.scratch));
  assert.deepEqual(
    files.filter((file) => file.endsWith('pwned')),
    [],
  );
});

test('a script that does anything else than ours is not taken for ours, whatever its values are', async () => {
  await using scene = await Scene.open({ backup: true });
  const text = await readFile(scene.script, 'utf8');
  await assertOurProgram(text);
  await scene.save({ administrator: "$(id); `id`' \\'' é \"; exit" });
  const named = await readFile(scene.script, 'utf8');
  await assertOurProgram(named);
  const line = /^instance='.*'$/m.exec(text)?.[0] ?? '';
  const changes: readonly (readonly [string, string])[] = [
    [line, `${line}; id`],
    [line, `${line}\nid`],
    [line, 'instance=$(id)'],
    [line, "instance='a'$(id)'b'"],
    [line, "instance='a'\\''$(id)"],
    [line, `PATH='/tmp'\n${line}`],
    [line, "instance='a\nb'"],
    ['#!/bin/sh\n', '#!/bin/sh\nid\n'],
    ['for_each_address() {\n', 'for_each_address() {\n  id\n'],
    ['for_each_address() {\n', 'id() {\n'],
    ['"$stop_nexus"', '"$(id)"'],
    ['umask 077', 'umask 000'],
    ['rm -rf "$gone"', 'rm -rf "$HOME"'],
    ['\nmain "$@"\n', '\nid\nmain "$@"\n'],
    ['\n}\n# signature', '\n}\nid\n# signature'],
    ['\n# checksum', '\nid # checksum'],
  ];
  for (const [from, to] of changes) {
    assert.ok(text.includes(from), from);
    const changed = assertOurProgram(text.replace(from, () => to));
    await assert.rejects(changed, { code: 'data_invalid_input' }, to);
  }
  await assert.rejects(assertOurProgram(''), { code: 'data_invalid_input' });
  await assert.rejects(assertOurProgram(`${text}id\n`), { code: 'data_invalid_input' });
});
