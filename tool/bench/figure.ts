/** One number that a bench found. Two runs of a bench give figures of the same names in the same order. */
export interface Figure {
  /** As in the list of goals: `L1`. */
  readonly bench: string;
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  readonly goal?: Goal;
}

export interface Goal {
  readonly kind: 'at most' | 'at least';
  readonly value: number;
}

/** The same figure over all runs of it. */
export interface Summary extends Figure {
  readonly runs: readonly number[];
  /** Undefined where no goal is set. */
  readonly met: boolean | undefined;
}

/** The median of each figure over the runs. */
export function summarise(runs: readonly (readonly Figure[])[]): readonly Summary[] {
  const grouped = Map.groupBy(runs.flat(), ({ bench, what }) => `${bench} ${what}`);
  return [...grouped.values()].flatMap((same) => {
    const [first] = same;
    if (first === undefined) return [];
    const values = same.map(({ value }) => value);
    const value = quantile(values, 0.5);
    return [{ ...first, value, runs: values, met: isMet(value, first.goal) }];
  });
}

function isMet(value: number, goal: Goal | undefined): boolean | undefined {
  if (goal === undefined) return undefined;
  return goal.kind === 'at most' ? value <= goal.value : value >= goal.value;
}

/** The value below which this share of all lies (nearest rank); NaN for none. */
export function quantile(values: readonly number[] | Float64Array, share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

export function formatTable(summaries: readonly Summary[]): string {
  const rows = summaries.map((summary) => [
    summary.bench,
    summary.what,
    formatValue(summary.value),
    summary.unit,
    summary.goal === undefined ? '' : `${summary.goal.kind} ${summary.goal.value}`,
    summary.met === undefined ? '' : summary.met ? 'met' : 'missed',
  ]);
  const all = [['', 'what', 'value', 'unit', 'goal', ''], ...rows];
  const widths = all[0]?.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0))) ?? [];
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) =>
        column === 2 ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd();
  return `${all.map(line).join('\n')}\n`;
}

function formatValue(value: number): string {
  if (value >= 1000) return value.toFixed(0);
  return value >= 10 ? value.toFixed(1) : value.toFixed(3);
}
