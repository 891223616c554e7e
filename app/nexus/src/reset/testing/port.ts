import type { ApprovalRequest, ResetPorts } from '../port.ts';

/** Ports that note what was asked of them: everything is approved, and there is no backup. */
export function testPorts(change: Partial<ResetPorts> = {}): ResetPorts & {
  readonly raised: readonly string[];
  readonly asked: readonly ApprovalRequest[];
} {
  const raised: string[] = [];
  const asked: ApprovalRequest[] = [];
  return {
    approvals: {
      require: (request) => {
        asked.push(request);
      },
    },
    backups: { newest: () => Promise.resolve(undefined) },
    alerts: { raise: ({ subject, detail }) => raised.push(`${subject}: ${detail['action']}`) },
    ...change,
    raised,
    asked,
  };
}
