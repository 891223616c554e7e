/** Something that looks around now and then. */
export interface Looker {
  look(): void;
}

/** Has everybody look once in `everyMs`; no reason for a process to stay. */
export function startPulse(lookers: readonly Looker[], everyMs = 1_000): Disposable {
  const timer = setInterval(() => {
    for (const looker of lookers) looker.look();
  }, everyMs);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
