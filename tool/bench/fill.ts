import { createSecureContext } from 'node:tls';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Context } from '@spike/config';
import { Connection } from './connection.ts';
import { openIdentity } from './identity.ts';
import { filled, pathOf } from './range.ts';

/** How much of each kind a store holds. */
export interface Filling {
  readonly secrets: number;
  readonly policies: number;
}

const connections = 128;
const progressMs = 10_000;
const noteName = 'bench-filling.json';

/** What was put into this home by an earlier run. */
export async function readFilling(home: string): Promise<Filling> {
  try {
    return JSON.parse(await readFile(join(home, noteName), 'utf8')) as Filling;
  } catch {
    return { secrets: 0, policies: 0 };
  }
}

/**
 * Brings a running system up to so many secrets and policies, as a superuser over mTLS: the way that everybody's come in,
 * with many connections. What an earlier run put there is not put again.
 */
export async function fill(
  context: Context,
  home: string,
  wanted: Filling,
  valueBytes: number,
): Promise<void> {
  const before = await readFilling(home);
  await using identity = await openIdentity({
    adminSocket: context.adminSocket,
    endpoint: context.endpointSocket,
    spiffeId: `spiffe://${context.trustDomain}/spike/pilot/role/superuser`,
  });
  const secureContext = createSecureContext(identity.tls);
  const port = Number(new URL(context.nexusUrl).port);
  const send = async (from: number, to: number, makeBody: (index: number) => object, path: string) => {
    let next = from;
    const started = performance.now();
    const progress = setInterval(() => {
      const rate = Math.round((next - from) / ((performance.now() - started) / 1000));
      process.stderr.write(`${path}: ${next} of ${to}, ${rate}/s\n`);
    }, progressMs);
    const worker = async (): Promise<void> => {
      using connection = new Connection(port, secureContext);
      for (let index = next++; index < to; index = next++) {
        const body = JSON.stringify(makeBody(index));
        await connection.exchange(
          Buffer.from(
            `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\n` +
              `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
          ),
        );
      }
    };
    try {
      if (from < to) await Promise.all(Array.from({ length: connections }, worker));
    } finally {
      clearInterval(progress);
    }
  };
  const values = { value: 'v'.repeat(valueBytes) };
  const pattern = context.trustDomain.replaceAll('.', '\\.');
  await send(
    before.policies,
    wanted.policies,
    (index) => ({
      name: `fill-${index}`,
      spiffeidPattern: `^spiffe://${pattern}/fill/workload-${index}$`,
      pathPattern: `^${filled.prefix}/${index}/.*$`,
      permissions: ['read', 'write', 'list'],
    }),
    '/v1/acl/policy',
  );
  await send(
    before.secrets,
    wanted.secrets,
    (index) => ({ path: pathOf(filled, index), values }),
    '/v1/store/secrets',
  );
  const filling: Filling = {
    secrets: Math.max(before.secrets, wanted.secrets),
    policies: Math.max(before.policies, wanted.policies),
  };
  await writeFile(join(home, noteName), JSON.stringify(filling));
}
