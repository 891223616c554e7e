const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const maxMs = 400 * 24 * 3_600_000;

/** Parses a Go duration (`500ms`, `1h30m`, `2.5s`) into milliseconds; undefined when it is not one, or above 400 days. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  if (text.length > 32) return undefined;
  const part = /(\d+(?:\.\d+)?)(ms|s|m|h)/y;
  let total = 0;
  while (part.lastIndex < text.length) {
    const match = part.exec(text);
    if (match === null) return undefined;
    total += Number(match[1]) * (unitMs[match[2] ?? ''] ?? Number.NaN);
  }
  return text === '' || !Number.isFinite(total) || total > maxMs ? undefined : Math.round(total);
}

/** The shortest form that {@link parseDuration} reads back. */
export function formatDuration(ms: number): string {
  for (const unit of ['h', 'm', 's'] as const) {
    const size = unitMs[unit] ?? 1;
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${ms}ms`;
}
