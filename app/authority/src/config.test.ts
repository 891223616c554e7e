import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpikeError } from '@spike/error';
import { parseConfig } from './config.ts';

const env = { SPIKE_HOME: '/data/spike' };

function parse(...args: readonly string[]) {
  const config = parseConfig(args, env);
  assert.notEqual(config, 'help');
  return config === 'help' ? assert.fail() : config;
}

test('everything has a default in SPIKE_HOME, and rotation is half of the life', () => {
  const config = parse();
  assert.equal(config.stateDirectory, '/data/spike/authority');
  assert.equal(config.trustDomain.name, 'spike.ist');
  assert.equal(config.svidLifetimeMs, 3_600_000);
  assert.equal(config.rotateEveryMs, 1_800_000);
  assert.notEqual(config.socketPath, config.adminSocketPath);
  const short = parse('--svid-lifetime', '4s', '--rotate-every', '2s', '--trust-domain', 'example.org');
  assert.deepEqual(
    [short.svidLifetimeMs, short.rotateEveryMs, short.trustDomain.name],
    [4000, 2000, 'example.org'],
  );
  assert.equal(config.bundleEndpoint, undefined);
  assert.deepEqual(parse('--bundle-endpoint', '127.0.0.1:0').bundleEndpoint, { host: '127.0.0.1', port: 0 });
  assert.deepEqual(parse('--bundle-endpoint', '[::1]:8443').bundleEndpoint, { host: '::1', port: 8443 });
  assert.equal(parseConfig(['--help'], env), 'help');
});

test('what can not work is refused with the flag that is wrong', () => {
  for (const [args, says] of [
    [['--svid-lifetime', '1s'], /--svid-lifetime/],
    [['--svid-lifetime', 'soon'], /--svid-lifetime/],
    [['--svid-lifetime', '10s', '--rotate-every', '10s'], /shorter/],
    [['--rotate-every', '500ms'], /--rotate-every/],
    [['--state', 'relative'], /--state wants an absolute path/],
    [['--socket', `/${'a'.repeat(103)}`], /at most 103 bytes/],
    [['--admin-socket', `/${'é'.repeat(52)}`], /at most 103 bytes/],
    [['--socket', '/a/s', '--admin-socket', '/a/s'], /two paths/],
    [['--trust-domain', 'Spike.ist'], /--trust-domain/],
    [['--bundle-endpoint', 'localhost:1'], /--bundle-endpoint/],
    [['--bundle-endpoint', '127.0.0.1'], /--bundle-endpoint/],
    [['--bundle-endpoint', '[127.0.0.1]:1'], /--bundle-endpoint/],
    [['--bundle-endpoint', '127.0.0.1:65536'], /--bundle-endpoint/],
    [['--unknown'], /--help/],
    [['positional'], /--help/],
  ] as const) {
    assert.throws(
      () => parse(...args),
      (error: unknown) =>
        error instanceof SpikeError && error.code === 'config_invalid' && says.test(error.message),
      args.join(' '),
    );
  }
});
