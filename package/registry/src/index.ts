export { AuthorityClient, type AuthorityClientOptions } from './client.ts';
export { entrySchema, type RegistrationEntry } from './entry.ts';
export {
  adminPathPrefix,
  encodeAdminResponse,
  isAdminRoute,
  maxRequestBytes,
  parseAdminRequest,
  type AdminRequest,
  type AdminResponse,
  type AdminRoute,
  type AuthorityStatus,
} from './protocol.ts';
export { endpointSchema, type EndpointSetting, type Relationship } from './relationship.ts';
export { isPartId } from './reserved.ts';
export {
  formatSelector,
  parseSelector,
  selectorTypes,
  type Selector,
  type SelectorType,
} from './selector.ts';
