// Loaded into every part with `--import`: a Nexus that makes and writes no record of a request, to see what they cost.
// There is no such setting, and a Nexus of a bench alone may run so.
import { FileAudit } from '../../app/nexus/src/audit-port.ts';
import { AuditEntry } from '../../package/server/src/audit-record.ts';

if (process.argv[1]?.includes('app/nexus/') === true) {
  const record = { trail: '' } as ReturnType<AuditEntry['record']>;
  AuditEntry.prototype.record = () => record;
  FileAudit.prototype.append = () => Promise.resolve();
}
