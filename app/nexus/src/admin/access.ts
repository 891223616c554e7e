import { SpikeError } from '@spike/error';
import type { Administration, SessionPort, TokenUse } from '@spike/server';
import type { BookSet } from './book-set.ts';
import type { AdministratorRecord } from './administrator-record.ts';
import type { AccessAlerts } from './port.ts';
import { accessorOf } from './token-text.ts';
import type { SessionFacts, TokenBook } from './token-book.ts';

export interface AccessOptions {
  readonly books: BookSet;
  readonly tokens: TokenBook;
  readonly alerts: AccessAlerts;
  /** Whether a break-glass is open for this administrator. */
  readonly isEmergency: (name: string) => boolean;
}

/** Says whose session a request comes under (admin.md C). All of it is answered from memory, in one turn. */
export class Access implements SessionPort {
  readonly #options: AccessOptions;

  constructor(options: AccessOptions) {
    this.#options = options;
  }

  authenticate({ token, peer, remoteAddress, trail }: TokenUse): Administration {
    const { books, tokens, alerts } = this.#options;
    if (books.setting('initialised') === undefined)
      throw new SpikeError('state_not_initialized', 'there is no administrator yet: run spike init');
    if (token === undefined) throw loginFirst('log in first: spike login');
    const presented = tokens.present(token, peer.toString());
    if (presented.kind === 'misused') {
      const { administrator, accessor } = presented.session;
      alerts.raise({
        kind: 'token_misuse',
        subject: administrator,
        message: 'a token was shown by another identity than the one it was made for; it is revoked',
        detail: {
          accessor,
          shownBy: peer.toString(),
          madeFor: presented.session.spiffeId,
          remoteAddress,
          trail,
        },
      });
      throw loginFirst('this token belongs to another identity, and is revoked: log in again');
    }
    const record = presented.kind === 'session' ? this.#holder(presented.session) : undefined;
    if (presented.kind === 'unknown' || record === undefined)
      throw loginFirst('the session is over or was ended: log in again with spike login');
    const { accessor, scope } = presented.session;
    return {
      name: record.name,
      role: record.role,
      tenant: record.tenant?.split('/'),
      accessor,
      readOnly: scope === 'read-only',
      emergency: this.#options.isEmergency(record.name),
    };
  }

  accessorOf(token: string): string | undefined {
    return accessorOf(token);
  }

  assertStill({ accessor, name, emergency }: Administration): void {
    const session = this.#options.tokens.find(accessor);
    const holds = session !== undefined && this.#holder(session) !== undefined;
    if (!holds) throw loginFirst('the session was ended meanwhile: log in again with spike login');
    if (emergency && !this.#options.isEmergency(name))
      throw loginFirst('the break-glass was closed meanwhile');
  }

  /** The administrator of a session, as long as nothing has changed that ends it. */
  #holder({ administrator, epoch }: SessionFacts): AdministratorRecord | undefined {
    const record = this.#options.books.administrator(administrator);
    return record?.state === 'enabled' && record.epoch === epoch ? record : undefined;
  }
}

function loginFirst(message: string): SpikeError {
  return new SpikeError('session_required', message);
}
