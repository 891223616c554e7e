import { test } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { codeTable } from '@spike/error';
import type { Route } from '../define.ts';
import { decodeBase64 } from '../schema/byte.ts';
import { isName } from '../schema/name.ts';
import { SecretPath } from '../schema/path.ts';
import { keeperTable, nexusTable } from '../table.ts';
import { describeContract } from './document.ts';

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: unknown;
  readonly propertyNames?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly $ref?: string;
}
interface Body {
  readonly content: Readonly<Record<string, { readonly schema: Schema }>>;
}
interface Operation {
  readonly operationId: string;
  readonly requestBody: Body;
  readonly responses: Readonly<Record<string, Body>>;
}
interface Document {
  readonly paths: Readonly<Record<string, { readonly post: Operation }>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

// The type is that of what the assertions below are about.
const document = JSON.parse(JSON.stringify(describeContract('1.2.3'))) as Document;
const routes = Object.entries<Route>({ ...nexusTable, ...keeperTable });
const json = 'application/json';

function operationOf({ path, action }: Route): Operation {
  const found = document.paths[action === '' ? path : `${path}?action=${action}`];
  assert.ok(found);
  return found.post;
}

const requestOf = (route: Route): Schema => operationOf(route).requestBody.content[json]?.schema ?? {};

function fits(schema: Schema | undefined, text: string): boolean {
  assert.ok(schema?.pattern !== undefined && schema.maxLength !== undefined);
  const { pattern, minLength = 0, maxLength } = schema;
  return new RegExp(pattern, 'u').test(text) && text.length >= minLength && text.length <= maxLength;
}

void test('every route is there once, with its own form of failure for each of its codes', () => {
  assert.equal(Object.keys(document.paths).length, routes.length);
  for (const [name, route] of routes) {
    const { operationId, responses } = operationOf(route);
    assert.equal(operationId, name);
    const codes = Object.entries(responses).flatMap(([status, { content }]) => {
      if (status === '200') return [];
      const schema = content[json]?.schema ?? {};
      const told = schema.properties?.[route.error.field]?.enum ?? [];
      for (const code of told) assert.equal(codeTable[code as keyof typeof codeTable].status, Number(status));
      const shape = document.components.schemas[schema.$ref?.split('/').at(-1) ?? ''];
      for (const [field, zero] of Object.entries(route.error.zero))
        assert.deepEqual(shape?.properties?.[field]?.const, zero, `${name} ${field}`);
      return told;
    });
    for (const code of ['api_bad_request', 'access_unauthorized', ...(route.fails ?? [])])
      assert.ok(codes.includes(code), `${name} ${code}`);
  }
});

void test('every field of a request says what it takes', () => {
  for (const [name, route] of routes) {
    const { properties = {} } = requestOf(route);
    assert.deepEqual(Object.keys(properties), Object.keys(route.request.shape));
    for (const [field, property] of Object.entries(properties)) {
      const said = property.anyOf?.[0] ?? property;
      assert.ok('type' in said || 'const' in said, `${name} ${field} says nothing: give its schema a meta`);
    }
  }
});

void test('fields that a route does not know are ruled out where it refuses them, and null where it does not take it', () => {
  assert.equal(requestOf(nexusTable.destroySecret).additionalProperties, false);
  assert.equal(requestOf(nexusTable.deleteSecret).additionalProperties, undefined);
  assert.deepEqual(requestOf(nexusTable.deleteSecret).properties?.['versions']?.anyOf?.[1], { type: 'null' });
  assert.equal(requestOf(nexusTable.deleteSecret).properties?.['path']?.anyOf, undefined);
});

void test('only the routes that take plain bytes say so', () => {
  for (const [name, route] of routes) {
    const { requestBody, responses } = operationOf(route);
    const isBoth = name === 'encrypt' || name === 'decrypt';
    for (const body of [requestBody, responses['200']])
      assert.equal('application/octet-stream' in (body?.content ?? {}), isBoth, name);
  }
});

const pathText = fc
  .array(
    fc.string({ unit: fc.constantFrom('a', 'Z', '.', '..', '/', '-', '\\', '[', 'ä', ' '), maxLength: 4 }),
    {
      maxLength: 40,
    },
  )
  .map((parts) => parts.join('/'));

void test('the pattern of a path lets in what the parser of paths does', () => {
  const schema = requestOf(nexusTable.getSecret).properties?.['path'];
  const isPath = (text: string): boolean => {
    try {
      SecretPath.parse(text);
      return true;
    } catch {
      return false;
    }
  };
  for (const text of [
    'a',
    '/a/',
    'a/..b',
    'a/...',
    '.a',
    'a//b',
    '..',
    '/',
    '',
    'a\n',
    'x/.',
    'a'.repeat(500),
    '/s'.repeat(32),
    '/s'.repeat(33),
  ])
    assert.equal(fits(schema, text), isPath(text), JSON.stringify(text));
  fc.assert(fc.property(pathText, (text) => assert.equal(fits(schema, text), isPath(text))));
});

void test('the pattern of a name is that of names, and the one of base64 is what is decoded', () => {
  const name = requestOf(nexusTable.putPolicy).properties?.['name'];
  const ciphertext = requestOf(nexusTable.decrypt).properties?.['ciphertext'];
  const unit = fc.oneof(
    { arbitrary: fc.constantFrom('a', 'Q', '7', ' ', '_', '-'), weight: 20 },
    { arbitrary: fc.constantFrom('.', '=', '+', '/', '\n', '\r', 'ä'), weight: 1 },
  );
  const anything = fc.string({ unit, maxLength: 20 });
  fc.assert(fc.property(anything, (text) => assert.equal(fits(name, text), isName(text))));
  const digits = fc.constantFrom('a', 'Q', 'g', 'E', '7', '+', '/', '=', '\n', '\r');
  const nearly = fc.string({ unit: digits, maxLength: 9 });
  const encoded = fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes).toString('base64'));
  fc.assert(
    fc.property(fc.oneof(nearly, encoded), (text) =>
      assert.equal(fits(ciphertext, text), decodeBase64(text) !== undefined, JSON.stringify(text)),
    ),
    { numRuns: 2000 },
  );
});
