import assert from 'node:assert/strict';
import { test } from 'node:test';
import { administratorRoles } from '@spike/contract';
import type { Command } from 'commander';
import { readTokenLine } from './access/given-token.ts';
import { readBytes } from './input/hidden.ts';
import { createProgram } from './program.ts';
import type { Settings } from './setting.ts';
import { rehearse } from './testing/invocation.ts';
import { roles } from './tree/administrator.ts';

interface Parsed {
  readonly command: string;
  readonly args: readonly unknown[];
  readonly options: Readonly<Record<string, unknown>>;
  readonly settings: Settings;
}

/** Options that every command has; they are looked at in the settings. */
const common = ['format', 'timeout', 'trace', 'color', 'pager', 'tokenStdin'];

/** The tree with actions that remember instead of act. */
function open(settings: Partial<Settings> = {}) {
  const { invocation, written } = rehearse({ settings });
  const program = createProgram(invocation);
  let parsed: Parsed | undefined;
  const remember = (command: Command, path: readonly string[]): void => {
    const name = [...path, command.name()];
    if (command.commands.length === 0) {
      command.action(() => {
        const options = Object.entries(command.opts()).filter(([option]) => !common.includes(option));
        parsed = {
          command: name.slice(1).join(' '),
          args: command.processedArgs,
          options: Object.fromEntries(options),
          settings: invocation.settings,
        };
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
    ['alert list --all --limit 5', 'alert list', [], { all: true, limit: 5 }],
    ['alert show 3', 'alert show', [3], {}],
    ['alert ack 3', 'alert ack', [3], {}],
    ['status --history', 'status', [], { history: true }],
    ['deny spiffe://td/app --reason why', 'deny put', ['spiffe://td/app'], { reason: 'why' }],
    [
      'deny put spiffe://td/ci/* --reason why --until 2h -y',
      'deny put',
      ['spiffe://td/ci/*'],
      { reason: 'why', until: { seconds: 7_200 }, yes: true },
    ],
    ['deny list', 'deny list', [], {}],
    ['deny lift spiffe://td/app --yes', 'deny lift', ['spiffe://td/app'], { yes: true }],
    ['doctor', 'doctor', [], {}],
    ['secret put a/b k=v l=-', 'secret put', ['a/b', ['k=v', 'l=-']], {}],
    [
      'secret put a/b --from-env-file - --cas 3 --max-versions 5',
      'secret put',
      ['a/b', []],
      { fromEnvFile: '-', cas: 3, maxVersions: 5 },
    ],
    ['secret put a/b --from-json=x.json --cas 0', 'secret put', ['a/b', []], { fromJson: 'x.json', cas: 0 }],
    ['secret get a/b', 'secret get', ['a/b', undefined], { version: 0 }],
    ['secret get a/b key -v 3 -f json', 'secret get', ['a/b', 'key'], { version: 3 }],
    [
      'secret get --version 3 --field k --raw a/b',
      'secret get',
      ['a/b', undefined],
      { version: 3, field: 'k', raw: true },
    ],
    ['secret list -f p', 'secret list', [undefined], {}],
    ['secret list a --recursive', 'secret list', ['a'], { recursive: true }],
    ['secret list --tree a/b', 'secret list', ['a/b'], { tree: true }],
    ['secret delete a/b', 'secret delete', ['a/b'], { versions: [0] }],
    ['secret delete a/b -v 1,2', 'secret delete', ['a/b'], { versions: [1, 2] }],
    ['secret delete a/b --versions 7 -y', 'secret delete', ['a/b'], { versions: [7], yes: true }],
    ['secret undelete a/b', 'secret undelete', ['a/b'], { versions: [0] }],
    ['secret undelete a/b -v 2', 'secret undelete', ['a/b'], { versions: [2] }],
    ['secret destroy a/b --all --yes', 'secret destroy', ['a/b'], { all: true, yes: true }],
    ['secret destroy a/b --versions 1,2', 'secret destroy', ['a/b'], { versions: [1, 2] }],
    ['secret metadata get a/b -v 2', 'secret metadata get', ['a/b'], { version: 2 }],
    [
      'secret metadata set a/b --owner o --label x=1 --label y=2 --remove-label z --max-versions 3',
      'secret metadata set',
      ['a/b'],
      { owner: 'o', label: ['x=1', 'y=2'], removeLabel: ['z'], maxVersions: 3 },
    ],
    [
      'policy create --name n --path-pattern p --spiffeid-pattern s --permissions read,list',
      'policy create',
      [],
      { name: 'n', pathPattern: 'p', spiffeidPattern: 's', permissions: 'read,list' },
    ],
    ['policy apply --file x.yaml', 'policy apply', [undefined], { file: 'x.yaml' }],
    ['policy apply dir --dry-run', 'policy apply', ['dir'], { dryRun: true }],
    [
      'policy apply --name n --permissions super',
      'policy apply',
      [undefined],
      { name: 'n', permissions: 'super' },
    ],
    ['policy list --path-pattern p', 'policy list', [], { pathPattern: 'p' }],
    ['policy list --spiffeid-pattern s -f h', 'policy list', [], { spiffeidPattern: 's' }],
    ['policy get n', 'policy get', ['n'], {}],
    ['policy get --name n -f yaml', 'policy get', [undefined], { name: 'n' }],
    ['policy delete n', 'policy delete', ['n'], {}],
    ['policy delete --name n -y', 'policy delete', [undefined], { name: 'n', yes: true }],
    ['operator recover', 'operator recover', [], {}],
    ['operator restore', 'operator restore', [], {}],
    ['operator reset-password --user n', 'operator reset-password', [], { user: 'n' }],
    ['approve reset-x', 'approve answer', ['reset-x'], {}],
    ['approve answer reset-x --yes', 'approve answer', ['reset-x'], { yes: true }],
    ['approve reset --of i --share-file f', 'approve answer', ['reset'], { of: 'i', shareFile: 'f' }],
    ['approve list', 'approve list', [], {}],
    ['approve recover --for s', 'approve recover', [], { for: 's' }],
    ['breakglass open --reason r --ttl 2h', 'breakglass open', [], { reason: 'r', ttl: 7200 }],
    ['breakglass report', 'breakglass report', [undefined], {}],
    ['breakglass approve i', 'breakglass approve', ['i'], {}],
    ['status', 'status', [], {}],
    ['status --verify -f json', 'status', [], { verify: true }],
    ['context --shell', 'context', [], { shell: true }],
    ['authority entry list -f j', 'authority entry list', [], {}],
    ['authority entry show 12', 'authority entry show', ['12'], {}],
    ['authority entry delete 12', 'authority entry delete', ['12'], {}],
    ['authority entry delete 12 -y', 'authority entry delete', ['12'], { yes: true }],
    [
      'authority entry create --spiffe-id /w --federates-with a --federates-with b',
      'authority entry create',
      [],
      { spiffeId: '/w', selector: [], federatesWith: ['a', 'b'] },
    ],
    ['authority entry federate 12 a b', 'authority entry federate', ['12', ['a', 'b']], {}],
    ['authority entry federate 12', 'authority entry federate', ['12', []], {}],
    ['authority bundle', 'authority bundle', [], {}],
    ['authority federation list', 'authority federation list', [], {}],
    [
      'authority federation set a --bundle f --url https://a/ --profile https_spiffe --endpoint-id spiffe://a/b',
      'authority federation set',
      ['a'],
      { bundle: 'f', url: 'https://a/', profile: 'https_spiffe', endpointId: 'spiffe://a/b' },
    ],
    ['authority federation delete a -y', 'authority federation delete', ['a'], { yes: true }],
    [
      'authority entry create --spiffe-id /w --selector uid:1 --selector gid:2',
      'authority entry create',
      [],
      { spiffeId: '/w', selector: ['uid:1', 'gid:2'], federatesWith: [] },
    ],
  ];
  for (const [line, command, args, options] of cases) {
    const parsed = await parse(...line.split(' '));
    assert.deepEqual([parsed.command, [...parsed.args], parsed.options], [command, args, options], line);
  }
});

test('init, login and administrators take their flags, and the roles are those of the contract', async () => {
  const cases: readonly (readonly [string, Parsed['command'], readonly unknown[], Parsed['options']])[] = [
    ['init --user ann --code-file f', 'init', [], { user: 'ann', codeFile: 'f' }],
    [
      'login --ttl 1h30m --uses 5 --scope read-only --password-stdin --print-token',
      'login',
      [],
      { ttl: 5400, uses: 5, scope: 'read-only', passwordStdin: true, printToken: true },
    ],
    ['login --password x', 'login', [], { password: 'x' }],
    ['logout --all', 'logout', [], { all: true }],
    ['token revoke --user bob', 'token revoke', [undefined], { user: 'bob' }],
    ['token renew --ttl 90m', 'token renew', [], { ttl: 5400 }],
    [
      'admin create ann --role tenant_admin --tenant a/b --spiffe-id spiffe://x/y',
      'admin create',
      ['ann'],
      { role: 'tenant_admin', tenant: 'a/b', spiffeId: 'spiffe://x/y' },
    ],
    ['admin set-role ann auditor', 'admin set-role', ['ann', 'auditor'], {}],
  ];
  for (const [line, command, args, options] of cases) {
    const parsed = await parse(...line.split(' '));
    assert.deepEqual([parsed.command, [...parsed.args], parsed.options], [command, args, options], line);
  }
  assert.deepEqual(roles, administratorRoles);
  for (const wrong of [
    'login --ttl 1.5s',
    'login --ttl soon',
    'login --scope all,x',
    'admin create ann',
    'admin set-role ann king',
  ])
    await assert.rejects(parse(...wrong.split(' ')), { exitCode: 1 }, wrong);
});

test('a token on standard input is its first line, and the rest is left for the command', async () => {
  for (const [input, token, rest] of [
    ['spk_x\nthe value', 'spk_x', 'the value'],
    ['spk_x', 'spk_x', ''],
    ['  spk_x \r\n', 'spk_x', ''],
  ] as const) {
    const { invocation } = rehearse({ input });
    assert.equal(await readTokenLine(invocation), token);
    assert.equal((await readBytes(invocation.stdin)).toString(), rest);
  }
  await assert.rejects(readTokenLine(rehearse({ input: '\nx' }).invocation), { code: 'data_invalid_input' });
});

test('numbers of versions may stand apart', async () => {
  const { options } = await parse('secret', 'delete', 'a/b', '-v', ' 1, 2 ,3');
  assert.deepEqual(options['versions'], [1, 2, 3]);
});

test('every command takes the common options, before its name or behind it, and behind wins', async () => {
  const settingsOf = async (line: string): Promise<Settings> =>
    (await open().parse(...line.split(' '))).settings;
  const all = 'secret get a --format y --timeout 1m30s --trace --no-color --no-pager';
  const asked = {
    format: 'yaml',
    timeoutMs: 90_000,
    trace: true,
    color: false,
    pager: false,
    tokenStdin: false,
  };
  assert.deepEqual(await settingsOf(all), asked);
  const before = '--format y --timeout 1m30s --trace --no-color --no-pager secret get a';
  assert.deepEqual(await settingsOf(before), asked);
  assert.equal((await settingsOf('-f json status -f h')).format, 'human');
  for (const [name, format] of [
    ['human', 'human'],
    ['h', 'human'],
    ['plain', 'human'],
    ['p', 'human'],
    ['json', 'json'],
    ['j', 'json'],
    ['yaml', 'yaml'],
    ['y', 'yaml'],
  ] as const) {
    assert.equal((await settingsOf(`policy list -f ${name}`)).format, format);
  }
  await assert.rejects(settingsOf('status -f xml'), { code: 'data_invalid_input' });
  for (const wrong of ['0s', '2', '-1s', '2h', 'soon']) {
    await assert.rejects(settingsOf(`status --timeout ${wrong}`), { exitCode: 1 }, wrong);
  }
});

test('-f is a file where the Go command has it so', async () => {
  const { options, settings } = await parse('cipher', 'encrypt', '-f', 'in.bin', '--format', 'json');
  assert.equal(options['file'], 'in.bin');
  assert.equal(settings.format, 'json');
  // A file of such a name, which looked like a format before the command was known.
  const named = await open({ format: 'json' }).parse('cipher', 'encrypt', '-f', 'json');
  assert.equal(named.options['file'], 'json');
  assert.equal(named.settings.format, 'human');
});

test('a program that asked for its format gets no help in words', async () => {
  const { parse: run, written } = open({ format: 'json' });
  await assert.rejects(run('secret', 'frob'), { exitCode: 1 });
  assert.equal(written.err, '');
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
    'secret put',
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
    'authority federation set a --profile web',
    'authority federation delete',
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
    [['secret', 'put', '--help'], /key=@file[^]*Examples:/],
    [['help', 'policy'], /Usage: spike policy /],
  ] as const) {
    const { parse: run, written } = open();
    await assert.rejects(run(...words), { exitCode: 0 });
    assert.match(written.out, pattern);
    assert.equal(written.err, '');
  }
});
