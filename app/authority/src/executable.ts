import { open, readlink, type FileHandle } from 'node:fs/promises';
import { startThread } from '@spike/asset';
import { SpikeError } from '@spike/error';

export interface Executable {
  readonly path?: string;
  readonly sha256?: string;
}

const maxCached = 256;
const digestTimeoutMs = 30_000;

/**
 * Reads which program a process runs. The digest of a large binary takes a fifth of a second: it is computed on a
 * thread of its own and kept for as long as the file is the same one with the same times and size.
 */
export class ExecutableReader {
  readonly #digests = new Map<string, Promise<string>>();

  /** Nothing of it is there when the process hides it (PR_SET_DUMPABLE 0) or the kernel has no such process. */
  async read(pid: number, withDigest: boolean): Promise<Executable> {
    const link = `/proc/${pid}/exe`;
    const path = await readlink(link).catch(() => undefined);
    // proc(5): what the kernel adds to the name of a file that was removed; there is no path to speak of then.
    if (path === undefined || path.endsWith(' (deleted)')) return {};
    if (!withDigest) return { path };
    const file = await open(link, 'r').catch(() => undefined);
    if (file === undefined) return { path };
    try {
      return { path, sha256: await this.#digest(file) };
    } finally {
      await file.close();
    }
  }

  async #digest(file: FileHandle): Promise<string> {
    const { dev, ino, size, mtimeNs, ctimeNs } = await file.stat({ bigint: true });
    const key = [dev, ino, size, mtimeNs, ctimeNs].join(':');
    const known = this.#digests.get(key);
    if (known !== undefined) return known;
    const oldest = this.#digests.keys().next();
    if (this.#digests.size >= maxCached && oldest.done !== true) this.#digests.delete(oldest.value);
    const digest = computeDigest(file.fd);
    this.#digests.set(key, digest);
    digest.catch(() => this.#digests.delete(key));
    return digest;
  }
}

/** The caller keeps the descriptor open until this settles; a thread sees the descriptors of its process. */
function computeDigest(fd: number): Promise<string> {
  const worker = startThread(new URL('./digest.ts', import.meta.url), { workerData: fd });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const fail = (cause: unknown): void =>
    reject(new SpikeError('host_refused', 'the digest of an executable could not be computed', { cause }));
  const timer = setTimeout(fail, digestTimeoutMs, 'deadline').unref();
  worker.once('message', (digest: unknown) => (typeof digest === 'string' ? resolve(digest) : fail(digest)));
  worker.once('error', fail);
  worker.once('exit', fail);
  return promise.finally(() => {
    clearTimeout(timer);
    void worker.terminate();
  });
}
