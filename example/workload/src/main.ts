// A service that reads its database password from SPIKE. It has no API key: its SPIFFE identity is what lets it in.
import { connect } from '@spike/sdk';

const path = process.argv[2] ?? 'tenants/acme/db';

try {
  await using spike = await connect();
  const secret = await spike.get(path);
  const user = secret.field('user').expose();
  const password = secret.field('pass').expose();
  // A real service opens its connection here. The values print as [secret] until `expose` is called.
  process.stdout.write(
    `connected to the database as ${user} with a password of ${password.length} characters\n`,
  );
} catch (error) {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  process.stderr.write(`no password, no database: ${code}: ${error instanceof Error ? error.message : ''}\n`);
  process.exitCode = 1;
}
