/** What the tools take from the plain JavaScript that Node 20 runs. */
export const flags: readonly string[];
export function findPackagedNode(): string | undefined;
