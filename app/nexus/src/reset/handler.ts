import type { NexusTable } from '@spike/contract';
import type { Handlers } from '@spike/server';
import type { ResetService } from './reset.ts';

type ResetHandlers = Pick<Handlers<NexusTable>, 'explainReset' | 'printReset' | 'getResetKeys'>;

/** The routes of the factory reset; `reset` throws while there is no key. */
export function createResetHandlers(reset: () => ResetService): ResetHandlers {
  return {
    explainReset: async (grant, _request, { signal }) => {
      const { counts, place, newestBackup, lastDryRun, instance } = await reset().explain(grant, signal);
      return {
        instance,
        counts: { ...counts },
        removes: place.dataDirectory,
        aside: [{ what: 'anchor file', path: place.anchorFile }, ...place.aside].map((each) => ({ ...each })),
        journal: place.journal,
        ...(newestBackup === undefined ? {} : { newestBackup: newestBackup.toISOString() }),
        ...(lastDryRun === undefined ? {} : { lastDryRun: lastDryRun.toISOString() }),
      };
    },
    printReset: async (grant, { instance, backup }, { signal, check }) => {
      const facts = backup === undefined ? undefined : { ...backup, createdAt: new Date(backup.createdAt) };
      const { expiresAt, ...printed } = await reset().print(
        grant,
        { instance, backup: facts },
        { signal, check },
      );
      return { ...printed, expiresAt: expiresAt.toISOString() };
    },
    getResetKeys: async () => {
      const { instance, keys } = reset().keys;
      return { instance, keys: keys.map((key) => ({ ...key })) };
    },
  };
}
