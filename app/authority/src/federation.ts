import { join } from 'node:path';
import { readPrivateFile, writePrivateFile } from '@spike/config';
import { SpikeError } from '@spike/error';
import { describeError, type Log } from '@spike/log';
import { endpointSchema, type EndpointSetting, type Relationship } from '@spike/registry';
import {
  FederatedBundle,
  SpiffeBundle,
  SpiffeId,
  TrustDomain,
  type RelationshipOptions,
  type RelationshipProfile,
  type X509Bundle,
} from '@spike/spiffe';
import { z } from 'zod';
import type { Pulse } from './pulse.ts';

const maxFileBytes = 64 * 1_048_576;
const fileVersion = 1;
const mostRelationships = 64;

const fileSchema = z.strictObject({
  version: z.literal(fileVersion),
  relationships: z.array(
    z.strictObject({
      trustDomain: z.string(),
      bundle: z.string().optional(),
      endpoint: endpointSchema.optional(),
    }),
  ),
});

type SavedRelationship = z.output<typeof fileSchema>['relationships'][number];

export interface FederationOptions {
  readonly directory: string;
  readonly own: X509Bundle;
  readonly changed: Pulse;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** What is known of one other trust domain. Without an endpoint the bundle is what somebody said, until he says another. */
interface Held {
  readonly trustDomain: TrustDomain;
  readonly endpoint: EndpointSetting | undefined;
  bundle: SpiffeBundle | undefined;
  source: FederatedBundle | undefined;
}

/** The bundles of other trust domains, each kept apart, on disk, and as new as its endpoint has it. */
export class Federation implements AsyncDisposable {
  readonly #options: FederationOptions;
  readonly #path: string;
  readonly #held = new Map<string, Held>();
  /** Those that are forgotten here and not yet in the file. */
  readonly #unsaved = new Set<string>();
  #changing: Promise<unknown> = Promise.resolve();
  #revision = 0;

  private constructor(options: FederationOptions) {
    this.#options = options;
    this.#path = join(options.directory, 'federation.json');
  }

