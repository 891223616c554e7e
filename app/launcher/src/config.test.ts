import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfig, type LauncherConfig } from './config.ts';

const env = { SPIKE_HOME: '/nowhere/spike' };

function parse(...args: string[]): LauncherConfig {
  const config = parseConfig(args, env);
  assert(config !== 'help');
  return config;
}

test('without arguments there are three Keepers with threshold two, on the usual port and trust domain', () => {
  const config = parse();
  assert.equal(config.home.root, '/nowhere/spike');
  assert.equal(config.trustDomain.name, 'spike.ist');
  assert.deepEqual(
    [config.keeperCount, config.threshold, config.port, config.recoveryFile, config.verbose],
    [3, 2, 8553, true, false],
  );
  assert.deepEqual(
    [config.svidLifetime, config.rotateEvery, config.keeperProbe],
    [undefined, undefined, undefined],
  );
});

test('each option is taken, and the threshold follows a single Keeper', () => {
  const line =
    '--port 0 --keepers 5 --threshold 3 --trust-domain a.example --svid-lifetime 2s --rotate-every 1s ' +
    '--keeper-probe 100ms --no-recovery-file --accept-rollback x --verbose';
  const config = parse(...line.split(' '));
  assert.deepEqual([config.port, config.keeperCount, config.threshold], [0, 5, 3]);
  assert.equal(config.trustDomain.name, 'a.example');
  assert.deepEqual([config.svidLifetime, config.rotateEvery, config.keeperProbe], ['2s', '1s', '100ms']);
  assert.deepEqual([config.recoveryFile, config.acceptRollback, config.verbose], [false, 'x', true]);
  assert.equal(parse('--keepers', '1').threshold, 1);
});

test('help is asked for in both forms', () => {
  assert.equal(parseConfig(['--help'], env), 'help');
  assert.equal(parseConfig(['-h'], env), 'help');
});

test('what is not understood is refused with what to write instead', () => {
  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [['--port', '65536'], /--port wants a whole number from 0 to 65535/],
    [['--port', '-1'], /--port/],
    [['--keepers', '0'], /--keepers wants a whole number from 1 to 16/],
    [['--keepers', '2', '--threshold', '3'], /--threshold wants a whole number from 1 to 2/],
    [['--trust-domain', 'Not/One'], /--trust-domain wants a name/],
    [['--svid-lifetime', 'soon'], /--svid-lifetime wants a duration/],
    [['--frob'], /--frob/],
    [['extra'], /extra/],
  ];
  for (const [args, message] of wrong) {
    assert.throws(() => parseConfig(args, env), { code: 'config_invalid', message }, args.join(' '));
  }
});
