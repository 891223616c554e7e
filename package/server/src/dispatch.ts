import {
  formatResponse,
  parseJson,
  parseRequest,
  type InputOf,
  type OutputOf,
  type Route,
  type Table,
} from '@spike/contract';
import { SpikeError, toSpikeError } from '@spike/error';
import { describeError, type Log } from '@spike/log';
import { answerError, answerOk, wireCode } from './answer.ts';
import { AuditEntry, RandomIds, toDraft, type AuditDraft } from './audit-record.ts';
import { Deadline } from './deadline.ts';
import type { Answer, Exchange } from './exchange.ts';
import { Authority } from './guard/authorize.ts';
import type { Grant } from './guard/grant.ts';
import type { RoleBook } from './guard/role.ts';
import type { AuditPort, Gate, Handlers, PolicyDecider, RequestContext } from './port.ts';

export interface DispatchOptions<T extends Table> {
  readonly component: string;
  /** Of now: it may come to be while the server runs. */
  readonly instance: () => string;
  readonly table: T;
  readonly handlers: Handlers<T>;
  readonly roles: RoleBook;
  readonly policies: PolicyDecider;
  readonly gate: Gate;
  readonly audit: AuditPort;
  readonly log: Log;
}

export type Dispatch = (exchange: Exchange) => Promise<void>;

type AnyHandler = (
  grant: Grant,
  input: Readonly<Record<string, unknown>>,
  context: RequestContext,
) => Promise<OutputOf<Route>>;

interface Entry {
  readonly route: Route;
  readonly handle: AnyHandler;
}

/** From so many bytes on, a body is not read of a peer to whom no path is open; below, its record names the path. */
const cheapBytes = 64 * 1024;
const longestRoute = 200;

/** The only way from a request to a handler. The function that it makes never rejects. */
export function createDispatch<T extends Table>(options: DispatchOptions<T>): Dispatch {
  const dispatcher = new Dispatcher(options);
  return (exchange) => dispatcher.serve(exchange);
}

class Dispatcher<T extends Table> {
  readonly #options: DispatchOptions<T>;
  readonly #authority: Authority;
  readonly #entries = new Map<string, Entry>();
  readonly #ids = new RandomIds();

  constructor(options: DispatchOptions<T>) {
    this.#options = options;
    this.#authority = new Authority(options.roles, options.policies);
    for (const [name, route] of Object.entries(options.table)) {
      // The one place where a handler loses the types of its route: both come from the same key of the table.
      const handler: unknown = Reflect.get(options.handlers, name);
      const handle = handler as AnyHandler;
      this.#entries.set(`${route.path}?${route.action}`, { route, handle });
    }
  }

  async serve(exchange: Exchange): Promise<void> {
    const { gate, component } = this.#options;
    const epoch = gate.identityEpoch;
    const facts = {
      component,
      instance: this.#options.instance(),
      spiffeId: exchange.peer.id.toString(),
      remoteAddress: exchange.remoteAddress,
      remotePort: exchange.remotePort,
      route: toRouteText(exchange),
    };
    const audit = new AuditEntry(facts, this.#ids);
    const entry =
      exchange.method === 'POST' ? this.#entries.get(`${exchange.path}?${exchange.action}`) : undefined;
    if (entry !== undefined) audit.action = entry.route.audit;
    let answer: Answer;
    let failure: SpikeError | undefined;
    try {
      answer = answerOk(await this.#handle(exchange, entry, audit, epoch));
    } catch (thrown) {
      failure = toSpikeError(thrown);
      answer = answerError(failure, audit.trail, entry?.route.error);
      this.#report(failure, thrown, audit);
    }
    try {
      await this.#record(audit, failure);
    } catch (thrown) {
      this.#options.log.error('audit.unavailable', { trail: audit.trail, ...describeError(thrown) });
      const unavailable = new SpikeError('audit_unavailable', 'the audit cannot be written; try again later');
      answer = answerError(unavailable, audit.trail, entry?.route.error);
    }
    // Nothing may come between this question and the first byte.
    if (gate.identityEpoch === epoch) exchange.answer(answer);
    else exchange.cut();
  }

  async #handle(
    exchange: Exchange,
    entry: Entry | undefined,
    audit: AuditEntry,
    epoch: number,
  ): Promise<Record<string, unknown>> {
    const { gate } = this.#options;
    if (exchange.method !== 'POST') throw new SpikeError('api_bad_request', 'every route takes POST');
    // The original is not ready for what it does not know, either (wire.md 1.1).
    gate.check(entry?.route.need ?? 'unlocked');
    if (entry === undefined) throw new SpikeError('api_bad_request', 'there is no such route');
    const { route, handle } = entry;
    const { peer } = exchange;
    if ('at' in route.guard) audit.path = route.guard.at;
    const early = this.#authority.authorizeEarly(route, peer);
    const large = (exchange.bodyBytes ?? Infinity) > cheapBytes;
    // Authorising an empty request refuses it, in the words of every other refusal.
    if (large && this.#authority.isHopeless(route, peer)) this.#authority.authorize(route, peer, {});
    using deadline = new Deadline(route.limits.deadlineMs, exchange);
    const body = await exchange.readBody(route.limits.requestBytes, route.limits.deadlineMs);
    // Bodies take their time; nothing is begun for whoever sent one to a Nexus that has lost its identity since.
    if (gate.identityEpoch !== epoch)
      throw new SpikeError('identity_withdrawn', 'the identity was withdrawn while the request arrived');
    const input = parseRequest(route, parseJson(body)) as InputOf<Route>;
    notePath(audit, route, input);
    const grant = early ?? this.#authority.authorize(route, peer, input);
    audit.policy = grant.policy;
    const output = await handle(grant, input, {
      trail: audit.trail,
      get signal() {
        return deadline.signal;
      },
      draftAudit: () => draftOnce(audit),
    });
    return formatResponse(route, output);
  }

  async #record(audit: AuditEntry, failure: SpikeError | undefined): Promise<void> {
    const { audit: port, gate } = this.#options;
    if (failure === undefined && audit.draft !== undefined) {
      await port.append(audit.draft, { committed: true });
      return;
    }
    const denied = failure?.row.status === 401;
    const outcome = failure === undefined ? 'ok' : denied ? 'denied' : 'failed';
    const code = failure === undefined ? '' : wireCode(failure.code);
    const record = audit.record(outcome, code, { withPath: gate.unlocked });
    if (gate.unlocked) await port.append(toDraft(record), { committed: false });
    else await port.appendUnready(toDraft(record), record);
  }

  #report(failure: SpikeError, thrown: unknown, audit: AuditEntry): void {
    if (failure.row.status < 500 || failure.code === 'state_not_ready') return;
    this.#options.log.error('request.failed', {
      trail: audit.trail,
      action: audit.action,
      ...describeError(failure),
      thrown: thrown instanceof Error ? thrown.name : typeof thrown,
    });
  }
}

function draftOnce(audit: AuditEntry): AuditDraft {
  audit.draft = toDraft(audit.record('ok', '', { withPath: true }));
  return audit.draft;
}

function notePath(audit: AuditEntry, route: Route, input: Readonly<Record<string, unknown>>): void {
  const { guard, subject } = route;
  if (guard.kind === 'policy' && 'on' in guard) audit.path = String(input[guard.on]);
  if (subject !== undefined) audit.subject = String(input[subject]);
}

/** What a stranger wrote there, cut to a length that a log can bear. */
function toRouteText({ path, action }: Exchange): string {
  const text = action === '' ? path : `${path}?action=${action}`;
  return text.length > longestRoute ? `${text.slice(0, longestRoute)}…` : text;
}
