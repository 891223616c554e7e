export { TestCertificate, type TestCertificateOptions } from './test-certificate.ts';
export { hostilePeers, type HostilePeer } from './hostile.ts';
export type { KeyType, SignatureType } from './signer.ts';
export { TestAgent } from './agent.ts';
