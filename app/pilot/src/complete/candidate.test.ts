import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createProgram } from '../program.ts';
import { rehearse } from '../testing/invocation.ts';
import { findCandidates, formatCompletion, type Lookup } from './candidate.ts';
import { unquote } from './word.ts';

const asked: string[] = [];
const lookup: Lookup = {
  paths: (prefix) => {
    asked.push(prefix);
    return Promise.resolve(
      ['tenants/', 'tenants/acme/', 'tenants/acme/db'].filter((one) => one.startsWith(prefix)),
    );
  },
  policies: () => Promise.resolve(['acme', 'all of it']),
  denied: () => Promise.resolve(['spiffe://td/app', 'spiffe://td/ci/*']),
};
const program = createProgram(rehearse().invocation);

/** The words are those behind `spike`; the last one is being typed. */
async function complete(line: string): Promise<readonly string[]> {
  const { candidates } = await findCandidates(program, line.split(' '), lookup);
  return candidates.map(({ text }) => text);
}

test('commands, flags and their values are known without a system', async () => {
  assert.deepEqual(await complete('sec'), ['secret']);
  assert.deepEqual(await complete('secret m'), ['metadata']);
  assert.deepEqual(await complete('secret metadata '), ['get', 'set', 'help']);
  assert.deepEqual(await complete('secret put a --c'), ['--cas']);
  assert.deepEqual(await complete('secret list --format j'), ['json']);
  assert.deepEqual(await complete('secret list --format=y'), ['--format=yaml']);
  assert.deepEqual(await complete('status -f h'), ['human']);
  assert.deepEqual(await complete('-f json sta'), ['status']);
  assert.deepEqual(await complete('completion '), ['bash', 'zsh', 'fish']);
  assert.deepEqual(await complete('policy create --permissions read,l'), ['read,list']);
  assert.deepEqual(await complete('policy create --permissions read,r'), []);
  assert.ok(!(await complete('')).includes('__complete'));
  assert.deepEqual(asked, [], 'nothing was asked of a system');
});

test('paths and names of policies come from the system, where they go and nowhere else', async () => {
  asked.length = 0;
  assert.deepEqual(await complete('secret get te'), ['tenants/', 'tenants/acme/', 'tenants/acme/db']);
  assert.deepEqual(await complete('secret get -v 3 tenants/acme/d'), ['tenants/acme/db']);
  assert.deepEqual(await complete('secret get /tenants/acme/d'), ['/tenants/acme/db']);
  assert.deepEqual(await complete('secret list tenants/'), ['tenants/', 'tenants/acme/']);
  assert.deepEqual(asked, ['te', 'tenants/acme/d', 'tenants/acme/d', 'tenants/']);
  assert.deepEqual(await complete('policy get a'), ['acme', 'all of it']);
  assert.deepEqual(await complete('policy delete --name a'), ['acme', 'all of it']);
  assert.deepEqual(await complete('deny lift spiffe://td/c'), ['spiffe://td/ci/*']);
  for (const line of [
    'secret get a key',
    'secret get a b c',
    'policy get a b',
    'authority run /w -- ls ',
    'x y',
  ])
    assert.deepEqual(await complete(line), [], line);
});

test('names of files are left to the shell', async () => {
  const behind = async (line: string): Promise<string | undefined> =>
    (await findCandidates(program, line.split(' '), lookup)).filesBehind;
  assert.equal(await behind('secret put a/b key=@x'), 'key=@');
  assert.equal(await behind('secret put a/b key=x'), undefined);
  assert.equal(await behind('secret put a/b --from-json '), '');
  assert.equal(await behind('secret put a/b --from-env-file=.e'), '--from-env-file=');
  assert.equal(await behind('policy apply p'), '');
  assert.equal(await behind('cipher encrypt -f '), '');
});

test('an answer is one line for each candidate, behind a line that says how to go on', () => {
  const of = (...texts: string[]) => ({ candidates: texts.map((text) => ({ text, says: '' })) });
  assert.equal(formatCompletion(of('a/')), ':open\na/\n');
  assert.equal(formatCompletion(of('a/', 'b')), ':word\na/\nb\n');
  assert.equal(formatCompletion({ candidates: [{ text: 'get', says: 'print' }] }), ':word\nget\tprint\n');
  assert.equal(formatCompletion({ candidates: [], filesBehind: 'k=@' }), ':files k=@\n');
  assert.equal(formatCompletion(of('a\nrm', 'b')), ':word\nb\n', 'a line break would make two of one');
});

test('a word is read as the shell reads it, also while it is being typed', () => {
  assert.equal(unquote('my\\ pol'), 'my pol');
  assert.equal(unquote('"my pol'), 'my pol');
  assert.equal(unquote(`'a\\b'"c\\"d"e`), 'a\\bc"de');
  assert.equal(unquote('x\\'), 'x');
  fc.assert(
    fc.property(fc.string(), (text) => {
      assert.equal(unquote(`'${text.replaceAll("'", `'\\''`)}'`), text);
    }),
  );
});
