import { SpikeError } from '@spike/error';

export type Format = 'human' | 'json' | 'yaml';

const names: Readonly<Record<string, Format>> = {
  '': 'human',
  human: 'human',
  h: 'human',
  plain: 'human',
  p: 'human',
  json: 'json',
  j: 'json',
  yaml: 'yaml',
  y: 'yaml',
};

/** The format names of the Go command. Throws `data_invalid_input`. */
export function parseFormat(text: string): Format {
  const format = Object.hasOwn(names, text) ? names[text] : undefined;
  if (format !== undefined) return format;
  throw new SpikeError('data_invalid_input', '--format is one of human, json, yaml (or h, plain, p, j, y)');
}

/** JSON with a line break at its end, indented as the Go command does it at this place. */
export function toJson(value: unknown, indent: number): string {
  return `${JSON.stringify(value, null, indent)}\n`;
}

/** YAML and one blank line, as the Go command ends it. The library is loaded only when it is needed. */
export async function toYaml(value: unknown, indent = 4): Promise<string> {
  const { stringify } = await import('yaml');
  return `${stringify(value, { indent, lineWidth: 0 })}\n`;
}
