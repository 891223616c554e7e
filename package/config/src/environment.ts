import { SpikeError } from '@spike/error';
import { parseDuration } from './duration.ts';
import { ignoredVariables, variables, type VariableName } from './variable.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** A host and port to listen on. `host` is undefined for every interface. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/**
 * Reads settings from an environment and reports all problems at once: call the typed readers, then {@link finish}.
 * A name within edit distance 2 of a known variable is a misspelling and refused; other unknown names are ignored,
 * since a shared environment may hold variables of newer releases.
 */
export class EnvironmentReader {
  readonly #env: Environment;
  readonly #problems: string[] = [];

  constructor(env: Environment) {
    this.#env = env;
    for (const name of Object.keys(env)) {
      if (!name.startsWith('SPIKE_') || Object.hasOwn(variables, name) || ignoredVariables.includes(name))
        continue;
      const near = Object.keys(variables).find((known) => isNear(name, known));
      if (near !== undefined) this.#problems.push(`${name} is not a setting; did you mean ${near}?`);
    }
  }

  text(name: VariableName, fallback: string = variables[name].default): string {
    const value = this.#env[name];
    return value === undefined || value === '' ? fallback : value;
  }

  optional(name: VariableName): string | undefined {
    const value = this.#env[name];
    return value === '' ? undefined : value;
  }

  integer(name: VariableName, bounds: { min: number; max: number }): number {
    const text = this.text(name);
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= bounds.min && value <= bounds.max) return value;
    this.problem(name, `wants a whole number from ${bounds.min} to ${bounds.max}`);
    return bounds.min;
  }

  durationMs(name: VariableName, bounds: { minMs: number; maxMs: number }): number {
    const value = parseDuration(this.text(name));
    if (value !== undefined && value >= bounds.minMs && value <= bounds.maxMs) return value;
    this.problem(name, `wants a duration such as 500ms or 5m, from ${bounds.minMs} to ${bounds.maxMs} ms`);
    return bounds.minMs;
  }

  choice<const Choice extends string>(name: VariableName, choices: readonly Choice[]): Choice {
    const text = this.text(name).toLowerCase();
    const found = choices.find((choice) => choice.toLowerCase() === text);
    if (found !== undefined) return found;
    this.problem(name, `wants one of ${choices.join(', ')}`);
    return choices[0] as Choice;
  }

  flag(name: VariableName): boolean {
    const text = this.text(name);
    if (text === '1' || text.toLowerCase() === 'true') return true;
    if (text !== '' && text !== '0' && text.toLowerCase() !== 'false') this.problem(name, 'wants 1 or 0');
    return false;
  }

  /** A comma list; blanks around entries are taken off, empty entries and repetitions refused. */
  list(name: VariableName, fallback: string = variables[name].default): readonly string[] {
    const text = this.text(name, fallback);
    if (text === '') return [];
    const entries = text.split(',').map((entry) => entry.trim());
    if (entries.includes('')) this.problem(name, 'has an empty entry');
    if (new Set(entries).size !== entries.length) this.problem(name, 'names the same entry twice');
    return entries;
  }

  /** Trust domains of a role, each through `parse`: its own variable, else SPIKE_TRUST_ROOT, else the default. */
  trustRoots<Domain>(
    name: VariableName & `SPIKE_TRUST_ROOT_${string}`,
    parse: (text: string) => Domain,
  ): readonly Domain[] {
    return this.list(name, this.text('SPIKE_TRUST_ROOT', variables[name].default)).flatMap((text) => {
      try {
        return [parse(text)];
      } catch {
        this.problem(name, 'wants trust domains such as spike.ist');
        return [];
      }
    });
  }

  httpsUrls(name: VariableName): readonly URL[] {
    return this.list(name).flatMap((text) => this.#url(name, text));
  }

  httpsUrl(name: VariableName): URL {
    return this.#url(name, this.text(name))[0] ?? new URL('https://localhost');
  }

  /** Go's listen form: `:8553` is every interface, `127.0.0.1:0` a free port on loopback. */
  listen(name: VariableName): ListenAddress {
    const match = /^(?:\[([0-9a-fA-F:]+)\]|([A-Za-z0-9.-]*)):(\d{1,5})$/.exec(this.text(name));
    const port = Number(match?.[3] ?? Number.NaN);
    if (match === null || !(port <= 65_535)) {
      this.problem(name, 'wants HOST:PORT, such as 127.0.0.1:8553');
      return { host: '127.0.0.1', port: 0 };
    }
    return { host: match[1] ?? (match[2] === undefined || match[2] === '' ? '::' : match[2]), port };
  }

  problem(name: VariableName, rule: string): void {
    this.#problems.push(`${name} ${rule}`);
  }

  /** Throws `config_invalid` with every problem found so far; values are not repeated. */
  finish(): void {
    if (this.#problems.length > 0) throw new SpikeError('config_invalid', this.#problems.join('; '));
  }

  #url(name: VariableName, text: string): readonly URL[] {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url?.protocol === 'https:' && url.hostname !== '' && url.username === '' && url.search === '')
      return [url];
    this.problem(name, 'wants URLs such as https://127.0.0.1:8443');
    return [];
  }
}

/** Whether one word becomes the other by at most two insertions, deletions or replacements. */
export function isNear(a: string, b: string): boolean {
  if (Math.abs(a.length - b.length) > 2) return false;
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replace, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return (row[b.length] ?? 3) <= 2;
}
