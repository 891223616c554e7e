import { SpikeError } from '@spike/error';
import { readPrivateFile, writePrivateFile } from './file.ts';
import type { Home } from './home.ts';

/** What `npm start` leaves for clients on the same machine: where the running system is. Nothing in it is secret. */
export interface Context {
  readonly launcherPid: number;
  readonly trustDomain: string;
  readonly endpointSocket: string;
  readonly adminSocket: string;
  readonly nexusUrl: string;
  readonly healthUrl: string;
  readonly keeperUrls: readonly string[];
  readonly recoveryFile: boolean;
  /** Where Nexus shows the code for `spike init`, while there is something to initialise; 0600. */
  readonly initCodeFile?: string;
}

const version = 1;
const maxBytes = 65_536;

export async function writeContext(home: Home, context: Context): Promise<void> {
  await writePrivateFile(home.contextFile, `${JSON.stringify({ version, ...context }, null, 2)}\n`);
}

/** The context of the system in this home; undefined when none was started. Throws `config_invalid` on a file that is not ours. */
export async function readContext(home: Home): Promise<Context | undefined> {
  const bytes = await readPrivateFile(home.contextFile, maxBytes);
  if (bytes === undefined) return undefined;
  try {
    return parseContext(JSON.parse(bytes.toString('utf8')));
  } catch (error) {
    throw new SpikeError(
      'config_invalid',
      `${home.contextFile} is not a context of this release; start the system again with npm start`,
      { cause: error },
    );
  }
}

function parseContext(value: unknown): Context {
  const text = (name: string): string => {
    const found = field(value, name);
    if (typeof found !== 'string') throw new TypeError(`${name} is not a string`);
    return found;
  };
  const keeperUrls = field(value, 'keeperUrls');
  const launcherPid = field(value, 'launcherPid');
  if (field(value, 'version') !== version) throw new TypeError('version');
  if (!Array.isArray(keeperUrls) || !keeperUrls.every((url) => typeof url === 'string'))
    throw new TypeError('keeperUrls');
  if (typeof launcherPid !== 'number' || !Number.isSafeInteger(launcherPid))
    throw new TypeError('launcherPid');
  const initCodeFile = field(value, 'initCodeFile');
  return {
    launcherPid,
    trustDomain: text('trustDomain'),
    endpointSocket: text('endpointSocket'),
    adminSocket: text('adminSocket'),
    nexusUrl: text('nexusUrl'),
    healthUrl: text('healthUrl'),
    keeperUrls,
    recoveryFile: field(value, 'recoveryFile') === true,
    ...(typeof initCodeFile === 'string' ? { initCodeFile } : {}),
  };
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

/** The context as the variables of `wire.md` 2.4 that any client, ours or not, understands. */
export function contextVariables(home: Home, context: Context): Readonly<Record<string, string>> {
  return {
    SPIKE_HOME: home.root,
    SPIFFE_ENDPOINT_SOCKET: context.endpointSocket,
    SPIKE_NEXUS_API_URL: context.nexusUrl,
    SPIKE_NEXUS_KEEPER_PEERS: context.keeperUrls.join(','),
    SPIKE_TRUST_ROOT: context.trustDomain,
    SPIKE_TRUST_ROOT_NEXUS: context.trustDomain,
    SPIKE_TRUST_ROOT_KEEPER: context.trustDomain,
    SPIKE_TRUST_ROOT_BOOTSTRAP: context.trustDomain,
    SPIKE_TRUST_ROOT_PILOT: context.trustDomain,
  };
}
