import { readFile } from 'node:fs/promises';
import { codesOf, filesBelow, formsOf } from '../search.ts';
import { Scanner, shortest, type Found, type Pattern } from './scanner.ts';

/** So much of a long value is looked for: what is cut off in a log begins with it. */
const longest = 64;

/** What must be nowhere but where it belongs, by name; each has the forms in which it could lie somewhere. */
export class Values {
  readonly #patterns = new Map<string, Pattern>();
  #scanner: Scanner | undefined;

  text(name: string, text: string): void {
    this.#add(name, formsOf(text.slice(0, longest)));
  }

  bytes(name: string, bytes: Uint8Array): void {
    const raw = Buffer.from(bytes.subarray(0, longest));
    this.#add(name, [raw, ...codesOf(raw)]);
  }

  get names(): readonly string[] {
    return [...new Set([...this.#patterns.values()].map(({ name }) => name))];
  }

  find(bytes: Uint8Array | string): readonly Found[] {
    this.#scanner ??= new Scanner(this.#patterns.values());
    return this.#scanner.find(Buffer.from(bytes));
  }

  /** The names of those that are in it. */
  in(bytes: Uint8Array | string): readonly string[] {
    return this.find(bytes).map(({ name }) => name);
  }

  /** Those that files below a directory hold, but for what each may hold by its place: names that begin so. */
  async below(
    directory: string,
    mayHold: (path: string) => readonly string[] = () => [],
    isMeant: (path: string) => boolean = () => true,
  ): Promise<string[]> {
    const found: string[] = [];
    for (const path of (await filesBelow(directory)).filter(isMeant)) {
      const allowed = mayHold(path);
      // Where parts still run, a file may be gone meanwhile.
      const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return new Uint8Array();
        throw error;
      });
      const held = this.find(bytes).filter(({ name }) => !allowed.some((one) => name.startsWith(one)));
      found.push(...held.map(({ name, offset }) => `${name} in ${path} at ${offset}`));
    }
    return found;
  }

  #add(name: string, forms: readonly Buffer[]): void {
    for (const bytes of forms) {
      const key = bytes.toString('latin1');
      if (bytes.length < shortest || this.#patterns.has(key)) continue;
      this.#patterns.set(key, { name, bytes });
      this.#scanner = undefined;
    }
  }
}
