export { AuditEntry, toDraft, type AuditDraft, type AuditRecord, type Outcome } from './audit-record.ts';
export { createDispatch, type Dispatch, type DispatchOptions } from './dispatch.ts';
export type { Answer, Exchange } from './exchange.ts';
export { holdsPrivilege } from './guard/authorize.ts';
export { Grant, type GrantOf } from './guard/grant.ts';
export { RoleBook, type TrustRoots } from './guard/role.ts';
export { openHealth, type Health } from './health.ts';
export { listen, type ListenOptions } from './listen.ts';
export { isLoopback, openLoopback, type LoopbackServer } from './loopback.ts';
export { createMemoryTransport } from './memory.ts';
export {
  noPolicies,
  openGate,
  svidSessions,
  type Administration,
  type AuditPort,
  type Decision,
  type Gate,
  type Handlers,
  type Observed,
  type PolicyDecider,
  type RequestContext,
  type SessionPort,
  type TokenUse,
} from './port.ts';
