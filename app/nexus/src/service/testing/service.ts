import assert from 'node:assert/strict';
import type { Op } from '@spike/store';
import { PolicyEngine } from '../../policy/engine.ts';
import type { Ledger } from '../../vault/port.ts';
import { createTestInstance, openTestLedger } from '../../vault/testing/instance.ts';
import { SecretService, type SecretServiceOptions } from '../secret.ts';
import type { ListPage, ListRequest } from '../secret-list.ts';
import type { GrantedListing } from '../port.ts';
import { decodeMetadata, encodeMetadata, type SecretMetadata } from '../secret-record.ts';
import { createClock } from './grant.ts';

type Options = Pick<SecretServiceOptions, 'maxVersions' | 'maxValueBytes' | 'maxSecretBytes'>;

/** A service over a vault, a ledger (which `wrap` may stand before) and a store in memory, all of them in sight. */
export async function openService({
  wrap,
  ...limits
}: Options & { readonly wrap?: (ledger: Ledger) => Ledger } = {}) {
  const made = await createTestInstance();
  const opened = await openTestLedger(made);
  const ledger = wrap?.(opened) ?? opened;
  const { vault } = made.instance;
  const engine = new PolicyEngine();
  const service = new SecretService({ vault, ledger, engine, now: createClock(), ...limits });
  const keyOf = (path: string): Uint8Array => vault.key('secret', path.split('/'));
  const metadata = async (path: string): Promise<SecretMetadata> => {
    const row = await ledger.get('secret', keyOf(path));
    assert.ok(row !== undefined);
    return decodeMetadata(vault.open('secret', row));
  };
  return { store: made.store, ledger, vault, engine, service, keyOf, metadata };
}

/** A ledger that asks somebody before it answers. */
export function interpose(inner: Ledger, before: Partial<Pick<Ledger, 'get' | 'list'>>): Ledger {
  return {
    revision: 0,
    settled: true,
    get: before.get ?? ((...args) => inner.get(...args)),
    list: before.list ?? ((...args) => inner.list(...args)),
    commit: (...args) => inner.commit(...args),
    recorded: () => undefined,
  };
}

/** Counts the rows that are read in lists. */
export function countRows(): {
  readonly wrap: (inner: Ledger) => Ledger;
  readonly counted: { rows: number };
} {
  const counted = { rows: 0 };
  const wrap = (inner: Ledger): Ledger =>
    interpose(inner, {
      list: async (...args) => {
        const found = await inner.list(...args);
        counted.rows += found.length;
        return found;
      },
    });
  return { wrap, counted };
}

export type OpenedService = Awaited<ReturnType<typeof openService>>;

/** Rows of many paths at once, as puts would leave them. */
export async function fillPaths({ vault, ledger }: OpenedService, paths: readonly string[]): Promise<void> {
  const ops = paths.map((path): Op => {
    const metadata = { current: 1, oldest: 1, highest: 1, maxVersions: 10, createdAt: 1, updatedAt: 1 };
    const record = encodeMetadata({ ...metadata, path, versions: [], extension: {} });
    const key = vault.key('secret', path.split('/'));
    const row = vault.seal('secret', key, { revision: 1, version: 0, field: 0 }, record);
    return { kind: 'put', table: 'secret', row, expect: 'absent' };
  });
  for (let at = 0; at < ops.length; at += 5000) await ledger.commit(ops.slice(at, at + 5000));
}

/** A whole list, page by page. */
export async function readPages(
  service: SecretService,
  grant: GrantedListing,
  request: ListRequest,
): Promise<{ readonly keys: readonly string[]; readonly pages: number }> {
  const keys: string[] = [];
  let page: ListPage | undefined;
  let pages = 0;
  do {
    const cursor: ListRequest = page?.cursor === undefined ? {} : { cursor: page.cursor };
    page = await service.list(grant, { ...request, ...cursor });
    keys.push(...page.keys);
    pages += 1;
  } while (page.cursor !== undefined);
  return { keys: keys.toSorted(), pages };
}
