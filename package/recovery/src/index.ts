export { readShareFiles, writeShareFiles } from './share-file.ts';
export { formatShare, parseShare, type RecoveryShare } from './share-text.ts';
