import { test } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { nexusTable, rolePaths } from '@spike/contract';
import { SpikeError } from '@spike/error';
import { samplePath } from './testing/sample.ts';
import { Stage } from './testing/stage.ts';

const secrets = '/v1/store/secrets';
const put = { path: samplePath, values: { user: 'app' } };

function openStage(...options: Parameters<typeof Stage.ofNexus>) {
  const stage = Stage.ofNexus(...options);
  return { stage, root: stage.world.peer(rolePaths.superuser), app: stage.world.peer('/app') };
}

void test('an allowed request reaches its handler and is recorded once, with everything that the audit keeps', async () => {
  const { stage, app } = openStage();
  stage.policies.allow(app.id, 'read', samplePath);
  const { status, json } = await stage.ask(app, secrets, 'get', { path: `/${samplePath}/` });
  assert.equal(status, 200);
  assert.deepEqual(json, { data: { user: 'app' }, version: 1 });
  const [record, ...others] = stage.audit.records;
  assert.deepEqual(others, []);
  assert.ok(record !== undefined);
  const { salt, time, trail, durationMicros, ...rest } = record;
  assert.match(salt, /^[0-9a-f]{32}$/);
  assert.match(trail, /^[0-9a-f]{32}$/);
  assert.notEqual(salt, trail);
  assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  assert.ok(Number.isInteger(durationMicros) && durationMicros >= 0);
  assert.deepEqual(rest, {
    component: 'nexus',
    instance: 'instance-1',
    spiffeId: 'spiffe://spike.ist/app',
    remoteAddress: '127.0.0.1',
    remotePort: 1,
    action: 'secret.get',
    route: '/v1/store/secrets?action=get',
    path: samplePath,
    outcome: 'ok',
    code: '',
    policy: 'policy-0',
    committed: false,
  });
});

for (const [what, path, action] of [
  ['an unknown path', '/v1/nothing', ''],
  ['an unknown action', secrets, 'read'],
  ['an action that there is not', secrets, 'rename'],
  ['an action of a route that has none', '/v1/cipher/encrypt', 'get'],
  ['a trailing slash', `${secrets}/`, ''],
  ['a name of every object', 'constructor', ''],
] as const) {
  void test(`${what} is 400 for everybody`, async () => {
    const { stage, root } = openStage();
    const { status, json } = await stage.ask(root, path, action, {});
    assert.equal(status, 400);
    assert.equal(json['err'], 'api_bad_request');
    assert.deepEqual(stage.calls, []);
    assert.deepEqual(
      stage.audit.records.map(({ action: name, outcome }) => [name, outcome]),
      [['unknown', 'failed']],
    );
  });
}

void test('the answer to a forbidden path is the same but for its trail, whatever is there', async () => {
  const { stage, app } = openStage();
  stage.policies.allow(app.id, 'read', 'other/path');
  const answers = await Promise.all(
    [samplePath, 'nothing/here'].map((path) => stage.ask(app, secrets, 'get', { path })),
  );
  const [there, missing] = answers.map(({ status, json: { trail, ...rest } }) => ({ status, rest, trail }));
  assert.notEqual(there?.trail, missing?.trail);
  assert.deepEqual(there?.rest, missing?.rest);
  assert.deepEqual(there?.rest, {
    data: null,
    err: 'access_unauthorized',
    message: 'this identity may not do that',
  });
  assert.deepEqual(stage.calls, []);
});

void test('a handler that refuses says no more than the guard does', async () => {
  const { stage, root } = openStage();
  stage.before = () => {
    throw new SpikeError('access_unauthorized', 'the secret exists');
  };
  const { json } = await stage.ask(root, secrets, 'get', { path: samplePath });
  assert.equal(json['message'], 'this identity may not do that');
});

