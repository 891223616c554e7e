export {
  openCheckpoint,
  parseCheckpoint,
  signCheckpoint,
  type Checkpoint,
  type SignedCheckpoint,
} from './checkpoint.ts';
export { formatCopyHead, type CopyHead } from './copy.ts';
export type { Disk } from './disk.ts';
export { AuditFile, type AuditOptions, type Comparison } from './file.ts';
export { announcedKey, followHandover, handoverAction, type Handover } from './handover.ts';
export type { NumberedLine, TreeHead } from './log.ts';
export { NoteSigner, VerifierKey } from './note.ts';
export { verifyConsistency, verifyInclusion } from './proof.ts';
export type { Allocate, ReserveOptions } from './reserve.ts';
export { retain, timeOf, type Retained } from './retention.ts';
export { formatLineProof, openLineProof, type LineProof } from './tlog-proof.ts';
export { MerkleTree, hashBytes, hashLeaf, hashNode } from './tree.ts';
export { verifyCopy, type Finding, type FindingKind, type Verified, type VerifyOptions } from './verify.ts';
