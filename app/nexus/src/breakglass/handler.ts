import type { NexusTable } from '@spike/contract';
import type { Handlers } from '@spike/server';
import { asked, sessionOf } from '../admin/handler.ts';
import type { Breakglass } from './breakglass.ts';
import type { BreakglassView } from './view.ts';

type BreakglassHandlers = Pick<
  Handlers<NexusTable>,
  `${'open' | 'approve' | 'cancel' | 'close' | 'report'}Breakglass` | 'listBreakglasses'
>;

/** `breakglass` throws where there are no administrators. */
export function createBreakglassHandlers(breakglass: () => Breakglass): BreakglassHandlers {
  return {
    openBreakglass: async (grant, { reason, ttlSeconds }, context) => {
      const wanted = { reason, ttlMs: ttlSeconds * 1_000 };
      return toAnswer(await breakglass().open(sessionOf(grant), wanted, asked(grant, context)));
    },
    approveBreakglass: async (grant, { id }, context) =>
      toAnswer(await breakglass().approve(sessionOf(grant), id, asked(grant, context))),
    cancelBreakglass: async (grant, { id }, context) =>
      toAnswer(await breakglass().cancel(sessionOf(grant), id, asked(grant, context))),
    closeBreakglass: async (grant, _input, context) =>
      toAnswer(await breakglass().close(sessionOf(grant), asked(grant, context))),
    listBreakglasses: async (grant) => ({
      breakglasses: (await breakglass().list(sessionOf(grant))).map(toBreakglass),
    }),
    reportBreakglass: async (grant, { id, from }, { signal }) => {
      const {
        breakglass: view,
        lines,
        next,
      } = await breakglass().report(sessionOf(grant), { id, from }, signal);
      return {
        breakglass: toBreakglass(view),
        lines: [...lines],
        ...(next === undefined ? {} : { next }),
      };
    },
  };
}

function toAnswer(view: BreakglassView) {
  return { breakglass: toBreakglass(view) };
}

function toBreakglass({ openedAt, effectiveAt, expiresAt, approvedBy, ended, ...view }: BreakglassView) {
  return {
    ...view,
    openedAt: toTime(openedAt),
    effectiveAt: toTime(effectiveAt),
    expiresAt: toTime(expiresAt),
    ...(approvedBy === undefined ? {} : { approvedBy }),
    ...(ended === undefined ? {} : { endedBy: ended.by, endedAt: toTime(ended.at) }),
  };
}

function toTime(ms: number): string {
  return new Date(ms).toISOString();
}
