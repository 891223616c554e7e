import assert from 'node:assert/strict';
import {
  formatJson,
  formatRequest,
  keeperTable,
  nexusTable,
  parseJson,
  parseRequest,
  SecretPath,
  type Route,
} from '@spike/contract';
import { SpikeError } from '@spike/error';
import { keeperSamples, nexusSamples } from '@spike/server/testing';
import type { FuzzTarget } from '@spike/spiffe/testing';

const refuses =
  (...codes: readonly string[]) =>
  (error: unknown): boolean =>
    error instanceof SpikeError && codes.includes(error.code);

const routes: readonly Route[] = [...Object.values(nexusTable), ...Object.values(keeperTable)];

const samples = Object.entries({ ...nexusTable, ...keeperTable }).map(([name, route]) => {
  const all: object = { ...nexusSamples, ...keeperSamples };
  const sample = Reflect.get(all, name) as { readonly input: never };
  return formatJson(formatRequest(route as Route, sample.input));
});

/** Whatever was read, nothing of the language itself may have changed by it. */
function assertCleanPrototypes(): void {
  assert.equal(Object.keys(Object.prototype).length, 0);
  assert.equal(Reflect.get({}, 'polluted'), undefined);
}

export const contractTargets: readonly FuzzTarget[] = [
  {
    name: 'request-body',
    seeds: [
      ...samples,
      '{"path":"a","values":{"__proto__":"x","constructor":"y"}}',
      '{"__proto__":{"polluted":1},"path":"a"}',
      '{"path":"a","path":"b"}',
      '{"path":"a","version":1e400}',
      `${'['.repeat(40)}${']'.repeat(40)}`,
    ],
    tokens: ['"path"', '"values"', '"versions":[0]', '1e999', '"\\ud800"', '{"__proto__":{"polluted":1}}'],
    expects: refuses('api_bad_request'),
    read: (bytes) => {
      const json = parseJson(bytes);
      let taken = false;
      for (const route of routes) {
        try {
          const input: unknown = parseRequest(route, json);
          assert.ok(typeof input === 'object' && input !== null);
          taken = true;
        } catch (error) {
          if (!refuses('api_bad_request')(error)) throw error;
        }
      }
      assertCleanPrototypes();
      if (!taken) throw new SpikeError('api_bad_request', 'no route takes it');
    },
  },
  {
    name: 'path',
    seeds: ['a', '/tenants/acme/db/', 'a/b.c_d-e', 'a/(b)?+*|[]{}\\', '.../..a', 'a/'.repeat(32)],
    tokens: ['/', '..', '.', '//', '%2e', '\u202e', 'a'.repeat(200)],
    expects: refuses('data_invalid_input'),
    read: (bytes) => {
      const path = SecretPath.parse(Buffer.from(bytes).toString('utf8'));
      assert.equal(SecretPath.parse(path.text).text, path.text);
      assert.ok(path.text.length <= 500 && path.segments.length <= 32);
      assert.ok(path.segments.every((segment) => !['', '.', '..'].includes(segment)));
    },
  },
];
