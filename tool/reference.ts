// Writes the reference pages that follow from tables in the code; with --check it only says whether they are current.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ignoredVariables, variables } from '@spike/config';
import { codeTable } from '@spike/error';
import { root } from './step.ts';

function configPage(): string {
  const rows = Object.entries(variables).map(
    ([name, { default: fallback, says }]) =>
      `| \`${name}\` | ${fallback === '' ? '' : `\`${fallback}\``} | ${says} |`,
  );
  return [
    '# Variables',
    '',
    'Every part reads its settings once, at start, and reports all problems at once. A `SPIKE_` name within two letters of',
    'one of these is refused as a misspelling; other unknown names are ignored. Durations are written as in Go (`500ms`,',
    '`1h30m`). Written by `npm run reference` from `package/config/src/variable.ts`.',
    '',
    '| name | default | what it says |',
    '|---|---|---|',
    ...rows,
    '',
    `Accepted for the sake of the Go original, and without effect: ${ignoredVariables.map((name) => `\`${name}\``).join(', ')}.`,
    '',
  ].join('\n');
}

function errorPage(): string {
  const rows = Object.entries(codeTable).map(
    ([code, { status, exit, retry, says }]) =>
      `| \`${code}\` | ${status} | ${exit} | ${retry ? 'yes' : 'no'} | ${says} |`,
  );
  return [
    '# Error codes',
    '',
    'The code stands in `err` of an answer, beside `message` and `trail` (the id of the request in the audit). Written by',
    '`npm run reference` from `package/error/src/code.ts`.',
    '',
    '| code | HTTP status | exit code of `spike` | can asking again help | what it says |',
    '|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

const pages = { 'config.md': configPage(), 'error.md': errorPage() };
const stale: string[] = [];
for (const [name, text] of Object.entries(pages)) {
  const path = join(root, 'doc', 'reference', name);
  if (!process.argv.includes('--check')) await writeFile(path, text);
  else if ((await readFile(path, 'utf8').catch(() => '')) !== text) stale.push(name);
}
if (stale.length > 0) {
  process.stderr.write(
    `doc/reference: ${stale.join(', ')} is not what the code says; run npm run reference\n`,
  );
  process.exitCode = 1;
}
