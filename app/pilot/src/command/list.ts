import { SpikeError } from '@spike/error';
import type { Invocation } from '../invocation.ts';
import type { ListFlags } from '../option.ts';
import type { Paint } from '../output/color.ts';
import { show } from '../output/show.ts';
import { openSession, type Session } from '../session.ts';

/** Asked for with each page. */
const pageSize = 1000;

export async function listSecrets(
  invocation: Invocation,
  prefix: string | undefined,
  { recursive, tree }: ListFlags,
): Promise<void> {
  if (recursive === true && tree === true)
    throw new SpikeError('data_invalid_input', 'use --recursive or --tree, not both');
  await using session = await openSession(invocation, 'superuser');
  const below = toDirectory(prefix);
  const paths = await readList(session, { prefix: below, recursive: recursive === true || tree === true });
  await show(invocation, {
    human: (paint) => {
      if (paths.length === 0) return 'No secrets found.\n';
      if (tree === true) return drawTree(paths, below, paint);
      return paths.map((path) => `- ${path.endsWith('/') ? paint('blue', path) : path}\n`).join('');
    },
    value: paths,
    isPaged: true,
  });
}

/** Where lists come from: a session, or what stands for one. */
interface Lister {
  readonly client: Pick<Session['client'], 'listSecrets'>;
  readonly call: Session['call'];
}

/**
 * All pages of a list, in order, or no more of them than it takes for so many paths. A page may be empty with others
 * behind it. What ends with a slash is a directory, of which there is only one in the answer.
 */
export async function readList(
  session: Lister,
  wanted: { readonly prefix: string; readonly recursive: boolean },
  most = Infinity,
): Promise<readonly string[]> {
  const paths = new Set<string>();
  let cursor: string | undefined;
  do {
    const page: { readonly keys: readonly string[]; readonly cursor?: string | undefined } =
      await session.client.listSecrets(
        { ...wanted, limit: pageSize, ...(cursor === undefined ? {} : { cursor }) },
        session.call,
      );
    for (const path of page.keys) paths.add(path);
    cursor = page.cursor;
  } while (cursor !== undefined && paths.size < most);
  return [...paths].toSorted();
}

/** What is below a path, written with or without slashes at its ends. */
function toDirectory(prefix: string | undefined): string {
  const path = (prefix ?? '').replace(/^\/|\/$/g, '');
  return path === '' ? '' : `${path}/`;
}

interface Branch {
  readonly children: Map<string, Branch>;
  isSecret: boolean;
}

function drawTree(paths: readonly string[], below: string, paint: Paint): string {
  const root: Branch = { children: new Map(), isSecret: false };
  for (const path of paths) {
    let branch = root;
    for (const segment of path.slice(below.length).split('/')) {
      const child: Branch = branch.children.get(segment) ?? { children: new Map(), isSecret: false };
      branch.children.set(segment, child);
      branch = child;
    }
    branch.isSecret = true;
  }
  const lines = [paint('blue', below === '' ? '/' : below)];
  draw(root, '', lines, paint);
  return `${lines.join('\n')}\n`;
}

/** A secret may have secrets below it: it is drawn as both. */
function draw(branch: Branch, indent: string, lines: string[], paint: Paint): void {
  const rows = [...branch.children].flatMap(([name, child]) => [
    ...(child.isSecret ? [{ name, child: undefined }] : []),
    ...(child.children.size > 0 ? [{ name, child }] : []),
  ]);
  for (const [index, { name, child }] of rows.entries()) {
    const isLast = index === rows.length - 1;
    lines.push(
      `${indent}${isLast ? '└── ' : '├── '}${child === undefined ? name : paint('blue', `${name}/`)}`,
    );
    if (child !== undefined) draw(child, `${indent}${isLast ? '    ' : '│   '}`, lines, paint);
  }
}
