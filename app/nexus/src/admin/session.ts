import { SpikeError } from '@spike/error';
import type { Tenant } from '@spike/contract';
import type { BookSet } from './book-set.ts';
import type { Asked } from './port.ts';
import type { SessionFacts, TokenBook } from './token-book.ts';

/** What a session is shown as: with times of the wall clock, milliseconds since 1970. */
export type SessionView = SessionFacts;

/** Which sessions are meant. */
export type Selection =
  | { readonly kind: 'accessor'; readonly accessor: string }
  | { readonly kind: 'user'; readonly user: string }
  | { readonly kind: 'all' };

/** The sessions of administrators, for administrators. What ends here is ended with the next request. */
export class Sessions {
  readonly #books: BookSet;
  readonly #tokens: TokenBook;

  constructor({ books, tokens }: { readonly books: BookSet; readonly tokens: TokenBook }) {
    this.#books = books;
    this.#tokens = tokens;
  }

  get tokens(): TokenBook {
    return this.#tokens;
  }

  /** Of a tenant, or of all. */
  list(tenant: Tenant): readonly SessionView[] {
    return this.#tokens
      .list()
      .filter((session) => this.#isOf(session, tenant))
      .map((session) => this.view(session));
  }

  /** Throws SpikeError `api_not_found`. */
  get(accessor: string, tenant: Tenant): SessionView {
    const session = this.#tokens.find(accessor);
    if (session === undefined || !this.#isOf(session, tenant)) throw noSuch();
    return this.view(session);
  }

  /** Throws SpikeError `session_required` when it has ended meanwhile. */
  async renew(accessor: string, ttlMs: number, asked: Asked): Promise<SessionView> {
    await this.#books.commit([], asked);
    const session = this.#tokens.renew(accessor, ttlMs);
    if (session === undefined) throw new SpikeError('session_required', 'the session is over: log in again');
    return this.view(session);
  }

  /** How many ended. Throws SpikeError `api_not_found` for an accessor or a name that has none. */
  async revoke(selection: Selection, tenant: Tenant, asked: Asked): Promise<number> {
    const meant = (session: SessionFacts): boolean =>
      this.#isOf(session, tenant) && isMeant(session, selection);
    if (selection.kind !== 'all' && !this.#tokens.list().some(meant)) throw noSuch();
    // First of all, so that none of them does anything while the record is written.
    const count = this.#tokens.revoke(meant);
    await this.#books.commit([], asked.record === undefined ? {} : { record: asked.record });
    return count;
  }

  view(session: SessionFacts): SessionView {
    const { clock } = this.#books;
    return {
      ...session,
      createdAt: clock.toWall(session.createdAt),
      lastUsedAt: clock.toWall(session.lastUsedAt),
      expiresAt: clock.toWall(session.expiresAt),
    };
  }

  #isOf({ administrator }: SessionFacts, tenant: Tenant): boolean {
    return tenant === undefined || this.#books.administrator(administrator)?.tenant === tenant.join('/');
  }
}

function isMeant(session: SessionFacts, selection: Selection): boolean {
  switch (selection.kind) {
    case 'accessor':
      return session.accessor === selection.accessor;
    case 'user':
      return session.administrator === selection.user;
    case 'all':
      return true;
  }
}

function noSuch(): SpikeError {
  return new SpikeError('api_not_found', 'there is no such session');
}
