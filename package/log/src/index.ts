export { describeError, type Fields, type Loggable } from './loggable.ts';
export { createLog, levels, type Level, type Log, type LogOptions } from './log.ts';
