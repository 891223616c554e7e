import type { TextMap } from '@spike/contract';
import { damaged, isRecord } from './record.ts';

/** What people say about a secret. */
export interface SecretNotes {
  readonly owner?: string;
  readonly description?: string;
  readonly labels?: TextMap;
}

type Extension = Readonly<Record<string, unknown>>;

/** What people said about a secret, out of the open part of its metadata. Throws `store_integrity`. */
export function readNotes({ owner, description, labels }: Extension): SecretNotes {
  return {
    ...(owner === undefined ? {} : { owner: readOne(owner) }),
    ...(description === undefined ? {} : { description: readOne(description) }),
    ...(labels === undefined ? {} : { labels: readLabels(labels) }),
  };
}

/** What is given takes the place of what was there, an empty text or map clears it; all else stays, also what only later releases know. */
export function writeNotes(before: Extension, notes: SecretNotes): Extension {
  const after: Record<string, unknown> = { ...before };
  for (const name of ['owner', 'description', 'labels'] as const) {
    const note = notes[name];
    if (note === undefined) continue;
    const isEmpty = typeof note === 'string' ? note === '' : Object.keys(note).length === 0;
    if (isEmpty) Reflect.deleteProperty(after, name);
    else after[name] = note;
  }
  return after;
}

function readLabels(value: unknown): TextMap {
  if (!isRecord(value)) throw damaged('the labels of a secret are not texts by name');
  const labels = Object.create(null) as Record<string, string>;
  for (const [name, label] of Object.entries(value)) labels[name] = readOne(label);
  return labels;
}

function readOne(value: unknown): string {
  if (typeof value === 'string') return value;
  throw damaged('what is said about a secret is no text');
}
