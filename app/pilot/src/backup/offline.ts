import { once } from 'node:events';
import { readPrivateFile } from '@spike/config';
import { isErrorCode, SpikeError } from '@spike/error';
import { ChildEnvironment, programOf, startChild } from '@spike/host';
import { parseShare } from '@spike/recovery';
import type { Report } from './send.ts';
import type { Receiver } from './source.ts';

const mostShareBytes = 4096;
const longestAnswer = 4 * 1024 * 1024;
const shareBytes = 33;

/**
 * Opens every record of a backup with recovery shares, away from any Nexus: in a process of its own, which is gone with
 * the root key when it has answered.
 */
export class Inspector implements Receiver, AsyncDisposable {
  readonly #child;
  readonly #answer: Promise<string>;
  readonly #exit: Promise<unknown>;

  constructor(signal: AbortSignal) {
    const { file, args } = programOf('inspector', []);
    this.#child = startChild(file, args, {
      stdio: ['pipe', 'pipe', 'inherit'],
      environment: ChildEnvironment.none,
      signal,
      killSignal: 'SIGKILL',
    });
    this.#exit = once(this.#child, 'close').catch(() => undefined);
    // It may answer, and end, before it has read all: what it says then is why.
    this.#child.stdin.on('error', () => undefined);
    this.#answer = readAll(this.#child.stdout);
    this.#answer.catch(() => undefined);
  }

  /** Shares of these files, which nobody else may read. Throws `data_invalid_input` and `fs_unsafe`. */
  async giveShares(files: readonly string[]): Promise<void> {
    const message = Buffer.alloc(4 + files.length * shareBytes);
    message.writeUInt32BE(files.length * shareBytes);
    try {
      for (const [index, path] of files.entries()) {
        const bytes = await readPrivateFile(path, mostShareBytes);
        if (bytes === undefined)
          throw new SpikeError('data_invalid_input', `${path} cannot be read: there is no such file`);
        const { id, value } = parseShare(bytes.toString('utf8'));
        bytes.fill(0);
        if (id > 255)
          throw new SpikeError('data_invalid_input', `${path}: no share of ours has the number ${id}`);
        message[4 + index * shareBytes] = id;
        message.set(value, 5 + index * shareBytes);
      }
      await this.#write(message);
    } finally {
      message.fill(0);
    }
  }

  async start(bytes: Uint8Array): Promise<void> {
    await this.#write(bytes);
  }

  async feed(bytes: Uint8Array): Promise<void> {
    await this.#write(bytes);
  }

  /** When all was sent. Throws what the process found. */
  async report(): Promise<Report> {
    this.#child.stdin.end();
    const text = await this.#answer;
    const answer = parseAnswer(text);
    if (answer !== undefined && 'report' in answer) return answer.report;
    if (answer !== undefined) throw new SpikeError(answer.code, answer.message);
    throw new SpikeError('api_internal_error', 'the process that opens the backup ended without an answer');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exit;
  }

  async #write(bytes: Uint8Array): Promise<void> {
    const { stdin } = this.#child;
    if (stdin.destroyed || stdin.writableEnded) return;
    await new Promise<void>((resolve) => {
      // Also when it has ended: its answer says why.
      stdin.write(bytes, () => resolve());
    });
  }
}

type Answer = { readonly report: Report } | { readonly code: SpikeError['code']; readonly message: string };

/** It is our own program, so its form is not looked at further than that. */
function parseAnswer(text: string): Answer | undefined {
  try {
    const value = JSON.parse(text) as { report?: Report; code?: unknown; message?: unknown };
    if (value.report !== undefined) return { report: value.report };
    if (isErrorCode(value.code)) return { code: value.code, message: String(value.message) };
  } catch {
    // It ended in another way.
  }
  return undefined;
}

async function readAll(stream: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const chunk of stream) {
    text += String(chunk);
    if (text.length > longestAnswer) break;
  }
  return text;
}
