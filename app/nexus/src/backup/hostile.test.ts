import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BackupParser, BackupWriter, type Frame } from '@spike/backup';
import { Share } from '@spike/crypto';
import { openMemoryStore, type Row, type Table } from '@spike/store';
import { toSealed } from '@spike/store/seal';
import { grantOn } from '../service/testing/grant.ts';
import { hasCode } from '../vault/testing/instance.ts';
import { describe, fill, openAt, origin, owner, Rig, sendTo, startOf } from './testing/rig.ts';

interface Parts {
  readonly frames: readonly Frame[];
  readonly rows: readonly (Frame & { kind: 'row' })[];
}

function partsOf(backup: Buffer): Parts {
  const frames = [...new BackupParser().push(backup)];
  return { frames, rows: frames.filter((frame) => frame.kind === 'row') };
}

/** A backup that is sound in its form: its writer can hash, and has no key. */
function forge(
  { frames }: Parts,
  change: {
    readonly rows?: (rows: readonly (Frame & { kind: 'row' })[]) => readonly { table: Table; row: Row }[];
    readonly header?: (
      header: (Frame & { kind: 'header' })['header'],
    ) => (Frame & { kind: 'header' })['header'];
    readonly head?: Uint8Array;
  },
): Buffer {
  const writer = new BackupWriter();
  const bytes: Uint8Array[] = [];
  const rows = frames.filter((frame) => frame.kind === 'row');
  for (const frame of frames) {
    if (frame.kind === 'header') bytes.push(writer.header(change.header?.(frame.header) ?? frame.header));
    if (frame.kind === 'head') bytes.push(writer.head(frame.revision, change.head ?? frame.bytes));
    if (frame.kind === 'trailer') {
      for (const { table, row } of change.rows?.(rows) ?? rows) bytes.push(writer.row(table, row));
      const { key, mac } = frame.trailer;
      bytes.push(writer.trailer(() => ({ key, mac })).bytes);
    }
  }
  return Buffer.concat(bytes);
}

async function openBoth() {
  const a = await Rig.open(openMemoryStore());
  await fill(a, 20);
  const b = await Rig.open(openMemoryStore());
  return {
    a,
    b,
    backup: await a.take(),
    [Symbol.asyncDispose]: async () => {
      await a[Symbol.asyncDispose]();
      await b[Symbol.asyncDispose]();
    },
  };
}

