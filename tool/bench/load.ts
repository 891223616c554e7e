// The load generator: a process of its own, with the identity of a workload. Prints what it saw as one line of JSON.
import { createSecureContext } from 'node:tls';
import { Connection } from './connection.ts';
import { quantile } from './figure.ts';
import { openIdentity, type Place } from './identity.ts';
import { cpuSeconds } from './processor.ts';

export interface LoadSpec extends Place {
  readonly port: number;
  readonly serverPid: number;
  readonly operation: 'get' | 'put';
  readonly connections: number;
  /** A new connection for each request. */
  readonly fresh: boolean;
  /** The secrets `PREFIX/0` to `PREFIX/(COUNT - 1)`, chosen at random, each as likely. */
  readonly prefix: string;
  readonly count: number;
  readonly valueBytes: number;
  /** Before anything is counted. */
  readonly warmSeconds: number;
  readonly seconds: number;
}

export interface LoadResult {
  readonly operations: number;
  readonly seconds: number;
  readonly serverCpuSeconds: number;
  readonly loadCpuSeconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** More than any run makes. */
const mostLatencies = 1_000_000;

const spec = JSON.parse(process.argv[2] ?? '') as LoadSpec;
await using identity = await openIdentity(spec);
const context = createSecureContext(identity.tls);
const requests = Array.from({ length: spec.count }, (_, index) => makeRequest(index));
const latencies = new Float64Array(mostLatencies);
let operations = 0;
let stopped = false;

const clients = Array.from({ length: spec.connections }, () =>
  spec.fresh ? connectEachTime() : keepConnected(),
);
const failed = Promise.all(clients);
// Rejects at the first failure: a run with failures has no figures.
await Promise.race([failed, sleep(spec.warmSeconds)]);
operations = 0;
const before = { server: cpuSeconds(spec.serverPid), load: ownCpuSeconds(), at: performance.now() };
await Promise.race([failed, sleep(spec.seconds)]);
const seconds = (performance.now() - before.at) / 1000;
const result: LoadResult = {
  operations,
  seconds,
  serverCpuSeconds: cpuSeconds(spec.serverPid) - before.server,
  loadCpuSeconds: ownCpuSeconds() - before.load,
  p50Ms: quantile(latencies.subarray(0, operations), 0.5),
  p99Ms: quantile(latencies.subarray(0, operations), 0.99),
};
stopped = true;
await failed;
process.stdout.write(`${JSON.stringify(result)}\n`);

async function keepConnected(): Promise<void> {
  using connection = new Connection(spec.port, context);
  while (!stopped) {
    const started = performance.now();
    await connection.exchange(pickRequest());
    note(started);
  }
}

async function connectEachTime(): Promise<void> {
  while (!stopped) {
    const started = performance.now();
    using connection = new Connection(spec.port, context);
    await connection.exchange(pickRequest());
    note(started);
  }
}

function note(started: number): void {
  latencies[operations % mostLatencies] = performance.now() - started;
  operations += 1;
}

function pickRequest(): Buffer {
  const request = requests[Math.floor(Math.random() * requests.length)];
  if (request === undefined) throw new Error('there is nothing to ask for');
  return request;
}

function makeRequest(index: number): Buffer {
  const path = `${spec.prefix}/${index}`;
  const get = spec.operation === 'get';
  const body = JSON.stringify(get ? { path } : { path, values: { value: 'v'.repeat(spec.valueBytes) } });
  const lines = [
    `POST /v1/store/secrets${get ? '?action=get' : ''} HTTP/1.1`,
    `Host: 127.0.0.1:${spec.port}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`);
}

function ownCpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function sleep(howLong: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, howLong * 1000));
}
