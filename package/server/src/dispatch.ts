import {
  bodyKindOf,
  readRequest,
  writeResponse,
  type OutputOf,
  type Route,
  type Table,
} from '@spike/contract';
import { codeTable, SpikeError, toSpikeError } from '@spike/error';
import { describeError, type Log } from '@spike/log';
import { answerError, answerOk, wireCode } from './answer.ts';
import { AuditEntry, Stamps, toDraft, type AuditDraft, type Begun, type Outcome } from './audit-record.ts';
import { Deadline } from './deadline.ts';
import type { Answer, Exchange } from './exchange.ts';
import { Authority, type Caller } from './guard/authorize.ts';
import type { Grant } from './guard/grant.ts';
import type { RoleBook } from './guard/role.ts';
import type {
  Administration,
  AuditPort,
  Gate,
  Handlers,
  Observed,
  PolicyDecider,
  RequestContext,
  SessionPort,
} from './port.ts';

export interface DispatchOptions<T extends Table> {
  readonly component: string;
  /** Of now: it may come to be while the server runs. */
  readonly instance: () => string;
  readonly table: T;
  readonly handlers: Handlers<T>;
  readonly roles: RoleBook;
  readonly policies: PolicyDecider;
  readonly sessions: SessionPort;
  readonly gate: Gate;
  readonly audit: AuditPort;
  /** Told of each request behind its record, before its answer; must not throw and not take long. */
  readonly observe?: (observed: Observed) => void;
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
  /** Path and action, as the audit names them. */
  readonly text: string;
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
  /** By path, then by action. */
  readonly #entries = new Map<string, Map<string, Entry>>();
  readonly #stamps = new Stamps();

  constructor(options: DispatchOptions<T>) {
    this.#options = options;
    this.#authority = new Authority(options.roles, options.policies);
    for (const [name, route] of Object.entries(options.table)) {
      // The one place where a handler loses the types of its route: both come from the same key of the table.
      const handler: unknown = Reflect.get(options.handlers, name);
      const handle = handler as AnyHandler;
      const actions = this.#entries.get(route.path) ?? new Map<string, Entry>();
      this.#entries.set(route.path, actions.set(route.action, { route, handle, text: toRouteText(route) }));
    }
  }

