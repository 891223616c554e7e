import { nexusTable, type InputOf, type NexusTable, type Table, type Transport } from '@spike/contract';
import type { VerifiedPeer } from '@spike/spiffe';
import { createDispatch, type Dispatch, type DispatchOptions } from '../dispatch.ts';
import type { Grant } from '../guard/grant.ts';
import { RoleBook } from '../guard/role.ts';
import { createMemoryTransport } from '../memory.ts';
import type { Handlers, RequestContext } from '../port.ts';
import { createFakeLog, FakeAudit, FakeGate, FakePolicies, FakeSessions } from './port.ts';
import { nexusSamples, type Samples } from './sample.ts';
import { TestWorld } from './world.ts';

export interface Call {
  readonly name: string;
  readonly grant: Grant;
  readonly input: Readonly<Record<string, unknown>>;
}

/** A dispatch over a table with handlers that answer its samples, and every port in a test's hands. */
export class Stage<T extends Table = NexusTable> {
  readonly world: TestWorld;
  readonly policies = new FakePolicies();
  readonly sessions = new FakeSessions();
  readonly gate = new FakeGate();
  readonly audit = new FakeAudit();
  readonly log = createFakeLog();
  /** Which handlers were reached, in order. */
  readonly calls: Call[] = [];
  /** Runs in each handler, before it answers. */
  before: (context: RequestContext) => Promise<void> | void = () => undefined;
  readonly options: DispatchOptions<T>;
  readonly dispatch: Dispatch;

  constructor(
    table: T,
    samples: Samples<T>,
    overrides: Partial<Handlers<T>> = {},
    world: TestWorld = new TestWorld(),
  ) {
    this.world = world;
    this.options = {
      component: 'nexus',
      instance: () => 'instance-1',
      table,
      handlers: { ...this.#createHandlers(table, samples), ...overrides },
      roles: RoleBook.ofOne(this.world.trustDomain),
      policies: this.policies,
      sessions: this.sessions,
      gate: this.gate,
      audit: this.audit,
      log: this.log.log,
    };
    this.dispatch = createDispatch(this.options);
  }

  static ofNexus(overrides: Partial<Handlers<NexusTable>> = {}): Stage {
    return new Stage(nexusTable, nexusSamples, overrides);
  }

  transport(peer: VerifiedPeer): Transport {
    return createMemoryTransport(this.dispatch, peer);
  }

  /** What stands in the answer to one request of raw bytes. */
  async ask(
    peer: VerifiedPeer,
    path: string,
    action: string,
    body: unknown,
    token?: string,
  ): Promise<{ readonly status: number; readonly json: Readonly<Record<string, unknown>> }> {
    const bytes = body instanceof Uint8Array ? body : Buffer.from(JSON.stringify(body));
    const { status, body: answer } = await this.transport(peer).send({
      path,
      action,
      body: bytes,
      repeatable: false,
      deadlineMs: 1000,
      responseBytes: 65_536,
      ...(token === undefined ? {} : { token }),
    });
    const json = JSON.parse(Buffer.from(answer).toString()) as Record<string, unknown>;
    return { status, json };
  }

  #createHandlers(table: T, samples: Samples<T>): Handlers<T> {
    const handlers = Object.keys(table).map((name) => [
      name,
      async (grant: Grant, input: InputOf<T[string]>, context: RequestContext) => {
        this.calls.push({ name, grant, input });
        await this.before(context);
        return samples[name]?.output;
      },
    ]);
    return Object.fromEntries(handlers) as Handlers<T>;
  }
}
