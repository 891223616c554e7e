import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { rolePaths } from '@spike/contract';
import { combine, Share } from '@spike/crypto';
import { readShareFiles } from '@spike/recovery';
import { newPassword, withFile } from './admin.ts';
import { approvalOf, parse } from './emergency.ts';
import { Values } from './known/values.ts';
import { Recorder } from './leak.ts';
import type { System } from './system.ts';

/** A text that is nowhere else. */
export const phrase = (): string => `Quokka${randomBytes(9).toString('hex')}`;

/** One life, with everything in it that has to do with something secret. */
export class Life {
  readonly values = new Values();
  readonly run: Recorder;
  readonly #system: System;
  readonly #scratch: string;
  #password = newPassword();

  constructor(system: System, scratch: string) {
    this.#system = system;
    this.#scratch = scratch;
    this.run = new Recorder(system);
  }

  async begin(): Promise<void> {
    const { values, run } = this;
    const code = (await readFile(this.#system.home.initCodeFile, 'utf8')).trim();
    values.text('init code', code);
    values.text('init code in one word', code.replaceAll('-', ''));
    const weak = `spike ${phrase()}`;
    values.text('refused password', weak);
    values.text('password', this.#password);
    await run.spike(['init', '--password-stdin'], { input: weak, code: 2 });
    await run.spike(['init', '--password-stdin'], { input: this.#password });
    await this.#keepToken('first token');
    await withFile(code, (file) =>
      run.spike(['init', '--code-file', file, '--password-stdin'], { input: this.#password, code: 9 }),
    );
  }

  async #keepToken(name: string): Promise<void> {
    this.#addToken(name, parse<{ token: string }>(await readFile(this.#system.home.tokenFile, 'utf8')).token);
  }

  #addToken(name: string, token: string): void {
    this.values.text(name, token);
    // What stands before it is the accessor, which is no secret.
    this.values.text(`${name}, its secret`, token.split('_')[2] ?? '');
  }

  async login(name: string): Promise<void> {
    await this.run.spike(['login', '--password-stdin'], { input: this.#password });
    await this.#keepToken(name);
  }

  async tokens(): Promise<void> {
    const { values, run } = this;
    const wrong = phrase();
    values.text('wrong password', wrong);
    await run.spike(['login', '--password-stdin'], { input: wrong, code: 4 });
    const login = ['login', '--password-stdin', '--print-token', '-f', 'json'];
    const printed = await run.spike(login, { input: this.#password, holds: ['printed token'] });
    const { accessor, token } = parse<{ accessor: string; token: string }>(printed);
    this.#addToken('printed token', token);
    const env = { SPIKE_TOKEN: token };
    for (const args of [
      ['token', 'show'],
      ['token', 'renew'],
      ['token', 'list'],
    ])
      await run.spike(args, { env });
    const mallory = ['authority', 'run', '/spike/pilot/role/superuser/mallory', '--'];
    const list = [process.execPath, 'bin/spike.mjs', 'secret', 'list'];
    await run.spike([...mallory, ...list], { env, code: 8 });
    await run.spike(['token', 'revoke', accessor], { code: 3 });
    const damaged = `${token.slice(0, -1)}${token.endsWith('a') ? 'b' : 'a'}`;
    await run.spike(['secret', 'list', '--token-stdin'], { input: damaged, code: 8 });
    const next = newPassword();
    values.text('next password', next);
    await run.spike(['password', 'change', '--password-stdin'], { input: `${this.#password}\n${next}` });
    this.#password = next;
  }

  async secrets(): Promise<void> {
    const { values, run } = this;
    const [value, other, plain] = [phrase(), phrase(), phrase()];
    values.text('value', value);
    values.text('value from a file', other);
    values.text('plaintext', plain);
    await run.spike(['secret', 'put', 'tenants/acme/db', 'pass=-'], { input: value });
    await withFile(other, (file) => run.spike(['secret', 'put', 'tenants/acme/db', `pass=@${file}`]));
    await run.spike(['secret', 'get', 'tenants/acme/db', '--trace'], { holds: ['value from a file'] });
    await run.spike(['secret', 'get', 'tenants/acme/db', '-v', '1'], { holds: ['value'] });
    await run.spike(['secret', 'put', 'tenants/acme/db', '--from-json', '-'], {
      input: `{"a":"${value}`,
      code: 2,
    });
    const sealed = await run.spike(['cipher', 'encrypt', '--format', 'json'], { input: plain });
    await run.spike(['cipher', 'decrypt'], { input: sealed, holds: ['plaintext'] });
    const patterns = [
      '--path-pattern',
      '^tenants/acme/.*',
      '--spiffeid-pattern',
      '^spiffe://spike\\.ist/app$',
    ];
    await run.spike(['policy', 'create', '--name', 'app', ...patterns, '--permissions', 'read']);
  }

  /** The shares of people, and what they are used for. */
  async recovery(): Promise<void> {
    const { values, run } = this;
    await run.spike(['authority', 'entry', 'create', '--spiffe-id', rolePaths.recover]);
    await run.spike(['operator', 'recover'], { code: 11 });
    await run.spike(['approve', 'recover', '--for', `spiffe://spike.ist${rolePaths.recover}`]);
    await run.spike(['operator', 'recover']);
    const shares = await readShareFiles(join(this.#system.home.root, 'recover'));
    for (const { id, value } of shares) values.bytes(`share ${id}`, Uint8Array.from(value));
    const two = shares.slice(0, 2).map(({ id, value }) => Share.take(id, Uint8Array.from(value)));
    using key = combine(two, two.length);
    key.secret.expose((bytes) => values.bytes('root key', bytes));
    for (const share of two) share[Symbol.dispose]();

    const created = await run.spike(['admin', 'create', 'bob', '--role', 'auditor', '-f', 'json'], {
      holds: ['one-time password'],
    });
    values.text('one-time password', parse<{ oneTimePassword: string }>(created).oneTimePassword);
    const ask = ['operator', 'reset-password', '--user', 'bob'];
    await run.spike(ask, { code: 11 });
    const id = approvalOf(run.printed.at(-1)?.text ?? '');
    for (const { id: number, value } of shares.slice(0, 2)) {
      const text = `spike:${number}:${Buffer.from(value).toString('hex')}`;
      await run.spike(['approve', id], { input: text });
    }
    const issued = await run.spike([...ask, '-f', 'json'], { holds: ['password by shares'] });
    const { oneTimePassword } = parse<{ oneTimePassword: string }>(issued);
    values.text('password by shares', oneTimePassword);
    await this.#settle('bob', oneTimePassword);
  }

  async #settle(name: string, oneTime: string): Promise<Readonly<Record<string, string>>> {
    const own = newPassword();
    this.values.text(`password of ${name}`, own);
    const login = ['login', '--user', name, '--password-stdin', '--print-token', '--new-password-file'];
    const printed = await withFile(own, (file) =>
      this.run.spike([...login, file], { input: oneTime, holds: [`token of ${name}`] }),
    );
    this.#addToken(`token of ${name}`, printed.trim());
    return { SPIKE_TOKEN: printed.trim() };
  }

  async emergency(): Promise<void> {
    const { values, run } = this;
    const created = await run.spike(['admin', 'create', 'carol', '--role', 'emergency_admin', '-f', 'json'], {
      holds: ['password of an emergency'],
    });
    const { oneTimePassword } = parse<{ oneTimePassword: string }>(created);
    values.text('password of an emergency', oneTimePassword);
    const env = await this.#settle('carol', oneTimePassword);
    const opened = await run.spike(['breakglass', 'open', '--reason', 'it is down', '-f', 'json'], { env });
    const { id } = parse<{ id: string }>(opened);
    await run.spike(['breakglass', 'approve', id]);
    await run.spike(['secret', 'get', 'tenants/acme/db'], { env, holds: ['value from a file'] });
    await run.spike(['breakglass', 'close'], { env });
    await run.spike(['breakglass', 'report', id, '-f', 'json']);
  }

  async keeping(): Promise<void> {
    const { values, run } = this;
    const [key, backup] = [join(this.#scratch, 'backup.key'), join(this.#scratch, 'today.age')];
    const recipient = (await run.spike(['backup', 'key', key])).trim();
    const identity = (await readFile(key, 'utf8'))
      .split('\n')
      .find((line) => line.startsWith('AGE-SECRET-KEY'));
    values.text('age identity', identity ?? '');
    await run.spike(['backup', 'create', backup, '-r', recipient]);
    await run.spike(['backup', 'verify', backup, '-i', key]);
    await run.spike(['reset'], { code: 1 });
    const script = await run.spike(['reset', '--force']);
    await writeFile(join(this.#scratch, 'reset.sh'), script, { mode: 0o600 });
    await run.spike(['reset', '--dry-run']);
  }

  /** All that people look at. */
  async looks(): Promise<void> {
    for (const args of [
      ['status', '--verify'],
      ['status', '--history', '-f', 'json'],
      ['audit', 'search', '-f', 'json', '--most', '5000'],
      ['audit', 'review', '-f', 'json'],
      ['audit', 'verify'],
      ['alert', 'list', '--all', '-f', 'json'],
      ['admin', 'list', '-f', 'json'],
      ['approve', 'list', '-f', 'json'],
      ['backup', 'list', '-f', 'json'],
      ['doctor', '-f', 'json'],
    ])
      await this.run.spike(args);
  }
}
