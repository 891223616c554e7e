import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect } from '@spike/sdk';
import { newPassword } from '../admin.ts';
import { Installation, type Holder } from './installation.ts';

test('on SPIRE: bootstrap, administration, secrets and policies, and nothing for whoever has no entry', async (t) => {
  await using installation = await Installation.start({ adminAuth: 'password' });
  const refusedAs = async (holder: Holder, args: readonly string[], code: number): Promise<string> => {
    const outcome = await installation.spikeAs(holder, args);
    assert.equal(outcome.code, code, `${holder}: ${outcome.stdout}${outcome.stderr}`);
    return outcome.stderr;
  };

  await t.test('a new system has to be initialised, and takes one administrator', async () => {
    assert.match((await installation.spike(['secret', 'list'])).stderr, /spike init/);
    const password = newPassword();
    await installation.mustSpike(['init', '--password-stdin'], { input: `${password}\n` });
    await installation.mustSpike(['logout']);
    assert.match((await installation.spike(['secret', 'list'])).stderr, /spike login/);
    const wrong = await installation.spike(['login', '--password-stdin'], { input: newPassword() });
    assert.notEqual(wrong.code, 0);
    await installation.mustSpike(['login', '--password-stdin'], { input: password });
  });

  await t.test('a superuser keeps secrets', async () => {
    await installation.mustSpike(['secret', 'put', 'tenants/acme/db', 'user=app', 'pass=first']);
    await installation.mustSpike(['secret', 'put', 'tenants/acme/db', 'user=app', 'pass=second']);
    await installation.mustSpike(['secret', 'put', 'tenants/other/db', 'user=other']);
    assert.match(await installation.mustSpike(['secret', 'get', 'tenants/acme/db']), /second/);
    assert.match(await installation.mustSpike(['secret', 'list', '--recursive']), /tenants\/acme\/db/);
  });

  await t.test('a workload reads what a policy lets it read, and nothing else', async () => {
    await using spike = await connect({ env: {}, context: installation.context });
    assert.equal(spike.spiffeId, installation.id('workload'));
    await assert.rejects(spike.get('tenants/acme/db'), { code: 'access_unauthorized' });
    await installation.allow('read', '^tenants/acme/.*');
    assert.equal((await spike.get('tenants/acme/db')).field('pass').expose(), 'second');
    await assert.rejects(spike.get('tenants/other/db'), { code: 'access_unauthorized' });
    await assert.rejects(spike.put('tenants/acme/db', { user: 'evil' }), { code: 'access_unauthorized' });
  });

  await t.test('who is no superuser does not become one by running the command', async () => {
    // The same program and the same session, but the executable of somebody else.
    await refusedAs('workload', ['secret', 'get', 'tenants/acme/db'], 4);
    await refusedAs('keeper', ['secret', 'get', 'tenants/acme/db'], 4);
    await refusedAs('nexus', ['policy', 'list'], 4);
    // The entry of Bootstrap was deleted after its work.
    await refusedAs('bootstrap', ['secret', 'list'], 4);
  });

  await t.test('Bootstrap does not run again, with or without its entry', async () => {
    const without = await installation.bootstrap('5s');
    assert.notEqual(without.code, 0);
    assert.match(without.stderr, /no identity/);
    await installation.grant('bootstrap');
    const again = await installation.bootstrap();
    assert.notEqual(again.code, 0);
    assert.match(again.stderr, /state_already_initialized/);
  });
});
