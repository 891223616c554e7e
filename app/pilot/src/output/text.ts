/**
 * What moves a cursor, changes colours or renames a window, and what makes a text read otherwise than it is written.
 * Line breaks and tabs are harmless.
 */
const acting = /[^\P{Cc}\n\t]|\p{Bidi_Control}/gu;

/** A text of somebody else as it may be shown in a terminal: what would act there is written out as `\u001b`. */
export function toPrintable(text: string): string {
  return text.replace(acting, writeOut);
}

/** The same on one line. */
export function toPrintableLine(text: string): string {
  return toPrintable(text).replace(/[\n\t]/g, (character) => (character === '\n' ? '\\n' : '\\t'));
}

function writeOut(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
