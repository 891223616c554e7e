// A service that reads its database password from SPIKE. It has no API key: its SPIFFE identity is what lets it in.
import { connect } from '@spike/sdk';

const path = process.argv[2] ?? 'tenants/acme/db';

await using spike = await connect();
const secret = await spike.get(path);

const user = secret.field('user').expose();
const password = secret.field('pass').expose();
// A real service opens its connection here. The values print as [secret] until `expose` is called.
process.stdout.write(
  `connected to the database as ${user} with a password of ${password.length} characters\n`,
);
