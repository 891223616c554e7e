import { SpikeError } from '@spike/error';
import type { NexusTable, OutputOf } from '@spike/contract';
import type { Invocation } from '../invocation.ts';
import type { MetadataFlags } from '../option.ts';
import type { Paint } from '../output/color.ts';
import { show, showDone } from '../output/show.ts';
import { toPrintableLine } from '../output/text.ts';
import { openSession, type Session } from '../session.ts';

type Metadata = OutputOf<NexusTable['getMetadata']>;

export async function getMetadata(invocation: Invocation, path: string, version: number): Promise<void> {
  await using session = await openSession(invocation, 'superuser');
  const shown = await session.client.getMetadata({ path: session.path(path), version }, session.call);
  await show(invocation, {
    human: (paint) => describe(shown, paint),
    value: shown,
    yaml: toGoNames(shown),
    isPaged: true,
  });
}

/** Labels are kept as a whole, so those that stay are read first. */
export async function setMetadata(invocation: Invocation, path: string, flags: MetadataFlags): Promise<void> {
  const { maxVersions, owner, description } = flags;
  const added = parseLabels(flags.label);
  const changesLabels = added.length > 0 || flags.removeLabel.length > 0;
  if (maxVersions === undefined && owner === undefined && description === undefined && !changesLabels) {
    throw new SpikeError(
      'data_invalid_input',
      'say what to note: --max-versions, --owner, --description, --label or --remove-label',
    );
  }
  await using session = await openSession(invocation, 'superuser');
  await session.client.setMetadata(
    {
      path: session.path(path),
      ...(maxVersions === undefined ? {} : { maxVersions }),
      ...(owner === undefined ? {} : { owner }),
      ...(description === undefined ? {} : { description }),
      ...(changesLabels ? { labels: await mergeLabels(session, path, added, flags.removeLabel) } : {}),
    },
    session.call,
  );
  await showDone(invocation, 'OK', { path });
}

function parseLabels(texts: readonly string[]): readonly (readonly [string, string])[] {
  return texts.map((text) => {
    const at = text.indexOf('=');
    if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
    throw new SpikeError('data_invalid_input', 'a label is written as key=value');
  });
}

async function mergeLabels(
  session: Session,
  path: string,
  added: readonly (readonly [string, string])[],
  removed: readonly string[],
): Promise<Readonly<Record<string, string>>> {
  const { metadata } = await session.client.getMetadata(
    { path: session.path(path), version: 0 },
    session.call,
  );
  const labels = Object.create(null) as Record<string, string>;
  for (const [key, value] of Object.entries(metadata.labels ?? {})) {
    if (!removed.includes(key)) labels[key] = value;
  }
  for (const [key, value] of added) labels[key] = value;
  return labels;
}

const line = '-'.repeat(50);

/** The page of the Go command, with what is ours below it. */
function describe({ metadata, versions }: Metadata, paint: Paint): string {
  const { owner, description, labels = {} } = metadata;
  return [
    '',
    paint('bold', 'Metadata:'),
    line,
    `Current Version : ${metadata.currentVersion}`,
    `Oldest Version  : ${metadata.oldestVersion}`,
    `Created Time    : ${formatTime(metadata.createdTime)}`,
    `Last Updated    : ${formatTime(metadata.updatedTime)}`,
    `Max Versions    : ${metadata.maxVersions}`,
    ...(owner === undefined ? [] : [`Owner           : ${toPrintableLine(owner)}`]),
    ...(description === undefined ? [] : [`Description     : ${toPrintableLine(description)}`]),
    ...Object.entries(labels).map(([key, value]) => `Label           : ${key}=${toPrintableLine(value)}`),
    line,
    '',
    paint('bold', 'Secret Versions:'),
    line,
    ...inOrder(versions).flatMap(({ version, createdTime, deletedTime }) => [
      `Version ${version}:`,
      `  Created: ${formatTime(createdTime)}`,
      ...(deletedTime === null ? [] : [`  ${paint('yellow', 'Deleted:')} ${formatTime(deletedTime)}`]),
      line,
    ]),
    '',
  ].join('\n');
}

/** The Go command's YAML has its field names in lower case. */
function toGoNames({ metadata, versions }: Metadata): unknown {
  const rows = inOrder(versions).map(({ version, createdTime, deletedTime }): [number, unknown] => [
    version,
    { createdtime: createdTime, version, deletedtime: deletedTime },
  ]);
  return {
    versions: new Map(rows),
    metadata: {
      currentversion: metadata.currentVersion,
      oldestversion: metadata.oldestVersion,
      createdtime: metadata.createdTime,
      updatedtime: metadata.updatedTime,
      maxversions: metadata.maxVersions,
      ...(metadata.owner === undefined ? {} : { owner: metadata.owner }),
      ...(metadata.description === undefined ? {} : { description: metadata.description }),
      ...(metadata.labels === undefined ? {} : { labels: new Map(Object.entries(metadata.labels)) }),
    },
  };
}

function inOrder(versions: Metadata['versions']): readonly Metadata['versions'][string][] {
  return Object.values(versions).toSorted((a, b) => a.version - b.version);
}

/** `2026-07-25 12:00:00 UTC`, as the Go command writes it where the zone is UTC. */
function formatTime(time: string): string {
  return new Date(time)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, ' UTC');
}
