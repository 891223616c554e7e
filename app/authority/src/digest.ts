// Runs as a thread: answers the SHA-256 of the file whose descriptor it is given.
import { createHash } from 'node:crypto';
import { readSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';

const chunkBytes = 1_048_576;

function digestOf(fd: number): string {
  const hash = createHash('sha256');
  const chunk = Buffer.alloc(chunkBytes);
  for (let position = 0; ;) {
    // By position: the descriptor's own place in the file is not ours to move.
    const bytes = readSync(fd, chunk, 0, chunkBytes, position);
    if (bytes === 0) return hash.digest('hex');
    hash.update(chunk.subarray(0, bytes));
    position += bytes;
  }
}

const fd: unknown = workerData;
if (typeof fd === 'number') parentPort?.postMessage(digestOf(fd));
