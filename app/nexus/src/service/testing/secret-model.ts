import assert from 'node:assert/strict';
import fc from 'fast-check';
import { SpikeError } from '@spike/error';
import type { SecretService } from '../secret.ts';
import { grantAll, grantOn } from './grant.ts';

/** One secret as wire.md 6 tells of it, with every version in a list. */
interface ModelSecret {
  highest: number;
  versions: { version: number; text: string; deleted: boolean }[];
}

export interface SecretModel {
  readonly maxVersions: number;
  readonly secrets: Map<string, ModelSecret>;
}

type Command = fc.AsyncCommand<SecretModel, SecretService>;

const path = fc.constantFrom('a', 'a/b', 'a/b/c', 'b');

class Put implements Command {
  readonly path: string;
  readonly text: string;
  constructor(where: string, text: string) {
    this.path = where;
    this.text = text;
  }
  check = (): boolean => true;
  async run(model: SecretModel, real: SecretService): Promise<void> {
    const secret = model.secrets.get(this.path) ?? { highest: 0, versions: [] };
    model.secrets.set(this.path, secret);
    secret.highest += 1;
    secret.versions.push({ version: secret.highest, text: this.text, deleted: false });
    while (secret.versions.length > model.maxVersions) secret.versions.shift();
    assert.equal(await real.put(grantOn(this.path), { text: this.text }), secret.highest);
  }
  toString = (): string => `put ${this.path}`;
}

class Get implements Command {
  readonly path: string;
  readonly version: number;
  constructor(where: string, version: number) {
    this.path = where;
    this.version = version;
  }
  check = (): boolean => true;
  async run(model: SecretModel, real: SecretService): Promise<void> {
    const secret = model.secrets.get(this.path);
    const wanted = this.version === 0 ? currentOf(secret) : this.version;
    const entry = secret?.versions.find((candidate) => candidate.version === wanted && !candidate.deleted);
    const reading = await real.get(grantOn(this.path), this.version).catch(toMissing);
    if (entry === undefined) assert.equal(reading, 'missing');
    else
      assert.deepEqual(reading === 'missing' ? reading : [reading.version, reading.values['text']], [
        wanted,
        entry.text,
      ]);
  }
  toString = (): string => `get ${this.path} ${String(this.version)}`;
}

class Delete implements Command {
  readonly path: string;
  readonly versions: readonly number[];
  constructor(where: string, versions: readonly number[]) {
    this.path = where;
    this.versions = versions;
  }
  check = (): boolean => true;
  async run(model: SecretModel, real: SecretService): Promise<void> {
    const secret = model.secrets.get(this.path);
    const current = currentOf(secret);
    const wanted = (this.versions.length === 0 ? [0] : this.versions).map((n) => (n === 0 ? current : n));
    for (const entry of secret?.versions ?? []) entry.deleted ||= wanted.includes(entry.version);
    const outcome = await real.delete(grantOn(this.path), this.versions).catch(toMissing);
    assert.equal(outcome, secret === undefined ? 'missing' : undefined);
  }
  toString = (): string => `delete ${this.path} ${this.versions.join()}`;
}

class List implements Command {
  check = (): boolean => true;
  async run(model: SecretModel, real: SecretService): Promise<void> {
    assert.deepEqual((await real.list(grantAll)).keys, [...model.secrets.keys()].toSorted());
  }
  toString = (): string => 'list';
}

/** Random runs of what clients can ask of secrets. */
export const secretCommands = fc.commands(
  [
    fc.tuple(path, fc.string()).map(([where, text]) => new Put(where, text.toWellFormed())),
    fc.tuple(path, fc.integer({ min: -1, max: 8 })).map(([where, version]) => new Get(where, version)),
    fc.tuple(path, fc.constant(0)).map(([where, version]) => new Get(where, version)),
    fc
      .tuple(path, fc.array(fc.integer({ min: -1, max: 8 }), { maxLength: 3 }))
      .map(([where, versions]) => new Delete(where, versions)),
    fc.constant(new List()),
  ],
  { maxCommands: 40 },
);

function currentOf(secret: ModelSecret | undefined): number {
  return secret?.versions.findLast((entry) => !entry.deleted)?.version ?? 0;
}

function toMissing(thrown: unknown): 'missing' {
  if (thrown instanceof SpikeError && thrown.code === 'api_not_found') return 'missing';
  throw thrown;
}
