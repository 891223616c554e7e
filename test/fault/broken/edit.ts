import { registerHooks } from 'node:module';

/**
 * Changes a module of the process that loads this, before it runs: tests of the tests need programs that are wrong. A
 * text that is not there any more throws, because a program that is right would prove nothing.
 */
export function edit(file: string, from: string, to: string): void {
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      if (!url.endsWith(file)) return loaded;
      const source = textOf(loaded.source);
      if (!source.includes(from))
        throw new Error(`${file} does not hold the text that is to be broken: ${from}`);
      return { ...loaded, source: source.replace(from, to) };
    },
  });
}

function textOf(source: string | NodeJS.ArrayBufferView | ArrayBufferLike | null | undefined): string {
  if (typeof source === 'string') return source;
  return new TextDecoder().decode(source ?? new Uint8Array());
}
