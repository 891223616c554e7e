import { normalizeName, type NexusTable } from '@spike/contract';
import { SpikeError } from '@spike/error';
import type { Administration, Handlers, RequestContext } from '@spike/server';
import type { AdministratorView, Issued } from './administrator.ts';
import type { AccessLayer } from './layer.ts';
import type { Asked, Entering } from './port.ts';
import type { Selection, SessionView } from './session.ts';
import type { Begun } from './token-book.ts';

type AdminHandlers = Pick<
  Handlers<NexusTable>,
  | 'initialize'
  | 'login'
  | 'logout'
  | 'changePassword'
  | 'showToken'
  | 'renewToken'
  | 'listTokens'
  | 'getToken'
  | 'revokeTokens'
  | 'createAdministrator'
  | 'listAdministrators'
  | 'getAdministrator'
  | 'disableAdministrator'
  | 'enableAdministrator'
  | 'setAdministratorRole'
  | 'resetAdministratorPassword'
>;

/** The routes of the second layer; `layer` throws where there is none. */
export function createAdminHandlers(layer: () => AccessLayer, auditKey: () => string): AdminHandlers {
  return {
    initialize: async (grant, request, context) => {
      const begun = await layer().initialisation.run(request, entering(grant, context));
      return { ...toBegun(begun, layer()), auditKey: auditKey() };
    },
    login: async (grant, { ttlSeconds, uses, newPassword, ...request }, context) => {
      const wanted = { ...request, ttlMs: ttlSeconds * 1_000, uses, newPassword };
      // A password that was typed where the name belongs has the form of a name, too, and must not be recorded.
      if (layer().books.administrator(request.user) !== undefined) context.about(request.user);
      return toBegun(await layer().login.run(wanted, entering(grant, context)), layer());
    },
    logout: async (grant, { all }, context) => {
      const { name, accessor } = sessionOf(grant);
      const selection: Selection = all ? { kind: 'user', user: name } : { kind: 'accessor', accessor };
      return { ended: await layer().sessions.revoke(selection, undefined, asked(grant, context)) };
    },
    changePassword: async (grant, { password, newPassword }, context) => {
      const { name: user, accessor, readOnly } = sessionOf(grant);
      if (readOnly) throw new SpikeError('access_unauthorized', 'this token may read only');
      const change = { user, accessor, password, newPassword };
      return { ended: await layer().login.changePassword(change, asked(grant, context)) };
    },
    showToken: async (grant) => ({
      session: toSession(layer().sessions.get(sessionOf(grant).accessor, undefined)),
    }),
    renewToken: async (grant, { ttlSeconds }, context) => {
      const { accessor } = sessionOf(grant);
      const session = await layer().sessions.renew(accessor, ttlSeconds * 1_000, asked(grant, context));
      return { session: toSession(session) };
    },
    listTokens: async ({ permission }) => ({
      sessions: layer().sessions.list(permission.tenant).map(toSession),
    }),
    getToken: async ({ permission }, { accessor }) => ({
      session: toSession(layer().sessions.get(accessor, permission.tenant)),
    }),
    revokeTokens: async (grant, { by, which }, context) => {
      const { tenant } = grant.permission;
      const selection = toSelection(by, which);
      return { ended: await layer().sessions.revoke(selection, tenant, asked(grant, context)) };
    },
    createAdministrator: async (grant, { name, role, tenant, spiffeId }, context) => {
      const wanted = { name, role, tenant, spiffeId: spiffeId ?? grant.peer.id.toString() };
      const issued = await layer().administrators.create(managerOf(grant), wanted, asked(grant, context));
      return toIssued(issued);
    },
    listAdministrators: async ({ permission }) => ({
      administrators: (await layer().administrators.list(permission.tenant)).map(toAdministrator),
    }),
    getAdministrator: async ({ permission }, { name }) => ({
      administrator: toAdministrator(await layer().administrators.get(name, permission.tenant)),
    }),
    disableAdministrator: async (grant, { name }, context) =>
      await setEnabled(layer(), grant, name, false, context),
    enableAdministrator: async (grant, { name }, context) =>
      await setEnabled(layer(), grant, name, true, context),
    setAdministratorRole: async (grant, { name, role, tenant }, context) => {
      const position = { role, tenant };
      const { administrators } = layer();
      const changed = await administrators.setRole(managerOf(grant), name, position, asked(grant, context));
      return { administrator: toAdministrator(changed) };
    },
    resetAdministratorPassword: async (grant, { name }, context) =>
      toIssued(await layer().administrators.resetPassword(managerOf(grant), name, asked(grant, context))),
  };
}

export interface Granted {
  readonly peer: { readonly id: { toString(): string } };
  readonly administrator: Administration | undefined;
}

async function setEnabled(
  layer: AccessLayer,
  grant: Granted,
  name: string,
  isEnabled: boolean,
  context: RequestContext,
): Promise<{ administrator: ReturnType<typeof toAdministrator> }> {
  const changed = await layer.administrators.setEnabled(
    managerOf(grant),
    name,
    isEnabled,
    asked(grant, context),
  );
  return { administrator: toAdministrator(changed) };
}

/** Who asks and how it is recorded, for what changes the second layer. */
export function asked(grant: Granted, { remoteAddress, signal, check, draftAudit }: RequestContext): Asked {
  return { spiffeId: grant.peer.id.toString(), remoteAddress, signal, check, record: draftAudit() };
}

function entering(
  grant: Granted,
  { remoteAddress, signal, check, draftAudit: draft }: RequestContext,
): Entering {
  return { spiffeId: grant.peer.id.toString(), remoteAddress, signal, check, draft };
}

function managerOf(grant: Granted): Administration {
  return sessionOf(grant);
}

/** Throws SpikeError `session_required`. */
export function sessionOf({ administrator }: Granted): Administration {
  if (administrator !== undefined) return administrator;
  throw new SpikeError('session_required', 'log in first: spike login');
}

function toSelection(by: 'accessor' | 'user' | 'all', which: string): Selection {
  if ((which === '') !== (by === 'all'))
    throw new SpikeError('data_invalid_input', 'name the session or the administrator, or neither for all');
  if (by === 'all') return { kind: 'all' };
  return by === 'user'
    ? { kind: 'user', user: normalizeName(which) ?? '' }
    : { kind: 'accessor', accessor: which };
}

const toTime = (ms: number): string => new Date(ms).toISOString();

function toBegun({ token, session }: Begun, layer: AccessLayer) {
  return { token, session: toSession(layer.sessions.view(session)) };
}

function toSession({ epoch: _epoch, usesLeft, createdAt, lastUsedAt, expiresAt, ...session }: SessionView) {
  return {
    ...session,
    createdAt: toTime(createdAt),
    lastUsedAt: toTime(lastUsedAt),
    expiresAt: toTime(expiresAt),
    ...(usesLeft === undefined ? {} : { usesLeft }),
  };
}

function toIssued({ administrator, oneTimePassword }: Issued) {
  return { administrator: toAdministrator(administrator), oneTimePassword };
}

function toAdministrator({ tenant, oneTimeUntil, createdAt, issuedAt, ...view }: AdministratorView) {
  return {
    ...view,
    createdAt: toTime(createdAt),
    issuedAt: toTime(issuedAt),
    ...(tenant === undefined ? {} : { tenant }),
    ...(oneTimeUntil === undefined ? {} : { oneTimeUntil: toTime(oneTimeUntil) }),
  };
}
