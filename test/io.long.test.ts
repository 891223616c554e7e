import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { test, type TestContext } from 'node:test';
import { openSqliteStore } from '@spike/store';
import { buildShim } from './fault/build.ts';
import { action, call, Control, errno, everyClass, type Trap } from './fault/control.ts';
import { openScratch, repository } from './system.ts';

const script = join(repository, 'package', 'store', 'src', 'sqlite', 'testing', 'io.ts');
const anyCall = call.open + call.read + call.write + call.sync + call.truncate + call.rename + call.unlink;
const growing = call.write + call.open + call.truncate;
/** Far beyond what the steps do. */
const mostCalls = 2_000;
/** Opening with the driver takes a thread, so not each store is opened so. */
const openEach = 10;

const failures: readonly (Omit<Trap, 'at'> & { readonly name: string })[] = [
  {
    name: 'one call fails',
    classes: everyClass,
    calls: anyCall,
    action: action.failOnce,
    error: errno.EIO,
  },
  {
    name: 'all calls fail from one on',
    classes: everyClass,
    calls: anyCall,
    action: action.failFrom,
    error: errno.EIO,
  },
  {
    name: 'the disk is full for one call',
    classes: everyClass,
    calls: growing,
    action: action.failOnce,
    error: errno.ENOSPC,
  },
  {
    name: 'the disk is full from one call on',
    classes: everyClass,
    calls: growing,
    action: action.failFrom,
    error: errno.ENOSPC,
  },
  { name: 'one write is cut short', classes: everyClass, calls: call.write, action: action.shortWrite },
];

for (const { name, ...trap } of failures) {
  test(`${name}, whichever it is: each commit is there whole or not at all, as was answered`, async (t) => {
    await failEach(t, trap);
  });
}

/** Lets the first, the second, the third call fail, until all the steps pass without that one. */
async function failEach(t: TestContext, trap: Omit<Trap, 'at'>): Promise<void> {
  await using scratch = await openScratch();
  using control = new Control(join(scratch.path, 'control'));
  const root = join(scratch.path, 'root');
  await mkdir(root);
  await using child = new Scenario(root, control.path, await buildShim(scratch.path));
  const answers = new Map<string, number>();
  for (let at = 1; ; at++) {
    assert(at < mostCalls, 'it comes to an end');
    const directory = join(root, `store-${at}`);
    control.set({ ...trap, at });
    const steps = await child.run(directory);
    const { fired } = control;
    control.clear();
    for (const step of steps) {
      const answer = step.slice(step.indexOf(': ') + 2);
      answers.set(answer, (answers.get(answer) ?? 0) + 1);
    }
    const what = `call ${at}: ${steps.join(', ')}`;
    if (at % openEach === 0) await assertOpens(directory, what);
    assertWhole(directory, steps, what);
    if (fired > 0) continue;
    assert(
      steps.every((step) => step.endsWith(': ok')),
      'nothing fails without a fault',
    );
    t.diagnostic(`${at - 1} calls failed: ${JSON.stringify(Object.fromEntries(answers))}`);
    return;
  }
}

/** That the driver opens what is left, and takes on from there. */
async function assertOpens(directory: string, what: string): Promise<void> {
  const signal = AbortSignal.timeout(60_000);
  await using store = await openSqliteStore({ directory, signal });
  assert.deepEqual((await store.verify(signal)).problems, [], what);
  const head = { kind: 'head', bytes: new Uint8Array(1), revision: 1, expect: 'absent' } as const;
  assert.deepEqual(await store.commit([head]), { ok: true }, what);
}

/** Compares what is left, on a disk that is well, with what was answered. */
function assertWhole(directory: string, steps: readonly string[], what: string): void {
  const revisions = readRevisions(join(directory, 'store.sqlite'));
  assert.equal(revisions.get('left'), revisions.get('right'), `a commit is there by half, ${what}`);
  let highest: number | undefined;
  for (const step of steps) {
    const [, name = '', answer = ''] = /^commit (\d): (.*)$/u.exec(step) ?? [];
    if (name === '') {
      // What cannot be read is damaged, as far as SQLite tells.
      assert.match(step, /: (?:ok|store_failed (?:none|unknown|undefined)|store_integrity none)$/u, what);
      continue;
    }
    const found = revisions.get(`new ${name}`);
    if (found !== undefined) highest = found;
    if (answer === 'ok') assert.equal(found, Number(name), `it was acknowledged, ${what}`);
    else if (answer.endsWith(' none')) assert.equal(found, undefined, `it was refused, ${what}`);
    else assert.equal(answer, 'store_failed unknown', what);
  }
  assert.equal(revisions.get('left'), highest, `the last commit that is there, ${what}`);
}

/** The revision of each row, by its key; none where there is no store yet. */
function readRevisions(path: string): ReadonlyMap<string, number> {
  if (!existsSync(path)) return new Map();
  using database = new DatabaseSync(path);
  assert.deepEqual(database.prepare('PRAGMA integrity_check').all(), [
    { __proto__: null, integrity_check: 'ok' },
  ]);
  const known = database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'secret'").get();
  if (known === undefined) return new Map();
  const rows = database.prepare('SELECT key, revision FROM secret').all();
  return new Map(
    rows.map(({ key, revision }) => {
      assert(key instanceof Uint8Array);
      return [Buffer.from(key).toString('utf8'), Number(revision)];
    }),
  );
}

/** The steps, in a process of their own that outlives their failures. */
class Scenario implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(root: string, control: string, shim: string) {
    this.#child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', script], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, LD_PRELOAD: shim, FAULT_CONTROL: control, FAULT_ROOT: root },
    });
    assert(this.#child.stdout !== null);
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  async run(directory: string): Promise<readonly string[]> {
    this.#child.stdin?.write(`${directory}\n`);
    const line = await this.#lines.next();
    assert(line.done !== true, 'the process goes on');
    return JSON.parse(line.value) as readonly string[];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#child, 'close');
    this.#child.stdin?.end();
    await closed;
  }
}
