export { AuditEntry, toDraft, type AuditDraft, type AuditRecord, type Outcome } from './audit-record.ts';
export { createDispatch, type Dispatch, type DispatchOptions } from './dispatch.ts';
export type { Answer, Exchange } from './exchange.ts';
export { Grant, type GrantOf } from './guard/grant.ts';
export { RoleBook, type TrustRoots } from './guard/role.ts';
export { openHealth, type Health, type HealthServer } from './health.ts';
export { listen, type ListenOptions } from './listen.ts';
export { createMemoryTransport } from './memory.ts';
export {
  noPolicies,
  openGate,
  type AuditPort,
  type Decision,
  type Gate,
  type Handlers,
  type PolicyDecider,
  type RequestContext,
} from './port.ts';