  /** Throws `config_invalid` when the file is damaged. */
  static async open(options: FederationOptions): Promise<Federation> {
    const federation = new Federation(options);
    for (const saved of await readFile(federation.#path)) federation.#hold(saved);
    return federation;
  }

  /** Changes with every bundle that comes, changes or goes. */
  get revision(): number {
    return this.#revision;
  }

  /** Of those that are named, as far as there are any. */
  bundlesOf(names: readonly string[]): readonly SpiffeBundle[] {
    return [...new Set(names)].map((name) => this.#held.get(name)?.bundle).filter((one) => one !== undefined);
  }

  /** Throws `data_invalid_input` for a trust domain of which nothing was said. */
  check(names: readonly string[]): void {
    const unknown = names.find((name) => !this.#held.has(name));
    if (unknown === undefined) return;
    throw new SpikeError(
      'data_invalid_input',
      `this authority knows no trust domain ${unknown}; say which with spike authority federation set`,
    );
  }

  list(): readonly Relationship[] {
    return [...this.#held.values()].map(describe);
  }

  /** Resolves when it would survive a crash. Throws `data_invalid_input`, `limit_exceeded`. */
  async set(draft: SavedRelationship): Promise<Relationship> {
    return this.#alone(() => this.#set(draft));
  }

  /** Throws `api_not_found`. Nobody of that trust domain is believed from now on; resolves when that would survive a crash. */
  async delete(trustDomain: string): Promise<void> {
    return this.#alone(() => this.#delete(trustDomain));
  }

  async #set(draft: SavedRelationship): Promise<Relationship> {
    const { trustDomain, bundle, endpoint } = draft;
    if (trustDomain === this.#options.own.trustDomain.name)
      throw new SpikeError(
        'data_invalid_input',
        `${trustDomain} is the trust domain of this authority itself`,
      );
    if (bundle === undefined && endpoint === undefined)
      throw new SpikeError('data_invalid_input', 'say the bundle, or the endpoint where it is to be had');
    const isSelfServing =
      endpoint?.profile === 'https_spiffe' &&
      SpiffeId.parse(endpoint.spiffeId).trustDomain.name === trustDomain;
    if (isSelfServing && bundle === undefined)
      throw new SpikeError(
        'data_invalid_input',
        'the first bundle has to be given: its endpoint is verified with it',
      );
    const before = this.#held.get(trustDomain);
    if (before === undefined && this.#held.size >= mostRelationships)
      throw new SpikeError(
        'limit_exceeded',
        `there are ${mostRelationships} trust domains; delete one first`,
      );
    readBundle(TrustDomain.parse(trustDomain), bundle);
    // What its endpoint has to say from now on is of no use, and would be saved after the draft.
    await before?.source?.[Symbol.asyncDispose]();
    try {
      await this.#save([...this.#saved().filter((one) => one.trustDomain !== trustDomain), draft]);
    } catch (error) {
      if (before !== undefined) this.#start(before);
      throw error;
    }
    const held = this.#hold(draft);
    this.#change();
    return describe(held);
  }

  async #delete(trustDomain: string): Promise<void> {
    const held = this.#held.get(trustDomain);
    if (held === undefined && !this.#unsaved.has(trustDomain))
      throw new SpikeError('api_not_found', `this authority knows no trust domain ${trustDomain}`);
    await using _source = held?.source;
    this.#held.delete(trustDomain);
    this.#unsaved.add(trustDomain);
    this.#change();
    await this.#save();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#changing;
    await Promise.all(
      [...this.#held.values()].map(async ({ source }) => {
        await source?.[Symbol.asyncDispose]();
      }),
    );
    await this.#changing;
  }

  #hold({ trustDomain: name, bundle, endpoint }: SavedRelationship): Held {
    const trustDomain = TrustDomain.parse(name);
    const held: Held = { trustDomain, endpoint, bundle: readBundle(trustDomain, bundle), source: undefined };
    this.#start(held);
    this.#held.set(name, held);
    return held;
  }

  #start(held: Held): void {
    const { endpoint } = held;
    held.source = endpoint === undefined ? undefined : FederatedBundle.open(this.#follow(held, endpoint));
  }

  #follow(held: Held, endpoint: EndpointSetting): RelationshipOptions {
    const { log, signal } = this.#options;
    const { trustDomain, bundle } = held;
    return {
      trustDomain,
      url: endpoint.url,
      profile: this.#profileOf(endpoint),
      ...(bundle === undefined ? {} : { initial: bundle }),
      onChange: (next) => {
        if (this.#held.get(trustDomain.name) !== held) return;
        held.bundle = next;
        this.#change();
        log.info('federation.updated', {
          trustDomain: trustDomain.name,
          sequence: String(next.sequence ?? ''),
        });
        this.#alone(() => this.#save()).catch((error: unknown) =>
          log.error('federation.failed', describeError(error)),
        );
      },
      onFailure: (error) =>
        log.warn('federation.failed', { trustDomain: trustDomain.name, ...describeError(error) }),
      signal,
    };
  }

  #profileOf(endpoint: EndpointSetting): RelationshipProfile {
    if (endpoint.profile === 'https_web') return { kind: 'https_web' };
    const id = SpiffeId.parse(endpoint.spiffeId);
    const { own } = this.#options;
    const authorities = (): X509Bundle | undefined =>
      id.memberOf(own.trustDomain) ? own : this.#held.get(id.trustDomain.name)?.bundle?.x509Bundle();
    return { kind: 'https_spiffe', id, authorities };
  }

  #change(): void {
    this.#revision += 1;
    this.#options.changed.fire();
  }

  #saved(): readonly SavedRelationship[] {
    return [...this.#held.values()].map(({ trustDomain, bundle, endpoint }) => ({
      trustDomain: trustDomain.name,
      ...(bundle === undefined ? {} : { bundle: bundle.marshal() }),
      ...(endpoint === undefined ? {} : { endpoint }),
    }));
  }

  /** Each change sees what the one before it has left. */
  async #alone<T>(change: () => Promise<T>): Promise<T> {
    const result = this.#changing.then(change);
    this.#changing = result.catch(() => undefined);
    return await result;
  }

  /** Within `#alone`: of two at once, the older one could be written last. */
  async #save(relationships = this.#saved()): Promise<void> {
    await writePrivateFile(
      this.#path,
      `${JSON.stringify({ version: fileVersion, relationships }, null, 2)}\n`,
    );
    this.#unsaved.clear();
  }
}

/** Throws SpiffeError `bundle_invalid`, also for one that is read and cannot be used. */
function readBundle(trustDomain: TrustDomain, bundle: string | undefined): SpiffeBundle | undefined {
  if (bundle === undefined) return undefined;
  const read = SpiffeBundle.parse(trustDomain, bundle);
  read.x509Bundle();
  read.jwtBundle();
  return read;
}

function describe({ trustDomain, endpoint, bundle, source }: Held): Relationship {
  return {
    trustDomain: trustDomain.name,
    x509Authorities: bundle?.x509Authorities.length ?? 0,
    jwtAuthorities: bundle?.jwtAuthorities.length ?? 0,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(bundle?.sequence === undefined ? {} : { sequence: String(bundle.sequence) }),
    ...(source?.error === undefined ? {} : { error: source.error.message }),
  };
}

async function readFile(path: string): Promise<readonly SavedRelationship[]> {
  const bytes = await readPrivateFile(path, maxFileBytes);
  if (bytes === undefined) return [];
  try {
    const { relationships } = fileSchema.parse(JSON.parse(bytes.toString('utf8')));
    for (const { trustDomain, bundle } of relationships) readBundle(TrustDomain.parse(trustDomain), bundle);
    return relationships;
  } catch (error) {
    const message = `${path} is damaged, or of another release; move it away to start without other trust domains`;
    throw new SpikeError('config_invalid', message, { cause: error });
  }
}
