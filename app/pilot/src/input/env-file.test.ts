import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpikeError } from '@spike/error';
import { anyCharacter } from '@spike/error/testing';
import fc from 'fast-check';
import { parseEnvFile } from './env-file.ts';

const parse = (text: string): Record<string, string> => Object.fromEntries(parseEnvFile(text, 'x.env'));

test('lines, comments, blanks, export and line ends are read as such files are written', () => {
  const text =
    '\uFEFF# first\n\nUSER=app\r\nexport PASS = correct horse \n  KEY-2=a=b#c  # why\nEMPTY=\nHASH=#1\nNOTE= # none\nLAST=1';
  assert.deepEqual(parse(text), {
    USER: 'app',
    PASS: 'correct horse',
    'KEY-2': 'a=b#c',
    EMPTY: '',
    HASH: '#1',
    NOTE: '',
    LAST: '1',
  });
});

test('single quotes keep everything, double ones know escapes, both go over lines, and nothing is replaced', () => {
  const text = `A='it is \\n $HOME # here'\nB="one\\ntwo \\"x\\" \\\\ \\$HOME \\q $USER" # why\nC='-----BEGIN\nabc\n'\nD="x\ny"`;
  assert.deepEqual(parse(text), {
    A: 'it is \\n $HOME # here',
    B: 'one\ntwo "x" \\ $HOME \\q $USER',
    C: '-----BEGIN\nabc\n',
    D: 'x\ny',
  });
});

test('what is not such a line is refused with its number, and nothing of it is repeated', () => {
  for (const [text, line] of [
    ['A=1\nhunter2', 2],
    ['\n\n=hunter2', 3],
    ['A=1\n# c\nA=hunter2', 3],
    ['A="hunter2', 1],
    ["A='x\ny'\nB='hunter2'z", 3],
    ['hun ter2=1', 1],
    ['A.B=hunter2', 1],
  ] as const) {
    assert.throws(
      () => parseEnvFile(text, 'x.env'),
      (error) =>
        error instanceof SpikeError &&
        error.code === 'data_invalid_input' &&
        error.message.startsWith(`x.env, line ${line}: `) &&
        !error.message.includes('ter2'),
      text,
    );
  }
});

test('names of the prototype are keys like any other, and a thousand keys are the most', () => {
  const values = parseEnvFile('__proto__=1\nconstructor=2\ntoString=3', 'x');
  assert.deepEqual(
    [...values],
    [
      ['__proto__', '1'],
      ['constructor', '2'],
      ['toString', '3'],
    ],
  );
  const lines = (count: number): string => Array.from({ length: count }, (_, i) => `K${i}=v`).join('\n');
  assert.equal(parseEnvFile(lines(1000), 'x').size, 1000);
  assert.throws(() => parseEnvFile(lines(1001), 'x'), { code: 'data_invalid_input' });
});

const key = fc.stringMatching(/^[A-Za-z0-9_-]{1,20}$/).filter((text) => text !== 'export');
const values = fc.uniqueArray(fc.tuple(key, fc.string({ unit: anyCharacter, maxLength: 60 })), {
  selector: ([name]) => name,
  maxLength: 20,
});

const escape = (text: string): string =>
  text.replace(/["\\$\n\r\t]/g, (character) => {
    const named = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };
    return named[character as keyof typeof named] ?? `\\${character}`;
  });

test('what is written in quotes comes back, whatever it is', () => {
  fc.assert(
    fc.property(values, fc.boolean(), (pairs, isDouble) => {
      const text = pairs
        .map(([name, value]) => {
          const quoted = isDouble || value.includes("'") ? `"${escape(value)}"` : `'${value}'`;
          return `export ${name}=${quoted} # ${'comment'}\n`;
        })
        .join('\n');
      assert.deepEqual([...parseEnvFile(text, 'x')], pairs);
    }),
  );
});

test('any text is read or refused, at once', () => {
  const piece = fc.constantFrom(
    'A',
    '=',
    '"',
    "'",
    '\\',
    '\n',
    '#',
    ' ',
    'export ',
    '\r',
    '\t',
    'é',
    '\u0000',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 200 }), (pieces) => {
      try {
        parseEnvFile(pieces.join(''), 'x');
      } catch (error) {
        assert(error instanceof SpikeError);
        assert.equal(error.code, 'data_invalid_input');
      }
    }),
  );
  const long = `A=x${' #'.repeat(200_000)}\r`;
  assert.equal(parseEnvFile(long, 'x').get('A'), 'x');
});
