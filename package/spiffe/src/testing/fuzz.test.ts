import { test } from 'node:test';
import { fuzzBundles, fuzzCertificates } from './fuzz.ts';

test('mutated certificates and chains end in a SpiffeError or are read, soon', () => {
  fuzzCertificates(2500);
});

test('mutated bundles end in a SpiffeError or are read, soon', () => {
  fuzzBundles(5000);
});