void test('before it is ready, everything but what needs no key is 503, unknown routes too, and goes to the unready audit without a path', async () => {
  const { stage, root } = openStage();
  stage.gate.unlocked = false;
  stage.gate.refusal = new SpikeError('state_not_ready', 'not yet');
  assert.equal((await stage.ask(root, secrets, 'get', { path: samplePath })).status, 503);
  assert.deepEqual((await stage.ask(root, '/v1/nothing', '', {})).json['err'], 'state_not_ready');
  assert.equal((await stage.ask(root, '/v1/operator/status', '', {})).status, 200);
  assert.deepEqual(stage.gate.asked, ['unlocked', 'unlocked', 'any']);
  assert.deepEqual(stage.audit.records, []);
  assert.deepEqual(
    stage.audit.unready.map(({ action, path, code }) => [action, path, code]),
    [
      ['secret.get', undefined, 'state_not_ready'],
      ['unknown', undefined, 'state_not_ready'],
      ['operator.status', undefined, ''],
    ],
  );
});

void test('a request during which the key goes leaves no path in the unready audit', async () => {
  const { stage, root } = openStage();
  stage.before = () => {
    stage.gate.unlocked = false;
    throw new SpikeError('state_not_ready', 'not any more');
  };
  await stage.ask(root, secrets, 'get', { path: samplePath });
  assert.deepEqual(stage.audit.records, []);
  assert.doesNotMatch(JSON.stringify(stage.audit.unready), /acme/);
});

void test('when the identity is lost between a request and its answer, the answer does not leave', async () => {
  const { stage, root } = openStage();
  stage.before = () => {
    stage.gate.identityEpoch += 1;
  };
  await assert.rejects(stage.ask(root, secrets, 'get', { path: samplePath }), {
    code: 'net_peer_connection',
  });
  stage.before = () => undefined;
  assert.equal((await stage.ask(root, secrets, 'get', { path: samplePath })).status, 200);
});

void test('the same holds for a loss while the audit is written', async () => {
  const { stage, root } = openStage();
  const append = stage.audit.append.bind(stage.audit);
  stage.audit.append = async (...record) => {
    await append(...record);
    stage.gate.identityEpoch += 1;
  };
  await assert.rejects(stage.ask(root, secrets, 'get', { path: samplePath }), {
    code: 'net_peer_connection',
  });
});

void test('whoever is denied is refused on every route there is and on none, in the words of every refusal, and the audit says why', async () => {
  const { stage, root, app } = openStage();
  stage.policies.allow(app.id, 'read', samplePath);
  const stranger = await stage.ask(stage.world.peer('/stranger'), secrets, 'get', { path: samplePath });
  stage.gate.denied.add(app.id.toString());
  const urls = [...new Set(Object.values(nexusTable).map(({ path, action }) => `${path} ${action}`))];
  const { length: before } = stage.audit.records;
  for (const url of [...urls, '/v1/nothing ', `${secrets} nothing`]) {
    const [path = '', action = ''] = url.split(' ');
    const { status, json } = await stage.ask(app, path, action, { path: samplePath });
    assert.deepEqual(
      [status, json['err'], json['message']],
      [401, 'access_unauthorized', 'this identity may not do that'],
      url,
    );
  }
  assert.deepEqual(stage.calls, []);
  const records = stage.audit.records.slice(before);
  assert.equal(records.length, urls.length + 2);
  for (const { outcome, code } of records) assert.deepEqual([outcome, code], ['denied', 'identity_denied']);
  const { trail: _denied, ...told } = (await stage.ask(app, secrets, 'get', { path: samplePath })).json;
  const { trail: _refused, ...usual } = stranger.json;
  assert.deepEqual(told, usual);
  assert.equal((await stage.ask(root, secrets, 'get', { path: samplePath })).status, 200);
  stage.gate.denied.clear();
  assert.equal((await stage.ask(app, secrets, 'get', { path: samplePath })).status, 200);
});

void test('whoever is denied while a request is at work gets no answer to it, and nothing of it is committed any more', async () => {
  const { stage, app } = openStage();
  for (const action of ['read', 'write'] as const) stage.policies.allow(app.id, action, samplePath);
  stage.before = () => void stage.gate.denied.add(app.id.toString());
  await assert.rejects(stage.ask(app, secrets, 'get', { path: samplePath }), { code: 'net_peer_connection' });
  stage.gate.denied.clear();
  stage.before = ({ check }) => {
    stage.gate.denied.add(app.id.toString());
    check();
  };
  assert.equal((await stage.ask(app, secrets, '', put)).status, 401);
  stage.gate.denied.clear();
  stage.before = () => undefined;
  const append = stage.audit.append.bind(stage.audit);
  stage.audit.append = async (...record) => {
    await append(...record);
    stage.gate.denied.add(app.id.toString());
  };
  await assert.rejects(stage.ask(app, secrets, 'get', { path: samplePath }), { code: 'net_peer_connection' });
});

