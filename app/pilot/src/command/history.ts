import type { Invocation } from '../invocation.ts';
import { show } from '../output/show.ts';
import { toPrintableLine } from '../output/text.ts';
import { openSession } from '../session.ts';

const most = 1000;

/** Every change of the state that is kept, newest first. */
export async function showHistory(invocation: Invocation): Promise<void> {
  await using session = await openSession(invocation, 'superuser');
  const { entries } = await session.client.listHistory({ limit: most }, session.call);
  await show(invocation, {
    human: (paint) =>
      entries.length === 0
        ? 'Nothing is noted yet.\n'
        : entries.map((entry) => `${describe(entry, paint)}\n`).join(''),
    value: entries,
    isPaged: true,
  });
}

function describe(
  {
    at,
    kind,
    says,
    detail,
  }: { at: string; kind: string; says: string; detail: Record<string, string | number> },
  paint: (style: 'bold' | 'dim', text: string) => string,
): string {
  const facts = Object.entries(detail).map(([name, value]) => `${name} ${toPrintableLine(String(value))}`);
  const more = facts.length === 0 ? '' : paint('dim', ` (${facts.join(', ')})`);
  return `${at.slice(0, 19).replace('T', ' ')}  ${paint('bold', kind.padEnd(22))} ${says}${more}`;
}
