import { dirname } from 'node:path';

/** For a thread, which is told nothing of our environment but where its code lies compiled: it starts in a quarter of the time. */
export function threadEnvironment(): Readonly<Record<string, string>> {
  const directory = process.getBuiltinModule('node:module').getCompileCacheDir();
  return directory === undefined ? {} : { NODE_COMPILE_CACHE: dirname(directory) };
}
