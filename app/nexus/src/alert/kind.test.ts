import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { alertKinds, type AlertKind } from './kind.ts';

const root = join(import.meta.dirname, '..', '..', '..', '..');

/** For each kind the test that causes it for real: its file and its title. */
const causes: Readonly<Record<AlertKind, readonly [file: string, title: string]>> = {
  login_failures: [
    'test/guarded-alert.long.test.ts',
    'wrong passwords raise login_failures, and then account_locked',
  ],
  account_locked: [
    'test/guarded-alert.long.test.ts',
    'wrong passwords raise login_failures, and then account_locked',
  ],
  token_misuse: [
    'test/guarded-alert.long.test.ts',
    'a token that another identity shows raises token_misuse',
  ],
  initialization_attempt: [
    'test/guarded-alert.long.test.ts',
    'a second initialisation raises initialization_attempt',
  ],
  password_reset: [
    'test/guarded-alert.long.test.ts',
    'an administrator who is made raises admin_created, and a password that is reset password_reset',
  ],
  admin_created: [
    'test/guarded-alert.long.test.ts',
    'an administrator who is made raises admin_created, and a password that is reset password_reset',
  ],
  reset_attempt: [
    'test/guarded-alert.long.test.ts',
    'a factory reset that is asked about raises reset_attempt',
  ],
  breakglass_opened: [
    'test/guarded-alert.long.test.ts',
    'emergency access that is asked for raises breakglass_opened',
  ],
  denial_changed: [
    'test/policy.test.ts',
    'a denied workload is refused on its kept connection, and others go on',
  ],
  policy_widened: [
    'test/alert.long.test.ts',
    'a policy that lets through more raises policy_widened, and one that lets through less does not',
  ],
  keeper_quorum_low: ['test/alert.long.test.ts', 'Keepers that are gone raise keeper_quorum_low'],
  keeper_bad_share: ['test/alert.long.test.ts', 'a Keeper that lies about its share raises keeper_bad_share'],
  recovery_shards_issued: [
    'test/alert.long.test.ts',
    'recovery shares that are handed out raise recovery_shards_issued, and bringing them back root_restored',
  ],
  root_restored: [
    'test/alert.long.test.ts',
    'recovery shares that are handed out raise recovery_shards_issued, and bringing them back root_restored',
  ],
  authority_changed: ['test/alert.long.test.ts', 'another bundle raises authority_changed'],
  clock_step: ['test/alert.long.test.ts', 'a clock that is put on by an hour raises clock_step'],
  identity_withdrawn: [
    'test/alert.long.test.ts',
    'an identity that is withdrawn raises identity_withdrawn, which outlives the process that drops its memory',
  ],
  svid_expiring: ['test/alert.long.test.ts', 'an agent that is gone raises svid_expiring, at once'],
  audit_chain_broken: ['test/alert.long.test.ts', 'an audit that was cut off raises audit_chain_broken'],
  audit_sink_failing: [
    'test/alert.long.test.ts',
    'a place for alerts that takes none raises audit_sink_failing',
  ],
  store_integrity: [
    'test/alert.long.test.ts',
    'a record that was changed in the store raises store_integrity',
  ],
  unusual_access: [
    'test/alert.long.test.ts',
    'a workload that reads what it never read raises unusual_access after the time of learning',
  ],
};

test('every test that a kind names is there, by that title, and expects the kind', () => {
  for (const [kind, [file, title]] of Object.entries(causes)) {
    assert.ok(existsSync(join(root, file)), file);
    const source = readFileSync(join(root, file), 'utf8');
    assert.ok(source.includes(`'${title}'`), `${file} has no test “${title}”`);
    assert.ok(source.includes(kind), `${file} does not expect ${kind}`);
  }
});

test('every kind says what it means and what to do', () => {
  for (const [kind, row] of Object.entries(alertKinds)) {
    assert.match(kind, /^[a-z]+(?:_[a-z]+)+$/);
    assert.ok(row.means.length > 20 && row.advice.length > 10, kind);
    assert.ok(row.remindMinutes > 0 && row.perHour > 0, kind);
  }
});
