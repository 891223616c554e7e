import { createHash, randomBytes, randomUUID, type KeyObject } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { appendStep, readJournal } from '../journal.ts';
import type { ResetAddress, ResetBackup, ResetManifest } from '../manifest.ts';
import { quote } from '@spike/host';
import { writeScript } from '../script.ts';
import { resetKeyOf } from '../signature.ts';

/** What a test asks of a scene besides what every scene has. */
export interface SceneOptions {
  /** The folder below which all lies, in one that is ours. */
  readonly name?: string;
  readonly backup?: boolean;
  readonly change?: (manifest: ResetManifest) => ResetManifest;
}

export function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** What a host has of one instance after Nexus stopped, a script that resets it, and the key that signed it. */
export class Scene implements AsyncDisposable {
  readonly root: string;
  readonly instance = randomUUID();
  readonly key: KeyObject = resetKeyOf(randomBytes(32));
  readonly data: string;
  readonly anchor: string;
  readonly audit: string;
  readonly recovery: string;
  readonly journal: string;
  readonly backup: string;
  readonly script: string;
  /** Not part of the picture: the script and its tools. */
  readonly scratch: string;
  #manifest: ResetManifest | undefined;

  private constructor(scratch: string, name: string) {
    this.scratch = scratch;
    this.root = join(scratch, name);
    this.data = join(this.root, 'data');
    this.anchor = join(this.root, 'anchor.json');
    this.audit = join(this.root, 'audit');
    this.recovery = join(this.root, 'recovery');
    this.journal = join(this.root, 'reset.journal');
    this.backup = join(this.root, 'backup.age');
    this.script = join(scratch, 'reset.sh');
  }

  static async open(options: SceneOptions = {}): Promise<Scene> {
    const scene = new Scene(await mkdtemp(join(tmpdir(), 'spike-reset-')), options.name ?? 'home');
    for (const path of [scene.data, scene.audit, scene.recovery])
      await mkdir(path, { recursive: true, mode: 0o700 });
    scene.writeStore(scene.instance);
    await scene.writeAnchor(scene.instance);
    await writeFile(join(scene.audit, 'segment'), 'lines of evidence\n');
    await writeFile(join(scene.recovery, 'spike.recovery.1.txt'), 'a share\n');
    await writeFile(scene.backup, 'sealed bytes\n');
    scene.#manifest = await scene.#describe(options);
    await scene.save();
    return scene;
  }

  get manifest(): ResetManifest {
    if (this.#manifest === undefined) throw new Error('the scene is not set');
    return this.#manifest;
  }

  /** Where the data lie between the rename and the end. */
  get gone(): string {
    return `${this.data}.reset-${this.manifest.id}`;
  }

  /** Where something is kept. */
  aside(path: string): string {
    return `${path}.reset-${this.manifest.id}`;
  }

  /** Writes the script anew, from a manifest that was changed. */
  async save(change: Partial<ResetManifest> = {}): Promise<void> {
    this.#manifest = { ...this.manifest, ...change };
    await this.saveText(await writeScript(this.#manifest, this.key));
  }

  async saveText(text: string | Uint8Array): Promise<void> {
    await writeFile(this.script, text, { mode: 0o600 });
    await chmod(this.script, 0o600);
  }

  /** The head of a store as Nexus writes it, as far as the script reads it. */
  writeStore(instance: string): void {
    const database = new DatabaseSync(join(this.data, 'store.sqlite'));
    database.exec(
      'PRAGMA journal_mode = wal; CREATE TABLE IF NOT EXISTS head (id INTEGER PRIMARY KEY, bytes BLOB)',
    );
    const head = Buffer.concat([field(2, 'spike/head'), number(1), number(1), field(2, instance), number(1)]);
    database.prepare('INSERT OR REPLACE INTO head (id, bytes) VALUES (1, ?)').run(head);
    database.close();
  }

  /** As a Nexus leaves it that was started and not bootstrapped. */
  emptyStore(): void {
    const database = new DatabaseSync(join(this.data, 'store.sqlite'));
    database.exec('DELETE FROM head');
    database.close();
  }

  /** As a Nexus that runs does, in this process. */
  holdStore(stack: DisposableStack | AsyncDisposableStack): void {
    const lock = new DatabaseSync(join(this.data, 'store.lock'), { timeout: 0 });
    lock.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    stack.defer(() => lock.close());
  }

  async writeAnchor(instance: string): Promise<void> {
    await writeFile(this.anchor, `${JSON.stringify({ format: 1, instance, revision: 1 })}\n`, {
      mode: 0o600,
    });
  }

  /** As Nexus does when it prints the script. */
  async beginJournal(): Promise<void> {
    const { id, instance, createdAt } = this.manifest;
    const who = { user: 'alice', host: 'nexus-host' };
    await appendStep(this.journal, {
      time: createdAt,
      script: id,
      instance,
      ...who,
      step: 'printed',
      detail: '',
    });
  }

  async steps(): Promise<readonly string[]> {
    return (await readJournal(this.journal)).map(({ step }) => step);
  }

  /** What the script starts as Node.js: it becomes the real one, and takes no time to hash. */
  async #placeNode(): Promise<ResetManifest['node']> {
    const path = join(this.scratch, 'node');
    const text = `#!/bin/sh\nexec ${quote(process.execPath)} "$@"\n`;
    await writeFile(path, text, { mode: 0o700 });
    return { path, sha256: sha256(text), holdsHelper: false };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.scratch, { recursive: true, force: true });
  }

  async #describe({ backup = false, change = (same) => same }: SceneOptions): Promise<ResetManifest> {
    const createdAt = new Date();
    const sealed = await readFile(this.backup);
    const facts: ResetBackup = {
      path: this.backup,
      size: sealed.length,
      sha256: sha256(sealed),
      createdAt: new Date(createdAt.getTime() - 3_600_000),
    };
    return change({
      id: `20260101000000-${randomBytes(4).toString('hex')}`,
      instance: this.instance,
      administrator: 'alice',
      createdAt,
      expiresAt: new Date(createdAt.getTime() + 3_600_000),
      counts: { secrets: 2, versions: 3, policies: 1, administrators: 1 },
      dataDirectory: this.data,
      anchorFile: this.anchor,
      aside: [
        { what: 'audit directory', path: this.audit },
        { what: 'recovery shares', path: this.recovery },
      ],
      journal: this.journal,
      addresses: [await closedAddress('nexus'), await closedAddress('keeper')],
      node: await this.#placeNode(),
      backup: backup ? facts : undefined,
      pinned: false,
    });
  }
}

/** An address at which nobody listens any more. */
export async function closedAddress(part: ResetAddress['part']): Promise<ResetAddress> {
  await using listener = await openListener();
  return { what: part === 'nexus' ? 'Nexus' : 'Keeper 1', part, host: '127.0.0.1', port: listener.port };
}

/** Accepts connections as a part does that runs. */
export async function openListener(): Promise<AsyncDisposable & { readonly port: number }> {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('it has no port');
  return {
    port: address.port,
    [Symbol.asyncDispose]: async () => {
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function field(kind: number, content: string | Uint8Array): Buffer {
  const bytes = Buffer.from(content);
  const head = Buffer.alloc(5);
  head[0] = kind;
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32BE(value, 4);
  return field(3, bytes);
}
