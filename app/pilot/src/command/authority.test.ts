import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, mkdtempDisposable } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { homeOf } from '@spike/config';
import { rehearse } from '../testing/invocation.ts';
import { deleteEntry } from './authority.ts';

const id = '0123456789abcdef';
const answers: Readonly<Record<string, unknown>> = {
  '/v1/status': {
    pid: 1,
    uid: 0,
    trustDomain: 'spike.ist',
    socketPath: '/x',
    startedAt: '2026-01-01T00:00:00.000Z',
    authorityNotAfter: '2026-01-02T00:00:00.000Z',
    svidLifetimeMs: 1,
    rotateEveryMs: 1,
    entries: 1,
    streams: 0,
    parts: [],
    caution: '',
  },
  '/v1/entry/show': {
    entry: {
      id,
      spiffeId: 'spiffe://spike.ist/workload/app',
      selectors: ['uid:7'],
      createdAt: '2026-01-01T00:00:00.000Z',
      origin: 'operator',
      federatesWith: [],
    },
  },
  '/v1/entry/delete': {},
};

test('an entry goes after a yes in a terminal, and without a question elsewhere and with --yes', async () => {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'spike-entry-'));
  const env = { SPIKE_HOME: directory.path };
  const { adminSocket } = homeOf(env);
  await mkdir(dirname(adminSocket), { recursive: true, mode: 0o700 });
  let deleted = 0;
  const server = createServer((request, response) => {
    if (request.url === '/v1/entry/delete') deleted += 1;
    request.resume().on('end', () => response.end(JSON.stringify(answers[request.url ?? ''])));
  }).listen(adminSocket);
  await once(server, 'listening');
  try {
    const run = async (isTerminal: boolean, input: string, yes?: true) => {
      deleted = 0;
      const { invocation, written } = rehearse({ env, isTerminal, input });
      await deleteEntry(invocation, id, yes === undefined ? {} : { yes });
      return { deleted, out: written.out };
    };
    const asked = await run(true, 'y\n');
    assert.match(
      asked.out,
      /^Delete the entry 0123456789abcdef of spiffe:\/\/spike\.ist\/workload\/app\?.* \(y\/N\): OK\n$/,
    );
    assert.equal(asked.deleted, 1);
    const refused = await run(true, 'n\n');
    assert.match(refused.out, /Operation canceled\.\n$/);
    assert.equal(refused.deleted, 0);
    assert.deepEqual(await run(true, '', true), { deleted: 1, out: 'OK\n' });
    assert.deepEqual(await run(false, ''), { deleted: 1, out: 'OK\n' });
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
