import type { Paint } from '../output/color.ts';
import { toPrintableLine } from '../output/text.ts';

/** A line of the audit for people: when, what, by whom, about what. */
export function describeLine(line: string, paint: Paint): string {
  const record = parseLine(line);
  const text = (name: string): string => {
    const value = record[name];
    return typeof value === 'string' ? toPrintableLine(value) : '';
  };
  const outcome = text('outcome');
  const code = text('code');
  const who =
    text('administrator') === '' ? text('spiffeId') : `${text('administrator')} (${text('spiffeId')})`;
  const about = [text('path'), text('subject')].filter((part) => part !== '').join(' ');
  const shown = outcome === 'ok' ? outcome : paint('red', code === '' ? outcome : `${outcome} ${code}`);
  const sequence = typeof record['sequence'] === 'number' ? record['sequence'] : '?';
  const parts = [String(sequence), text('time').replace(/\d{3}Z$/u, 'Z'), text('action'), shown, who, about];
  return `${parts.filter((part) => part !== '').join('  ')}\n`;
}

/** Its fields; a line that is no JSON has one, as it stands. */
export function parseLine(line: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null) return Object.fromEntries(Object.entries(value));
  } catch {
    // It is shown as it is.
  }
  return { damaged: line };
}