void test('when the audit cannot be written, nothing is served, refusals included', async () => {
  const { stage, root, app } = openStage();
  stage.audit.failure = new Error('disk full');
  for (const peer of [root, app]) {
    const { status, json } = await stage.ask(peer, secrets, 'get', { path: samplePath });
    assert.equal(status, 503);
    assert.deepEqual([json['err'], json['data']], ['audit_unavailable', null]);
  }
  stage.audit.failure = undefined;
  assert.equal((await stage.ask(root, secrets, 'get', { path: samplePath })).status, 200);
});

void test('the answer waits for the audit', async () => {
  const { stage, root } = openStage();
  const written = Promise.withResolvers<void>();
  stage.audit.append = () => written.promise;
  let answered = false;
  const asking = stage.ask(root, secrets, 'get', { path: samplePath }).then(() => (answered = true));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(answered, false);
  written.resolve();
  await asking;
});

void test('the record that a mutation commits is the one that is appended', async () => {
  const { stage, root } = openStage();
  let committed = '';
  stage.before = ({ draftAudit }) => {
    committed = draftAudit().record;
  };
  await stage.ask(root, secrets, '', put);
  const [record] = stage.audit.records;
  assert.deepEqual(record, { ...(JSON.parse(committed) as object), committed: true });
  assert.deepEqual([record?.outcome, record?.path], ['ok', samplePath]);
});

void test('a mutation that fails after its draft is recorded as failed, under the same trail', async () => {
  const { stage, root } = openStage();
  let trail = '';
  stage.before = ({ draftAudit }) => {
    ({ trail } = draftAudit());
    throw new SpikeError('entity_version_conflict', 'somebody else wrote first');
  };
  const { status } = await stage.ask(root, secrets, '', put);
  assert.equal(status, 409);
  const [record] = stage.audit.records;
  assert.deepEqual(
    [record?.trail, record?.outcome, record?.code, record?.committed],
    [trail, 'failed', 'entity_version_conflict', false],
  );
});

void test('a mutation that fails behind its commit is recorded as made, and then as failed', async () => {
  const { stage, root } = openStage();
  let draft = { trail: '', record: '' };
  stage.before = ({ draftAudit }) => {
    draft = draftAudit();
    stage.audit.committed.add(draft.trail);
    throw new SpikeError('store_failed', 'what was written cannot be read again');
  };
  const { status } = await stage.ask(root, secrets, '', put);
  assert.equal(status, 500);
  const [made, failed] = stage.audit.records;
  assert.deepEqual(made, { ...(JSON.parse(draft.record) as object), committed: true });
  assert.deepEqual(
    [failed?.trail, failed?.outcome, failed?.code, failed?.committed],
    [draft.trail, 'failed', 'store_failed', false],
  );
});

void test('a request that begins a session is recorded under it when it succeeds, and under none when it fails', async () => {
  const { stage, root } = openStage();
  const begun = { administrator: 'ann', accessor: 'accessor-of-ann' };
  const committed: string[] = [];
  const failures: SpikeError[] = [];
  stage.before = ({ draftAudit, about }) => {
    about('ann');
    committed.push(draftAudit(begun).record);
    for (const failure of failures) throw failure;
  };
  await stage.ask(root, secrets, '', put);
  failures.push(new SpikeError('store_failed', 'the disk is full'));
  await stage.ask(root, secrets, '', put);
  const [served, failed] = stage.audit.records;
  assert.deepEqual(served, { ...(JSON.parse(committed[0] ?? '') as object), committed: true });
  assert.deepEqual(
    [served, failed].map((record) => [record?.subject, record?.administrator, record?.accessor]),
    [
      ['ann', begun.administrator, begun.accessor],
      ['ann', undefined, undefined],
    ],
  );
});

