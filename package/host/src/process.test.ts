import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { SpikeError } from '@spike/error';
import { findProgram, PidHandle } from './index.ts';
import { runScript } from './testing/script.ts';
import { openTerminal } from './testing/terminal.ts';

const index = `${import.meta.dirname}/index.ts`;

test('an overwritten title leaves none of the arguments to read', async () => {
  const out = await runScript(
    `
    import { readFileSync } from 'node:fs';
    import { overwriteTitle } from '${index}';
    const before = readFileSync('/proc/self/cmdline', 'latin1').includes('pass=hunter2');
    overwriteTitle('spike secret put');
    console.log(JSON.stringify([before, readFileSync('/proc/self/cmdline', 'latin1').replaceAll('\\0', ' ').trim()]));
  `,
    ['pass=hunter2', 'x'.repeat(100)],
  );
  assert.deepEqual(JSON.parse(out), [true, 'spike secret put']);
});

test('a replaced process keeps its pid and gets the default signal actions', async () => {
  const out = await runScript(`
    import { replaceProcess } from '${index}';
    process.stdout.write(process.pid + '\\n', () =>
      replaceProcess('/bin/sh', ['-c', 'echo $$ $NAME; grep SigIgn /proc/self/status'], { NAME: 'new', GONE: undefined }));
  `);
  const [before, after, ignored] = out.trim().split('\n');
  assert.equal(after, `${before} new`);
  assert.match(ignored ?? '', /SigIgn:\s+0+$/);
});

test('a replaced process reaps the children that it had before', async () => {
  const out = await runScript(`
    import { spawn } from 'node:child_process';
    import { readFileSync } from 'node:fs';
    import { reapInherited, replaceProcess } from '${index}';
    const children = () => readFileSync('/proc/self/task/' + process.pid + '/children', 'latin1').trim();
    if (process.env.AGAIN === undefined) {
      const child = spawn('/bin/sh', ['-c', 'read line'], { stdio: ['pipe', 'ignore', 'ignore'] });
      child.once('spawn', () => replaceProcess(process.execPath, [...process.execArgv, ...process.argv.slice(1)], { AGAIN: '1' }));
    } else {
      // Its standard input was closed with the old image, so it ends by itself.
      const had = children();
      reapInherited(10);
      const timer = setInterval(() => {
        if (children() !== '') return;
        clearInterval(timer);
        console.log('had', had.split(' ').length);
      }, 10);
    }
  `);
  assert.equal(out.trim(), 'had 1');
});

test('a replaced process gets standard streams that block, as every program expects', async () => {
  const out = await runScript(`
    import { readFileSync } from 'node:fs';
    import { replaceProcess } from '${index}';
    process.stdin.resume();
    process.stdout.write(readFileSync('/proc/self/fdinfo/0', 'latin1'), () =>
      replaceProcess('/bin/sh', ['-c', 'cat /proc/$$/fdinfo/0 /proc/$$/fdinfo/1 /proc/$$/fdinfo/2'], {}));
  `);
  const areNonBlocking = [...out.matchAll(/^flags:\s*(\d+)$/gm)].map(([, flags]) =>
    /[4-7]\d{3}$/.test(flags ?? ''),
  );
  assert.deepEqual(areNonBlocking, [true, false, false, false]);
});

test('a command is found as a shell finds it, and one that is not there is an error', () => {
  assert.match(findProgram('sh', '/nowhere:/usr/bin:/bin'), /^(\/usr)?\/bin\/sh$/);
  assert.equal(findProgram('/bin/sh', ''), '/bin/sh');
  for (const command of ['no-such-program', '/etc', '/etc/passwd']) {
    assert.throws(
      () => findProgram(command, '/usr/bin:/bin'),
      (error: unknown) => error instanceof SpikeError && error.code === 'data_invalid_input',
    );
  }
});

test('a child that asked for it is signalled when its parent is killed, and learns when it asked too late', async () => {
  const childSource = `
    import { setParentDeathSignal } from '${index}';
    console.log(process.pid, setParentDeathSignal('SIGKILL', process.ppid), setParentDeathSignal('SIGKILL', 1e9));
    setInterval(() => {}, 1000);
  `;
  const parentSource = `
    import { spawn } from 'node:child_process';
    spawn(process.execPath, ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', process.env.CHILD], { stdio: 'inherit' });
  `;
  const parent = spawn(process.execPath, ['--input-type=module', '--eval', parentSource], {
    env: { ...process.env, CHILD: childSource }, // oxlint-disable-line node/no-process-env -- a child needs PATH
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(createInterface({ input: parent.stdout }), 'line');
  const [pid, armed, late] = String(line).split(' ');
  assert.deepEqual([armed, late], ['true', 'false']);
  using child = PidHandle.open(Number(pid));
  const ended = once(parent.stdout, 'close');
  parent.kill('SIGKILL');
  // The pipe closes when its last holder, the child, is gone.
  await ended;
  // The kernel closes what a process holds a moment before it calls the process ended.
  const deadline = AbortSignal.timeout(2_000);
  while (child.alive()) await setImmediate(undefined, { signal: deadline });
});

test('a pseudo-terminal makes a child believe that a person is there', async () => {
  using terminal = openTerminal();
  const child = spawn('sh', ['-c', 'test -t 0 && test -t 1 && echo yes'], {
    stdio: [terminal.device, terminal.device, 'inherit'],
  });
  await once(child, 'close');
  const output = Buffer.alloc(64);
  assert.equal(output.toString('latin1', 0, readSync(terminal.controller, output)).trim(), 'yes');
});
