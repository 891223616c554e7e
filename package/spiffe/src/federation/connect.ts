import { connect as connectTcp, isIP } from 'node:net';
import {
  checkServerIdentity,
  connect as connectTls,
  createSecureContext,
  getCACertificates,
  type TLSSocket,
} from 'node:tls';
import { SpiffeError } from '../error.ts';
import { authorizeId } from '../tls/authorizer.ts';
import { connectVerified, type Target } from '../tls/connect.ts';
import { defaultGroups } from '../tls/material.ts';
import { verifyPeer } from '../tls/peer.ts';
import { codeOf } from '../tls/refusal.ts';
import { X509BundleSet } from '../x509/bundle-set.ts';
import { toPem } from '../x509/pem.ts';
import type { EndpointProfile } from './endpoint.ts';

/** A connection to the server that the profile wants, and to no other. We show no certificate (Federation 5.2). */
export async function connectEndpoint(
  url: URL,
  profile: EndpointProfile,
  signal: AbortSignal,
): Promise<TLSSocket> {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const target = { host, port: url.port === '' ? 443 : Number(url.port) };
  return profile.kind === 'https_web'
    ? await connectWeb(target, profile.authorities, signal)
    : await connectSpiffe(target, profile, signal);
}

async function connectSpiffe(
  target: Target,
  { id, authorities }: Extract<EndpointProfile, { readonly kind: 'https_spiffe' }>,
  signal: AbortSignal,
): Promise<TLSSocket> {
  const bundle = authorities();
  if (bundle === undefined || !bundle.trustDomain.equals(id.trustDomain)) {
    const message = `there is no bundle for the trust domain ${id.trustDomain.name} to verify the endpoint with`;
    throw new SpiffeError('bundle_unknown', message);
  }
  const context = createSecureContext({
    // An empty list must stay one: without it the public web's roots would take its place.
    ca: bundle.authorities.map((authority) => toPem('CERTIFICATE', authority.der)),
    allowPartialTrustChain: true,
    minVersion: 'TLSv1.3',
    ecdhCurve: defaultGroups.join(':'),
  });
  const accept = (socket: TLSSocket): TLSSocket => {
    verifyPeer(socket, X509BundleSet.of(bundle), authorizeId(id), { as: 'server' });
    return socket;
  };
  return await connectVerified(target, context, accept, signal);
}

async function connectWeb(
  target: Target,
  authorities: string | undefined,
  signal: AbortSignal,
): Promise<TLSSocket> {
  const { host, port } = target;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connectTls({
    socket: connectTcp({ host, port, noDelay: true }),
    host,
    servername: isIP(host) === 0 ? host : '',
    ca: authorities ?? machineAuthorities(),
    rejectUnauthorized: true,
    // By the host of the URL, also where it is an address, for which no name is sent.
    checkServerIdentity: (_name, certificate) => checkServerIdentity(host, certificate),
    minVersion: 'TLSv1.2',
    ALPNProtocols: ['http/1.1'],
  });
  const abort = (): void => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  socket.once('secureConnect', resolve).on('error', reject);
  socket.once('close', () => reject(new SpiffeError('connection_failed', `${host} ended the connection`)));
  try {
    await promise;
    return socket;
  } catch (error) {
    socket.destroy();
    if (signal.aborted || error instanceof SpiffeError) throw error;
    const code = codeOf(error);
    const isJudged = /^(?:CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERR_TLS_CERT_)/.test(code);
    throw new SpiffeError(
      isJudged ? 'chain_invalid' : 'connection_failed',
      `cannot connect to ${host}:${port}: ${code}`,
      { cause: error },
    );
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** What the machine trusts; a machine without a store of its own has that of Node. */
function machineAuthorities(): string[] {
  const system = getCACertificates('system');
  return system.length > 0 ? system : getCACertificates('default');
}
