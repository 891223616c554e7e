import assert from 'node:assert/strict';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Home } from '@spike/config';
import type { AuditLine } from '../audit.ts';

const secretActions: ReadonlySet<string> = new Set([
  'secret.put',
  'secret.delete',
  'secret.undelete',
  'secret.destroy',
  'metadata.set',
]);

/** How many changes the audit tells of one name. */
interface Tally {
  puts: number;
  others: number;
}

/** Of what a path is told by its name, since the store does not show one. */
export interface Naming {
  /** Several clients write there, so that some changes find nothing to change. */
  isShared(path: string): boolean;
  /** The only `destroy` there is that of the whole secret, and the last change. */
  isDoomed(path: string): boolean;
}

/**
 * Compares the changes that the audit tells with those that the store holds, both ways. Each row counts its changes in
 * its clear `revision`; its key is a tag, so rows are matched with paths by their numbers.
 */
export class MutationCheck {
  readonly #home: Home;
  readonly #naming: Naming;
  readonly #secrets = new Map<string, Tally>();
  readonly #policies = new Map<string, number>();
  readonly #trails = new Set<string>();
  readonly #gone = new Set<string>();
  #lines = 0;
  #offset = 0;

  constructor(home: Home, naming: Naming) {
    this.#home = home;
    this.#naming = naming;
  }

  /** The system has to be at rest, with nobody who writes. Answers how many changes there were. */
  async assertSame(): Promise<number> {
    await this.#readAudit();
    using database = new DatabaseSync(join(this.#home.nexus, 'data', 'store.sqlite'), {
      readOnly: true,
      timeout: 5000,
    });
    const revisions = (table: string): number[] =>
      database
        .prepare(`SELECT revision FROM ${table} ORDER BY revision`)
        .all()
        .map((row) => Number(row['revision']));
    this.#assertSecrets(revisions('secret'));
    const told = [...this.#policies.values()].toSorted((a, b) => a - b);
    assert.deepEqual(revisions('policy'), told, 'changes of each policy, in the store and in the audit');
    return this.#trails.size;
  }

  #assertSecrets(rows: readonly number[]): void {
    const left = [...rows];
    const shared: Tally[] = [];
    for (const [path, tally] of this.#secrets) {
      if (this.#gone.has(path)) continue;
      if (this.#naming.isShared(path)) {
        shared.push(tally);
        continue;
      }
      const changes = tally.puts + tally.others;
      const at = left.indexOf(changes);
      assert(at >= 0, `the audit tells ${changes} changes of ${path}, the store holds no such row`);
      left.splice(at, 1);
    }
    assert.equal(left.length, shared.length, 'as many rows as paths');
    const least = shared.map(({ puts }) => puts).toSorted((a, b) => a - b);
    const most = shared.map(({ puts, others }) => puts + others).toSorted((a, b) => a - b);
    for (const [index, changes] of left.entries()) {
      assert(
        changes >= (least[index] ?? 0) && changes <= (most[index] ?? 0),
        `a row with ${changes} changes: the audit tells of ${least[index]} to ${most[index]}`,
      );
    }
  }

  /** Only what is new since the last time. */
  async #readAudit(): Promise<void> {
    const names = await readdir(this.#home.audit);
    const name = names.find((one) => /^\d+\.jsonl$/.test(one));
    assert(name !== undefined, `no audit among ${names.join(', ')}`);
    await using file = await open(join(this.#home.audit, name), 'r');
    const { size } = await file.stat();
    const bytes = Buffer.alloc(size - this.#offset);
    await file.read(bytes, 0, bytes.byteLength, this.#offset);
    this.#offset = size;
    const text = bytes.toString('utf8');
    if (text === '') return;
    assert(text.endsWith('\n'), 'the last line is whole');
    for (const line of text.slice(0, -1).split('\n')) this.#take(JSON.parse(line) as AuditLine);
  }

  #take(line: AuditLine): void {
    assert.equal(line.sequence, this.#lines, 'its place in the file');
    this.#lines += 1;
    if (line.outcome !== 'ok') return;
    const isSecret = secretActions.has(line.action);
    const isPolicy = line.action === 'policy.put' || line.action === 'policy.delete';
    if (!isSecret && !isPolicy) return;
    assert(!this.#trails.has(line.trail), `a change is there twice: ${line.trail}`);
    this.#trails.add(line.trail);
    if (isPolicy) {
      const name = line.subject ?? '';
      if (line.action === 'policy.delete') this.#policies.delete(name);
      else this.#policies.set(name, (this.#policies.get(name) ?? 0) + 1);
      return;
    }
    const path = line.path ?? '';
    const tally = this.#secrets.get(path) ?? { puts: 0, others: 0 };
    if (line.action === 'secret.put') tally.puts += 1;
    else tally.others += 1;
    this.#secrets.set(path, tally);
    if (line.action === 'secret.destroy' && this.#naming.isDoomed(path)) this.#gone.add(path);
  }
}
