import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CertificateAuthority } from '../ca/certificate-authority.ts';
import { SpiffeId } from '../id/spiffe-id.ts';
import type { X509Context } from '../source.ts';
import { WorkloadServer, type WorkloadHandler } from '../workload/server.ts';
import { X509BundleSet } from '../x509/bundle-set.ts';

/** A directory for a socket. */
export class Place implements AsyncDisposable {
  readonly directory: string;
  readonly path: string;

  private constructor(directory: string) {
    this.directory = directory;
    this.path = join(directory, 's');
  }

  static async make(): Promise<Place> {
    const directory = await mkdtemp(join(tmpdir(), 'spiffe-server-'));
    await chmod(directory, 0o700);
    return new Place(directory);
  }

  listen(
    handler: WorkloadHandler,
    options: Partial<Parameters<typeof WorkloadServer.listen>[0]> = {},
  ): Promise<WorkloadServer> {
    return WorkloadServer.listen({
      ...options,
      path: this.path,
      handler,
      signal: new AbortController().signal,
    });
  }

  agentAnswer(authority: CertificateAuthority, path: string): X509Context {
    const id = SpiffeId.from(authority.trustDomain, path);
    return { svids: [authority.issueX509Svid({ id })], bundles: X509BundleSet.of(authority.bundle()) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }
}
