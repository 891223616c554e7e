import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { must } from '../interop/build.ts';
import { repository } from '../system.ts';

/** The first build compiles all of SPIRE: eight minutes of one core that nobody else uses. */
const buildMs = 2_100_000;

const modules = join(repository, 'test', 'spire', 'go');
const cache = join(repository, 'node_modules', '.cache', 'spire');

export interface SpirePrograms {
  readonly server: string;
  readonly agent: string;
}

let built: Promise<SpirePrograms> | undefined;

/** SPIRE itself, as its maintainers publish it. Go's own cache decides what there is to do. */
export async function buildSpire(): Promise<SpirePrograms> {
  built ??= build();
  return await built;
}

async function build(): Promise<SpirePrograms> {
  await mkdir(cache, { recursive: true });
  const needs = 'Go 1.26 or later and a C compiler have to be on the PATH for the tests on SPIRE';
  const flags = ['-mod=readonly', '-ldflags=-s -w', '-o', `${cache}/`];
  await must('go', ['build', ...flags, './spire-server', './spire-agent'], modules, needs, {
    deadlineMs: buildMs,
    // Its SQLite is written in C; without a compiler Go would build a server that cannot open its store.
    env: { CGO_ENABLED: '1' },
  });
  return { server: join(cache, 'spire-server'), agent: join(cache, 'spire-agent') };
}
