export {
  bodyKindOf,
  contentTypes,
  readRequest,
  readResponse,
  writeRequest,
  writeResponse,
  type BodyKind,
} from './body.ts';
export { formatEnvelope, parseEnvelope, type CipherEnvelope } from './cipher-envelope.ts';
export { formatRequest, formatResponse, parseRequest, parseResponse } from './codec.ts';
export {
  route,
  type ErrorShape,
  type InputOf,
  type Limits,
  type Need,
  type OctetForm,
  type OutputOf,
  type Route,
  type Table,
} from './define.ts';
export {
  rolePaths,
  type Action,
  type Guard,
  type PathField,
  type Permission,
  type PermissionOf,
  type Role,
  type SystemPath,
  type Tenant,
} from './guard.ts';
export {
  administratorRoles,
  isBreakglass,
  isReading,
  privilegeTable,
  reachOf,
  type AdministratorRole,
  type Privilege,
  type Reach,
} from './privilege.ts';
export { formatJson, parseJson } from './json.ts';
export { defaultSecretBytes, mostSecretBytes } from './limit.ts';
export { fromWireValues, toWireValues, type MixedValues, type WireValues } from './schema/mixed-values.ts';
export { decodeBase64, encodeBase64 } from './schema/byte.ts';
export { SecretPath } from './schema/path.ts';
export { normalizeName } from './schema/administrator.ts';
export { isName } from './schema/name.ts';
export { copyValueMap, toValueMap, type TextMap, type ValueMap } from './schema/value-map.ts';
export { backupPieceBytes } from './route/backup.ts';
export { longestNote } from './route/share.ts';
export { keeperTable, nexusTable, nexusTableOf, type KeeperTable, type NexusTable } from './table.ts';
export type { Transport, TransportRequest, TransportResponse } from './transport.ts';