test('a backup that somebody without keys made of sound parts is found out before anything changes', async () => {
  await using both = await openBoth();
  const { a, b, backup } = both;
  const whole = partsOf(backup);
  const order = (rows: readonly { table: Table; row: Row }[]) =>
    rows.toSorted((x, y) => (x.table === y.table ? Buffer.compare(x.row.key, y.row.key) : 0));
  const old = partsOf(await a.take());
  await a.secrets.put(grantOn('team/0/secret-0'), { newer: 'value' });
  const newer = partsOf(await a.take());
  const cases: Record<string, Buffer> = {
    'a record less': forge(whole, { rows: (rows) => rows.filter((_, index) => index !== 3) }),
    'no records': forge(whole, { rows: () => [] }),
    'no state record': forge(whole, { rows: (rows) => rows.filter(({ table }) => table !== 'state') }),
    'swapped bodies': forge(whole, {
      rows: ([one, two, ...rest]) => {
        assert.ok(one !== undefined && two !== undefined);
        const { nonce, body } = one.row;
        return [
          { table: one.table, row: { ...one.row, nonce: two.row.nonce, body: two.row.body } },
          { table: two.table, row: { ...two.row, nonce, body } },
          ...rest,
        ];
      },
    }),
    'a record under another key': forge(whole, {
      rows: ([one, ...rest]) => {
        assert.ok(one !== undefined);
        const key = Uint8Array.from(one.row.key);
        key[key.length - 1] = (key.at(-1) ?? 0) ^ 1;
        return order([{ table: one.table, row: { ...one.row, key } }, ...rest]);
      },
    }),
    'a record in another table': forge(whole, {
      rows: (rows) => [...rows, ...rows.slice(0, 1).map(({ row }) => ({ table: 'alert' as const, row }))],
    }),
    'an older record among newer ones': forge(newer, {
      rows: (rows) =>
        rows.map(
          (one) =>
            old.rows.find(
              ({ table, row }) => table === one.table && Buffer.compare(row.key, one.row.key) === 0,
            ) ?? one,
        ),
    }),
    'a changed bit of a record': forge(whole, {
      rows: ([one, ...rest]) => {
        assert.ok(one !== undefined);
        const body = toSealed(Uint8Array.from(one.row.body));
        body[5] = (body[5] ?? 0) ^ 1;
        return [{ table: one.table, row: { ...one.row, body } }, ...rest];
      },
    }),
    'another threshold in the header': forge(whole, {
      header: (header) => ({ ...header, recovery: { ...header.recovery, threshold: 1 } }),
    }),
    'another revision in the header': forge(whole, { header: (header) => ({ ...header, revision: 1 }) }),
  };
  const before = await describe(b);
  for (const [name, forged] of Object.entries(cases)) {
    const id = await openAt(b, forged, 'restore', a);
    const report = await sendTo(b, id, forged);
    assert.ok(report !== undefined && report.problems.length > 0, name);
    await assert.rejects(
      b.backups.start(owner, id, { replace: true }, origin),
      hasCode('data_invalid_input'),
      name,
    );
    assert.equal(b.backups.restoring, undefined);
  }
  assert.deepEqual(await describe(b), before);
  const id = await openAt(b, backup, 'restore', a);
  assert.deepEqual((await sendTo(b, id, backup))?.problems, [], 'and the sound one is sound');
});

test('another file than the one that was looked at is not restored', async () => {
  await using both = await openBoth();
  const { a, b, backup } = both;
  await a.secrets.put(grantOn('team/0/secret-0'), { newer: 'value' });
  const other = await a.take();
  const id = await openAt(b, backup, 'restore', a);
  await sendTo(b, id, backup);
  await b.backups.start(owner, id, { replace: false }, origin);
  await sendTo(b, id, Buffer.concat([startOf(backup), other.subarray(startOf(other).length)])).catch(
    () => undefined,
  );
  await assert.rejects(b.backups.finish(owner, id, undefined, origin), hasCode('data_invalid_input'));
  assert.notEqual(b.backups.restoring, undefined);
});

test('shares of another instance, too few, wrong ones and a repeated one are told apart', async () => {
  await using both = await openBoth();
  const { a, b, backup } = both;
  const { id } = b.backups.openReading(owner, 'restore', startOf(backup));
  const rest = startOf(backup).length;
  const send = async () => b.backups.feed(owner, id, rest, backup.subarray(rest), origin);
  await assert.rejects(send(), hasCode('state_not_ready'));
  const [foreign] = b.shares(2);
  assert.ok(foreign !== undefined);
  assert.throws(() => b.backups.takeShare(owner, id, foreign), {
    code: 'shamir_reconstruction_failed',
    message: /share 2 is not a recovery share of instance/,
  });
  const [keeper] = [a.made.instance.keeper.shareOf(1)];
  assert.throws(() => b.backups.takeShare(owner, id, keeper), hasCode('shamir_reconstruction_failed'));
  const [first] = a.shares(1);
  assert.ok(first !== undefined);
  assert.deepEqual(b.backups.takeShare(owner, id, first), { collected: 1, remaining: 2, repeated: false });
  const [again] = a.shares(1);
  assert.ok(again !== undefined);
  assert.deepEqual(b.backups.takeShare(owner, id, again), { collected: 1, remaining: 2, repeated: true });
  await assert.rejects(send(), hasCode('state_not_ready'));
  await assert.rejects(b.backups.start(owner, id, { replace: false }, origin), hasCode('state_not_ready'));
  for (const share of a.shares(4, 5)) b.backups.takeShare(owner, id, share);
  assert.deepEqual((await send()).report?.problems, []);
  const [late] = a.shares(2);
  assert.ok(late !== undefined);
  assert.throws(() => b.backups.takeShare(owner, id, late), hasCode('api_bad_request'));
});

