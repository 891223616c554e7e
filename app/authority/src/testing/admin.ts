// A process that is not the launcher asks for something. Arguments: ADMIN-SOCKET METHOD JSON. Prints OK or the code.
import { toSpikeError } from '@spike/error';
import { AuthorityClient } from '@spike/registry';

const [socketPath = '', method = '', argument = '{}'] = process.argv.slice(2);
const client = new AuthorityClient({ socketPath });
try {
  if (method === 'createEntry') await client.createEntry(JSON.parse(argument));
  else if (method === 'registerSelf') await client.registerPart({ pid: process.pid, part: argument });
  else if (method === 'registerPart') await client.registerPart(JSON.parse(argument));
  else throw new TypeError(method);
  process.stdout.write('OK');
} catch (error) {
  process.stdout.write(toSpikeError(error).code);
}
