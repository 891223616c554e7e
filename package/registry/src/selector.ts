import { isAbsolute, normalize } from 'node:path';
import { SpikeError } from '@spike/error';

export const selectorTypes = ['uid', 'gid', 'path', 'sha256', 'part', 'pid'] as const;
export type SelectorType = (typeof selectorTypes)[number];

/**
 * One property that a process must have, by the kernel's word, for an entry to be its own. `part` is the launcher's
 * word: a process that it started as that part. `value` is in its one canonical spelling.
 */
export interface Selector {
  readonly type: SelectorType;
  readonly value: string;
}

const largestUid = 0xffff_fffe;
/** The kernel's own limit of pid_max (PID_MAX_LIMIT). */
const largestPid = 0x40_0000;
const longestPath = 4096;

/** Reads `uid:1000`, `gid:1000`, `path:/usr/bin/node`, `sha256:HEX`, `part:nexus` or `pid:4711`. Throws `data_invalid_input`. */
export function parseSelector(text: string): Selector {
  const colon = text.indexOf(':');
  const type = selectorTypes.find((known) => known === text.slice(0, Math.max(colon, 0)));
  if (type === undefined) {
    throw invalid(`a selector is TYPE:VALUE, TYPE one of ${selectorTypes.join(', ')}`);
  }
  return { type, value: canonical(type, text.slice(colon + 1)) };
}

export function formatSelector(selector: Selector): string {
  return `${selector.type}:${selector.value}`;
}

function canonical(type: SelectorType, value: string): string {
  switch (type) {
    case 'uid':
    case 'gid':
      return number(type, value, 0, largestUid);
    case 'pid':
      return number(type, value, 1, largestPid);
    case 'path':
      if (
        !isAbsolute(value) ||
        normalize(value) !== value ||
        value.includes('\0') ||
        value.length > longestPath
      )
        throw invalid('path: wants the absolute path of a program, without . and ..');
      return value;
    case 'sha256':
      if (!/^[0-9a-f]{64}$/i.test(value)) throw invalid('sha256: wants 64 hexadecimal digits');
      return value.toLowerCase();
    case 'part':
      if (!isPartName(value)) throw invalid('part: wants the name of a part, such as nexus or keeper');
      return value;
  }
}

export function isPartName(text: string): boolean {
  return /^[a-z][a-z0-9-]{0,31}$/.test(text);
}

function number(type: SelectorType, value: string, min: number, max: number): string {
  const parsed = /^(0|[1-9]\d{0,9})$/.test(value) ? Number(value) : Number.NaN;
  if (!(parsed >= min && parsed <= max)) throw invalid(`${type}: wants a number from ${min} to ${max}`);
  return value;
}

function invalid(message: string): SpikeError {
  return new SpikeError('data_invalid_input', message);
}
