import { SpikeError, toSpikeError } from '@spike/error';
import { readBytes } from '../input/hidden.ts';
import { policyFromFlags, readPolicies, type PolicySet, type PolicySpec } from '../input/policy.ts';
import type { Invocation } from '../invocation.ts';
import type { ApplyFlags } from '../option.ts';
import type { Paint } from '../output/color.ts';
import { show, showDone } from '../output/show.ts';
import { toPrintableLine } from '../output/text.ts';
import { openSession, type Session } from '../session.ts';
import { findPolicy, sendPolicy } from './policy.ts';

/** Everything is read and understood before the first policy is sent. */
export async function applyPolicies(
  invocation: Invocation,
  file: string | undefined,
  flags: ApplyFlags,
): Promise<void> {
  const { specs, warnings } = await readSpecs(invocation, file ?? flags.file, flags);
  for (const warning of warnings) invocation.stderr.write(`Warning: ${toPrintableLine(warning)}\n`);
  await using session = await openSession(invocation, 'superuser');
  if (flags.dryRun === true) {
    await showPlan(invocation, await planChanges(session, specs));
    return;
  }
  const done: unknown[] = [];
  for (const [index, spec] of specs.entries()) {
    const told = await send(session, invocation, spec, { index, count: specs.length });
    done.push({ name: spec.name, warnings: told });
    if (invocation.settings.format === 'human')
      await showDone(invocation, `Policy '${spec.name}' applied successfully`, undefined);
  }
  if (invocation.settings.format !== 'human') await show(invocation, { human: () => '', value: done });
}

async function readSpecs(
  { stdin, deadline }: Invocation,
  place: string | undefined,
  flags: ApplyFlags,
): Promise<PolicySet> {
  if (place === undefined) return { specs: [policyFromFlags(flags)], warnings: [] };
  const { name, pathPattern, spiffeidPattern, permissions } = flags;
  if ([name, pathPattern, spiffeidPattern, permissions].some((flag) => flag !== undefined))
    throw new SpikeError('data_invalid_input', 'describe the policy in the file or with flags, not both');
  return await readPolicies(place, () => deadline.pauseFor(() => readBytes(stdin)));
}

/** Says which one failed and how many are done, where there are several. */
async function send(
  session: Session,
  invocation: Invocation,
  spec: PolicySpec,
  { index, count }: { readonly index: number; readonly count: number },
): Promise<readonly string[]> {
  try {
    return await sendPolicy(session, invocation, spec);
  } catch (thrown) {
    if (count === 1) throw thrown;
    const { code, message, detail } = toSpikeError(thrown);
    const where = `policy ${spec.name}, after ${index} of ${count} were applied`;
    throw new SpikeError(code, `${where}: ${message}`, { detail, cause: thrown });
  }
}

type Field = 'spiffeidPattern' | 'pathPattern' | 'permissions';

interface Change {
  readonly name: string;
  readonly change: 'create' | 'update' | 'unchanged';
  /** What differs: as it is, null for nothing, and as it would be. */
  readonly fields: Readonly<Partial<Record<Field, { readonly from: unknown; readonly to: unknown }>>>;
}

async function planChanges(session: Session, specs: readonly PolicySpec[]): Promise<readonly Change[]> {
  const changes: Change[] = [];
  for (const spec of specs) {
    const found = await findPolicy(session, spec);
    const pairs: readonly (readonly [Field, unknown, unknown])[] = [
      ['spiffeidPattern', found?.spiffiedPattern ?? null, spec.spiffeidPattern],
      ['pathPattern', found?.pathPattern ?? null, spec.pathPattern],
      ['permissions', found?.permissions ?? null, spec.permissions],
    ];
    const different = pairs.filter(([, from, to]) => toComparable(from) !== toComparable(to));
    changes.push({
      name: spec.name,
      change: found === undefined ? 'create' : different.length > 0 ? 'update' : 'unchanged',
      fields: Object.fromEntries(different.map(([field, from, to]) => [field, { from, to }])),
    });
  }
  return changes;
}

/** The order of permissions says nothing. */
function toComparable(value: unknown): string {
  return JSON.stringify(Array.isArray(value) ? value.map(String).toSorted() : value);
}

async function showPlan(invocation: Invocation, changes: readonly Change[]): Promise<void> {
  await show(invocation, {
    human: (paint) => `${changes.map((change) => describe(change, paint)).join('')}${summarize(changes)}`,
    value: changes,
    isPaged: true,
  });
}

function describe({ name, change, fields }: Change, paint: Paint): string {
  const lines = Object.entries(fields).flatMap(([field, { from, to }]) => [
    ...(from === null ? [] : [paint('red', `  - ${field}: ${format(from)}`)]),
    paint('green', `  + ${field}: ${format(to)}`),
  ]);
  return [`${change} ${paint('bold', name)}`, ...lines, ''].join('\n');
}

function format(value: unknown): string {
  return toPrintableLine(Array.isArray(value) ? value.join(', ') : String(value));
}

function summarize(changes: readonly Change[]): string {
  const count = (kind: Change['change']): number => changes.filter(({ change }) => change === kind).length;
  return `${count('create')} to create, ${count('update')} to update, ${count('unchanged')} unchanged; nothing was written.\n`;
}
