import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import type { Command } from 'commander';
import type { Invocation } from './invocation.ts';
import { createProgram } from './program.ts';

interface Parsed {
  readonly command: string;
  readonly args: readonly unknown[];
  readonly options: Readonly<Record<string, unknown>>;
}

/** The tree with actions that remember instead of act. */
function open() {
  const written = { out: '', err: '' };
  const sink = (name: 'out' | 'err') =>
    Object.assign(new PassThrough(), {
      write: (text: string) => {
        written[name] += text;
        return true;
      },
    }) as never;
  const invocation: Invocation = {
    version: '9.8.7',
    env: {},
    stdin: new PassThrough() as never,
    stdout: sink('out'),
    stderr: sink('err'),
    signal: new AbortController().signal,
  };
  const program = createProgram(invocation);
  let parsed: Parsed | undefined;
  const remember = (command: Command, path: readonly string[]): void => {
    const name = [...path, command.name()];
    if (command.commands.length === 0) {
      command.action(() => {
        parsed = { command: name.slice(1).join(' '), args: command.processedArgs, options: command.opts() };
      });
    }
    for (const child of command.commands) remember(child, name);
  };
  remember(program, []);
  return {
    written,
    parse: async (...args: string[]): Promise<Parsed> => {
      parsed = undefined;
      await program.parseAsync(args, { from: 'user' });
      assert(parsed !== undefined, 'nothing was run');
      return parsed;
    },
  };
}

const parse = async (...args: string[]): Promise<Parsed> => await open().parse(...args);

test('every command takes its positions and flags, in the long and the short form', async () => {
  const cases: readonly (readonly [string, Parsed['command'], readonly unknown[], Parsed['options']])[] = [
    ['secret put a/b k=v l=-', 'secret put', ['a/b', ['k=v', 'l=-']], {}],
    ['secret get a/b', 'secret get', ['a/b', undefined], { version: 0, format: '' }],
    ['secret get a/b key -v 3 -f json', 'secret get', ['a/b', 'key'], { version: 3, format: 'json' }],
    ['secret get --version 3 --format=y a/b', 'secret get', ['a/b', undefined], { version: 3, format: 'y' }],
    ['secret list -f p', 'secret list', [], { format: 'p' }],
    ['secret delete a/b', 'secret delete', ['a/b'], { versions: [0] }],
    ['secret delete a/b -v 1,2', 'secret delete', ['a/b'], { versions: [1, 2] }],
    ['secret delete a/b --versions 7', 'secret delete', ['a/b'], { versions: [7] }],
    [
      'policy create --name n --path-pattern p --spiffeid-pattern s --permissions read,list',
      'policy create',
      [],
      { name: 'n', pathPattern: 'p', spiffeidPattern: 's', permissions: 'read,list' },
    ],
    ['policy apply --file x.yaml', 'policy apply', [], { file: 'x.yaml' }],
    ['policy apply --name n --permissions super', 'policy apply', [], { name: 'n', permissions: 'super' }],
    ['policy list --path-pattern p', 'policy list', [], { pathPattern: 'p', format: '' }],
    ['policy list --spiffeid-pattern s -f h', 'policy list', [], { spiffeidPattern: 's', format: 'h' }],
    ['policy get n', 'policy get', ['n'], { format: '' }],
    ['policy get --name n -f yaml', 'policy get', [undefined], { name: 'n', format: 'yaml' }],
    ['policy delete n', 'policy delete', ['n'], {}],
    ['policy delete --name n -y', 'policy delete', [undefined], { name: 'n', yes: true }],
    ['operator recover', 'operator recover', [], {}],
    ['operator restore', 'operator restore', [], {}],
    ['status', 'status', [], { format: '' }],
    ['status --verify -f json', 'status', [], { verify: true, format: 'json' }],
    ['context --shell', 'context', [], { shell: true, format: '' }],
    ['authority entry list -f j', 'authority entry list', [], { format: 'j' }],
    ['authority entry show 12', 'authority entry show', ['12'], { format: '' }],
    ['authority entry delete 12', 'authority entry delete', ['12'], {}],
    [
      'authority entry create --spiffe-id /w',
      'authority entry create',
      [],
      { spiffeId: '/w', selector: [], format: '' },
    ],
    [
      'authority entry create --spiffe-id /w --selector uid:1 --selector gid:2',
      'authority entry create',
      [],
      { spiffeId: '/w', selector: ['uid:1', 'gid:2'], format: '' },
    ],
  ];
  for (const [line, command, args, options] of cases) {
    const parsed = await parse(...line.split(' '));
    assert.deepEqual({ ...parsed, args: [...parsed.args] }, { command, args, options }, line);
  }
});

test('what stands behind the command of authority run belongs to that command', async () => {
  const words = ['node', '--flag', '-f', 'x', '--help', '--version'];
  assert.deepEqual((await parse('authority', 'run', '/w', ...words)).args, ['/w', words]);
  // The command itself takes the first -- off.
  const behind = ['--', ...words, '--', '--more'];
  assert.deepEqual((await parse('authority', 'run', '/w', ...behind)).args, ['/w', behind]);
});

test('everything behind dev and authority serve goes to the other program, its help included', async () => {
  for (const command of [['dev'], ['authority', 'serve']]) {
    assert.deepEqual((await parse(...command)).args, [[]]);
    for (const words of [['--help'], ['-h'], ['--port', '0', '--verbose'], ['--keepers=5']]) {
      assert.deepEqual((await parse(...command, ...words)).args, [words]);
    }
  }
});

test('what is missing, unknown or too much is an error of use', async () => {
  const wrong = [
    'secret put a/b',
    'secret get',
    'secret get a b c',
    'secret get a -v x',
    'secret get a -v -1',
    'secret delete a -v 1,,2',
    'secret frob',
    'frob',
    'policy list extra',
    'authority run /w',
    'authority entry create',
    'status --frob',
  ];
  for (const line of wrong) {
    await assert.rejects(parse(...line.split(' ')), { exitCode: 1 }, line);
  }
});

test('help and version are printed to standard output', async () => {
  for (const [words, pattern] of [
    [['--version'], /^9\.8\.7\n$/],
    [['--help'], /Usage: spike /],
    [['secret', 'put', '--help'], /key=@file/],
    [['help', 'policy'], /Usage: spike policy /],
  ] as const) {
    const { parse: run, written } = open();
    await assert.rejects(run(...words), { exitCode: 0 });
    assert.match(written.out, pattern);
    assert.equal(written.err, '');
  }
});
