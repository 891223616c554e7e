import {
  followHandover,
  openCheckpoint,
  parseCheckpoint,
  verifyConsistency,
  VerifierKey,
  type SignedCheckpoint,
} from '@spike/audit';
import type { NexusTable, OutputOf } from '@spike/contract';
import { SpikeError } from '@spike/error';
import type { Invocation } from '../invocation.ts';
import type { Session } from '../session.ts';
import { readTrust, remember, trustFile, type EarlierKey, type Trust } from './trust.ts';

/** What an administrator's own memory says of the audit. */
export type Witness =
  /** It is the continuation of what was seen before. */
  | {
      readonly state: 'seen';
      readonly checkpoint: SignedCheckpoint;
      readonly key: VerifierKey;
      readonly before: number | undefined;
    }
  /** Nobody told this person the key of this log. */
  | { readonly state: 'unknown'; readonly message: string; readonly key: VerifierKey }
  /** It is not what it was. */
  | { readonly state: 'broken'; readonly message: string };

/**
 * Compares the audit with the last checkpoint that this person saw, and keeps the new one: so every administrator is a
 * witness. For each command that has a session, such as `status`. Throws what a call of Nexus throws.
 */
export async function witnessAudit(invocation: Invocation, session: Session): Promise<Witness> {
  const trust = await readTrust(invocation);
  const told = await session.client.auditKey({}, session.call);
  const now = VerifierKey.parse(told.key);
  const known = trust.get(now.name);
  if (known === undefined) return strange(trust, now);
  const passed = follow(VerifierKey.parse(known.key), now, told);
  if (passed === undefined) {
    return broken(
      invocation,
      'the key that signs the audit is another, and the one before did not announce it',
    );
  }
  const before =
    known.checkpoint === undefined
      ? undefined
      : openCheckpoint(known.checkpoint, VerifierKey.parse(known.key));
  try {
    const checkpoint = await ask(session, now, before);
    if (checkpoint === undefined) {
      return broken(
        invocation,
        `the audit is not the continuation of the one with ${before?.size ?? 0} lines that you saw`,
      );
    }
    const earlier = withSizes([...(known.earlier ?? []), ...passed], now, told);
    await remember(invocation, now.name, {
      key: now.toString(),
      ...(earlier.length === 0 ? {} : { earlier }),
      checkpoint: checkpoint.note,
    });
    return { state: 'seen', checkpoint, key: now, before: before?.size };
  } catch (error) {
    if (!(error instanceof SpikeError)) throw error;
    if (error.code === 'store_integrity') return broken(invocation, error.message);
    // What it signed is no answer of ours, or of a log that never had so many lines.
    if (error.code === 'data_invalid_input' || error.code === 'api_not_found')
      return broken(invocation, error.message);
    throw error;
  }
}

/**
 * The same for `status` and its like, which have more to tell: what is wrong, in sentences, and nothing where this person
 * has no session, no privilege or no key to ask with. Never throws but for the end of the command.
 */
export async function witnessProblems(invocation: Invocation, session: Session): Promise<readonly string[]> {
  try {
    const witness = await witnessAudit(invocation, session);
    return witness.state === 'broken' ? [witness.message] : [];
  } catch (error) {
    if (invocation.signal.aborted || !(error instanceof SpikeError)) throw error;
    // A file of ours that is damaged is worth a word; that Nexus does not answer is told by the rest.
    return error.code === 'fs_unsafe' || error.code === 'data_invalid_input' ? [error.message] : [];
  }
}

/** The checkpoint of now, when it is of a log that goes on from the one before; undefined when it is not. */
async function ask(
  { client, call }: Session,
  key: VerifierKey,
  before: SignedCheckpoint | undefined,
): Promise<SignedCheckpoint | undefined> {
  if (before === undefined) {
    const { checkpoint } = await client.checkpointAudit({}, call);
    return openCheckpoint(checkpoint, key);
  }
  const { hashes, checkpoint } = await client.proveConsistency({ size: before.size }, call);
  const after = openCheckpoint(checkpoint, key);
  return verifyConsistency(before, after, hashes.map(toBytes)) ? after : undefined;
}

type Told = OutputOf<NexusTable['auditKey']>;

/** The keys from the one that is known to before the one of now; undefined where they do not lead to it. */
function follow(known: VerifierKey, now: VerifierKey, told: Told): readonly EarlierKey[] | undefined {
  const passed: EarlierKey[] = [];
  let key = known;
  for (const handover of told.handovers) {
    if (key.equals(now)) break;
    const next = successor(key, handover);
    // One of before the key that is known.
    if (next === undefined) continue;
    passed.push({ key: key.toString(), handedOverAt: parseCheckpoint(handover.note).size });
    key = next;
  }
  return key.equals(now) ? passed : undefined;
}

/** For a file from before sizes were kept: two keys that this person trusts both signed how long the log was between them. */
function withSizes(keys: readonly EarlierKey[], now: VerifierKey, told: Told): readonly EarlierKey[] {
  return keys.map((one, index) => {
    if (one.handedOverAt !== undefined) return one;
    const after = keys[index + 1]?.key ?? now.toString();
    const key = VerifierKey.parse(one.key);
    const handover = told.handovers.find((each) => successor(key, each)?.toString() === after);
    return handover === undefined ? one : { ...one, handedOverAt: parseCheckpoint(handover.note).size };
  });
}

function successor(
  key: VerifierKey,
  { hashes, ...handover }: Told['handovers'][number],
): VerifierKey | undefined {
  try {
    const next = followHandover(key, { ...handover, path: hashes.map(toBytes) });
    // The one by which this key came leads to itself.
    return next.equals(key) ? undefined : next;
  } catch {
    return undefined;
  }
}

/** A log that nobody told of. Where another of this Nexus is known, that is more than a first meeting. */
function strange(trust: Trust, key: VerifierKey): Witness {
  const family = withoutEpoch(key.name);
  const other = [...trust.keys()].find((origin) => withoutEpoch(origin) === family);
  if (other === undefined) {
    const message =
      'nobody told you the key of this audit: get it from whoever ran spike init, and pin it with spike audit key --pin';
    return { state: 'unknown', message, key };
  }
  return {
    state: 'broken',
    message: `this is the audit ${key.name}, and you know ${other}: an instance has one log, so this is not its continuation; ask who began it`,
  };
}

function broken(invocation: Invocation, reason: string): Witness {
  return {
    state: 'broken',
    message: `${reason}; keep ${trustFile(invocation)}, which proves it, and tell everybody`,
  };
}

function withoutEpoch(origin: string): string {
  return origin.replace(/\/\d+$/u, '');
}

export function toBytes(text: string): Uint8Array {
  return Buffer.from(text, 'base64');
}
