// What `spike authority run` does: binds this pid and becomes the command. Arguments: ADMIN-SOCKET ID PROGRAM ARG…
import { SpikeError } from '@spike/error';
import { findProgram, replaceProcess } from '@spike/host';
import { AuthorityClient } from '@spike/registry';

const [socketPath = '', id = '', program = '', ...args] = process.argv.slice(2);
try {
  await new AuthorityClient({ socketPath }).bindRun(id);
} catch (error) {
  if (error instanceof SpikeError) process.stdout.write(`${JSON.stringify({ kind: error.code })}\n`);
  throw error;
}
replaceProcess(findProgram(program, '/usr/bin:/bin'), args, {});
