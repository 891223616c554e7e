import type { NexusTable } from '@spike/contract';
import type { Handlers } from '@spike/server';
import { asked, type Granted } from '../admin/handler.ts';
import type { Denials, DenialView } from './denials.ts';

type DenialHandlers = Pick<Handlers<NexusTable>, 'denyIdentity' | 'listDenials' | 'liftDenial'>;

export function createDenialHandlers(denials: () => Denials): DenialHandlers {
  return {
    denyIdentity: async (grant, { spiffeId, reason, until, seconds }, context) => {
      const term = {
        until: until === undefined ? undefined : Date.parse(until),
        ms: seconds === undefined ? undefined : seconds * 1_000,
      };
      const wish = { spiffeId, reason, term, by: nameOf(grant) };
      const { denial, cut } = await denials().put(wish, asked(grant, context));
      return { denial: toDenial(denial), cut };
    },
    listDenials: async () => ({ denials: (await denials().list()).map(toDenial) }),
    liftDenial: async (grant, { spiffeId }, context) => {
      const wish = { spiffeId, by: nameOf(grant) };
      const { denial, coveredBy } = await denials().lift(wish, asked(grant, context));
      return { denial: toDenial(denial), ...(coveredBy === undefined ? {} : { coveredBy }) };
    },
  };
}

/** Of the administrator, or the SPIFFE ID where one layer is all there is. */
function nameOf({ administrator, peer }: Granted): string {
  return administrator?.name || peer.id.toString();
}

function toDenial({ since, until, ...view }: DenialView) {
  return { ...view, since: toTime(since), ...(until === undefined ? {} : { until: toTime(until) }) };
}

function toTime(ms: number): string {
  return new Date(ms).toISOString();
}
