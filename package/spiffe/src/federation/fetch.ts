import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { SpiffeBundle } from '../bundle/spiffe-bundle.ts';
import { SpiffeError } from '../error.ts';
import { toAbortError } from '../grpc/client.ts';
import { strictText } from '../text.ts';
import { codeOf } from '../tls/refusal.ts';
import { connectEndpoint } from './connect.ts';
import { parseEndpointUrl, type BundleEndpoint } from './endpoint.ts';

// An import would read all that the module exports, and one of its exports loads undici: 6 MB, and time at each start.
const { request: sendRequest } = process.getBuiltinModule('node:http');

const mostRedirects = 5;
const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const maxHeaderBytes = 16_384;
/** Dozens of authorities of each kind. What is known of a partner goes to everybody who federates with it. */
const maxBundleBytes = 262_144;
const defaultTimeoutMs = 10_000;

export interface BundleFetchOptions {
  /** For all of it, redirects included; 10 s unless told otherwise. */
  readonly timeoutMs?: number;
  readonly signal: AbortSignal;
}

/**
 * Asks a bundle endpoint once. Redirects are followed, each by the rules of the profile, and not remembered. Throws
 * SpiffeError: `endpoint_invalid`, what a connection can throw (`chain_invalid`, `peer_refused`, `connection_failed`,
 * …), `protocol_invalid` for an answer that is no bundle endpoint's, `limit_exceeded`, and `bundle_invalid`.
 */
export async function fetchBundle(
  endpoint: BundleEndpoint,
  { timeoutMs = defaultTimeoutMs, signal }: BundleFetchOptions,
): Promise<SpiffeBundle> {
  const either = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  let url = parseEndpointUrl(endpoint.url);
  try {
    for (let count = 0; count <= mostRedirects; count++) {
      const answer = await ask(url, endpoint, either);
      if (typeof answer === 'string') return SpiffeBundle.parse(endpoint.trustDomain, answer);
      url = answer;
    }
  } catch (error) {
    if (either.aborted) throw toAbortError(either);
    throw error instanceof SpiffeError
      ? error
      : new SpiffeError('connection_failed', `the bundle endpoint did not answer: ${codeOf(error)}`, {
          cause: error,
        });
  }
  throw new SpiffeError('limit_exceeded', `the bundle endpoint redirects more than ${mostRedirects} times`);
}

/** The document, or where it is to be found. */
async function ask(url: URL, { profile }: BundleEndpoint, signal: AbortSignal): Promise<string | URL> {
  const socket = await connectEndpoint(url, profile, signal);
  const abort = (): void => void socket.destroy();
  signal.addEventListener('abort', abort, { once: true });
  try {
    if (signal.aborted) throw toAbortError(signal);
    const response = await send(url, socket);
    const { statusCode = 0, headers } = response;
    if (redirects.has(statusCode)) {
      if (headers.location === undefined)
        throw new SpiffeError('protocol_invalid', 'the bundle endpoint redirects to nowhere');
      return parseEndpointUrl(headers.location, url);
    }
    if (statusCode !== 200)
      throw new SpiffeError(
        'protocol_invalid',
        `the bundle endpoint answered with HTTP status ${statusCode}`,
      );
    if ((headers['content-encoding'] ?? 'identity') !== 'identity')
      throw new SpiffeError('protocol_invalid', 'the bundle is compressed, which was not asked for');
    return await readText(response);
  } finally {
    signal.removeEventListener('abort', abort);
    socket.destroy();
  }
}

function send(url: URL, socket: TLSSocket): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  // The socket has TLS in it already.
  const outgoing = sendRequest({
    createConnection: () => socket,
    method: 'GET',
    path: url.pathname + url.search,
    headers: {
      host: url.host,
      accept: 'application/json',
      'accept-encoding': 'identity',
      connection: 'close',
    },
    maxHeaderSize: maxHeaderBytes,
  });
  outgoing
    .on('error', reject)
    .once('response', resolve)
    // Neither an answer nor an error for Node: without these two, nobody would hear of it.
    .once('upgrade', () =>
      reject(
        new SpiffeError('protocol_invalid', 'the bundle endpoint switches to another protocol, unasked'),
      ),
    )
    .once('close', () =>
      reject(new SpiffeError('connection_failed', 'the bundle endpoint ended the connection')),
    )
    .end();
  return promise;
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  const body: AsyncIterable<Buffer> = response;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > maxBundleBytes)
      throw new SpiffeError('limit_exceeded', `the bundle is larger than ${maxBundleBytes} bytes`);
    chunks.push(chunk);
  }
  if (!response.complete)
    throw new SpiffeError('connection_failed', 'the bundle endpoint ended its answer in the middle');
  try {
    return strictText.decode(Buffer.concat(chunks));
  } catch (error) {
    throw new SpiffeError('bundle_invalid', 'the bundle is not UTF-8', { cause: error });
  }
}
