import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { before, test } from 'node:test';
import fc from 'fast-check';
import { Pattern } from '../app/nexus/src/policy/pattern.ts';
import { Programs } from '../app/nexus/src/policy/program.ts';
import { countSteps, mostSteps } from '../app/nexus/src/policy/step.ts';
import { buildGoRegexp } from './interop/build.ts';

let go: Awaited<ReturnType<typeof buildGoRegexp>>;
before(async () => {
  go = await buildGoRegexp();
});

/** Cases as RE2 writes them: strings, then expressions, each with a line for each string, the whole match first in it. */
async function checkCases(stream: Readable): Promise<{ compared: number; matched: number }> {
  const programs = new Programs();
  const count = { compared: 0, matched: 0 };
  let strings: (string | undefined)[] = [];
  let reading: 'strings' | 'expressions' = 'strings';
  let pattern: Pattern | undefined;
  let next = 0;
  let form = 0;
  const read = (line: string): void => {
    if (line === 'strings') {
      strings = [];
      reading = 'strings';
    } else if (line === 'regexps') {
      reading = 'expressions';
      form = 0;
    } else if (line.startsWith('"')) {
      const text = readText(line);
      form += 1;
      if (reading === 'strings') strings.push(text);
      // Each expression stands there in four forms, of which the others only anchor it; `\C` is a byte, which Go refuses too.
      else if (text === undefined || text.includes('\\C') || form % 4 !== 1) pattern = undefined;
      else pattern = Pattern.restore(text);
      next = 0;
    } else if (reading === 'expressions' && /^[-0-9]/.test(line)) {
      const subject = strings[next++];
      if (pattern === undefined || subject === undefined) return;
      const whole = line.slice(0, line.indexOf(';')) !== '-';
      assert.equal(
        pattern.matches(subject, programs),
        whole,
        `${pattern.source} on ${JSON.stringify(subject)}`,
      );
      count.compared += 1;
      if (whole) count.matched += 1;
    }
  };
  for await (const lines of linesOf(stream)) lines.forEach(read);
  return count;
}

const escapes: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/** Strings of Go; those that are bytes and no text have no meaning here. */
function readText(line: string): string | undefined {
  if (/\\x[89a-f]/i.test(line)) return undefined;
  return line
    .slice(1, -1)
    .replaceAll(/\\(?:x([0-9a-f]{2})|(.))/gs, (_all, hex: string | undefined, char: string) =>
      hex === undefined ? (escapes[char] ?? char) : String.fromCharCode(Number.parseInt(hex, 16)),
    );
}

/** Only a line feed ends a line here; `node:readline` knows others, which stand in the cases. */
async function* linesOf(stream: Readable): AsyncGenerator<readonly string[]> {
  let rest = '';
  for await (const chunk of stream.setEncoding('utf8')) {
    const lines = (rest + String(chunk)).split('\n');
    rest = lines.pop() ?? '';
    yield lines;
  }
}

test('the cases that RE2 and Go are tested with give the same whole matches', async () => {
  const search = createReadStream(join(go.cases, 're2-search.txt'));
  const { compared, matched } = await checkCases(search);
  assert.ok(compared > 400 && matched > 50, `${String(compared)} compared, ${String(matched)} matched`);
});

test('the exhaustive cases of RE2 give the same whole matches', async () => {
  const child = spawn(go.program, ['exhaustive', join(go.cases, 're2-exhaustive.txt.bz2')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  // Whoever stops reading early leaves nobody behind who waits to write.
  using stop = new DisposableStack();
  stop.defer(() => void child.kill());
  const ended = once(child, 'exit');
  const { compared, matched } = await checkCases(child.stdout);
  assert.deepEqual(await ended, [0, null]);
  assert.ok(
    compared > 1_000_000 && matched > 50_000,
    `${String(compared)} compared, ${String(matched)} matched`,
  );
});

interface Answer {
  readonly refused: string;
  readonly whole: readonly boolean[] | null;
  readonly anywhere: readonly boolean[] | null;
}

async function askGo(
  questions: readonly { pattern: string; subjects: readonly string[] }[],
): Promise<Answer[]> {
  const child = spawn(go.program, [], { stdio: ['pipe', 'pipe', 'inherit'] });
  const answers: Answer[] = [];
  const lines = createInterface({ input: child.stdout }).on('line', (line) => {
    answers.push(JSON.parse(line) as Answer);
  });
  const ended = once(lines, 'close');
  child.stdin.end(questions.map((question) => `${JSON.stringify(question)}\n`).join(''));
  await ended;
  assert.equal(answers.length, questions.length);
  return answers;
}

/** Every sign that a path pattern may hold, and some that it may not. */
const signs =
  'a b A 0 - _ . / ^ $ | ( ) [ ] [^ * + ? {2} { } {1001} {0} {1}{2} *? \\\\ \\. \\d \\W \\s \\b \\B \\A \\z \\Z \\Q \\E ' +
  '\\pL \\PN \\p{Greek} \\p{Nope} \\pX \\1 \\C \\a \\x41 \\x{2F} \\07 (a|b) .* [^/]+ [a-z] [b-a] [.-9] [[.a.]] ' +
  '(?i) (?s) (?-s) (?U) (?z) (?i K s tenants/';
const sign = fc.constantFrom('\\', ...signs.split(' '));
const pattern = fc.array(sign, { minLength: 1, maxLength: 9 }).map((signs) => signs.join(''));
const subject = fc
  .array(
    fc.constantFrom(
      'a',
      'b',
      'A',
      '0',
      '/',
      '.',
      '-',
      '_',
      'k',
      'K',
      's',
      '\u017f',
      '\u212a',
      'tenants/',
      '\n',
      ' ',
    ),
    {
      maxLength: 8,
    },
  )
  .map((chars) => chars.join(''));

test('Go takes and refuses the same patterns, and finds the same matches', async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const runs = 40_000;
  const questions = fc.sample(
    fc.record({ pattern, subjects: fc.array(subject, { minLength: 12, maxLength: 12 }) }),
    { numRuns: runs, seed },
  );
  const answers = await askGo(questions);
  const programs = new Programs();
  const count = { taken: 0, matched: 0, large: 0 };
  for (const [index, { pattern: source, subjects }] of questions.entries()) {
    const said = answers[index];
    assert.ok(said !== undefined);
    const where = `${source} (seed ${String(seed)})`;
    if (countSteps(source) > mostSteps) {
      count.large += 1;
      continue;
    }
    const taken = isTaken(source, programs);
    assert.equal(taken, said.refused === '', `${where}: Go says ${said.refused}`);
    if (!taken) continue;
    count.taken += 1;
    const parsed = Pattern.restore(source);
    for (const [at, text] of subjects.entries()) {
      const on = `${where} on ${JSON.stringify(text)}`;
      assert.equal(parsed.matches(text, programs), said.whole?.[at], on);
      assert.equal(parsed.findIn([text], programs) !== undefined, said.anywhere?.[at], `${on}, anywhere`);
      if (said.whole?.[at] === true) count.matched += 1;
    }
  }
  assert.ok(count.taken > runs / 4 && count.matched > 1_000, JSON.stringify(count));
});

function isTaken(source: string, programs: Programs): boolean {
  try {
    programs.get(source);
    return true;
  } catch {
    return false;
  }
}
