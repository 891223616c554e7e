import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from './step.ts';

const folder = join(root, 'doc/runbook');
const read = (name: string): string => readFileSync(join(folder, `${name}.md`), 'utf8');
const emergencies = [
  'lost-password',
  'lost-keepers',
  'lost-nexus',
  'lost-store',
  'leaked-token',
  'leaked-share',
  'compromised-administrator',
  'factory-reset',
  'locked-out',
  'lock',
] as const;
const sections = [
  'When',
  'What it costs',
  'Who and what is needed',
  'How to see that it worked',
  'Afterwards',
] as const;

test('the runbook has every page, and its first page leads to each', () => {
  const pages = readdirSync(folder).map((name) => name.replace(/\.md$/, ''));
  assert.deepEqual(pages.toSorted(), ['README', ...emergencies, 'review', 'training'].toSorted());
  const first = read('README');
  for (const page of [...emergencies, 'review', 'training']) assert.ok(first.includes(`](${page}.md)`), page);
});

test('every page says when, what it costs, who is needed, how to see that it worked and what comes after, in this order', () => {
  for (const page of [...emergencies, 'review', 'training']) {
    const text = read(page);
    const places = sections.map((section) => text.indexOf(`\n## ${section}\n`));
    assert.ok(!places.includes(-1), `${page}: ${places.join()}`);
    assert.deepEqual(
      places,
      places.toSorted((a, b) => a - b),
      page,
    );
  }
});

test('every page with commands has a drill that types them, section by section', () => {
  const drills = [
    'test/runbook.long.test.ts',
    'test/runbook-access.long.test.ts',
    'test/drill.ts',
    'test/spire/production.spire.test.ts',
  ]
    .map((file) => readFileSync(join(root, file), 'utf8'))
    .join('\n');
  for (const page of [...emergencies, 'review', 'training']) {
    const parts = read(page)
      .split('\n## ')
      .slice(1)
      .filter((part) => part.includes('```sh\n'));
    assert.equal(parts.length === 0, page === 'leaked-share', page);
    if (parts.length > 0 && page !== 'training') assert.ok(drills.includes(page), page);
    for (const part of parts) {
      const [title = ''] = part.split('\n');
      assert.ok(drills.includes(`'${title}'`), `nobody types the commands of “${title}” in ${page}`);
    }
  }
});

test('every link of a page goes to a page that is there', () => {
  for (const page of ['README', ...emergencies, 'review', 'training']) {
    for (const [, target = ''] of read(page).matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g))
      assert.ok(readFileSync(join(folder, target), 'utf8').length > 0, `${page}: ${target}`);
  }
});
