import { rolePaths } from '@spike/contract';
import { SpikeError } from '@spike/error';
import { quote } from '@spike/host';
import { SpiffeId, type TrustDomain } from '@spike/spiffe';
import type { PilotRole, Service } from './part.ts';

export interface RegistrationEntry {
  readonly spiffeId: SpiffeId;
  readonly parentId: SpiffeId;
  /** All have to match: `unix:path:…` and the like. */
  readonly selectors: readonly string[];
  readonly ttlSeconds: number;
  readonly federatesWith: readonly TrustDomain[];
  /** Who reads the list learns from it what the entry is for. */
  readonly note: string;
}

export interface Installation {
  /** The agent of the machine on which the executables lie. */
  readonly parentId: SpiffeId;
  readonly services: readonly {
    readonly service: Service;
    /** Lowercase hex of the executable's SHA-256. */
    readonly sha256: string;
    readonly user: string;
  }[];
  /** Absolute, without links: what the agent finds in /proc/PID/exe. */
  readonly pilotPath: string;
  readonly people: readonly { readonly role: PilotRole; readonly user: string }[];
  readonly ttlSeconds: number;
  /** Of workloads that Nexus serves besides those of its own trust domain. */
  readonly federatesWith: readonly TrustDomain[];
}

const serviceNotes: Readonly<Record<Service, string>> = {
  nexus: 'Nexus; to delete this entry is the lock',
  keeper: 'the Keepers of this machine',
  bootstrap: 'Bootstrap; delete this entry once it has run',
};

/**
 * The registration entries by which SPIRE knows the parts on one machine. A service is known by the SHA-256 of its
 * executable, so that nothing else gets its identity, whoever may write to its folder; people's command by its path,
 * since it is replaced more often and a person's identity is only one of two layers. Both need the user besides.
 */
export function planEntries(installation: Installation): readonly RegistrationEntry[] {
  const { parentId, ttlSeconds, federatesWith, pilotPath } = installation;
  const { trustDomain } = parentId;
  const common = { parentId, ttlSeconds };
  return [
    ...installation.services.map(({ service, sha256, user }) => ({
      ...common,
      spiffeId: SpiffeId.from(trustDomain, rolePaths[service]),
      selectors: [`unix:sha256:${sha256}`, `unix:user:${user}`],
      federatesWith: service === 'nexus' ? federatesWith : [],
      note: serviceNotes[service],
    })),
    ...installation.people.map(({ role, user }) => ({
      ...common,
      spiffeId: personId(trustDomain, role, user),
      selectors: [`unix:path:${pilotPath}`, `unix:user:${user}`],
      federatesWith: [],
      note:
        role === 'superuser' ? `administrator ${user}` : `${user}, only while there is something to ${role}`,
    })),
  ];
}

/** A person has an ID of their own below the role, so that the audit tells them apart. */
function personId(trustDomain: TrustDomain, role: PilotRole, user: string): SpiffeId {
  try {
    return SpiffeId.from(trustDomain, `${rolePaths[role]}/${user}`);
  } catch (cause) {
    throw new SpikeError(
      'data_invalid_input',
      `the user name ${JSON.stringify(user)} cannot stand in a SPIFFE ID: letters, digits, dots, dashes and underscores can`,
      { cause },
    );
  }
}

/** Commands for a POSIX shell on the machine of the SPIRE server. */
export function toCommands(entries: readonly RegistrationEntry[]): string {
  return entries
    .map(({ spiffeId, parentId, selectors, ttlSeconds, federatesWith, note }) => {
      const flags = [
        `-parentID ${quote(parentId.toString())}`,
        `-spiffeID ${quote(spiffeId.toString())}`,
        ...selectors.map((selector) => `-selector ${quote(selector)}`),
        ...federatesWith.map((domain) => `-federatesWith ${quote(domain.toString())}`),
        `-x509SVIDTTL ${ttlSeconds}`,
      ];
      return `# ${note}\nspire-server entry create \\\n${flags.map((flag) => `  ${flag}`).join(' \\\n')}\n`;
    })
    .join('\n');
}

/** What `spire-server entry create -data FILE` reads. */
export function toData(entries: readonly RegistrationEntry[]): unknown {
  return {
    entries: entries.map(({ spiffeId, parentId, selectors, ttlSeconds, federatesWith }) => ({
      selectors: selectors.map((selector) => {
        const [, type, value] = /^([^:]+):(.*)$/s.exec(selector) ?? [];
        return { type, value };
      }),
      spiffe_id: spiffeId.toString(),
      parent_id: parentId.toString(),
      x509_svid_ttl: ttlSeconds,
      federates_with: federatesWith.map((domain) => domain.toString()),
    })),
  };
}
