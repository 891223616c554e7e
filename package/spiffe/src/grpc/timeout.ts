import { SpiffeError } from '../error.ts';

const unitMs = new Map([
  ['H', 3_600_000],
  ['M', 60_000],
  ['S', 1000],
  ['m', 1],
  ['u', 1e-3],
  ['n', 1e-6],
]);

/** The longest that a timer of Node can wait; a deadline beyond it is as good as none. */
const longestTimerMs = 2 ** 31 - 1;

/** The value of `grpc-timeout` (at most eight digits and a unit) in milliseconds, at most what a timer can wait. */
export function parseTimeout(text: string): number {
  const match = /^([0-9]{1,8})([HMSmun])$/.exec(text);
  const unit = unitMs.get(match?.[2] ?? '');
  if (match?.[1] === undefined || unit === undefined) {
    throw new SpiffeError('invalid_argument', 'gRPC: the value of grpc-timeout is not understood');
  }
  return Math.min(Math.ceil(Number(match[1]) * unit), longestTimerMs);
}
