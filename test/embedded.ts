import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { homeOf, readContext, type Context, type Home } from '@spike/config';
import { AuthorityClient } from '@spike/registry';
import { parseConfig } from '../app/launcher/src/config.ts';
import { Report } from '../app/launcher/src/report.ts';
import { LocalSystem } from '../app/launcher/src/system.ts';
import { learnPlaces, searchWritten } from './known/place.ts';
import { openScratch, until } from './system.ts';

/** Keeps all that the parts say, not only what a person is shown. */
class KeptReport extends Report {
  readonly lines: string[] = [];

  override progress(text: string): void {
    this.lines.push(text);
    super.progress(text);
  }

  override warn(text: string): void {
    this.lines.push(text);
    super.warn(text);
  }

  override logLine(part: string, line: string): void {
    this.lines.push(line);
    super.logLine(part, line);
  }
}

/**
 * A whole system whose launcher is this process: the embedded authority lets nobody else give and take the identities of
 * parts.
 */
export class Embedded implements AsyncDisposable {
  readonly home: Home;
  readonly authority: AuthorityClient;
  readonly context: Context;
  readonly #stack: AsyncDisposableStack;

  private constructor(home: Home, context: Context, stack: AsyncDisposableStack) {
    this.home = home;
    this.context = context;
    this.#stack = stack;
    this.authority = new AuthorityClient({ socketPath: home.adminSocket });
  }

  static async start(
    args: readonly string[] = [],
    env: Readonly<Record<string, string>> = {},
  ): Promise<Embedded> {
    await using stack = new AsyncDisposableStack();
    const scratch = stack.use(await openScratch());
    const all = {
      ...process.env,
      SPIKE_NEXUS_ADMIN_AUTH: 'svid',
      ...env,
      SPIKE_HOME: join(scratch.path, 'home'),
    };
    const config = parseConfig(['--port', '0', ...args], all);
    assert(config !== 'help');
    const stop = new AbortController();
    const report = new KeptReport(false);
    // When all of them have ended, and before what they wrote is gone.
    stack.defer(() =>
      searchWritten(scratch.path, { 'what the launcher and its parts said': report.lines.join('\n') }),
    );
    stack.use(await LocalSystem.start(config, report, stop.signal));
    stack.defer(() => {
      report.stopping();
      stop.abort();
    });
    const home = homeOf(all);
    const context = await readContext(home);
    assert(context !== undefined);
    // The init code is gone when somebody used it.
    await learnPlaces(home.root);
    return new Embedded(home, context, stack.move());
  }

  get nexusId(): string {
    return `spiffe://${this.context.trustDomain}/spike/nexus`;
  }

  /** Of a part that runs once. */
  async pidOf(part: 'authority' | 'nexus'): Promise<number> {
    const children = await readFile(`/proc/${process.pid}/task/${process.pid}/children`, 'latin1');
    for (const child of children.split(' ').filter(Boolean)) {
      const line = await readFile(`/proc/${child}/cmdline`, 'latin1').catch(() => '');
      if (line.includes(`app/${part}/`)) return Number(child);
    }
    throw new Error(`no ${part} runs`);
  }

  /** What Nexus says on its health port; undefined while nobody answers. */
  async state(): Promise<string | undefined> {
    const answer = await fetch(`${this.context.healthUrl}/health/ready`).catch(() => undefined);
    const body = (await answer?.json().catch(() => undefined)) as { state?: string } | undefined;
    return body?.state;
  }

  async reach(state: string): Promise<void> {
    await until(`Nexus is ${state}`, async () => (await this.state()) === state);
  }

  /** Deletes every entry of Nexus. */
  async withdraw(): Promise<void> {
    for (const { id, spiffeId } of await this.authority.listEntries())
      if (spiffeId === this.nexusId) await this.authority.deleteEntry(id);
  }

  async giveBack(selectors: readonly string[] = ['part:nexus']): Promise<void> {
    await this.authority.createEntry({ spiffeId: this.nexusId, selectors });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack[Symbol.asyncDispose]();
  }
}