test('shares that a forged head calls right do not open it, and are told so', async () => {
  await using both = await openBoth();
  const { a, b, backup } = both;
  // The digests lie in the clear: whoever forges them has shares taken that are none.
  const { head } = a.made.instance;
  const wrong = [1, 2, 3].map((id) => Share.take(id, new Uint8Array(32).fill(id)));
  const { digestShare } = await import('@spike/crypto');
  const { encodeHead } = await import('../vault/head.ts');
  const splits = head.splits.map((split) =>
    split.purpose === 'keeper'
      ? split
      : {
          ...split,
          digests: split.digests.map((digest, index) => {
            const share = wrong[index];
            return share === undefined ? digest : digestShare(head.instance, split.generation, share);
          }),
        },
  );
  const forged = forge(partsOf(backup), { head: encodeHead({ ...head, splits }) });
  const { id } = b.backups.openReading(owner, 'restore', startOf(forged));
  const [one, two, three] = wrong;
  assert.ok(one !== undefined && two !== undefined && three !== undefined);
  b.backups.takeShare(owner, id, one);
  b.backups.takeShare(owner, id, two);
  assert.throws(() => b.backups.takeShare(owner, id, three), hasCode('shamir_reconstruction_failed'));
});

test('whoever only verifies a backup does not hold up a restore, which holds up everybody', async () => {
  await using both = await openBoth();
  const { b, backup } = both;
  const other = { id: 'spiffe://td/spike/pilot/role/superuser b', administrator: 'bob' };
  const own = await b.take();
  const { id } = b.backups.openReading(other, 'verify', startOf(own));
  b.backups.openReading(owner, 'restore', startOf(backup));
  const rest = startOf(own).length;
  await assert.rejects(b.backups.feed(other, id, rest, own.subarray(rest), origin), hasCode('api_not_found'));
  for (const purpose of ['verify', 'restore'] as const)
    assert.throws(() => b.backups.openReading(other, purpose, startOf(own)), hasCode('limit_exceeded'));
});

test('what one began nobody else goes on with, and what is forgotten is gone', async () => {
  const a = await Rig.open(openMemoryStore());
  await using _a = a;
  await fill(a, 3);
  const backup = await a.take();
  const other = { id: 'spiffe://td/spike/pilot/role/superuser b', administrator: 'bob' };
  const { id } = a.backups.openReading(owner, 'verify', startOf(backup));
  const rest = startOf(backup).length;
  await assert.rejects(
    a.backups.feed(other, id, rest, backup.subarray(rest), origin),
    hasCode('api_not_found'),
  );
  assert.throws(() => a.backups.openReading(other, 'verify', startOf(backup)), hasCode('limit_exceeded'));
  await assert.rejects(
    a.backups.feed(owner, id, rest + 1, backup.subarray(rest), origin),
    hasCode('data_invalid_input'),
  );
  const { taker } = a.backups;
  const begun = await taker.begin(owner, { withoutRecovery: true });
  await assert.rejects(taker.read(other, begun.id, 1), hasCode('api_not_found'));
  await assert.rejects(taker.begin(other, { withoutRecovery: true }), hasCode('limit_exceeded'));
  await taker.cancel(other, begun.id);
  await assert.rejects(taker.read(owner, begun.id, 2), hasCode('data_invalid_input'));
  await taker.read(owner, begun.id, 1);
  await taker.cancel(owner, begun.id);
  await assert.rejects(taker.read(owner, begun.id, 1), hasCode('api_not_found'));
});
