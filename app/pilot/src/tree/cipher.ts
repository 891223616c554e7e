import type { Invocation } from '../invocation.ts';
import type { DecryptFlags, EncryptFlags } from '../option.ts';
import type { TreeCommand } from './command.ts';

export function addCipher(program: TreeCommand, invocation: Invocation): void {
  const group = program
    .command('cipher')
    .description('encrypt and decrypt with a key that never leaves Nexus; nothing is stored');
  const load = () => import('../command/cipher.ts');
  const withFiles = (command: TreeCommand): TreeCommand =>
    command
      .option('-f, --file <file>', 'what to read; standard input by default')
      .option('-o, --out <file>', 'where to write; standard output by default');
  withFiles(group.command('encrypt').description('encrypt bytes; what comes out is yours to keep'))
    .option('--plaintext <base64>', 'these bytes; prints version, nonce and ciphertext in base64')
    .option('--algorithm <name>', 'taken for the sake of the Go command; there is one')
    .action(async (flags: EncryptFlags) => (await load()).encrypt(invocation, flags))
    .example('spike cipher encrypt --file report.pdf --out report.pdf.enc', 'from file to file')
    .example('spike cipher encrypt -f report.pdf --format json', 'as JSON, which decrypt takes, too');
  withFiles(group.command('decrypt').description('decrypt what encrypt made, in any of its forms'))
    .option('--version <number>', 'of the parts that encrypt --plaintext printed')
    .option('--nonce <base64>', 'the same')
    .option('--ciphertext <base64>', 'the same')
    .option('--algorithm <name>', 'taken for the sake of the Go command; there is one')
    .action(async (flags: DecryptFlags) => (await load()).decrypt(invocation, flags))
    .example('spike cipher decrypt --file report.pdf.enc --out report.pdf', 'from file to file')
    .example('spike cipher decrypt < envelope.json', 'what encrypt --format json printed');
}
