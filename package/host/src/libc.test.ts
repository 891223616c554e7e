import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { SpikeError } from '@spike/error';
import { openPeerPid, peerCredentials, PidHandle, readProcessStat } from './index.ts';
import { callPrctl } from './libc.ts';
import { runScript } from './testing/script.ts';

const isHostRefused = (error: unknown): boolean =>
  error instanceof SpikeError && error.code === 'host_refused';

test('node:ffi still has the shape that this package is written for', () => {
  // Experimental API: when this fails, package/host/src/libc.ts has to follow, and nothing else.
  const ffi = process.getBuiltinModule('node:ffi');
  assert.equal(typeof ffi?.dlopen, 'function');
  assert.equal(typeof ffi?.getInt32, 'function');
  const { functions } = ffi.dlopen(null, { getpid: { arguments: [], return: 'int32' } });
  assert.equal(functions.getpid(), process.pid);
  // Unknown keys are ignored silently, so a renamed one would call without arguments: these calls would notice.
  const prGetName = 16;
  assert.throws(() => callPrctl(prGetName, 1, 'PR_GET_NAME'), isHostRefused);
  assert.equal(callPrctl(prGetDumpable, 0, 'PR_GET_DUMPABLE'), 1);
});

const prGetDumpable = 3;

test('an error of the kernel carries its name', () => {
  assert.throws(() => PidHandle.open(2 ** 22 + 5), /pidfd_open failed: (ESRCH|EINVAL)/);
});

test('hardening leaves a process without core dumps, not dumpable and without new privileges', async () => {
  const out = await runScript(`
    import { readFileSync } from 'node:fs';
    import { harden } from '${import.meta.dirname}/index.ts';
    import { callPrctl } from '${import.meta.dirname}/libc.ts';
    const { lacking } = harden();
    const limits = readFileSync('/proc/self/limits', 'utf8').match(/core file size +(\\d+) +(\\d+)/);
    const privileges = readFileSync('/proc/self/status', 'utf8').match(/NoNewPrivs:\\s+(\\d)/);
    console.log(JSON.stringify([lacking, callPrctl(3, 0, 'x'), limits[1], limits[2], privileges[1]]));
  `);
  assert.deepEqual(JSON.parse(out), [[], 0, '0', '0', '1']);
});

test('the kernel names the process on the other side of a Unix socket, and a TCP socket has none', async () => {
  await using pair = await openPair();
  const credentials = peerCredentials(pair.server);
  assert.deepEqual(credentials, {
    pid: process.pid,
    uid: process.getuid?.(),
    gid: process.getgid?.(),
  });
  using handle = openPeerPid(pair.server);
  assert.equal(handle.pid, process.pid);
  assert.equal(handle.startTime, readProcessStat(process.pid)?.startTime);
  assert.equal(handle.alive(), true);
  pair.server.destroy();
  await once(pair.server, 'close');
  assert.throws(() => peerCredentials(pair.server), isHostRefused);

  const tcp = createServer().listen(0, '127.0.0.1');
  await once(tcp, 'listening');
  const address = tcp.address();
  const client = connect(typeof address === 'object' && address !== null ? address.port : 0, '127.0.0.1');
  await once(client, 'connect');
  assert.throws(() => peerCredentials(client), isHostRefused);
  client.destroy();
  tcp.close();
});

test('a pid is held: it is dead for good when its process ends, and a dead one can not be taken', async () => {
  const child = spawn('sleep', ['60']);
  await once(child, 'spawn');
  const pid = child.pid ?? assert.fail('no pid');
  using handle = PidHandle.open(pid);
  assert.equal(handle.alive(), true);
  assert.equal(readProcessStat(pid)?.ppid, process.pid);
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.equal(handle.alive(), false);
  assert.throws(() => PidHandle.open(pid), isHostRefused);
  handle[Symbol.dispose]();
  assert.equal(handle.alive(), false);
});

async function openPair(): Promise<{ server: Socket } & AsyncDisposable> {
  const directory = await mkdtemp(join(tmpdir(), 'spike-host-'));
  const listener = createServer().listen(join(directory, 's'));
  await once(listener, 'listening');
  const accepted = new Promise<Socket>((resolve) => listener.once('connection', resolve));
  const client = connect(join(directory, 's'));
  const server = await accepted;
  return {
    server,
    [Symbol.asyncDispose]: async () => {
      client.destroy();
      server.destroy();
      listener.close();
      await rm(directory, { recursive: true });
    },
  };
}