void test('an unexpected failure tells the caller nothing and the log its kind', async () => {
  const { stage, root } = openStage();
  stage.before = () => {
    throw new TypeError('password is hunter2');
  };
  const { status, json } = await stage.ask(root, secrets, '', put);
  assert.equal(status, 500);
  assert.equal(json['err'], 'api_internal_error');
  assert.doesNotMatch(
    JSON.stringify(json) + stage.log.lines.join('') + JSON.stringify(stage.audit.records),
    /hunter2/,
  );
  assert.match(stage.log.lines.join(''), /request\.failed.*TypeError/);
});

void test('refused input is api_bad_request with a sentence, and the route the zero fields of its answer', async () => {
  const { stage, root } = openStage();
  const { status, json } = await stage.ask(root, secrets, 'get', { path: 'a//b' });
  assert.equal(status, 400);
  const { trail, ...rest } = json;
  assert.equal(typeof trail, 'string');
  assert.deepEqual(rest, {
    data: null,
    err: 'api_bad_request',
    message: 'path: a path has no empty segment: write single slashes',
  });
  stage.before = () => {
    throw new SpikeError('data_invalid_input', 'the pattern does not compile');
  };
  const policy = await stage.ask(root, '/v1/acl/policy', '', { name: 'p' });
  assert.deepEqual([policy.status, policy.json['err']], [400, 'api_bad_request']);
  assert.equal(policy.json['message'], 'the pattern does not compile');
});

void test('the record of a policy request names the policy', async () => {
  const { stage, root } = openStage();
  await stage.ask(root, '/v1/acl/policy', 'get', { id: 'readers' });
  assert.deepEqual(
    stage.audit.records.map(({ subject, path }) => [subject, path]),
    [['readers', 'spike/system/acl']],
  );
});

void test('a body that is larger than the route takes is 413', async () => {
  const { stage, root } = openStage();
  const body = Buffer.alloc(nexusTable.putSecret.limits.requestBytes + 1, ' ');
  const { status, json } = await stage.ask(root, secrets, '', body);
  assert.deepEqual([status, json['err']], [413, 'api_payload_too_large']);
});

void test('a large body is not read of a peer that no policy lets write anywhere', async () => {
  const { stage, app } = openStage();
  const body = Buffer.alloc(nexusTable.putSecret.limits.requestBytes + 1, ' ');
  assert.equal((await stage.ask(app, secrets, '', body)).status, 401);
  stage.policies.allow(app.id, 'write', 'somewhere');
  assert.equal((await stage.ask(app, secrets, '', body)).status, 413);
});

void test('a peer without the role is refused before its body is looked at', async () => {
  const { stage, app } = openStage();
  assert.equal((await stage.ask(app, '/v1/operator/recover', '', Buffer.from('no json'))).status, 401);
});

void test('an answer lets nothing out that the contract does not name', async () => {
  const { stage, root } = openStage({
    verifyBootstrap: async () => ({ hash: 'ab', rootKey: 'leak' }),
    getSecret: async () => ({ data: Object.assign({ a: 'b' }), wrapped: 'leak' }),
  });
  assert.deepEqual((await stage.ask(root, secrets, 'get', { path: 'a' })).json, { data: { a: 'b' } });
  const bootstrap = stage.world.peer(rolePaths.bootstrap);
  const body = { nonce: 'AAAAAAAAAAAAAAAA', ciphertext: '' };
  assert.deepEqual((await stage.ask(bootstrap, '/v1/bootstrap/verify', '', body)).json, { hash: 'ab' });
});

void test('any body of any peer gets an answer that is JSON, and one record', async () => {
  const { stage, root, app } = openStage();
  stage.policies.allow(app.id, 'read', samplePath);
  const body = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.json().map((text) => Buffer.from(text)),
    fc.dictionary(fc.constantFrom('path', 'values', 'version', '__proto__'), fc.jsonValue()),
  );
  await fc.assert(
    fc.asyncProperty(
      body,
      fc.constantFrom(root, app),
      fc.constantFrom('', 'get', 'delete', 'list'),
      async (one, peer, action) => {
        const before = stage.audit.records.length;
        const { status, json } = await stage.ask(peer, secrets, action, one);
        assert.ok([200, 400, 401].includes(status), `${status} ${JSON.stringify(json)}`);
        assert.equal(stage.audit.records.length, before + 1);
      },
    ),
    { numRuns: 300 },
  );
});

