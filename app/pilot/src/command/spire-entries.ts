import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { SpikeError } from '@spike/error';
import { isExecutable, programOf, programs } from '@spike/host';
import { SpiffeError, SpiffeId, TrustDomain } from '@spike/spiffe';
import type { Invocation } from '../invocation.ts';
import type { SpireEntryFlags } from '../option.ts';
import { show } from '../output/show.ts';
import { planEntries, toCommands, toData, type Installation } from '../spire/entry.ts';
import { pilotRoles, services, type Service } from '../spire/part.ts';

const defaultTtlSeconds = 3_600;

/** Prints what the administrator of SPIRE has to type for the executables of this machine; changes nothing. */
export async function printSpireEntries(invocation: Invocation, flags: SpireEntryFlags): Promise<void> {
  const directory = await findExecutables(flags.bin);
  const wanted = wantedServices(flags);
  const installation: Installation = {
    parentId: read(() => SpiffeId.parse(flags.parent)),
    services: await Promise.all(
      wanted.map(async (service) => ({
        service,
        sha256: await digestOf(join(directory, programs[service].executable), invocation.signal),
        user: flags.serviceUser.find(([part]) => part === service)?.[1] ?? `spike-${service}`,
      })),
    ),
    pilotPath: await resolve(join(directory, programs.pilot.executable)),
    people: pilotRoles.flatMap((role) => flags[role].map((user) => ({ role, user }))),
    ttlSeconds: flags.svidTtl ?? defaultTtlSeconds,
    federatesWith: flags.federatesWith.map((name) => read(() => TrustDomain.parse(name))),
  };
  const entries = planEntries(installation);
  await show(invocation, {
    human: () =>
      `# The parts of SPIKE in ${JSON.stringify(directory)}, for the agent of their machine. Run it where spire-server runs.\n\n` +
      toCommands(entries),
    value: toData(entries),
  });
}

function wantedServices({ services: isAny, part }: SpireEntryFlags): readonly Service[] {
  if (!isAny) return [];
  return part.length === 0 ? services : part;
}

/** Where the executables lie: as told, or where this one does. */
async function findExecutables(told: string | undefined): Promise<string> {
  if (told !== undefined) return await resolve(told);
  if (isExecutable()) return dirname(await resolve(programOf('pilot', []).file));
  throw new SpikeError(
    'data_invalid_input',
    'this spike runs from its source, and SPIRE tells parts apart by their executables: say with --bin where they lie (npm run build makes them)',
  );
}

async function resolve(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (cause) {
    throw missing(path, cause);
  }
}

async function digestOf(path: string, signal: AbortSignal): Promise<string> {
  const found = await stat(path).catch((cause: unknown) => {
    throw missing(path, cause);
  });
  if (!found.isFile()) throw missing(path, undefined);
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash, { signal });
  return hash.digest('hex');
}

function missing(path: string, cause: unknown): SpikeError {
  return new SpikeError(
    'data_invalid_input',
    `there is no executable ${JSON.stringify(path)}: say with --bin where they lie, and with --part which of them`,
    { cause },
  );
}

function read<T>(parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    if (cause instanceof SpiffeError) throw new SpikeError('data_invalid_input', cause.message, { cause });
    throw cause;
  }
}