  async serve(exchange: Exchange): Promise<void> {
    const { gate, component } = this.#options;
    const epoch = gate.identityEpoch;
    const entry =
      exchange.method === 'POST' ? this.#entries.get(exchange.path)?.get(exchange.action) : undefined;
    const facts = {
      component,
      instance: this.#options.instance(),
      spiffeId: exchange.peer.id.toString(),
      remoteAddress: exchange.remoteAddress,
      remotePort: exchange.remotePort,
      route: entry?.text ?? toRouteText(exchange),
    };
    const audit = new AuditEntry(facts, this.#stamps);
    if (entry !== undefined) audit.action = entry.route.audit;
    let answer: Answer;
    let failure: SpikeError | undefined;
    try {
      answer = await this.#handle(exchange, entry, audit, epoch);
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
      failure = unavailable;
    }
    this.#options.observe?.(audit.observed(outcomeOf(failure), failure?.code));
    // Nothing may come between these questions and the first byte.
    const isDenied = failure?.code !== 'identity_denied' && gate.denies(exchange.peer.id);
    if (gate.identityEpoch === epoch && !isDenied) exchange.answer(answer);
    else exchange.cut();
  }

  async #handle(
    exchange: Exchange,
    entry: Entry | undefined,
    audit: AuditEntry,
    epoch: number,
  ): Promise<Answer> {
    const { gate } = this.#options;
    if (exchange.refusal !== undefined) throw exchange.refusal;
    if (exchange.method !== 'POST') throw new SpikeError('api_bad_request', 'every route takes POST');
    // The original is not ready for what it does not know, either (wire.md 1.1).
    gate.check(entry?.route.need ?? 'unlocked');
    // Here, where every request comes by, so that no route can forget it.
    if (gate.denies(exchange.peer.id)) this.#noteToken(exchange, audit);
    this.#assertAdmitted(exchange);
    if (entry === undefined) throw new SpikeError('api_bad_request', 'there is no such route');
    const { route, handle } = entry;
    const { peer } = exchange;
    if ('at' in route.guard) audit.path = route.guard.at;
    const caller: Caller = { peer, administrator: this.#authenticate(exchange, route, audit) };
    const early = this.#authority.authorizeEarly(route, caller);
    const large = (exchange.bodyBytes ?? Infinity) > cheapBytes;
    // Authorising an empty request refuses it, in the words of every other refusal.
    if (large && this.#authority.isHopeless(route, caller)) this.#authority.authorize(route, caller, {});
    using deadline = new Deadline(route.limits.deadlineMs, exchange);
    const body = await exchange.readBody(route.limits.requestBytes, route.limits.deadlineMs);
    // Bodies take their time; nothing is begun for whoever sent one to a Nexus that has lost its identity since.
    if (gate.identityEpoch !== epoch)
      throw new SpikeError('identity_withdrawn', 'the identity was withdrawn while the request arrived');
    this.#assertAdmitted(exchange);
    const kind = bodyKindOf(route, exchange.contentType);
    const input = readRequest(route, kind, body);
    notePath(audit, route, input);
    const grant = early ?? this.#authority.authorize(route, caller, input);
    audit.policy = grant.policy;
    const output = await handle(grant, input, {
      trail: audit.trail,
      remoteAddress: exchange.remoteAddress,
      check: () => {
        this.#assertAdmitted(exchange);
        if (grant.administrator !== undefined) this.#options.sessions.assertStill(grant.administrator);
      },
      get signal() {
        return deadline.signal;
      },
      about: (subject) => {
        audit.subject = subject;
      },
      draftAudit: (begun) => draftOnce(audit, begun),
    });
    return answerOk(kind, writeResponse(route, kind, output));
  }

  /** Throws SpikeError `identity_denied`. */
  #assertAdmitted({ peer }: Exchange): void {
    if (this.#options.gate.denies(peer.id))
      throw new SpikeError('identity_denied', codeTable.identity_denied.says);
  }

  /**
   * Whose session this request comes under. A token of ours is looked at wherever it is shown: one that was made for
   * somebody else has to be noticed also where none is asked for. What others call a bearer token is no matter of ours.
   */
  #authenticate(exchange: Exchange, route: Route, audit: AuditEntry): Administration | undefined {
    const { sessions, roles } = this.#options;
    const { peer, token, remoteAddress } = exchange;
    const accessor = token === undefined ? undefined : sessions.accessorOf(token);
    const isSuperuser = roles.has(peer.id, 'superuser');
    const asked = this.#authority.wantsSession(route, peer) || (isSuperuser && token !== undefined);
    if (!asked && accessor === undefined) return undefined;
    audit.accessor = accessor;
    const administrator = sessions.authenticate({ token, peer: peer.id, remoteAddress, trail: audit.trail });
    if (!isSuperuser) return undefined;
    // Where the SVID alone is enough, nobody has a name.
    if (administrator.name !== '') audit.administrator = administrator.name;
    if (administrator.accessor !== '') audit.accessor = administrator.accessor;
    return administrator;
  }

  /** Of whoever is refused anyway: a token that was made for somebody else is stolen, and has to be noticed all the same. */
  #noteToken({ peer, token, remoteAddress }: Exchange, audit: AuditEntry): void {
    const { sessions } = this.#options;
    audit.accessor = token === undefined ? undefined : sessions.accessorOf(token);
    if (audit.accessor === undefined) return;
    try {
      sessions.authenticate({ token, peer: peer.id, remoteAddress, trail: audit.trail });
    } catch {
      // What is answered is the denial.
    }
  }

  async #record(audit: AuditEntry, failure: SpikeError | undefined): Promise<void> {
    const { audit: port, gate } = this.#options;
    if (failure === undefined && audit.draft !== undefined) {
      await port.append(audit.draft, { committed: true, action: audit.action });
      return;
    }
    const outcome = outcomeOf(failure);
    const code = failure === undefined ? '' : wireCode(failure.code);
    const record = audit.record(outcome, code, { withPath: gate.unlocked });
    // A refusal is no action: whoever may do nothing else could have a checkpoint signed for each of his requests.
    const done = failure === undefined ? { action: audit.action } : {};
    if (gate.unlocked && audit.draft !== undefined)
      await port.appendIfCommitted(audit.draft, { action: audit.action });
    if (gate.unlocked) await port.append(toDraft(record), { committed: false, ...done });
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

function outcomeOf(failure: SpikeError | undefined): Outcome {
  if (failure === undefined) return 'ok';
  return failure.row.status === 401 ? 'denied' : 'failed';
}

function draftOnce(audit: AuditEntry, begun: Begun | undefined): AuditDraft {
  audit.begun = begun;
  audit.draft = toDraft(audit.record('ok', '', { withPath: true }));
  return audit.draft;
}

function notePath(audit: AuditEntry, route: Route, input: Readonly<Record<string, unknown>>): void {
  const { guard, subject } = route;
  if (guard.kind === 'policy' && 'on' in guard) audit.path = String(input[guard.on]);
  if (subject !== undefined) audit.subject = String(input[subject]);
}

/** What a stranger wrote there, cut to a length that a log can bear. */
function toRouteText({ path, action }: Pick<Exchange, 'path' | 'action'>): string {
  const text = action === '' ? path : `${path}?action=${action}`;
  return text.length > longestRoute ? `${text.slice(0, longestRoute)}…` : text;
}
