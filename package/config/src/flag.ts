import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import { SpikeError } from '@spike/error';

/** The flags of a program that takes nothing else. Throws `config_invalid` for any other argument. */
export function parseFlags<const Options extends ParseArgsOptionsConfig>(
  args: readonly string[],
  options: Options,
) {
  try {
    return parseArgs({ args: [...args], strict: true, allowPositionals: false, options }).values;
  } catch (error) {
    const message = error instanceof Error ? error.message : 'the arguments are not understood';
    throw new SpikeError('config_invalid', `${message}. See --help.`, { cause: error });
  }
}
