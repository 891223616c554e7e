export { TestCertificate, type TestCertificateOptions } from './test-certificate.ts';
export { hostilePeers, type HostilePeer } from './hostile.ts';
export type { KeyType, SignatureType } from './signer.ts';
export { TestAgent } from './agent.ts';
export { TestDomain } from './domain.ts';
export { knock, type TlsCredential } from './peer.ts';
export { StaticSource } from './source.ts';
export { formatInput, fuzz, parseInputs, type FuzzTarget } from './fuzz-run.ts';
export { createSpiffeTargets } from './fuzz-target.ts';
