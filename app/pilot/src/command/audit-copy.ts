import { createReadStream, existsSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import {
  formatCopyHead,
  formatLineProof,
  openCheckpoint,
  openLineProof,
  parseCheckpoint,
  verifyCopy,
  VerifierKey,
  type Verified,
} from '@spike/audit';
import { SpikeError } from '@spike/error';
import { findKey, mostNote, openProof } from '../audit/key.ts';
import { readTrust } from '../audit/trust.ts';
import { toBytes, type Witness } from '../audit/witness.ts';
import { readSmallFile } from '../input/file.ts';
import type { Invocation } from '../invocation.ts';
import type { ExportFlags, ProveFlags, VerifyFlags } from '../option.ts';
import { writeResult } from '../output/file.ts';
import { show } from '../output/show.ts';
import { openSession, type Session } from '../session.ts';
import { warnUnlessSeen } from './audit.ts';

const pageLines = 1_000;
const mostProof = 8 * 1024 * 1024;
const proofStart = 'c2sp.org/tlog-proof@';

/** Copies the lines as they are, and beside a file the checkpoint that they lead to. */
export async function exportAudit(invocation: Invocation, flags: ExportFlags): Promise<void> {
  await using session = await openSession(invocation, 'superuser');
  const note =
    noteOf(await warnUnlessSeen(invocation, session)) ??
    (await session.client.checkpointAudit({}, session.call)).checkpoint;
  const { size } = parseCheckpoint(note);
  if (flags.out === undefined) {
    for await (const text of copy(session, flags.from, size)) invocation.stdout.write(text);
    return;
  }
  const written = await writeCopy(flags.out, copy(session, flags.from, size));
  await writeResult(invocation, `${flags.out}.checkpoint`, note);
  // With these a reader who has an older key comes to the one of now.
  const { handovers } = await session.client.auditKey({}, session.call);
  for (const [index, handover] of handovers.entries())
    await writeResult(invocation, handoverFile(flags.out, index + 1), handover.note);
  await show(invocation, {
    human: () =>
      `${written} bytes, up to line ${size - 1}; verify them with: spike audit verify ${flags.out}\n`,
    value: { file: flags.out, checkpoint: `${flags.out}.checkpoint`, size, bytes: written },
  });
}

export async function proveLine(invocation: Invocation, sequence: number, flags: ProveFlags): Promise<void> {
  await using session = await openSession(invocation, 'superuser');
  const witness = await warnUnlessSeen(invocation, session);
  const { line, hashes, checkpoint } = await session.client.proveRecord({ sequence }, session.call);
  const text = formatLineProof({ sequence, line, path: hashes.map(toBytes), note: checkpoint });
  // What is handed on has been looked at, as far as this person knows the key.
  const key =
    witness.state === 'seen'
      ? witness.key
      : VerifierKey.parse((await session.client.auditKey({}, session.call)).key);
  openLineProof(text, key);
  await writeResult(invocation, flags.out, text);
}

/** Of a file without any system, of a proof, or of the audit of a running Nexus. Exits with 1 when something is wrong. */
export async function verifyAudit(
  invocation: Invocation,
  file: string | undefined,
  flags: VerifyFlags,
): Promise<void> {
  if (file === undefined) await verifyRunning(invocation, flags);
  else if (await isProof(file)) await verifyProof(invocation, file, flags);
  else await verifyFile(invocation, file, flags);
}

async function verifyRunning(invocation: Invocation, flags: VerifyFlags): Promise<void> {
  await using session = await openSession(invocation, 'superuser');
  const witness = await warnUnlessSeen(invocation, session);
  const server = await session.client.verifyAudit({}, { ...session.call, deadlineMs: 600_000 });
  const problems = [...server.problems];
  if (witness.state !== 'seen') problems.push(witness.message);
  if (flags.download === true && witness.state === 'seen') {
    const from = server.first;
    const copied = await verifyCopy({
      bytes: toPieces(copy(session, from, witness.checkpoint.size)),
      first: from,
      checkpoints: [witness.checkpoint.note],
      key: witness.key,
    });
    problems.push(...copied.findings.map(({ message }) => message));
  }
  await tell(invocation, {
    ok: server.ok && problems.length === 0,
    size: server.size,
    first: server.first,
    problems,
  });
}

async function verifyFile(invocation: Invocation, file: string, flags: VerifyFlags): Promise<void> {
  const given = await Promise.all(flags.checkpoint.map(readNote));
  const beside =
    flags.checkpoint.length > 0 ? undefined : await readNote(`${file}.checkpoint`).catch(() => undefined);
  const notes = beside === undefined ? given : [...given, beside];
  const key = await findKey(invocation, flags.key, notes);
  const seen = (await readTrust(invocation)).get(key.name)?.checkpoint;
  const verified = await verifyCopy({
    bytes: createReadStream(file),
    first: flags.from,
    checkpoints: seen === undefined ? notes : [...notes, seen],
    handovers: await readHandovers(file),
    key,
    allowUncovered: flags.allowUncovered === true,
  });
  await tell(invocation, toReport(verified));
}

async function verifyProof(invocation: Invocation, file: string, flags: VerifyFlags): Promise<void> {
  const text = Buffer.from(await readSmallFile(file, mostProof)).toString('utf8');
  const { sequence, line, checkpoint } = await openProof(invocation, text, flags.key);
  await show(invocation, {
    human: () =>
      `Line ${sequence} is in the audit ${checkpoint.origin} of ${checkpoint.size} lines:\n${line}\n`,
    value: { ok: true, sequence, line, origin: checkpoint.origin, size: checkpoint.size },
  });
}

function handoverFile(file: string, number: number): string {
  return `${file}.handover-${number}.checkpoint`;
}

/** Those that `export` put beside the copy. */
async function readHandovers(file: string): Promise<readonly string[]> {
  const notes: string[] = [];
  for (;;) {
    const path = handoverFile(file, notes.length + 1);
    if (!existsSync(path)) return notes;
    notes.push(await readNote(path));
  }
}

async function* copy(session: Session, from: number, size: number): AsyncGenerator<string> {
  for (let next = from; next < size;) {
    const limit = Math.min(pageLines, size - next);
    const page = await session.client.exportAudit({ from: next, limit }, session.call);
    const begin = page.next - page.lines.length;
    if (next === from && begin > 0)
      yield `${formatCopyHead({ first: begin, edge: page.edge.map(toBytes) })}\n`;
    const lines = page.lines.slice(0, Math.max(0, size - begin));
    yield lines.map((line) => `${line}\n`).join('');
    if (page.next <= next) return;
    next = page.next;
  }
}

async function* toPieces(texts: AsyncIterable<string>): AsyncGenerator<Uint8Array> {
  for await (const text of texts) yield Buffer.from(text);
}

/** Whole or not at all; answers how many bytes. */
async function writeCopy(path: string, texts: AsyncIterable<string>): Promise<number> {
  const draft = `${path}.new`;
  let bytes = 0;
  try {
    await using file = await open(draft, 'wx', 0o600);
    for await (const text of texts) {
      await file.write(text);
      bytes += Buffer.byteLength(text);
    }
    await file.sync();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (code !== 'EEXIST') await rm(draft, { force: true });
    if (error instanceof SpikeError) throw error;
    throw new SpikeError('data_invalid_input', `${draft} cannot be written: ${code}`, { cause: error });
  }
  await rename(draft, path);
  return bytes;
}

async function isProof(file: string): Promise<boolean> {
  const start = Buffer.alloc(proofStart.length);
  await using opened = await open(file, 'r').catch((cause: unknown) => {
    throw new SpikeError('data_invalid_input', `${file} cannot be read`, { cause });
  });
  await opened.read(start, 0, start.length, 0);
  return start.toString('latin1') === proofStart;
}

async function readNote(path: string): Promise<string> {
  return Buffer.from(await readSmallFile(path, mostNote)).toString('utf8');
}

function noteOf(witness: Witness): string | undefined {
  return witness.state === 'seen' ? openCheckpoint(witness.checkpoint.note, witness.key).note : undefined;
}

interface Report {
  readonly ok: boolean;
  readonly size: number;
  readonly first: number;
  readonly problems: readonly string[];
}

function toReport({ ok, size, first, findings, key }: Verified): Report & { readonly key: string } {
  return { ok, size, first, problems: findings.map(({ message }) => message), key: key.toString() };
}

async function tell(invocation: Invocation, report: Report): Promise<void> {
  const { ok, size, first, problems } = report;
  await show(invocation, {
    human: (paint) =>
      ok
        ? `${paint('green', 'The audit is whole')}: lines ${first} to ${size - 1} are those that were signed.\n`
        : `${paint('red', 'THE AUDIT IS NOT WHOLE')}:\n${problems.map((problem) => `- ${problem}\n`).join('')}`,
    value: report,
  });
  if (!ok) process.exitCode = 1;
}
