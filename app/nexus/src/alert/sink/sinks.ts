import { isAbsolute } from 'node:path';
import { readPrivateFile } from '@spike/config';
import { SpikeError } from '@spike/error';
import type { Log } from '@spike/log';
import { CommandSink } from './command.ts';
import { FileSink } from './file.ts';
import { LogSink } from './log.ts';
import type { OnState, Sink, SinkAlert } from './sink.ts';
import { WebhookSink } from './webhook.ts';

export interface SinkConfig {
  readonly file: string | undefined;
  readonly webhook: { readonly url: URL; readonly secretFile: string } | undefined;
  readonly command: readonly [string, ...string[]] | undefined;
}

const shortestSecret = 16;
const longestSecret = 4096;

/** All places where alerts and checkpoints go. */
export class Sinks implements AsyncDisposable {
  readonly #sinks: readonly Sink[];
  readonly #problems = new Map<string, string>();
  readonly #log: Log;
  #onState: OnState = () => undefined;

  constructor(sinks: (onState: OnState) => readonly Sink[], log: Log) {
    this.#log = log;
    this.#sinks = sinks((name, problem) => this.#note(name, problem));
  }

  /** Throws `config_invalid` and `fs_unsafe`. */
  static async open(config: SinkConfig, log: Log): Promise<Sinks> {
    const { file, webhook, command } = config;
    const secret = webhook === undefined ? undefined : await readSecret(webhook.secretFile);
    const sinks = new Sinks(
      (onState) => [
        new LogSink(log),
        ...(file === undefined ? [] : [new FileSink({ path: file, onState })]),
        ...(webhook === undefined || secret === undefined
          ? []
          : [new WebhookSink({ url: webhook.url, secret, onState })]),
        ...(command === undefined ? [] : [new CommandSink({ argv: command, onState })]),
      ],
      log,
    );
    secret?.fill(0);
    return sinks;
  }

  /** What is in the way of each sink at the moment. */
  get problems(): ReadonlyMap<string, string> {
    return this.#problems;
  }

  /** Told when a sink stops working, and when it works again. */
  watch(onState: OnState): void {
    this.#onState = onState;
  }

  alert(alert: SinkAlert): void {
    for (const sink of this.#sinks) sink.alert(alert);
  }

  /** The audit gives every checkpoint to this (admin.md F). */
  checkpoint(note: string): void {
    for (const sink of this.#sinks) sink.checkpoint(note);
  }

  /** Resolves when nothing is waiting or being delivered. */
  async idle(): Promise<void> {
    await Promise.all(this.#sinks.map(async (sink) => await sink.idle()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#sinks.map(async (sink) => await sink[Symbol.asyncDispose]()));
  }

  #note(name: string, problem: string | undefined): void {
    if (problem === undefined) this.#problems.delete(name);
    else this.#problems.set(name, problem);
    this.#log[problem === undefined ? 'info' : 'error']('alert.sink', {
      sink: name,
      ...(problem === undefined ? { works: true } : { message: problem }),
    });
    this.#onState(name, problem);
  }
}

async function readSecret(path: string): Promise<Buffer> {
  const bytes = await readPrivateFile(path, longestSecret);
  if (bytes === undefined)
    throw new SpikeError('config_invalid', `SPIKE_NEXUS_ALERT_WEBHOOK_SECRET_FILE: there is no ${path}`);
  // An editor ends a file with a line break.
  let end = bytes.length;
  while (end > 0 && (bytes[end - 1] === 10 || bytes[end - 1] === 13)) end -= 1;
  if (end < shortestSecret)
    throw new SpikeError('config_invalid', `${path} holds fewer than ${shortestSecret} bytes`);
  return bytes.subarray(0, end);
}

/** `["/usr/bin/page","ops"]`, or the path of a program alone. Undefined when it is neither. */
export function parseCommand(text: string): readonly [string, ...string[]] | undefined {
  let parts: unknown;
  try {
    parts = text.startsWith('[') ? JSON.parse(text) : [text];
  } catch {
    return undefined;
  }
  if (!Array.isArray(parts) || parts.length > 64) return undefined;
  const words = parts.filter((part): part is string => typeof part === 'string' && !part.includes('\0'));
  const [program, ...args] = words;
  if (words.length !== parts.length || program === undefined || !isAbsolute(program)) return undefined;
  return [program, ...args];
}

/** HTTPS anywhere, HTTP to this machine alone, and no password in the address. */
export function isWebhookUrl(url: URL): boolean {
  if (url.username !== '' || url.password !== '') return false;
  if (url.protocol === 'https:') return true;
  return url.protocol === 'http:' && /^(?:localhost|\[::1\]|127(?:\.\d{1,3}){3})$/.test(url.hostname);
}
