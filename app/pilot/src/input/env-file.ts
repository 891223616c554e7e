import { SpikeError } from '@spike/error';

const mostKeys = 1000;
const keyPattern = /^[A-Za-z0-9_-]+$/;
const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '"': '"', '\\': '\\', $: '$' };

/**
 * Values from lines `KEY=VALUE`, as files named `.env` have them: blank lines and lines that begin with `#` are passed
 * over, `export` before a key and blanks around key and value are taken off, and what follows ` #` is a comment.
 * `'…'` keeps everything as it is and `"…"` knows \n \r \t \" \\ \$; both may go over several lines. Nothing is replaced by
 * the environment. Messages count lines and repeat nothing of them. Throws `data_invalid_input`.
 */
export function parseEnvFile(text: string, where: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  const reader = new Reader(text.replace(/^\uFEFF/, ''), where);
  for (let entry = reader.next(); entry !== undefined; entry = reader.next()) {
    if (values.has(entry.key)) reader.refuse('its key is given twice');
    values.set(entry.key, entry.value);
    if (values.size > mostKeys) reader.refuse(`there are more than ${mostKeys} keys`);
  }
  return values;
}

class Reader {
  readonly #text: string;
  readonly #where: string;
  #at = 0;
  #line = 1;
  /** Of the entry that was read last. */
  #entryLine = 1;

  constructor(text: string, where: string) {
    this.#text = text;
    this.#where = where;
  }

  next(): { readonly key: string; readonly value: string } | undefined {
    for (;;) {
      if (this.#at >= this.#text.length) return undefined;
      this.#entryLine = this.#line;
      const rest = this.#peekLine();
      if (rest.trim() !== '' && !rest.trimStart().startsWith('#')) break;
      this.#skip(rest.length + 1);
    }
    const line = this.#peekLine();
    const equals = line.indexOf('=');
    if (equals < 0) this.refuse('there is no =');
    const key = line
      .slice(0, equals)
      .trim()
      .replace(/^export\s+/, '');
    if (!keyPattern.test(key)) this.refuse('a key is letters, digits, _ and -');
    this.#skip(equals + 1);
    return { key, value: this.#readValue() };
  }

  refuse(why: string): never {
    throw new SpikeError('data_invalid_input', `${this.#where}, line ${this.#entryLine}: ${why}`);
  }

  #readValue(): string {
    const line = this.#peekLine();
    const value = line.trimStart();
    const quote = value[0];
    if (quote === "'" || quote === '"') {
      this.#skip(line.length - value.length + 1);
      return this.#readQuoted(quote);
    }
    this.#skip(line.length + 1);
    const comment = line.search(/[ \t]#/);
    return (comment < 0 ? line : line.slice(0, comment)).trim();
  }

  #readQuoted(quote: string): string {
    let value = '';
    for (;;) {
      const character = this.#text[this.#at];
      if (character === undefined) this.refuse(`the ${quote} is not closed`);
      this.#skip(1);
      if (character === quote) break;
      if (character === '\\' && quote === '"') {
        const next = this.#text[this.#at] ?? '';
        const meant = Object.hasOwn(escapes, next) ? escapes[next] : undefined;
        if (meant !== undefined) this.#skip(1);
        value += meant ?? character;
      } else {
        value += character;
      }
    }
    const behind = this.#peekLine();
    if (behind.trim() !== '' && !/^\s+#/.test(behind))
      this.refuse('something stands behind the closing quote');
    this.#skip(behind.length + 1);
    return value;
  }

  /** To the end of the line, without its end. A carriage return belongs to the end. */
  #peekLine(): string {
    const end = this.#text.indexOf('\n', this.#at);
    return this.#text.slice(this.#at, end < 0 ? undefined : end);
  }

  #skip(count: number): void {
    for (const end = this.#at + count; this.#at < end; this.#at++) {
      if (this.#text[this.#at] === '\n') this.#line++;
    }
  }
}
