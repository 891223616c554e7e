import type { Observed } from '@spike/server';
import type { HistoryKind, HistoryPort } from './port.ts';

/** Requests that change the state of the system, by their names in the audit. */
const kinds: Readonly<Record<string, HistoryKind>> = {
  init: 'initialised',
  'operator.recover': 'recovery_issued',
  'administrator.create': 'administrator_created',
  'administrator.disable': 'administrator_changed',
  'administrator.enable': 'administrator_changed',
  'administrator.set-role': 'administrator_changed',
  'administrator.reset-password': 'password_reset',
  'operator.password': 'password_reset',
  'reset.print': 'reset_printed',
  'audit.key.rotate': 'audit_key_rotated',
  'backup.create': 'backup_created',
  'backup.restore': 'backup_restored',
  'breakglass.open': 'breakglass_opened',
  'breakglass.approve': 'breakglass_opened',
  'breakglass.cancel': 'breakglass_closed',
  'breakglass.close': 'breakglass_closed',
  'deny.put': 'identity_denied',
  'deny.lift': 'denial_ended',
};

/** Notes what a request has done to the state, by whom and to whom. */
export function noteRequest(history: HistoryPort, observed: Observed): void {
  const { action, outcome, administrator, spiffeId, subject } = observed;
  const kind = outcome === 'ok' && Object.hasOwn(kinds, action) ? kinds[action] : undefined;
  if (kind === undefined) return;
  history.note(kind, { by: administrator ?? spiffeId, ...(subject === undefined ? {} : { subject }) });
}
