/**
 * Reads `source` as fast as it comes and yields what is newest whenever the consumer asks: one that is slow misses
 * what was overtaken. A failure of the source overtakes everything.
 */
export async function* newestOf<T>(source: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
  const iterator = source[Symbol.asyncIterator]();
  let wake = Promise.withResolvers<void>();
  let newest: { readonly value: T } | undefined;
  let end: { readonly error?: unknown } | undefined;

  const read = async (): Promise<void> => {
    try {
      for (let step = await iterator.next(); step.done !== true; step = await iterator.next()) {
        if (end !== undefined) return;
        newest = { value: step.value };
        wake.resolve();
      }
      end ??= {};
    } catch (error) {
      end = { error };
    }
    wake.resolve();
  };

  void read();
  try {
    for (;;) {
      await wake.promise;
      wake = Promise.withResolvers<void>();
      if (end !== undefined && 'error' in end) throw end.error;
      if (newest === undefined) return;
      const { value } = newest;
      newest = undefined;
      if (end !== undefined) wake.resolve();
      yield value;
    }
  } finally {
    end ??= {};
    // Not awaited: a source that is waiting for its next value finishes only when its own signal tells it to.
    iterator.return?.().catch(() => undefined);
  }
}
