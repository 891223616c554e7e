/** What the holders of recovery shares can be asked to approve, once: each with what it lets somebody do, for them to read. */
export const approvalKinds = {
  'reset-password': {
    says: 'give this administrator a one-time password, and end all sessions of that name',
  },
  reset: { says: 'print the script that removes this instance, which a backup then has to bring back' },
} as const satisfies Readonly<Record<string, { readonly says: string }>>;

export type ApprovalKind = keyof typeof approvalKinds;
