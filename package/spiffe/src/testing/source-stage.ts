import assert from 'node:assert/strict';
import { CertificateAuthority } from '../ca/certificate-authority.ts';
import { SpiffeError } from '../error.ts';
import { encodeFrame } from '../grpc/frame.ts';
import { SpiffeId } from '../id/spiffe-id.ts';
import { TrustDomain } from '../id/trust-domain.ts';
import type { X509Context } from '../source.ts';
import { toX509SvidResponse } from '../workload/context.ts';
import { x509SvidResponseSchema } from '../workload/message.ts';
import type { WorkloadTiming } from '../workload/timing.ts';
import { X509Source } from '../workload/x509-source.ts';
import { X509BundleSet } from '../x509/bundle-set.ts';
import type { X509Svid } from '../x509/svid.ts';
import { RawAgent, type RawTurn } from './raw-agent.ts';
import { Relay } from './relay.ts';
import type { Answer, SourceOracle } from './source-oracle.ts';

export const lifetimeMs = 3_600_000;
/** Silence is long enough for a machine that is busy, and every other wait is short. */
const timing: WorkloadTiming = {
  pingMs: 100,
  silenceMs: 1_000,
  deniedLeastMs: 10,
  deniedMostMs: 20,
  backoffLeastMs: 2,
  backoffMostMs: 10,
};
const settleMs = 60_000;
const domain = TrustDomain.parse('example.org');

/** A source, and a Workload API behind a relay that does what the script says. */
export class SourceStage implements AsyncDisposable {
  readonly relay: Relay;
  readonly source: X509Source;
  readonly told: string[] = [];
  readonly #agent: RawAgent;
  readonly #script: Script;

  private constructor(agent: RawAgent, relay: Relay, script: Script, source: X509Source) {
    this.#agent = agent;
    this.relay = relay;
    this.#script = script;
    this.source = source;
    source.subscribe((change) => {
      if (change.kind === 'withdrawn') this.told.push(`withdrawn ${change.reason}`);
      else if (change.kind === 'updated') {
        const bundles = change.bundlesChanged.length > 0 ? 'bundles' : '';
        this.told.push(`updated ${change.svidChanged ? 'svid' : ''} ${bundles}`);
      } else this.told.push(change.kind);
    });
  }

  static async open(first: Answer): Promise<SourceStage> {
    const script = new Script(first);
    const agent = await RawAgent.open((turn) => script.take(turn));
    const relay = await Relay.open(agent.endpoint.slice('unix://'.length));
    const source = await X509Source.open({
      endpoint: relay.endpoint,
      timing,
      pick: (svids) => svids.find(({ id }) => id.path === '/ours'),
      signal: new AbortController().signal,
    });
    return new SourceStage(agent, relay, script, source);
  }

  say(answer: Answer): void {
    this.#script.say(answer);
  }

  /** A message to those who listen, of which some bytes are missing at the end. */
  sayPart(bytes: number): void {
    this.#script.sayPart(bytes);
  }

  /** Waits until the source has come to what the oracle says, and compares all of it. */
  async check(oracle: SourceOracle): Promise<void> {
    const end = performance.now() + settleMs;
    while (this.source.state !== oracle.state || this.told.length < oracle.told.length) {
      assert.ok(
        performance.now() < end,
        `it is ${this.source.state} and has told ${this.told.join(', ')}; right were ${oracle.state} and ${oracle.told.join(', ')}`,
      );
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    this.compare(oracle);
  }

  compare(oracle: SourceOracle): void {
    assert.deepEqual(this.told, oracle.told);
    assert.equal(this.source.state, oracle.state);
    assert.equal(this.source.context === undefined, oracle.state === 'withdrawn');
    const { identity } = oracle;
    if (identity === undefined) {
      assert.equal(this.#codeOfCurrent(), 'identity_withdrawn');
      return;
    }
    const svid = this.#script.svid(identity.svid);
    const isOver = Date.now() > svid.notAfter.getTime();
    assert.equal(this.#codeOfCurrent(), isOver ? 'identity_expired' : undefined);
    if (isOver) return;
    const current = this.source.current();
    assert.ok(current.svid.equals(svid), 'it is another SVID');
    assert.equal([...current.bundles].length, 1 + identity.bundles);
  }

  #codeOfCurrent(): string | undefined {
    try {
      this.source.current();
      return undefined;
    } catch (error) {
      return error instanceof SpiffeError ? error.code : 'another error';
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.source[Symbol.asyncDispose]();
    await this.relay[Symbol.asyncDispose]();
    await this.#agent[Symbol.asyncDispose]();
  }
}

/** What the agent says to each call, and to those that are still open. */
class Script {
  readonly #authority = CertificateAuthority.create({ trustDomain: domain });
  readonly #others = Array.from({ length: 3 }, (_, index) =>
    CertificateAuthority.create({ trustDomain: TrustDomain.parse(`other${index}.test`) }).bundle(),
  );
  readonly #svids = new Map<number, X509Svid>();
  #live: RawTurn[] = [];
  #answer: Answer;

  constructor(first: Answer) {
    this.#answer = first;
  }

  /** The SVID of this number, issued when it is first asked for. */
  svid(number: number): X509Svid {
    const known = this.#svids.get(number);
    if (known !== undefined) return known;
    const svid = this.#authority.issueX509Svid({ id: SpiffeId.from(domain, '/ours'), lifetimeMs });
    this.#svids.set(number, svid);
    return svid;
  }

  say(answer: Answer): void {
    this.#answer = answer;
    for (const turn of this.#live.splice(0)) this.take(turn);
  }

  sayPart(bytes: number): void {
    if (this.#answer.kind !== 'ours') return;
    const message = x509SvidResponseSchema.encode(toX509SvidResponse(this.#context(this.#answer)));
    for (const turn of this.#live) turn.send(encodeFrame(message.subarray(0, bytes)));
  }

  take(turn: RawTurn): void {
    if (this.#answer.kind === 'denied') {
      turn.end('7');
      return;
    }
    turn.send(encodeFrame(x509SvidResponseSchema.encode(toX509SvidResponse(this.#context(this.#answer)))));
    this.#live.push(turn);
  }

  #context(answer: Exclude<Answer, { kind: 'denied' }>): X509Context {
    const another = this.#authority.issueX509Svid({ id: SpiffeId.from(domain, '/another'), lifetimeMs });
    return {
      svids: answer.kind === 'ours' ? [another, this.svid(answer.svid)] : [another],
      bundles: X509BundleSet.of(this.#authority.bundle(), ...this.#others.slice(0, answer.bundles)),
    };
  }
}
