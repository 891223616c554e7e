export { authenticate, commitKey, derive, purposeTable, type Purpose } from './derive.ts';
export { encodeFields, FieldReader, integerBytes, type Field } from './encode.ts';
export { pad, paddedSize, unpad } from './pad.ts';
export { combine, Polynomial } from './polynomial.ts';
export { RootKey } from './root-key.ts';
export { Secret } from './secret.ts';
export { digestShare, mostShares, Share } from './share.ts';
export { mostSegments, tagBytes, Tagger } from './tag.ts';
export { nonceBytes, XaesKey, type SealedBody } from './xaes.ts';
