import type { NexusTable } from '@spike/contract';
import type { Samples } from './sample.ts';

const time = '2026-11-22T21:00:00Z';
const accessor = 'abcdefgh234567ij';
const id = 'spiffe://spike.ist/spike/pilot/role/superuser';
const password = 'a password of a sample';
const session = {
  accessor,
  administrator: 'admin',
  spiffeId: id,
  remoteAddress: '127.0.0.1',
  scope: 'all',
  createdAt: time,
  lastUsedAt: time,
  expiresAt: time,
  uses: 1,
  usesLeft: 2,
} as const;
const begun = { token: 'a token', session };
const administrator = {
  name: 'bob',
  role: 'tenant_admin',
  tenant: 'tenants/acme',
  spiffeId: id,
  sharesId: true,
  state: 'enabled',
  oneTimeUntil: time,
  createdAt: time,
  createdBy: 'admin',
  issuedAt: time,
  issuedBy: 'admin',
} as const;
const issued = { administrator, oneTimePassword: 'a one-time password' };

type AdminName =
  | 'initialize'
  | 'login'
  | 'logout'
  | 'changePassword'
  | `${'show' | 'renew' | 'get'}Token`
  | `${'list' | 'revoke'}Tokens`
  | `${'create' | 'get' | 'disable' | 'enable'}Administrator`
  | 'listAdministrators'
  | 'setAdministratorRole'
  | 'resetAdministratorPassword';

/** Of the routes of administrators. */
export const adminSamples: Pick<Samples<NexusTable>, AdminName> = {
  initialize: { input: { user: 'admin', password, code: 'abcde-fghij' }, output: begun },
  login: { input: { user: 'admin', password, ttlSeconds: 60, scope: 'read-only' }, output: begun },
  logout: { input: { all: false }, output: { ended: 1 } },
  changePassword: { input: { password, newPassword: `${password} anew` }, output: { ended: 0 } },
  showToken: { input: {}, output: { session } },
  renewToken: { input: { ttlSeconds: 60 }, output: { session } },
  listTokens: { input: {}, output: { sessions: [session] } },
  getToken: { input: { accessor }, output: { session } },
  revokeTokens: { input: { by: 'user', which: 'bob' }, output: { ended: 1 } },
  createAdministrator: {
    input: { name: 'bob', role: 'tenant_admin', tenant: 'tenants/acme', spiffeId: id },
    output: issued,
  },
  listAdministrators: { input: {}, output: { administrators: [administrator] } },
  getAdministrator: { input: { name: 'bob' }, output: { administrator } },
  disableAdministrator: { input: { name: 'bob' }, output: { administrator } },
  enableAdministrator: { input: { name: 'bob' }, output: { administrator } },
  setAdministratorRole: { input: { name: 'bob', role: 'auditor' }, output: { administrator } },
  resetAdministratorPassword: { input: { name: 'bob' }, output: issued },
};
