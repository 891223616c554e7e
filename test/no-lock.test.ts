import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keeperTable, nexusTable, rolePaths, type Table } from '@spike/contract';
import { describeContract } from '@spike/contract/openapi';
import { RoleBook } from '@spike/server';
import { Stage } from '@spike/server/testing';
import { TrustDomain } from '@spike/spiffe';
import { adminRoutes } from '../package/registry/src/protocol.ts';
import { checkSubject, parseSubject } from '../app/nexus/src/denial/subject.ts';
import { createProgram } from '../app/pilot/src/program.ts';
import { rehearse } from '../app/pilot/src/testing/invocation.ts';
import { pathOf, type TreeCommand } from '../app/pilot/src/tree/command.ts';

/*
 * ADR-0023 decided against it: whoever has to freeze the system withdraws an identity, stops Nexus or its network. What
 * would be a second way, in SPIKE itself, is not to come in by any door.
 */

const word = /^(?:un)?(?:lock|freeze|seal|suspend|quiesce)(?:s|ed|ing|down)?$/;

/** The names that have such a word in them, whether written with dashes, slashes or capitals. */
function findLocks(names: Iterable<string>): readonly string[] {
  const wordsOf = (name: string): readonly string[] =>
    name
      .replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2')
      .toLowerCase()
      .split(/[^a-z]+/);
  return [...names].filter((name) => wordsOf(name).some((one) => word.test(one)));
}

function* namesOfCommands(command: TreeCommand): Generator<string> {
  yield [...pathOf(command), ...command.aliases()].join(' ');
  for (const { flags } of command.options) yield `${pathOf(command).join(' ')} ${flags}`;
  for (const { argChoices = [] } of command.registeredArguments) yield* argChoices;
  for (const child of command.commands) yield* namesOfCommands(child as TreeCommand);
}

function* namesOfRoutes(table: Table): Generator<string> {
  for (const [name, { path, action, audit }] of Object.entries(table)) {
    yield* [name, path, action, audit];
  }
}

function* namesOfDocument(): Generator<string> {
  const { paths } = describeContract('0.0.0') as { paths: Readonly<Record<string, object>> };
  for (const [path, methods] of Object.entries(paths)) {
    yield path;
    for (const operation of Object.values(methods) as { operationId?: string }[])
      yield operation.operationId ?? '';
  }
}

test('ADR-0023: the search for a lock finds one', () => {
  const there = [
    'spike lock',
    'unlock',
    '/v1/operator/lock',
    'lockSystem',
    'system.freeze',
    'x --unlock <y>',
    'lockdown',
  ];
  assert.deepEqual(findLocks(there), there);
  assert.deepEqual(findLocks(['block', 'clock_step', 'secret put', 'locksmith', '/v1/store/secrets']), []);
});

test('ADR-0023: there is no lock or unlock command, hidden ones included', () => {
  const program = createProgram(rehearse().invocation);
  const names = [...namesOfCommands(program)];
  assert.ok(names.includes('secret put') && names.includes('deny lift'), 'the whole tree is looked at');
  assert.deepEqual(findLocks(names), []);
});

test('ADR-0023: there is no lock or unlock route of Nexus, Keeper or authority, and none in the OpenAPI document', () => {
  for (const table of [nexusTable, keeperTable] as const) {
    const names = [...namesOfRoutes(table)];
    assert.ok(names.length >= 4 * Object.keys(table).length);
    assert.deepEqual(findLocks(names), []);
  }
  assert.deepEqual(findLocks(Object.keys(adminRoutes)), []);
  const documented = [...namesOfDocument()];
  assert.ok(documented.some((name) => name.startsWith('/v1/store/secrets')));
  assert.deepEqual(findLocks(documented), []);
});

test('ADR-0023: whoever asks Nexus for a lock is told that there is no such route, wherever clients of the original ask', async () => {
  const actions = ['lock', 'unlock', 'freeze', 'seal', 'unseal'];
  const places = ['/v1', '/v1/operator', '/v1/operator/status', '/v1/system', '/v1/store', '/v1/acl/policy'];
  const urls = actions.flatMap((action) => [
    ...places.map((place) => [`${place}/${action}`, ''] as const),
    ...places.map((place) => [place, action] as const),
    [`/v1/${action}`, ''] as const,
  ]);
  const stage = Stage.ofNexus();
  const superuser = stage.world.peer(rolePaths.superuser);
  for (const [path, action] of urls) {
    const { status, json } = await stage.ask(superuser, path, action, {});
    assert.deepEqual([status, json['err']], [400, 'api_bad_request'], `${path}?action=${action}`);
  }
  assert.deepEqual(stage.calls, []);
});

test('ADR-0023: a denial cannot become a lock', () => {
  const roles = RoleBook.ofOne(TrustDomain.parse('spike.ist'));
  const ids = ['', '/*', ...Object.values(rolePaths).flatMap((path) => [path, `${path}/*`]), '/spike/*'];
  for (const path of ids)
    assert.throws(() => checkSubject(parseSubject(`spiffe://spike.ist${path}`), roles), {
      code: 'data_invalid_input',
    });
  for (const everybody of ['*', 'spiffe://*', 'spiffe://*/*', '/*', ''])
    assert.throws(() => parseSubject(everybody), { code: 'data_invalid_input' });
});
