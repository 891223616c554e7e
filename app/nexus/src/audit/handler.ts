import type { NexusTable } from '@spike/contract';
import type { Handlers } from '@spike/server';
import type { Serving } from '../serving.ts';

type Names =
  | 'tailAudit'
  | 'searchAudit'
  | 'checkpointAudit'
  | 'proveRecord'
  | 'proveConsistency'
  | 'exportAudit'
  | 'auditKey'
  | 'rotateAuditKey'
  | 'reviewAudit'
  | 'finishReview'
  | 'verifyAudit';

/** Of the routes of the audit: one line for each. */
export function createAuditHandlers(serving: () => Serving): Pick<Handlers<NexusTable>, Names> {
  return {
    tailAudit: async (grant, asked, { signal }) => {
      const { lines, next } = await serving().audit.tail(grant, asked, signal);
      return { lines: [...lines], next };
    },
    searchAudit: async (grant, { from, limit, since, until, ...rest }, { signal }) => {
      const filter = { ...rest, since: toMillis(since), until: toMillis(until) };
      const { lines, next } = await serving().audit.search(grant, { from, limit, filter }, signal);
      return { lines: [...lines], ...(next === undefined ? {} : { next }) };
    },
    checkpointAudit: async () => ({ checkpoint: await serving().audit.checkpoint() }),
    proveRecord: async (grant, { sequence }, { signal }) => {
      const { hashes, ...rest } = await serving().audit.prove(grant, sequence, signal);
      return { ...rest, hashes: hashes.map(toBase64) };
    },
    proveConsistency: async (_grant, { size }, { signal }) => {
      const { hashes, checkpoint } = await serving().audit.consistency(size, signal);
      return { hashes: hashes.map(toBase64), checkpoint };
    },
    exportAudit: async (grant, asked, { signal }) => {
      const { lines, edge, ...rest } = await serving().audit.export(grant, asked, signal);
      return { ...rest, lines: [...lines], edge: edge.map(toBase64) };
    },
    auditKey: async (_grant, _input, { signal }) => {
      const { key, handovers } = await serving().audit.key(signal);
      return {
        key,
        handovers: handovers.map(({ path, ...rest }) => ({ ...rest, hashes: path.map(toBase64) })),
      };
    },
    rotateAuditKey: async (_grant, _input, { draftAudit, check }) =>
      await serving().rotation.rotate(() => ({ record: draftAudit(), check })),
    reviewAudit: async (grant, { from }, { signal }) => {
      const { rows, next, last, ...rest } = await serving().audit.review(grant, from, signal);
      return {
        ...rest,
        rows: [...rows],
        ...(next === undefined ? {} : { next }),
        ...(last === undefined ? {} : { last: { ...last, time: new Date(last.time).toISOString() } }),
      };
    },
    finishReview: async (grant, { to }, { draftAudit, signal, check }) => {
      await serving().audit.finishReview(grant, to, { record: draftAudit(), signal, check });
      return {};
    },
    verifyAudit: async (_grant, _input, { signal }) => {
      const { problems, ...rest } = await serving().audit.verify(signal);
      return { ...rest, problems: [...problems] };
    },
  };
}

function toMillis(time: string | undefined): number | undefined {
  return time === undefined ? undefined : Date.parse(time);
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
