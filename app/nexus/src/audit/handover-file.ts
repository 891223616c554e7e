import { join } from 'node:path';
import { parseCheckpoint, type AuditFile, type Handover } from '@spike/audit';
import { readPrivateFile, writePrivateFile } from '@spike/config';
import { isRecord } from '../service/record.ts';

/** How one key of the log gave its place to the next, without the proof, which is made when somebody asks. */
export type KeptHandover = Omit<Handover, 'path'>;

const mostBytes = 16 * 1024 * 1024;

/** The changes of the log's key, oldest first, beside the log. What the file says is proven to whoever reads it. */
export class HandoverFile {
  readonly #path: string;
  #kept: readonly KeptHandover[];

  private constructor(path: string, kept: readonly KeptHandover[]) {
    this.#path = path;
    this.#kept = kept;
  }

  static async open(directory: string): Promise<HandoverFile> {
    const path = join(directory, 'handover.json');
    const bytes = await readPrivateFile(path, mostBytes);
    return new HandoverFile(path, bytes === undefined ? [] : parse(bytes.toString('utf8')));
  }

  async add(handover: KeptHandover): Promise<void> {
    this.#kept = [...this.#kept, handover];
    await writePrivateFile(this.#path, `${JSON.stringify(this.#kept)}\n`);
  }

  /** With the proof that each leaf is in the checkpoint that both keys signed. */
  async prove(audit: AuditFile, signal: AbortSignal): Promise<readonly Handover[]> {
    const proven: Handover[] = [];
    for (const kept of this.#kept) {
      const { size } = parseCheckpoint(kept.note);
      const path = await audit.proveInclusion(kept.sequence, size, signal);
      if (path !== undefined) proven.push({ ...kept, path });
    }
    return proven;
  }
}

/** A file that somebody damaged tells of no change; who follows the key then asks a person. */
function parse(text: string): readonly KeptHandover[] {
  try {
    const value: unknown = JSON.parse(text);
    if (!Array.isArray(value)) return [];
    return value.flatMap((one: unknown) => {
      if (!isRecord(one)) return [];
      const { sequence, line, note } = one;
      const fits = typeof sequence === 'number' && typeof line === 'string' && typeof note === 'string';
      return fits ? [{ sequence, line, note }] : [];
    });
  } catch {
    return [];
  }
}
