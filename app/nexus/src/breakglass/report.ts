/** The audit, as far as a report reads it. */
export interface AuditLines {
  /** Number of lines. */
  readonly size: number;
  scan(
    from: number,
    signal: AbortSignal,
  ): AsyncIterable<{ readonly sequence: number; readonly line: string }>;
}

export interface ReportQuestion {
  readonly administrator: string;
  /** First line that is looked at. */
  readonly from: number;
  /** Milliseconds since 1970, of the wall clock; undefined for up to now. */
  readonly until: number | undefined;
}

export interface ReportPage {
  readonly lines: readonly string[];
  /** Where to go on; undefined where nothing follows. */
  readonly next: number | undefined;
}

const most = { examined: 20_000, lines: 1_000, bytes: 2 * 1024 * 1024 } as const;

/** What one administrator did, line by line as the audit holds it, in pages of bounded work. */
export async function readReport(
  audit: AuditLines,
  { administrator, from, until }: ReportQuestion,
  signal: AbortSignal,
): Promise<ReportPage> {
  // Lines are written by `JSON.stringify`, so a value has one spelling; looking for it costs a hundredth of parsing.
  const needle = `"administrator":${JSON.stringify(administrator)}`;
  const lines: string[] = [];
  let bytes = 0;
  for await (const { sequence, line } of audit.scan(from, signal)) {
    if (sequence - from >= most.examined || lines.length >= most.lines || bytes >= most.bytes)
      return { lines, next: sequence };
    if (!line.includes(needle)) continue;
    const record = parse(line);
    if (record?.administrator !== administrator) continue;
    if (until !== undefined && Date.parse(record.time) > until) continue;
    lines.push(line);
    bytes += line.length;
  }
  return { lines, next: undefined };
}

function parse(line: string): { readonly administrator: unknown; readonly time: string } | undefined {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== 'object' || value === null) return undefined;
    const time: unknown = Reflect.get(value, 'time');
    return { administrator: Reflect.get(value, 'administrator'), time: typeof time === 'string' ? time : '' };
  } catch {
    return undefined;
  }
}
