import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { SpikeError } from '@spike/error';
import { anyCharacter } from '@spike/error/testing';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { parsePolicies } from './policy-file.ts';
import { policyFromFlags, readPolicies } from './policy.ts';

const spec = { name: 'a', spiffeidPattern: '^spiffe://x/a$', pathPattern: 'a/.*', permissions: ['read'] };
const noInput = () => Promise.resolve(new Uint8Array());

let dir = '';
before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spike-policy-'));
});
after(async () => {
  await rm(dir, { recursive: true });
});

test('a file is one policy for each of its documents, and comments and empty documents are none', () => {
  const text = `# ours\n---\n${stringify(spec)}---\n# nothing\n---\n${stringify({ ...spec, name: 'b' })}...\n`;
  const { specs, warnings } = parsePolicies(text, 'x.yaml');
  assert.deepEqual(specs, [spec, { ...spec, name: 'b' }]);
  assert.deepEqual(warnings, []);
  assert.deepEqual(parsePolicies('', 'x').specs, []);
});

test('what is missing, of another kind or no YAML is refused with its place', () => {
  for (const [text, says] of [
    ['name: [a]', /x\.yaml: name has to be a text/],
    [stringify({ ...spec, permissions: 'read' }), /permissions has to be a list/],
    [stringify({ ...spec, permissions: [] }), /permissions are a list of/],
    [stringify({ ...spec, permissions: ['rule'] }), /permissions are a list of/],
    [stringify({ ...spec, permissions: [1] }), /permissions has to be a list/],
    [stringify({ ...spec, pathPattern: '' }), /pathPattern has to be a text/],
    [`${stringify(spec)}---\n${stringify({ name: 'b' })}`, /x\.yaml, document 2: /],
    ['- a', /has to have name/],
    ['just text', /has to have name/],
    ['{', /is not YAML/],
    ['a: b: c', /is not YAML/],
    ['name: a\nname: b', /is not YAML/],
    [`name: &x a\nspiffeidPattern: *x\npathPattern: *x\npermissions: [read]`, /is not YAML/],
  ] as const) {
    assert.throws(() => parsePolicies(text, 'x.yaml'), { code: 'data_invalid_input', message: says }, text);
  }
});

test('names of the prototype are names: they set nothing, and a field that no policy has draws a warning', () => {
  const text = `__proto__:\n  permissions: [super]\nconstructor: x\n${stringify({ ...spec, name: '__proto__' })}`;
  const { specs, warnings } = parsePolicies(text, 'x.yaml');
  assert.deepEqual(specs, [{ ...spec, name: '__proto__' }]);
  assert.match(warnings[0] ?? '', /passed over __proto__, constructor/);
  assert.equal(({} as Record<string, unknown>)['permissions'], undefined);
  const only = '__proto__: {name: a, spiffeidPattern: s, pathPattern: p, permissions: [super]}';
  assert.throws(() => parsePolicies(only, 'x'), { code: 'data_invalid_input' });
});

test('a directory is its YAML files in the order of their names', async () => {
  const place = join(dir, 'many');
  await mkdir(place);
  await writeFile(join(place, '2.yml'), stringify({ ...spec, name: 'second' }));
  await writeFile(join(place, '10.yaml'), stringify({ ...spec, name: 'first' }));
  await writeFile(join(place, 'note.txt'), 'not ours');
  const { specs } = await readPolicies(place, noInput);
  assert.deepEqual(
    specs.map(({ name }) => name),
    ['first', 'second'],
  );
  await writeFile(join(place, 'twice.yaml'), stringify({ ...spec, name: 'first' }));
  await assert.rejects(readPolicies(place, noInput), { message: /the policy first twice/ });
});

test('an empty directory, no policy at all, a file that is not there and one that is too large are refused', async () => {
  const empty = join(dir, 'empty');
  await mkdir(empty);
  await assert.rejects(readPolicies(empty, noInput), { message: /no \*\.yaml/ });
  const blank = join(dir, 'blank.yaml');
  await writeFile(blank, '# nothing\n');
  await assert.rejects(readPolicies(blank, noInput), { message: /there is no policy/ });
  const nothing = readPolicies('-', () => Promise.resolve(Buffer.alloc(0)));
  await assert.rejects(nothing, { message: 'there is no policy in standard input' });
  await assert.rejects(readPolicies(join(dir, 'absent.yaml'), noInput), { message: /no such file/ });
  const large = join(dir, 'large.yaml');
  await writeFile(large, `# ${'x'.repeat(1_048_576)}\n`);
  await assert.rejects(readPolicies(large, noInput), { message: /larger than/ });
  const { specs } = await readPolicies('-', () => Promise.resolve(Buffer.from(stringify(spec))));
  assert.deepEqual(specs, [spec]);
});

test('flags make the same policy, and those that are missing are all named', () => {
  const flags = { name: 'a', pathPattern: 'a/.*', spiffeidPattern: '^spiffe://x/a$', permissions: 'read' };
  assert.deepEqual(policyFromFlags(flags), spec);
  assert.deepEqual(policyFromFlags({ ...flags, permissions: ' read, list ' }).permissions, ['read', 'list']);
  assert.throws(() => policyFromFlags({ name: 'a' }), {
    message: 'missing: --path-pattern, --spiffeid-pattern, --permissions',
  });
});

const text = fc.string({ unit: anyCharacter, minLength: 1, maxLength: 40 });
const policy = fc.record(
  {
    name: text,
    spiffeidPattern: text,
    pathPattern: text,
    permissions: fc.array(fc.constantFrom('read', 'write', 'list', 'execute', 'super'), { minLength: 1 }),
  },
  { noNullPrototype: true },
);

test('what is written as YAML comes back, and any other text is read or refused', () => {
  fc.assert(
    fc.property(fc.array(policy, { maxLength: 4 }), (given) => {
      const file = given.map((one) => `---\n${stringify(one)}`).join('');
      assert.deepEqual(parsePolicies(file, 'x').specs, given);
    }),
    { numRuns: 50 },
  );
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'a:-[]{}&*#|>!\'"%@`,? \n\t'.split('')) }), (any) => {
      try {
        parsePolicies(any, 'x');
      } catch (error) {
        assert(error instanceof SpikeError);
        assert.equal(error.code, 'data_invalid_input');
      }
    }),
  );
});
