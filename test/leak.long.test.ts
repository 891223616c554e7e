import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { rolePaths } from '@spike/contract';
import { startGuarded } from './admin.ts';
import { authorityOf } from './caller.ts';
import { Values } from './known/values.ts';
import { Watcher } from './leak.ts';
import { Life, phrase } from './life.ts';
import { killKeyHolders } from './loss.ts';
import { openScratch, repository, until, type System } from './system.ts';

/* Secrets, passwords, tokens, codes and keys of a whole life of a system, and all that it wrote meanwhile. */

async function crash(system: System, signal: NodeJS.Signals): Promise<void> {
  const [pid = 0] = await system.pidsOf('nexus');
  const limits = await readFile(`/proc/${pid}/limits`, 'utf8');
  assert.match(limits, /Max core file size +0 +0 /, 'no core is dumped');
  process.kill(pid, signal);
  await until('it is another process', async () => (await system.pidsOf('nexus')).some((one) => one !== pid));
  await system.ready();
}

/** Its identity is taken away; the entry of a part is the launcher's to make, at its next start. */
async function withdraw(system: System): Promise<void> {
  const authority = authorityOf(system);
  const entry = (await authority.listEntries()).find(({ spiffeId }) => spiffeId.endsWith(rolePaths.nexus));
  assert(entry !== undefined);
  await authority.deleteEntry(entry.id);
  await until('Nexus serves no more', async () => (await system.health())?.ready !== true);
  await until('the log says so', () => system.output.includes('withdrawn'));
  await system.stop();
}

/** What a crash could leave, where parts run. */
const droppings = async (directory: string): Promise<readonly string[]> =>
  (await readdir(directory)).filter((name) =>
    /^(core|report\.|Heap|.*heapsnapshot|.*\.cpuprofile)/.test(name),
  );

test('what was used is in nothing that was written, printed, logged or shown among processes', async () => {
  await using scratch = await openScratch();
  const [file, told] = [join(scratch.path, 'alerts.jsonl'), join(scratch.path, 'command.jsonl')];
  const before = await droppings(repository);
  const home = join(scratch.path, 'home');
  const options = {
    home,
    args: ['--verbose'],
    env: {
      SPIKE_NEXUS_ALERT_FILE: file,
      SPIKE_NEXUS_ALERT_COMMAND: JSON.stringify(['/bin/sh', '-c', `cat >> ${told}`]),
      SPIKE_SYSTEM_LOG_LEVEL: 'DEBUG',
    },
  };
  await using system = await startGuarded(options);
  await using watcher = new Watcher();
  const life = new Life(system, scratch.path);
  const { values, run } = life;
  await life.begin();
  await life.tokens();
  await life.secrets();
  await life.recovery();
  await life.emergency();
  await life.keeping();
  await crash(system, 'SIGKILL');
  await life.login('token after SIGKILL');
  await crash(system, 'SIGABRT');
  await killKeyHolders(system);
  await system.ready();
  await withdraw(system);
  await using again = await startGuarded(options);
  run.system = again;
  await life.login('last token');
  await life.looks();
  await until('the command was told', async () =>
    (await readFile(told, 'utf8')).includes('breakglass_opened'),
  );
  await again.stop();

  const mayHold = (path: string): readonly string[] => {
    if (path === system.home.tokenFile) return ['last token'];
    if (/\/(recover|recovery)\/spike\.recovery\.\d\.txt$/.test(path)) return ['share '];
    return path.endsWith('/backup.key') ? ['age identity'] : [];
  };
  assert.ok(values.names.length >= 30, values.names.join());
  assert.deepEqual(await values.below(scratch.path, mayHold), []);
  for (const { output } of [system, again]) assert.deepEqual(values.in(output), [], 'the logs of all parts');
  for (const { args, text, holds } of run.printed) {
    const found = values.in(text).filter((name) => !holds.some((one) => name.startsWith(one)));
    assert.deepEqual(found, [], args.join(' '));
  }
  assert.deepEqual(values.in(watcher.seen), [], 'arguments of processes');
  assert.ok(watcher.seen.includes('app/nexus/'), 'it has looked');
  assert.deepEqual(await droppings(repository), before);
  assert.deepEqual(await droppings(system.home.root), []);

  // What is where it belongs is found, so the same search would have found it elsewhere.
  const everywhere = await values.below(system.home.root);
  for (const name of ['last token', 'share 1', 'share 2', 'share 3'])
    assert.ok(
      everywhere.some((one) => one.startsWith(`${name} in`)),
      name,
    );
  assert.ok(run.printed.some(({ text }) => values.in(text).includes('value')));
});

test('one that is planted is found: in a file in any form, and among the arguments of a process', async () => {
  await using scratch = await openScratch();
  await using watcher = new Watcher();
  const values = new Values();
  const [text, bytes] = [phrase(), randomBytes(32)];
  values.text('text', text);
  values.bytes('bytes', bytes);
  await mkdir(join(scratch.path, 'deep'));
  const forms = [text, Buffer.from(`{"x":"${text}"}`).toString('base64'), Buffer.from(text).toString('hex')];
  const all = [...forms, bytes, bytes.toString('hex'), bytes.toString('base64'), bytes.toString('base64url')];
  assert.deepEqual(await values.below(scratch.path).catch(() => []), []);
  for (const [index, form] of all.entries()) {
    const path = join(scratch.path, 'deep', `file-${index}`);
    await writeFile(path, Buffer.concat([Buffer.from('before '), Buffer.from(form), Buffer.from(' after')]));
    const found = await values.below(scratch.path);
    assert.ok(
      found.some((one) => one.includes(`in ${path} at `)),
      `form ${index}: ${found.join()}`,
    );
  }
  assert.deepEqual(values.in(watcher.seen), []);
  const child = spawn(process.execPath, ['-e', 'process.stdin.resume()', text], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  await watcher.look();
  child.stdin.end();
  await once(child, 'exit');
  assert.deepEqual(values.in(watcher.seen), ['text']);
});
