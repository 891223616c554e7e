import { SpikeError } from '@spike/error';
import { replaceProcess } from './exec.ts';
import { isExecutable, thisProgram } from './program.ts';

/**
 * Settings of Node, of its libraries and of OpenSSL. Some change what is trusted, some print or store what goes over a
 * connection, some name files to load; none is a setting of SPIKE. Those of the dynamic linker (LD_…) have had their
 * effect before anything of ours runs. Two stay: NODE_ENV, which Node does not read, and NODE_EXTRA_CA_CERTS,
 * by which the alert webhook trusts a private CA; connections of SPIFFE trust their bundles alone.
 */
const foreign = /^(?:NODE_(?!ENV$|EXTRA_CA_CERTS$)|OPENSSL_|SSL_CERT_|UV_)|^SSLKEYLOGFILE$/;

export function findForeign(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  return Object.keys(env).filter((name) => foreign.test(name));
}

/**
 * First thing in an executable: becomes itself once more without the foreign variables, since Node reads most of them
 * before our first line. Children get none of them either. From source they are the developer's own. Throws
 * `host_refused` where it can't.
 */
export function startClean(env: Readonly<Record<string, string | undefined>>): void {
  if (!isExecutable()) return;
  const names = findForeign(env);
  if (names.length === 0) return;
  const dropped = Object.fromEntries(names.map((name) => [name, undefined]));
  const { file, args } = thisProgram();
  try {
    replaceProcess(file, args, { ...env, ...dropped });
  } catch (error) {
    throw new SpikeError('host_refused', `unset ${names.join(', ')}: SPIKE does not run with that`, {
      cause: error,
    });
  }
}
