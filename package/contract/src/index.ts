export { formatRequest, formatResponse, parseRequest, parseResponse } from './codec.ts';
export {
  route,
  type ErrorShape,
  type InputOf,
  type Limits,
  type Need,
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
} from './guard.ts';
export { formatJson, parseJson } from './json.ts';
export { SecretPath } from './schema/path.ts';
export { isName } from './schema/name.ts';
export { copyValueMap, toValueMap, type ValueMap } from './schema/value-map.ts';
export { keeperTable, nexusTable, type KeeperTable, type NexusTable } from './table.ts';
export type { Transport, TransportRequest, TransportResponse } from './transport.ts';
