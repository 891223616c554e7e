/**
 * Answers the source when it has its first answer. One that has none in time is ended by `end`, and whatever fails before
 * that disposes of it. `withinMs` undefined: as long as it takes.
 */
export async function awaitFirst<Source extends AsyncDisposable>(
  source: Source,
  first: Promise<void>,
  { end, withinMs }: { readonly end: AbortController; readonly withinMs: number | undefined },
): Promise<Source> {
  const late = (): void => end.abort(new DOMException('no answer in time', 'TimeoutError'));
  const timer = withinMs === undefined ? undefined : setTimeout(late, withinMs);
  try {
    await first;
    return source;
  } catch (error) {
    await source[Symbol.asyncDispose]();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
