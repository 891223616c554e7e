import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpikeError } from '@spike/error';
import fc from 'fast-check';
import { checkPasswordForm, normalizePassword, passwordFloor } from './password.ts';
import { PasswordJudge, type Guessability } from './password-judge.ts';
import { judge } from './password-worker.ts';

const policy = { minLength: passwordFloor.length, minScore: passwordFloor.score };
const never = new AbortController().signal;

async function refusalOf(judge: PasswordJudge, password: string, user = 'alice'): Promise<string> {
  try {
    await judge.check(password, user, never);
    return '';
  } catch (error) {
    assert.ok(error instanceof SpikeError, String(error));
    assert.equal(error.code, 'password_weak');
    assert.ok(!error.message.includes(password) && error.cause === undefined);
    return error.message;
  }
}

test('zxcvbn judges in a thread, under the flags that every process of SPIKE has', async () => {
  const threaded = new PasswordJudge(policy);
  assert.match(await refusalOf(threaded, 'passwordpassword'), /hard to guess|common/);
  assert.equal(
    await threaded.check('ｃorrect horse battery staple', 'alice', never),
    'correct horse battery staple',
  );
});

test('what is common or easy to guess is refused, and what is hard to guess is taken in any script', async () => {
  const judgeHere = new PasswordJudge(policy, async (password, user) =>
    judge({ password: new TextEncoder().encode(password), user, longest: 64 }),
  );
  const refused: readonly (readonly [string, RegExp])[] = [
    ['qwertyuiopasdfgh', /hard to guess|common/],
    ['1234567890123456', /hard to guess|common/],
    ['aaaaaaaaaaaaaaaaaaaaaaaa', /hard to guess/],
    ['Password123456789', /hard to guess|common/],
    ['abcdefghijklmnopqrstuvwxyz', /hard to guess|common/],
    ['P4ssw0rd!P4ssw0rd!', /hard to guess/],
    ['a'.repeat(128), /hard to guess/],
    ['password password', /hard to guess/],
    ['letmein - letmein - letmein', /hard to guess/],
    ['Password=password|PASSWORD', /hard to guess/],
  ];
  for (const [password, rule] of refused) assert.match(await refusalOf(judgeHere, password), rule, password);
  for (const good of [
    'correct horse battery staple',
    'Ich esse gern Käsespätzle um elf',
    '日本語パスワードとても長い文',
    // Random, and much of it no letter.
    '.r]7{,K(;w"-/q',
    ')_:;[-!"#%&*,/?@',
  ])
    assert.equal(await refusalOf(judgeHere, good), '', good);
});

test('the longest password that takes most work is judged in bounded time, and requests go on meanwhile', async () => {
  const threaded = new PasswordJudge(policy);
  let turns = 0;
  const ticking = setInterval(() => (turns += 1), 5);
  const started = performance.now();
  await threaded.check('4@8({[<69!1|0o$s5t7+x'.repeat(7).slice(0, 128), 'alice', never);
  clearInterval(ticking);
  assert.ok(performance.now() - started < 20_000);
  assert.ok(turns > 5);
});

test('form: length in code points after NFKC, whole Unicode, no user name and no spike in any spelling', () => {
  const rules: readonly (readonly [string, RegExp])[] = [
    ['thirteen char', /at least 14/],
    ['🦔'.repeat(13), /at least 14/],
    ['x'.repeat(129), /at most 128/],
    ['ﷺ'.repeat(8), /at most 128/],
    ['\ud800' + 'x'.repeat(20), /surrogate/],
    ['my lovely SpIkE of wood', /the word spike/],
    ['my lovely ｓｐｉｋｅ of wood', /the word spike/],
    ['for ALICE in wonderland', /user name/],
    ['for ａlice in wonderland', /user name/],
  ];
  for (const [password, rule] of rules)
    assert.throws(() => checkPasswordForm(password, 'alice', policy), rule);
  for (const good of ['🦔'.repeat(14), 'x'.repeat(128), '𝔘'.repeat(14)])
    assert.equal(checkPasswordForm(good, 'alice', policy), good.normalize('NFKC'));
  assert.throws(
    () => checkPasswordForm('x'.repeat(19), 'alice', { minLength: 20, minScore: 4 }),
    /at least 20/,
  );
});

test('the score is compared with what is asked for, and a judgement ends with its request', async () => {
  let score = 3;
  const guess: Guessability = async () => ({ common: false, score });
  const strict = new PasswordJudge({ minLength: 14, minScore: 4 }, guess);
  assert.match(await refusalOf(strict, 'fourteen chars!!'), /hard to guess/);
  score = 4;
  assert.equal(await refusalOf(strict, 'fourteen chars!!'), '');
  const common = new PasswordJudge(policy, async () => ({ common: true, score: 4 }));
  assert.match(await refusalOf(common, 'fourteen chars!!'), /common/);
  const abort = new AbortController();
  const pending = new PasswordJudge(policy).check('correct horse battery staple', 'alice', abort.signal);
  abort.abort(new Error('gone'));
  await assert.rejects(pending, /gone/);
});

test('one spelling stays the same when it is normalised again, and never grows past the limit', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), (text) => {
      const normal = normalizePassword(text);
      if (normal === undefined) return;
      assert.equal(normalizePassword(normal), normal);
      assert.ok(Array.from(normal).length <= 128);
    }),
  );
});
