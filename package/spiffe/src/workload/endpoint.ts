import { isIP } from 'node:net';
import { SpiffeError } from '../error.ts';
import type { GrpcTarget } from '../grpc/client.ts';

/** The name of the variable that says where the Workload API is (Workload Endpoint 4). */
export const endpointVariable = 'SPIFFE_ENDPOINT_SOCKET';

/** sockaddr_un has 108 bytes with the terminating zero on Linux; a longer path would fail with a less clear error. */
const longestSocketPath = 107;

/**
 * The value of SPIFFE_ENDPOINT_SOCKET: `unix:///absolute/path`, `unix:/absolute/path` or `tcp://IP:port`. Throws
 * SpiffeError `endpoint_invalid`.
 */
export function parseEndpoint(text: string): GrpcTarget {
  if (text.startsWith('unix:')) return parseUnix(text.slice('unix:'.length));
  if (text.startsWith('tcp:')) return parseTcp(text.slice('tcp:'.length));
  throw refuse('it begins with neither unix: nor tcp:');
}

/** For programs, which read the environment for us. Throws SpiffeError `endpoint_invalid` when it is not set. */
export function endpointFromEnvironment(env: Readonly<Record<string, string | undefined>>): string {
  const value = env[endpointVariable];
  if (value === undefined || value === '') {
    throw new SpiffeError('endpoint_invalid', `${endpointVariable} is not set, and no endpoint was given`);
  }
  parseEndpoint(value);
  return value;
}

/** C-1: what the caller says, else what the environment says. */
export function resolveEndpoint(choice: {
  readonly endpoint?: string | undefined;
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
}): GrpcTarget {
  return parseEndpoint(choice.endpoint ?? endpointFromEnvironment(choice.env ?? {}));
}

function parseUnix(rest: string): GrpcTarget {
  // Workload Endpoint 4: no authority, an absolute path, and no other component. A path that begins with two slashes
  // can't be told from an authority.
  const encoded = rest.startsWith('//') ? rest.slice(2) : rest;
  if (!encoded.startsWith('/'))
    throw refuse('unix: takes an absolute path and no host, as in unix:///run/agent.sock');
  if (encoded.startsWith('//')) throw refuse('the path begins with two slashes');
  if (/[?#]/.test(encoded)) throw refuse('unix: takes neither a query nor a fragment');
  let path: string;
  try {
    path = decodeURIComponent(encoded);
  } catch (error) {
    throw refuse('its percent-encoding is wrong', error);
  }
  if (path.includes('\0') || path === '/') throw refuse('the path is not that of a socket');
  if (Buffer.byteLength(path) > longestSocketPath) {
    throw refuse(`the path is longer than the ${longestSocketPath} bytes that a socket address holds`);
  }
  return { kind: 'unix', path };
}

function parseTcp(rest: string): GrpcTarget {
  const match = /^\/\/(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):([0-9]{1,5})$/.exec(rest);
  const host = match?.[1] ?? match?.[2] ?? '';
  const family = match?.[1] === undefined ? 4 : 6;
  const port = Number(match?.[3]);
  if (isIP(host) !== family || !(port >= 1 && port <= 65_535)) {
    throw refuse('tcp: takes an IP address and a port and nothing else, as in tcp://127.0.0.1:8000');
  }
  return { kind: 'tcp', host, port };
}

function refuse(why: string, cause?: unknown): SpiffeError {
  return new SpiffeError('endpoint_invalid', `the address of the Workload API is not understood: ${why}`, {
    cause,
  });
}
