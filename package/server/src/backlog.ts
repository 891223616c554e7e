import type { ServerResponse } from 'node:http';

/** Answers below this are not counted: connections and what each may have under way are limited already. */
const leastBytes = 4096;
const mostBytes = 256 * 1024 * 1024;

/**
 * Answers that their callers have not taken yet lie in memory. Together they may have so many bytes: beyond, the
 * connection whose answer waits longest is cut, which is a caller that asks and does not read.
 */
export class Backlog {
  readonly #mostBytes: number;
  readonly #waiting = new Map<ServerResponse, number>();
  #bytes = 0;

  constructor(most = mostBytes) {
    this.#mostBytes = most;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Counts an answer whose body was written, until it is out or its connection is gone. */
  hold(response: ServerResponse, bytes: number): void {
    const { socket } = response.req;
    if (bytes < leastBytes || response.writableFinished || socket.destroyed) return;
    this.#waiting.set(response, bytes);
    this.#bytes += bytes;
    const release = (): void => {
      response.off('finish', release);
      socket.off('close', release);
      if (this.#waiting.delete(response)) this.#bytes -= bytes;
    };
    response.once('finish', release);
    // The connection, because an answer that is not at its turn yet hears nothing of its end.
    socket.once('close', release);
    for (const [oldest, size] of this.#waiting) {
      if (this.#bytes <= this.#mostBytes || oldest === response) return;
      this.#waiting.delete(oldest);
      this.#bytes -= size;
      oldest.req.socket.destroy();
    }
  }
}
