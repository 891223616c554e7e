// The load generator: a process of its own, with the identity of a workload. Prints what it saw as one line of JSON.
import { createSecureContext } from 'node:tls';
import { Connection } from './connection.ts';
import { quantile } from './figure.ts';
import { openIdentity, type Place } from './identity.ts';
import { cpuSeconds } from './processor.ts';
import { pathOf, type SecretRange } from './range.ts';

/** `mixed`: nine gets for each put. `list`: one page of 100 below the prefix that the policy of the caller names. */
export type Operation = 'get' | 'put' | 'mixed' | 'list';

export interface LoadSpec extends Place {
  readonly port: number;
  readonly serverPid: number;
  readonly operation: Operation;
  readonly connections: number;
  /** A new connection for each request. */
  readonly fresh: boolean;
  /** The secrets of these numbers below COUNT, chosen at random, each as likely. */
  readonly secrets: SecretRange;
  readonly count: number;
  /** Requests in each second, over all connections; as many as there can be unless told. */
  readonly rate?: number;
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
const mostRequests = 10_000;

const spec = JSON.parse(process.argv[2] ?? '') as LoadSpec;
await using identity = await openIdentity(spec);
const context = createSecureContext(identity.tls);
/** Made beforehand where they are few enough to be kept. */
const { operation } = spec;
const requests =
  spec.count <= mostRequests && (operation === 'get' || operation === 'put')
    ? Array.from({ length: spec.count }, (_, index) => makeRequest(operation, index))
    : undefined;
const listRequest = makeRequest('list', 0);
const paceMs = spec.rate === undefined ? 0 : (1_000 * spec.connections) / spec.rate;
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
  let due = performance.now() + Math.random() * paceMs;
  while (!stopped) {
    if (paceMs > 0) {
      due += paceMs;
      await sleep(Math.max(0, due - performance.now()) / 1000);
    }
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
  const { count } = spec;
  if (operation === 'list') return listRequest;
  const index = Math.floor(Math.random() * count);
  if (operation === 'mixed') return makeRequest(Math.random() < 0.1 ? 'put' : 'get', index);
  return requests?.[index] ?? makeRequest(operation, index);
}

function makeRequest(what: Exclude<Operation, 'mixed'>, index: number): Buffer {
  const path = pathOf(spec.secrets, index);
  const bodies = {
    get: { path },
    put: { path, values: { value: 'v'.repeat(spec.valueBytes) } },
    list: { limit: 100 },
  };
  const body = JSON.stringify(bodies[what]);
  const lines = [
    `POST /v1/store/secrets${what === 'put' ? '' : `?action=${what}`} HTTP/1.1`,
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
