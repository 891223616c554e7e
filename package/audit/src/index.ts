export { MerkleTree, hashBytes, hashLeaf, hashNode } from './tree.ts';
