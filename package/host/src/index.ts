export { findProgram, overwriteTitle, replaceProcess } from './exec.ts';
export { openFileLock } from './file-lock.ts';
export { harden, setParentDeathSignal } from './harden.ts';
export { openPeerPid, peerCredentials, type PeerCredentials } from './peer.ts';
export { PidHandle, readProcessStat, type ProcessStat } from './pid.ts';
