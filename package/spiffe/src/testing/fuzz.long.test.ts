import { test } from 'node:test';
import { fuzzBundles, fuzzCertificates } from './fuzz.ts';

test('mutated certificates and chains end in a SpiffeError or are read, soon, for long', () => {
  fuzzCertificates(100_000);
});

test('mutated bundles end in a SpiffeError or are read, soon, for long', () => {
  fuzzBundles(100_000);
});
