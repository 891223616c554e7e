// A process of its own that holds many connections, because one process may not have files for all: says how many it
// has, and ends with its standard input. Started with a JSON text: { host, port, count, credentials }.
import { connect, createSecureContext, type TLSSocket } from 'node:tls';
import { toRequest, type RequestText } from './peer.ts';

interface Task {
  readonly host: string;
  readonly port: number;
  readonly count: number;
  readonly credentials: readonly { readonly cert: string; readonly key: string }[];
  readonly request: RequestText;
}

const atOnce = 16;
/** A server closes what idles for a minute, and a slow machine takes longer than that to open all of them. */
const againMs = 20_000;

const task = JSON.parse(process.argv[2] ?? '') as Task;
const contexts = task.credentials.map((credential) => createSecureContext(credential));
const text = toRequest(task.request);
const held = new Set<TLSSocket>();
let asked = 0;

/** Asks once, and keeps the connection for whatever comes. */
async function hold(index: number): Promise<void> {
  const secureContext = contexts[index % contexts.length];
  const socket = connect({
    host: task.host,
    port: task.port,
    rejectUnauthorized: false,
    ...(secureContext === undefined ? {} : { secureContext }),
  });
  socket
    .on('error', () => undefined)
    .once('close', () => held.delete(socket))
    .resume();
  await ask(socket);
  if (!socket.destroyed) held.add(socket);
}

/** Resolves with the answer, or with the end of the connection. */
async function ask(socket: TLSSocket): Promise<void> {
  socket.write(text);
  await new Promise<void>((resolve) => {
    const done = (): void => {
      socket.off('data', done).off('close', done);
      resolve();
    };
    socket.on('data', done).on('close', done);
  });
}

async function work(): Promise<void> {
  while (asked < task.count) await hold(asked++);
}

let again: Promise<unknown> | undefined;
const timer = setInterval(() => {
  again ??= Promise.all([...held].map((socket) => ask(socket))).finally(() => {
    again = undefined;
  });
}, againMs);
await Promise.all(Array.from({ length: atOnce }, work));
clearInterval(timer);
await again;
process.stdout.write(`${JSON.stringify({ held: held.size })}\n`);
process.stdin.resume();
process.stdin.once('end', () => process.exit(0));
process.stdin.on('data', () => process.stdout.write(`${JSON.stringify({ held: held.size })}\n`));
