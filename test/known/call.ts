import { inspect } from 'node:util';
import { known, leaves, learn, learnBytes, learnShare, type Kind } from './known.ts';

/** Fields of requests and answers that hold something secret. */
const fields: Readonly<Record<string, Kind>> = {
  password: 'password',
  newPassword: 'password',
  oldPassword: 'password',
  oneTimePassword: 'password',
  token: 'token',
  values: 'value',
  plaintext: 'value',
};

/** The same client; it learns what is secret in requests and answers, and fails when an error shows it. */
export function watched<Calls extends object>(calls: Calls): Calls {
  return new Proxy(calls, {
    get: (target, name) => {
      const method: unknown = Reflect.get(target, name, target);
      if (typeof method !== 'function') return method;
      if (typeof name === 'symbol') return method.bind(target);
      return async (...input: readonly unknown[]): Promise<unknown> => {
        learnInput(name, input);
        try {
          const answer: unknown = await Reflect.apply(method, target, input);
          learnFields(answer);
          return answer;
        } catch (error) {
          throw searchError(error);
        }
      };
    },
  });
}

/** What has one of the names of something secret, in any depth. */
export function learnFields(value: unknown): void {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return;
  for (const [name, field] of Object.entries(value)) {
    const kind = fields[name];
    if (name === 'shards') learnShards(field);
    else if (kind === undefined) learnFields(field);
    else learnLeaves(kind, field);
  }
}

/** The error itself, unless something secret is in it. */
export function searchError(error: unknown): unknown {
  const found = known.find(inspect(error, { depth: 8 }));
  if (found.length === 0) return error;
  return new Error(`a leak: an error shows ${found.map(({ name }) => name).join(', ')}`);
}

function learnInput(method: string, [first, second]: readonly unknown[]): void {
  learnFields(first);
  // These two are methods of the SDK, whose arguments have no names.
  if (method === 'put') learnLeaves('value', second);
  if (method === 'encrypt') learnLeaves('value', first);
  if (method === 'initialize' && typeof first === 'object' && first !== null && 'code' in first) {
    learn('init code', String(first.code));
  }
}

function learnLeaves(kind: Kind, value: unknown): void {
  for (const one of leaves(value)) {
    if (typeof one === 'string') learn(kind, one);
    else learnBytes(kind, one);
  }
}

function learnShards(shards: unknown): void {
  if (!(shards instanceof Map)) return;
  for (const [id, value] of shards as ReadonlyMap<unknown, unknown>) {
    if (value instanceof Uint8Array) learnShare({ id: Number(id), value: [...value] });
  }
}
