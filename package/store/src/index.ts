export {
  maxBodyBytes,
  maxCommitBytes,
  maxCommitOps,
  maxHeadBytes,
  maxKeyBytes,
  maxListRows,
  maxNonceBytes,
  tables,
  type CommitResult,
  type Expect,
  type Head,
  type ListOptions,
  type Op,
  type Row,
  type Snapshot,
  type Store,
  type StoreHealth,
  type Table,
  type VerifyReport,
} from './store.ts';
export type { Sealed } from './seal.ts';
export { openMemoryStore } from './memory/store.ts';
export { openSqliteStore, type SqliteOptions } from './sqlite/store.ts';
