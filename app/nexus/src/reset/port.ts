import { SpikeError } from '@spike/error';

/** What somebody is asked to approve. */
export interface ApprovalRequest {
  readonly kind: 'reset';
  /** What it is about; an approval of one is none of another. */
  readonly target: string;
  /** Who asks, for the holders of recovery shares who are asked. */
  readonly administrator: string;
}

/** Approvals by the holders of a threshold of recovery shares (admin.md H1). */
export interface ApprovalPort {
  /**
   * Returns when enough of them have approved this, and uses the approval up. Throws SpikeError `approval_required` with
   * what the holders have to do. Synchronous, so that nothing comes between the last look at the session and the use.
   */
  require(request: ApprovalRequest): void;
}

/** Where nobody can be asked, nothing is approved. */
export const closedApprovals: ApprovalPort = {
  require: () => {
    throw new SpikeError(
      'approval_required',
      'the holders of recovery shares cannot be asked here; without --backup the script asks for the loss to be accepted',
    );
  },
};

/** What is known of backups. */
export interface BackupPort {
  /** When the newest backup of this instance was taken; undefined where there is none. */
  newest(): Promise<Date | undefined>;
}

/** Told of every attempt, whatever comes of it. */
export interface ResetAlertPort {
  raise(alert: {
    readonly kind: 'reset_attempt';
    readonly subject: string;
    readonly message: string;
    readonly detail: Readonly<Record<string, string | number | boolean>>;
  }): void;
}

export interface ResetPorts {
  readonly approvals: ApprovalPort;
  readonly backups: BackupPort;
  readonly alerts: ResetAlertPort;
}
