import { join } from 'node:path';
import type { CheckpointSink } from '../audit/checkpointer.ts';
import { noLosses } from '../identity/record.ts';
import { testPorts } from '../reset/testing/port.ts';

/** What every Nexus of a test needs that is not about it: the usual bounds, no anchor file, nobody who takes checkpoints. */
export function plainServing(directory: string, trustDomain = 'spike.ist') {
  const sinks: CheckpointSink[] = [];
  return {
    logKeeping: {
      directory: join(directory, 'audit'),
      trustDomain,
      checkpointMs: 60_000,
      keepMs: undefined,
      keepBytes: undefined,
      sinks,
    },
    losses: noLosses,
    anchorFile: undefined,
    notes: [],
    acceptRollback: undefined,
    maxPolicies: { all: 100, ofTenant: 10 },
    maxSecretVersions: 10,
    maxValueBytes: 65_536,
    maxSecretBytes: 1_048_576,
    maxCiphertextBytes: 65_536,
    release: '0.1.0',
    reset: { place: undefined, ports: testPorts() },
  };
}
