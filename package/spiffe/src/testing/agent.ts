import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CertificateAuthority, type SvidRequest } from '../ca/certificate-authority.ts';
import { JwtAuthority } from '../ca/jwt-authority.ts';
import { SpiffeError } from '../error.ts';
import { SpiffeId } from '../id/spiffe-id.ts';
import { TrustDomain } from '../id/trust-domain.ts';
import { JwtBundleSet, type JwtBundle } from '../jwt/bundle.ts';
import type { JwtSvid } from '../jwt/svid.ts';
import { verifyJwtSvid } from '../jwt/verify.ts';
import type { X509Context } from '../source.ts';
import type { JwtSvidQuery } from '../workload/jwt-context.ts';
import { WorkloadServer, type WorkloadHandler, type WorkloadServerOptions } from '../workload/server.ts';
import { X509BundleSet } from '../x509/bundle-set.ts';

type ServerChoice = Omit<WorkloadServerOptions, 'path' | 'handler' | 'signal'>;

/** A Workload API on a socket in a directory of its own, whose answer to everybody a test turns by hand. */
export class TestAgent implements AsyncDisposable {
  readonly authority: CertificateAuthority;
  readonly path: string;
  readonly endpoint: string;
  readonly jwtAuthority: JwtAuthority;
  /** How many streams were opened so far, the refused ones included. */
  calls = 0;
  /** How many questions for tokens came, and what each waits for before it is answered. */
  questions = 0;
  hold: Promise<void> = Promise.resolve();
  jwtLifetimeMs = 300_000;
  federatedJwt: readonly JwtBundle[] = [];
  readonly #directory: string;
  readonly #choice: ServerChoice;
  #answer: X509Context | SpiffeError;
  #changed = Promise.withResolvers<SpiffeError | undefined>();
  #server: WorkloadServer | undefined;

  private constructor(directory: string, authority: CertificateAuthority, choice: ServerChoice) {
    this.#directory = directory;
    this.#choice = choice;
    this.authority = authority;
    this.jwtAuthority = JwtAuthority.create(authority.trustDomain);
    this.path = join(directory, 'agent.sock');
    this.endpoint = `unix://${this.path}`;
    this.#answer = new SpiffeError('permission_denied', 'no entry yet');
  }

  static async open(trustDomain = 'example.org', choice: ServerChoice = {}): Promise<TestAgent> {
    const directory = await mkdtemp(join(tmpdir(), 'spiffe-agent-'));
    const authority = CertificateAuthority.create({ trustDomain: TrustDomain.parse(trustDomain) });
    const agent = new TestAgent(directory, authority, choice);
    await agent.start();
    return agent;
  }

  /** What everybody is told from now on; those who are listening, at once. */
  say(answer: X509Context | SpiffeError): void {
    this.#answer = answer;
    this.#tell(undefined);
  }

  /** Refuses those who are listening, and answers whoever asks again as before. */
  interrupt(error: SpiffeError): void {
    this.#tell(error);
  }

  /** An answer with one new SVID for each of these paths, and the bundles of this domain and of `federated`. */
  issue(
    paths: readonly string[],
    choice: Omit<SvidRequest, 'id'> & { readonly federated?: X509BundleSet } = {},
  ): X509Context {
    const { federated, ...request } = choice;
    const svids = paths.map((path) =>
      this.authority.issueX509Svid({ ...request, id: SpiffeId.from(this.authority.trustDomain, path) }),
    );
    return { svids, bundles: X509BundleSet.of(this.authority.bundle(), ...(federated ?? [])) };
  }

  async start(): Promise<void> {
    this.#server = await WorkloadServer.listen({
      ...this.#choice,
      path: this.path,
      handler: this.#handler(),
      signal: new AbortController().signal,
    });
  }

  async stop(): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
  }

  get connections(): number {
    return this.#server?.connections ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await rm(this.#directory, { recursive: true, force: true });
  }

  #tell(error: SpiffeError | undefined): void {
    this.#changed.resolve(error);
    this.#changed = Promise.withResolvers<SpiffeError | undefined>();
  }

  #handler(): WorkloadHandler {
    return {
      watchX509: (_peer, signal) => this.#watch(signal, (context) => context),
      watchX509Bundles: (_peer, signal) => this.#watch(signal, (context) => context.bundles),
      jwt: {
        fetchSvids: (_peer, query) => this.#issueTokens(query),
        watchBundles: (_peer, signal) => this.#watch(signal, () => this.jwtBundles),
        validate: async (_peer, { token, audience }) => verifyJwtSvid(token, this.jwtBundles, { audience }),
      },
    };
  }

  /** Its own, and those that a test adds. */
  get jwtBundles(): JwtBundleSet {
    return JwtBundleSet.of(this.jwtAuthority.bundle(), ...this.federatedJwt);
  }

  async #issueTokens({ audience, id }: JwtSvidQuery): Promise<readonly JwtSvid[]> {
    this.questions++;
    const answer = this.#answer;
    await this.hold;
    if (answer instanceof SpiffeError) throw answer;
    return answer.svids
      .filter((svid) => id === undefined || svid.id.equals(id))
      .map((svid) =>
        this.jwtAuthority.issueJwtSvid({
          id: svid.id,
          audience,
          hint: svid.hint,
          lifetimeMs: this.jwtLifetimeMs,
        }),
      );
  }

  async *#watch<T>(
    signal: AbortSignal,
    select: (context: X509Context) => T,
  ): AsyncGenerator<T, void, undefined> {
    this.calls++;
    const over = Promise.withResolvers<undefined>();
    signal.addEventListener('abort', () => over.resolve(undefined), { once: true });
    while (!signal.aborted) {
      const changed = this.#changed.promise;
      if (this.#answer instanceof SpiffeError) throw this.#answer;
      yield select(this.#answer);
      const error = await Promise.race([changed, over.promise]);
      if (error !== undefined) throw error;
    }
  }
}
