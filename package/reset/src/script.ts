import { createHash, type KeyObject } from 'node:crypto';
import { readAsset } from '@spike/asset';
import { SpikeError } from '@spike/error';
import { quote } from '@spike/host';
import { assertManifest, type ResetManifest } from './manifest.ts';
import { signScript } from './signature.ts';

/** A clock that was set back a little is no reason to refuse. */
const clockToleranceMs = 5 * 60_000;

/** Before any value: what of the caller's environment could change the meaning of what follows. */
const head = `#!/bin/sh
# Factory reset of one SPIKE instance. \`spike reset --force\` printed this and ran nothing: read it before you run it.
# It asks before it does anything, and until it says so everything is as it was. Try it first: sh reset.sh --dry-run
# Who printed it is told by: spike reset verify reset.sh
#
# JavaScript stands between single quotes on purpose, and some functions are called by a name in "$1" or by trap.
# shellcheck disable=SC2016,SC2317,SC2329
{
# A ">" that damage has put somewhere must not empty a file.
set -uC
LC_ALL=C
export LC_ALL
umask 077
unset NODE_OPTIONS NODE_PATH NODE_EXTRA_CA_CERTS CDPATH
IFS=' 	
'
`;

const stop = {
  nexus: 'press Ctrl-C where npm start runs, or stop the service of Nexus (systemctl stop, docker stop)',
  keeper: 'press Ctrl-C where npm start runs, or stop the service of the Keeper on its host',
};

/** The text of the script: the same for the same manifest, but for the signature. Throws `data_invalid_input`. */
export async function writeScript(manifest: ResetManifest, key: KeyObject): Promise<string> {
  assertManifest(manifest);
  const text = `${head}\n${values(manifest)}\n${await readProgram()}`;
  return seal(`${text}${signScript(text, key)}\n`);
}

/** What stands behind the values, the same in every script of one release. */
async function readProgram(): Promise<string> {
  const [helper, body] = await Promise.all([
    readAsset(new URL('./helper.cjs', import.meta.url)),
    readAsset(new URL('./body.sh', import.meta.url)),
  ]);
  // One pair of braces around all: it is read to its end before anything runs, so of a script that was cut off, or in which
  // a quote is damaged, nothing runs, and one that is changed meanwhile runs as it was.
  return `helper=${quote(helper)}\n\n${body}\nmain "$@"
exit
}
`;
}

const word = String.raw`'[^'\p{Cc}]*(?:'\\''[^'\p{Cc}]*)*'`;
const address = String.raw`${word} \d{1,5}`;
/** What `values` makes: of it the quoted words alone differ, and none of them is run. */
const anyValues = new RegExp(
  String.raw`^(?:[a-z][a-z0-9_]*=${word}\n)+\n` +
    String.raw`for_each_address\(\) \{\n(?:  "\$1" ${word} ${address} "\$stop_(?:nexus|keeper)"\n)+\}\n\n` +
    String.raw`# Calls with all addresses at once\.\nwith_addresses\(\) \{\n  "\$@"(?: ${address})+\n\}\n\n` +
    String.raw`for_each_aside\(\) \{\n(?:  "\$1" ${word} ${word}\n)+\}\n$`,
  'u',
);

/**
 * Checks that a script does what this release writes, whoever sent it: the program is ours, byte for byte, and before it
 * stand quoted values alone. Throws `data_invalid_input`. It proves nothing of the values.
 */
export async function assertOurProgram(script: string): Promise<void> {
  const program = await readProgram();
  const begin = script.indexOf(`\n${program}`);
  const end = script.slice(begin + 1 + program.length);
  const isOurs =
    script.startsWith(`${head}\n`) &&
    begin > head.length &&
    anyValues.test(script.slice(head.length + 1, begin)) &&
    /^(?:#[^\n\r]*\n){2}$/.test(end);
  if (isOurs) return;
  throw new SpikeError(
    'data_invalid_input',
    'the script that Nexus sent is not the one of this release, and was not run: print it with --force, and read it',
  );
}

/** Under the last line it is known to be whole. That line finds accidents; whoever changes the text can change it, too. */
function seal(text: string): string {
  const digest = createHash('sha256').update(text).digest('hex');
  const last = (bytes: number): string => `# checksum sha256 ${digest}, ${bytes} bytes\n`;
  const size = Buffer.byteLength(text) + last(0).length;
  // The number is as long as itself.
  const whole = [1, 2, 3, 4, 5, 6, 7, 8]
    .map((digits) => size - 1 + digits)
    .find((bytes) => Buffer.byteLength(text) + last(bytes).length === bytes);
  return text + last(whole ?? 0);
}

function values(manifest: ResetManifest): string {
  const { instance, createdAt, expiresAt, backup, counts, addresses, node } = manifest;
  const contents =
    `${counts.secrets} secrets in ${counts.versions} versions, ${counts.policies} policies, ` +
    `${counts.administrators} administrators`;
  const variables = {
    script_id: manifest.id,
    instance,
    administrator: manifest.administrator,
    created_text: createdAt.toISOString(),
    expires_text: expiresAt.toISOString(),
    valid_from: toDigits(new Date(createdAt.getTime() - clockToleranceMs)),
    expires: toDigits(expiresAt),
    contents,
    loss_sentence: `all secrets of ${instance} may be lost`,
    data: manifest.dataDirectory,
    anchor: manifest.anchorFile,
    journal: manifest.journal,
    node: node.path,
    node_sha256: node.sha256,
    node_holds_helper: node.holdsHelper ? 'yes' : '',
    backup: backup?.path ?? '',
    backup_size: String(backup?.size ?? ''),
    backup_sha256: backup?.sha256 ?? '',
    backup_created: backup?.createdAt.toISOString() ?? '',
    pinned: manifest.pinned ? 'yes' : '',
    stop_nexus: stop.nexus,
    stop_keeper: stop.keeper,
  };
  const asides = [{ what: 'anchor file', path: manifest.anchorFile }, ...manifest.aside];
  return [
    ...Object.entries(variables).map(([name, value]) => `${name}=${quote(value)}`),
    '',
    'for_each_address() {',
    ...addresses.map(
      ({ what, host, port, part }) => `  "$1" ${quote(what)} ${quote(host)} ${port} "$stop_${part}"`,
    ),
    '}',
    '',
    '# Calls with all addresses at once.',
    'with_addresses() {',
    `  "$@" ${addresses.map(({ host, port }) => `${quote(host)} ${port}`).join(' ')}`,
    '}',
    '',
    'for_each_aside() {',
    ...asides.map(({ what, path }) => `  "$1" ${quote(what)} ${quote(path)}`),
    '}',
    '',
  ].join('\n');
}

/** 14 digits of UTC, which sh compares as a number. */
function toDigits(date: Date): string {
  return date.toISOString().replaceAll(/\D/g, '').slice(0, 14);
}
