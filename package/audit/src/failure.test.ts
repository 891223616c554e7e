import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, readFile, truncate, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { SpikeError } from '@spike/error';
import { realDisk, type Disk } from './disk.ts';
import { AuditFile } from './file.ts';
import { freshDirectories } from './testing/directory.ts';

const freshDirectory = freshDirectories();
const signal = AbortSignal.timeout(120_000);
const logName = '00000000000000000000.jsonl';
const isUnavailable = (error: unknown): boolean =>
  error instanceof SpikeError && error.code === 'audit_unavailable';

/** A disk that takes some bytes of a write and then fails, while `full`; whose cuts and syncs fail on demand. */
class BadDisk implements Disk {
  full = false;
  stuck = false;
  broken = false;
  syncs = 0;
  readonly offsets: number[] = [];

  write(fd: number, bytes: Uint8Array, offset: number): void {
    this.offsets.push(offset);
    if (!this.full) return realDisk.write(fd, bytes, offset);
    realDisk.write(fd, bytes.subarray(0, bytes.byteLength / 2), offset);
    throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
  }

  truncate(fd: number, bytes: number): void {
    if (this.stuck) throw Object.assign(new Error('input/output error'), { code: 'EIO' });
    realDisk.truncate(fd, bytes);
  }

  async sync(fd: number): Promise<void> {
    this.syncs += 1;
    if (this.broken) throw Object.assign(new Error('input/output error'), { code: 'EIO' });
    await realDisk.sync(fd);
  }
}

test('a full disk refuses lines, tears none, and takes them again when there is room', async () => {
  const directory = freshDirectory();
  const disk = new BadDisk();
  await using file = await AuditFile.open({ directory, signal, disk });
  for (const stuck of [false, true]) {
    await file.append('"before":1}');
    const { size } = file;
    const before = await readFile(join(directory, logName), 'utf8');
    Object.assign(disk, { full: true, stuck });
    const refused = await Promise.allSettled([file.append('"refused":1}'), file.append('"refused":2}')]);
    assert.ok(refused.every((result) => result.status === 'rejected' && isUnavailable(result.reason)));
    await assert.rejects(file.append('"refused":3}'), isUnavailable);
    assert.equal(file.size, size);
    if (!stuck) assert.equal(await readFile(join(directory, logName), 'utf8'), before);
    Object.assign(disk, { full: false, stuck: false });
    assert.deepEqual(await file.append('"after":1}'), { sequence: size });
    assert.equal(
      await readFile(join(directory, logName), 'utf8'),
      `${before}{"sequence":${size},"after":1}\n`,
    );
  }
  assert.deepEqual(await file.verify(signal), { ok: true });
});

test('while syncing fails nothing counts as synced and lines are refused; then it goes on by itself', async () => {
  const directory = freshDirectory();
  const disk = new BadDisk();
  await using file = await AuditFile.open({ directory, signal, disk, syncMs: 2 });
  await file.append('"a":1}');
  await file.sync();
  disk.broken = true;
  await file.append('"b":2}');
  await assert.rejects(file.sync(), isUnavailable);
  assert.equal(file.synced.size, 1);
  assert.match(file.problem ?? '', /disk/u);
  await assert.rejects(file.append('"c":3}'), isUnavailable);
  const tried = disk.syncs;
  await until(() => disk.syncs > tried + 2);
  disk.broken = false;
  await until(() => file.problem === undefined);
  const unsynced = '{"sequence":0,"a":1}\n'.length;
  assert.ok(
    disk.offsets.filter((offset) => offset === unsynced).length > 1,
    'what was not synced is written again',
  );
  assert.equal(file.synced.size, 2);
  assert.deepEqual(await file.append('"c":3}'), { sequence: 2 });
  assert.deepEqual(await file.verify(signal), { ok: true });
});

test('a written line is synced in the background soon after', async () => {
  await using file = await AuditFile.open({ directory: freshDirectory(), signal, syncMs: 2 });
  await file.append('"a":1}');
  assert.equal(file.synced.size, 0);
  await until(() => file.synced.size === 1);
  assert.deepEqual(file.synced.root, file.root());
});

test('somebody else who writes, cuts or removes the file while it is open is noticed', async () => {
  for (const meddle of [
    async (path: string) => appendFile(path, '{"sequence":1}\n'),
    async (path: string) => truncate(path, 3),
    async (path: string) => unlink(path),
  ]) {
    const directory = freshDirectory();
    await using file = await AuditFile.open({ directory, signal });
    await file.append('"a":1}');
    await meddle(join(directory, logName));
    await assert.rejects(file.append('"b":2}'), isUnavailable);
    assert.equal(file.size, 1);
  }
});

test('a process that is killed while it appends loses no line that was acknowledged', async () => {
  const directory = freshDirectory();
  const acknowledged = new Map<number, string>();
  for (let round = 0; round < 3; round++) {
    const child = spawn(
      process.execPath,
      [fileURLToPath(new URL('./testing/write.ts', import.meta.url)), directory, `${round}`],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    let text = '';
    const enough = 100 + Math.floor(Math.random() * 20_000);
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.length > enough) child.kill('SIGKILL');
    });
    await once(child, 'close');
    assert.equal(child.signalCode, 'SIGKILL');
    for (const line of text.split('\n').slice(0, -1)) {
      const [sequence, name = ''] = line.split(' ');
      acknowledged.set(Number(sequence), name);
    }
    await using file = await AuditFile.open({ directory, signal });
    assert.deepEqual(await file.verify(signal), { ok: true });
    assert.equal(await file.compare(file.synced, signal), 'ok');
    const found = new Map<number, string>();
    for await (const { sequence, line } of file.scan(0, signal)) {
      found.set(sequence, /"name":"([^"]*)"/u.exec(line)?.[1] ?? '');
    }
    for (const [sequence, name] of acknowledged) assert.equal(found.get(sequence), name);
  }
  assert.ok(acknowledged.size > 20);
});

/** Waits until it is so, with a deadline. */
async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!holds()) {
    assert.ok(performance.now() < deadline, 'it never became so');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test('lines that a power cut left in part are cut off behind those that were synced, and kept', async () => {
  const directory = freshDirectory();
  const path = join(directory, logName);
  {
    await using file = await AuditFile.open({ directory, signal });
    for (let count = 0; count < 6; count++) await file.append('"a":1}');
  }
  const before = await readFile(path);
  const lineBytes = before.indexOf('\n') + 1;
  for (const { hole, certain } of [
    { hole: 3 * lineBytes + 14, certain: 3 },
    { hole: 3 * lineBytes - 4, certain: 2 },
    { hole: 4 * lineBytes, certain: 3 },
  ]) {
    const torn = Buffer.from(before);
    torn.fill(0, hole, hole + 8);
    await writeFile(path, torn);
    await using file = await AuditFile.open({ directory, signal });
    const whole = Math.floor(hole / lineBytes);
    await file.cutDamage(whole + 1, signal);
    assert.equal(file.cutBytes, 0, 'what was synced is never mended');
    await file.cutDamage(certain, signal);
    assert.equal(file.size, whole);
    assert.equal(file.cutBytes, before.byteLength - whole * lineBytes);
    assert.equal(file.synced.size, whole);
    assert.deepEqual(await file.append('"a":1}'), { sequence: whole });
    assert.deepEqual(await file.verify(signal), { ok: true });
    assert.equal(await file.compare({ size: whole + 1, root: file.root() }, signal), 'ok');
  }
  const kept = await readFile(path.replace('.jsonl', '.torn'));
  assert.ok(kept.includes(0), 'what was cut off is kept');
});
