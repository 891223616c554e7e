import { formatSelector, type RegistrationEntry } from '@spike/registry';
import type { Invocation } from '../invocation.ts';
import { show } from '../output/show.ts';

export async function printEntry(invocation: Invocation, entry: RegistrationEntry): Promise<void> {
  await show(invocation, { human: () => describeEntry(entry), value: toPlain(entry) });
}

export function toPlain(entry: RegistrationEntry): unknown {
  return { ...entry, selectors: entry.selectors.map(formatSelector) };
}

export function describeEntry(entry: RegistrationEntry): string {
  const lines = [
    `Entry ID:   ${entry.id}`,
    `SPIFFE ID:  ${entry.spiffeId}`,
    ...entry.selectors.map((selector) => `Selector:   ${formatSelector(selector)}`),
    ...entry.federatesWith.map((name) => `Federates:  ${name}`),
    `Created At: ${entry.createdAt}`,
    `Origin:     ${entry.origin}`,
  ];
  return `${lines.join('\n')}\n`;
}
