export type { Disk } from './disk.ts';
export { AuditFile, type AuditOptions, type Comparison } from './file.ts';
export type { TreeHead } from './log.ts';
export { MerkleTree, hashBytes, hashLeaf, hashNode } from './tree.ts';