void test('a handler sees the deadline of its route and the caller that leaves', async () => {
  const { stage, root } = openStage();
  const leave = new AbortController();
  const reasons: unknown[] = [];
  stage.before = async ({ signal }) => {
    leave.abort();
    if (!signal.aborted)
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    reasons.push(signal.reason);
  };
  const sending = stage.transport(root).send({
    path: secrets,
    action: 'get',
    body: Buffer.from('{"path":"a"}'),
    repeatable: true,
    deadlineMs: 1000,
    responseBytes: 1000,
    signal: leave.signal,
  });
  await sending;
  assert.deepEqual(
    reasons.map((reason) => (reason as SpikeError).code),
    ['net_peer_connection'],
  );
});

void test('a request whose body arrives after the identity was withdrawn begins nothing, also when it is back', async () => {
  for (const back of [false, true]) {
    const { stage, root } = openStage();
    let end = '';
    await stage.dispatch({
      peer: root,
      remoteAddress: '127.0.0.1',
      remotePort: 1,
      method: 'POST',
      path: secrets,
      action: '',
      contentType: undefined,
      bodyBytes: undefined,
      readBody: () => {
        stage.gate.identityEpoch += 1;
        if (!back) stage.gate.refusal = new SpikeError('identity_withdrawn', 'gone');
        return Promise.resolve(Buffer.from(JSON.stringify(put)));
      },
      onGone: () => undefined,
      answer: () => (end = 'answered'),
      cut: () => (end = 'cut'),
    });
    assert.deepEqual(stage.calls, []);
    assert.equal(end, 'cut');
    assert.deepEqual(
      stage.audit.records.map(({ outcome, code }) => [outcome, code]),
      [['failed', 'identity_withdrawn']],
    );
  }
});

void test('plain bytes come to a handler and go back from it, and a failure of such a request is told in JSON', async () => {
  const { stage, root, app } = openStage();
  const send = (peer: typeof root, path: string, body: Uint8Array) =>
    stage.transport(peer).send({
      path,
      action: '',
      kind: 'octets',
      body,
      repeatable: true,
      deadlineMs: 1000,
      responseBytes: 65_536,
    });
  const { status, body } = await send(root, '/v1/cipher/encrypt', Buffer.from([0, 255]));
  assert.equal(status, 200);
  assert.deepEqual(stage.calls[0]?.input, { plaintext: Buffer.from([0, 255]) });
  assert.equal(Buffer.from(body).toString('hex'), `01${'00'.repeat(12 + 19)}`);
  const failures = [
    { of: await send(root, '/v1/cipher/decrypt', Uint8Array.of(2)), status: 400, err: 'api_bad_request' },
    { of: await send(app, '/v1/cipher/decrypt', Uint8Array.of(2)), status: 401, err: 'access_unauthorized' },
    // The kind of a body is the route's to choose: elsewhere these bytes are no JSON.
    { of: await send(root, secrets, Uint8Array.of(1)), status: 400, err: 'api_bad_request' },
  ];
  for (const failure of failures) {
    assert.equal(failure.of.status, failure.status);
    const json = JSON.parse(Buffer.from(failure.of.body).toString()) as { err: string };
    assert.equal(json.err, failure.err);
  }
  assert.equal(stage.calls.length, 1);
});

void test('what was refused is recorded, and is no action that a checkpoint would be signed for', async () => {
  const { stage, root, app } = openStage();
  assert.equal((await stage.ask(app, '/v1/operator/recover', '', {})).status, 401);
  assert.equal((await stage.ask(app, '/v1/acl/policy', 'list', {})).status, 401);
  assert.equal(stage.audit.records.length, 2);
  assert.deepEqual(stage.audit.actions, []);
  assert.equal((await stage.ask(root, '/v1/acl/policy', 'list', {})).status, 200);
  assert.deepEqual(stage.audit.actions, ['policy.list']);
});
