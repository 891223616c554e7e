export { appendStep, lastDryRun, readJournal, type ResetStep } from './journal.ts';
export type { ResetAddress, ResetAside, ResetBackup, ResetCounts, ResetManifest } from './manifest.ts';
export { assertOurProgram, writeScript } from './script.ts';
export { keyIdOf, publicKeyOf, resetKeyOf, verifyScript, type VerifiedScript } from './signature.ts';
