import { styleText } from 'node:util';
import type { Invocation } from '../invocation.ts';

type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'blue';

/** Puts colour on a text, or leaves it as it is. */
export type Paint = (style: Style, text: string) => string;

export const plain: Paint = (_, text) => text;

/** Colours in a terminal alone, unless `--no-color`, `NO_COLOR` (any text but the empty one) or a dumb terminal forbids them. */
export function paintFor(stream: NodeJS.WriteStream, { settings, env }: Invocation): Paint {
  const wanted = stream.isTTY && settings.color && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
  return wanted ? (style, text) => styleText(style, text, { validateStream: false }) : plain;
}
