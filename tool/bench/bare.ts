// The yardstick: a plain node:https server with mTLS that reads a body and answers a constant. Runs as a process of
// its own until its standard input ends.
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { openIdentity, type Place } from './identity.ts';

export interface BareSpec extends Place {
  readonly answer: string;
}

const spec = JSON.parse(process.argv[2] ?? '') as BareSpec;
await using identity = await openIdentity(spec);
const answer = Buffer.from(spec.answer);
const headers = {
  'Content-Type': 'application/json',
  'Cache-Control': 'no-store, no-cache, must-revalidate, private',
  Pragma: 'no-cache',
  Expires: '0',
  'Content-Length': String(answer.byteLength),
};
const server = createServer(
  { ...identity.tls, requestCert: true, rejectUnauthorized: true, ALPNProtocols: ['http/1.1'] },
  (request, response) => {
    request.on('data', () => undefined);
    request.on('end', () => {
      response.writeHead(200, headers);
      response.end(answer);
    });
  },
);
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address() as AddressInfo;
process.stdout.write(`${JSON.stringify({ port })}\n`);
process.stdin.resume();
await once(process.stdin, 'end');
server.close();
server.closeAllConnections();
