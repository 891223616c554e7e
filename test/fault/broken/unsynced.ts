import { edit } from './edit.ts';

// What is committed is in the cache of the kernel only.
edit('/package/store/src/sqlite/connection.ts', "['synchronous', 2]", "['synchronous', 0]");
// The thread that writes is told nothing by the environment, so it is told in the place where it is started.
edit(
  '/package/store/src/sqlite/writer.ts',
  'env: threadEnvironment(),',
  `env: threadEnvironment(), execArgv: ['--import', ${JSON.stringify(import.meta.url)}],`,
);
