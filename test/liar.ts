import { keeperTable, rolePaths } from '@spike/contract';
import { createLog } from '@spike/log';
import { listen, noPolicies, openGate, RoleBook, svidSessions } from '@spike/server';
import { authorizeAny } from '@spike/spiffe';
import type { Parts } from './parts.ts';

/** What a Keeper answers when it is asked for its share. */
export type ShareAnswer = Awaited<ReturnType<Awaited<ReturnType<Parts['callKeeper']>>['fetchShare']>>;

export interface Liar extends AsyncDisposable {
  readonly url: string;
  /** How many times Nexus asked it for its share. */
  readonly asked: number;
}

/** A server with the identity of a Keeper that takes everything, keeps nothing and always gives this answer. */
export async function openLiar(parts: Parts, answer: ShareAnswer, digest: string): Promise<Liar> {
  const { trustDomain } = parts.agent.authority;
  const { instance, generation, id } = answer;
  let asked = 0;
  const server = await listen(
    {
      component: 'keeper',
      instance: () => '',
      table: keeperTable,
      handlers: {
        contributeShare: () => Promise.resolve({}),
        fetchShare: () => {
          asked += 1;
          return Promise.resolve({ ...answer, shard: Uint8Array.from(answer.shard) });
        },
        keeperStatus: () =>
          Promise.resolve({
            active: { held: true, instance, generation, id, digest },
            pending: { held: false },
          }),
      },
      roles: RoleBook.ofOne(trustDomain),
      policies: noPolicies,
      sessions: svidSessions,
      gate: openGate,
      audit: {
        append: () => Promise.resolve(),
        appendIfCommitted: () => Promise.resolve(),
        appendUnready: () => Promise.resolve(),
      },
      log: createLog({ component: 'liar', level: 'error', write: () => undefined }),
      source: await parts.identity(rolePaths.keeper),
      authorize: authorizeAny(),
      host: '127.0.0.1',
      port: 0,
    },
    new AbortController().signal,
  );
  return {
    url: server.url,
    get asked() {
      return asked;
    },
    [Symbol.asyncDispose]: async () => await server[Symbol.asyncDispose](),
  };
}
