// Writes the reference pages that follow from tables in the code; with --check it only says whether they are current.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ignoredVariables, variables } from '@spike/config';
import { administratorRoles, nexusTable, privilegeTable, reachOf, type Privilege } from '@spike/contract';
import { describeContract } from '@spike/contract/openapi';
import { codeTable } from '@spike/error';
import manifest from '../package.json' with { type: 'json' };
import { alertPage } from './alert-page.ts';
import { commandPage } from './command-page.ts';
import { metricPage } from './metric-page.ts';
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

function privilegePage(): string {
  const names = Object.keys(privilegeTable) as Privilege[];
  const routes = Object.values(nexusTable);
  const usesOf = (privilege: Privilege): string =>
    routes
      .filter(({ guard }) => 'privilege' in guard && guard.privilege === privilege)
      .map(({ audit }) => `\`${audit}\``)
      .join(', ');
  const rows = names.map((name) => {
    const { says, reads, breakglass } = privilegeTable[name];
    const reaches = administratorRoles.map((role) => reachOf(role, name) ?? '');
    return `| \`${name}\` | ${says} | ${[...reaches, reads ? 'yes' : '', breakglass ? 'yes' : ''].join(' | ')} | ${usesOf(name)} |`;
  });
  return [
    '# What administrators may do',
    '',
    'Every privilege, once. `all`: everywhere; `tenant`: within the administrator’s own tenant alone; nothing: not at all.',
    '`reads`: a token of the scope `read-only` has it. `emergency`: an emergency_admin has it while a break-glass is open.',
    'Written by `npm run reference` from `package/contract/src/privilege.ts`.',
    '',
    `| privilege | what it lets them do | ${administratorRoles.join(' | ')} | reads | emergency | actions |`,
    `|---|---|${administratorRoles.map(() => '---|').join('')}---|---|---|`,
    ...rows,
    '',
  ].join('\n');
}

const apiDocument = `${JSON.stringify(describeContract(manifest.version), null, 2)}\n`;

const pages = {
  'alert.md': alertPage(),
  'command.md': commandPage(),
  'config.md': configPage(),
  'error.md': errorPage(),
  'metric.md': metricPage(),
  'openapi.json': apiDocument,
  'privilege.md': privilegePage(),
};
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
