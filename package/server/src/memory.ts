import { contentTypes, type Transport, type TransportRequest, type TransportResponse } from '@spike/contract';
import { SpikeError } from '@spike/error';
import type { VerifiedPeer } from '@spike/spiffe';
import type { Dispatch } from './dispatch.ts';

/** A client's way to a dispatch without sockets: everything but HTTP and TLS is what runs in production. */
export function createMemoryTransport(dispatch: Dispatch, peer: VerifiedPeer): Transport {
  return { send: (request) => send(dispatch, peer, request) };
}

async function send(
  dispatch: Dispatch,
  peer: VerifiedPeer,
  request: TransportRequest,
): Promise<TransportResponse> {
  let result: TransportResponse | undefined;
  await dispatch({
    peer,
    remoteAddress: '127.0.0.1',
    remotePort: 1,
    method: 'POST',
    path: request.path,
    action: request.action,
    contentType: contentTypes[request.kind ?? 'json'],
    token: request.token,
    bodyBytes: request.body.byteLength,
    readBody: (mostBytes) =>
      request.body.byteLength > mostBytes
        ? Promise.reject(
            new SpikeError('api_payload_too_large', `this route takes at most ${mostBytes} bytes`),
          )
        : Promise.resolve(request.body),
    onGone: (listener) => request.signal?.addEventListener('abort', listener, { once: true }),
    answer: ({ status, body }) => {
      result = { status, body: typeof body === 'string' ? Buffer.from(body) : body };
    },
    cut: () => {
      result = undefined;
    },
  });
  if (result === undefined) throw new SpikeError('net_peer_connection', 'the connection was cut');
  return result;
}
