/** Throws TypeError for what is not UTF-8; a byte order mark stays, since what it stands before is not what was meant. */
export const strictText = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
