import type { Fields, Loggable } from './loggable.ts';

export const levels = ['debug', 'info', 'warn', 'error'] as const;
export type Level = (typeof levels)[number];

/** One JSON line for each event: an event name and fields, no sentence building. */
export interface Log {
  debug(event: string, fields?: Fields): void;
  info(event: string, fields?: Fields): void;
  warn(event: string, fields?: Fields): void;
  error(event: string, fields?: Fields): void;
}

export interface LogOptions {
  readonly component: string;
  readonly level?: Level;
  /** Gets whole lines, newline included. */
  readonly write: (line: string) => void;
  readonly now?: () => Date;
}

export function createLog(options: LogOptions): Log {
  const threshold = levels.indexOf(options.level ?? 'info');
  const now = options.now ?? (() => new Date());
  const emit = (level: Level, event: string, fields: Fields = {}): void => {
    if (levels.indexOf(level) < threshold) return;
    const line = { time: now().toISOString(), level, component: options.component, event, ...fields };
    options.write(`${JSON.stringify(line, encode)}\n`);
  };
  return {
    debug: (event, fields) => emit('debug', event, fields),
    info: (event, fields) => emit('info', event, fields),
    warn: (event, fields) => emit('warn', event, fields),
    error: (event, fields) => emit('error', event, fields),
  };
}

function encode(_name: string, value: Loggable): Loggable {
  return typeof value === 'bigint' ? value.toString() : value;
}
