import { InvalidArgumentError, Option } from 'commander';
import type { Invocation } from '../invocation.ts';
import type {
  AuditKeyFlags,
  CheckpointFlags,
  ExportFlags,
  ProveFlags,
  ReviewFlags,
  SearchFlags,
  TailFlags,
  VerifyFlags,
} from '../option.ts';
import type { TreeCommand } from './command.ts';
import { collect, parseCount } from './parse.ts';

export function addAudit(program: TreeCommand, invocation: Invocation): void {
  const group = program
    .command('audit')
    .description('read the record of every request, and prove that nobody changed it');
  addReading(group, invocation);
  addProofs(group, invocation);
}

function addReading(group: TreeCommand, invocation: Invocation): void {
  const load = () => import('../command/audit.ts');
  group
    .command('tail')
    .description('print the newest lines')
    .option('-n, --lines <number>', 'so many', parseLines, 20)
    .option('-f, --follow', 'and those that come, until Ctrl-C')
    .action(async (flags: TailFlags) => (await load()).tailAudit(invocation, flags))
    .example('spike audit tail -f', 'what happens now')
    .example('spike audit tail -n 100 --format json', 'for a program');
  group
    .command('search')
    .description('print the lines that fit all of what is asked')
    .option('--since <time>', 'not before this time, such as 2026-05-01 or 2h', parseTime)
    .option('--until <time>', 'before this time', parseTime)
    .option('--administrator <name>', 'under whose session')
    .option('--spiffe-id <id>', 'by this identity')
    .option('--action <name>', 'such as secret.get, or secret for all of secrets')
    .option('--path <path>', 'about this path and what is below it')
    .addOption(new Option('--outcome <outcome>', 'how it ended').choices(['ok', 'denied', 'failed']))
    .option('--trail <id>', 'of this request')
    .option('--from <sequence>', 'from this line on', parseCount, 0)
    .option('--most <number>', 'so many lines at most', parseCount, 1_000)
    .action(async (flags: SearchFlags) => (await load()).searchAudit(invocation, flags))
    .example('spike audit search --since 24h --outcome denied', 'who was refused what since yesterday')
    .example('spike audit search --path tenants/acme --action secret.get', 'who read what of a tenant');
  group
    .command('review')
    .description('add up who read what since the last review')
    .option('--from <sequence>', 'since this line instead', parseCount)
    .option('--done', 'note that you looked at it: the next review begins here')
    .action(async (flags: ReviewFlags) => (await load()).reviewAudit(invocation, flags))
    .example('spike audit review', 'the most frequent first');
}

function addProofs(group: TreeCommand, invocation: Invocation): void {
  const load = () => import('../command/audit.ts');
  const loadCopy = () => import('../command/audit-copy.ts');
  group
    .command('verify')
    .description('check that nobody changed, dropped or added lines: of a copy, a proof, or a running Nexus')
    .argument(
      '[file]',
      'a copy of spike audit export or a proof of spike audit prove; no Nexus is asked then',
    )
    .option(
      '--checkpoint <file>',
      'one that somebody kept; may be given several times (FILE.checkpoint)',
      collect,
      [],
    )
    .option('--key <key>', 'the key of the audit or a file with it (the one that is pinned)')
    .option('--from <sequence>', 'the line that the copy begins with', parseCount, 0)
    .option('--allow-uncovered', 'lines behind the newest checkpoint are no failure')
    .option('--download', 'without a file: copy all lines and check them here, too')
    .action(async (file: string | undefined, flags: VerifyFlags) =>
      (await loadCopy()).verifyAudit(invocation, file, flags),
    )
    .example('spike audit verify', 'has Nexus hash every line, and compares with what you saw before')
    .example('spike audit verify audit.jsonl --checkpoint kept.txt --key audit.key', 'offline, anywhere');
  group
    .command('prove')
    .description('print a proof that a line is in the audit')
    .argument('<sequence>', 'the number of the line', parseCount)
    .option('--out <file>', 'into a file')
    .action(async (sequence: number, flags: ProveFlags) =>
      (await loadCopy()).proveLine(invocation, sequence, flags),
    )
    .example(
      'spike audit prove 4711 --out line.tlog-proof',
      'verify it with: spike audit verify line.tlog-proof',
    );
  group
    .command('checkpoint')
    .description('print a signed checkpoint of now, to keep somewhere else')
    .option('--out <file>', 'into a file')
    .action(async (flags: CheckpointFlags) => (await load()).takeCheckpoint(invocation, flags))
    .example(
      'spike audit checkpoint --out /media/usb/spike.checkpoint',
      'from then on nobody changes what was before',
    );
  group
    .command('export')
    .description('copy the lines, and the checkpoint that they lead to')
    .option('--out <file>', 'into this file, and the checkpoint into FILE.checkpoint')
    .option('--from <sequence>', 'from this line on', parseCount, 0)
    .action(async (flags: ExportFlags) => (await loadCopy()).exportAudit(invocation, flags))
    .example('spike audit export --out audit.jsonl', 'everything')
    .example('spike audit export | jq .action', 'lines alone, on standard output');
  const key = group
    .command('key')
    .description('print the key that signs checkpoints, or pin it')
    .argument('[key]', 'the key to pin, as whoever ran spike init was told it')
    .option('--pin', 'keep it: what this command verifies is verified with it')
    .option('--replace', 'with --pin: instead of another one that is kept for this audit')
    .action(async (key: string | undefined, flags: AuditKeyFlags) =>
      (await load()).showAuditKey(invocation, key, flags),
    )
    .example('spike audit key --pin', 'trust what Nexus says now');
  key
    .command('rotate')
    .description('give the audit a new key, which the one of now announces (super_admin)')
    .action(async () => (await load()).rotateAuditKey(invocation))
    .example('spike audit key rotate', 'whoever pinned the key of now follows by itself');
}

const mostLines = 1_000;

function parseLines(text: string): number {
  const lines = parseCount(text);
  if (lines >= 1 && lines <= mostLines) return lines;
  throw new InvalidArgumentError(`it is a number from 1 to ${mostLines}.`);
}

/** A moment, or a time before now. */
function parseTime(text: string): Date {
  const [, count, unit = ''] = /^(\d{1,6})([smhd])$/u.exec(text) ?? [];
  const unitMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
  const time = count === undefined ? Date.parse(text) : Date.now() - Number(count) * (unitMs[unit] ?? 0);
  if (!Number.isNaN(time) && (count !== undefined || /^\d{4}-/u.test(text))) return new Date(time);
  throw new InvalidArgumentError('a time is written as 2026-05-01, 2026-05-01T12:00:00Z, or 2h before now.');
}
