import assert from 'node:assert/strict';
import { SpikeError } from '@spike/error';
import { formatShare, parseShare } from '@spike/recovery';
import type { FuzzTarget } from '@spike/spiffe/testing';
import { parseConfig as parseKeeper } from '../../app/keeper/src/config.ts';
import { parseConfig as parseNexus } from '../../app/nexus/src/config.ts';
import { parseEnvFile } from '../../app/pilot/src/input/env-file.ts';
import { parseValues } from '../../app/pilot/src/input/json.ts';
import { parsePolicies } from '../../app/pilot/src/input/policy-file.ts';

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');
const refuses =
  (...codes: readonly string[]) =>
  (error: unknown): boolean =>
    error instanceof SpikeError && codes.includes(error.code);

/** What people and scripts write: settings, shares, files for the command. */
export const settingTargets: readonly FuzzTarget[] = [
  {
    name: 'environment',
    seeds: [
      'SPIKE_NEXUS_BACKEND_STORE=memory\nSPIKE_NEXUS_TLS_PORT=:8553\nSPIKE_NEXUS_KEEPER_PEERS=https://a:1,https://b:2',
      'SPIKE_NEXUS_SHAMIR_SHARES=5\nSPIKE_TRUST_ROOT=a,b\nSPIKE_NEXUS_LEASE_TTL=1h3m\nSPIKE_TLS_CLASSICAL=1',
    ],
    tokens: ['SPIKE_', 'SPIKE_NEXUS_MAX_CONNECTIONS=', '=', ',', '99999999999999999999', '[::]:1', 'µs'],
    expects: refuses('config_invalid'),
    read: (bytes) => {
      const pairs = textOf(bytes)
        .split('\n')
        .map((line): readonly [string, string] => {
          const at = line.indexOf('=');
          return at < 0 ? [line, ''] : [line.slice(0, at), line.slice(at + 1)];
        });
      const env = Object.fromEntries(pairs);
      try {
        parseKeeper(env);
      } catch (error) {
        if (!refuses('config_invalid')(error)) throw error;
      }
      parseNexus(env);
    },
  },
  {
    name: 'recovery-share',
    seeds: [`spike:1:${'ab'.repeat(32)}`, ` spike:1000:${'0F'.repeat(32)}\n`],
    tokens: ['spike:', ':', '00'],
    expects: refuses('data_invalid_input'),
    read: (bytes) => {
      const text = textOf(bytes);
      assert.equal(formatShare(parseShare(text)), text.trim().toLowerCase());
    },
  },
  {
    name: 'env-file',
    seeds: ['A=b\nexport C="d e"\nF=\'g\' # h\n', 'X=""\n#\n\nY=1'],
    tokens: ['export ', '"', "'", ' #', '\r\n', '\\n'],
    expects: refuses('data_invalid_input'),
    read: (bytes) => parseEnvFile(textOf(bytes), 'x'),
  },
  {
    name: 'value-file',
    seeds: ['{"a":"b","c":"d"}', '{"__proto__":"x"}', '{"a":{"encoding":"base64"}}'],
    expects: refuses('data_invalid_input'),
    read: (bytes) => parseValues(textOf(bytes), 'x'),
  },
  {
    name: 'policy-file',
    seeds: [
      'name: a\nspiffeidPattern: ^spiffe://x/a$\npathPattern: a/.*\npermissions: [read, write]\n',
      '---\nname: a\nspiffeid: x\npath: y\npermissions:\n  - read\n---\n# none\n',
      'a: &a [1,2]\nb: *a\n"__proto__": {x: 1}\n',
    ],
    tokens: ['---\n', '&a ', '*a', '!!js/function ', '<<: ', '? ', '|\n', '{', '%YAML 1.2\n', 'name: '],
    expects: refuses('data_invalid_input'),
    read: (bytes) => parsePolicies(textOf(bytes), 'x'),
  },
];
