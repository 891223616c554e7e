/**
 * A word of a shell's command line as the command would get it: without quotes and backslashes. An open quote at its
 * end is fine, since somebody is still typing. Nothing is replaced: `$HOME` stays as it is.
 */
export function unquote(word: string): string {
  let text = '';
  let quote = '';
  for (let at = 0; at < word.length; at++) {
    const character = word[at] ?? '';
    if (character === quote) quote = '';
    else if (quote === '' && (character === '"' || character === "'")) quote = character;
    else if (character === '\\' && quote !== "'") text += word[++at] ?? '';
    else text += character;
  }
  return text;
}
