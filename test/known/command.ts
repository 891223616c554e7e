import { known, learn, learnAll, learnFile, learnForms, type Kind } from './known.ts';

/** What goes into a command, and comes out of it. */
export interface Run {
  readonly words: readonly string[];
  readonly input?: string | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
}

/** What a person types is secret where the question is for something secret. */
const secretQuestion = /password|same again|token|code|value|share|leave it/iu;

/** A command, and what it may print since it was asked for it. */
const lawful: readonly (readonly [RegExp, readonly Kind[]])[] = [
  [/\bsecret get\b/u, ['value']],
  [/\bcipher decrypt\b/u, ['value']],
  [/--print-token\b/u, ['token']],
  [/\badmin (create|reset-password)\b/u, ['password']],
  [/\boperator reset-password\b/u, ['password']],
];

/** Words of a command; a line for a shell is taken apart, and so is one for the shell of a user. */
export function wordsOf(args: readonly string[]): readonly string[] {
  const at = args[0] === '-c' ? 0 : args.indexOf('--command');
  if (at === -1) return args;
  const line = args[at + 1] ?? '';
  return line.split(/\s+/u).map((word) => word.replace(/^['"]|['"]$/gu, ''));
}

export function learnCommand({ words, input = '', env = {} }: Run): void {
  learn('token', env['SPIKE_TOKEN'] ?? '');
  for (const [index, word] of words.entries()) {
    const next = words[index + 1] ?? '';
    if (word === '--password') learn('password', next);
    if (/^--(new-)?password-file$/u.test(word)) learnFile('password', next);
    if (word === '--code-file') learnFile('init code', next);
  }
  if (words.includes('--password-stdin')) learnAll('password', input);
  if (words.includes('--token-stdin')) learn('token', input.split('\n')[0] ?? '');
  if (has(words, 'secret', 'put')) learnPut(words, input);
  if (has(words, 'cipher', 'encrypt')) learn('value', input);
  // A share, which is one by its form.
  learnForms(input);
}

function learnPut(words: readonly string[], input: string): void {
  for (const [index, word] of words.entries()) {
    const value = /^[\w.-]+=(.*)$/su.exec(word)?.[1];
    if (value?.startsWith('@') === true) learnFile('value', value.slice(1));
    else if (value !== undefined && value !== '-') learn('value', value);
    if (!word.startsWith('--from-')) continue;
    const lines = (text: string): void => {
      learnAll('value', text.replaceAll(/^[\w.-]+=/gmu, ''));
    };
    const next = words[index + 1] ?? '';
    if (next === '-') lines(input);
    else learnFile('value', next);
  }
  if (words.some((word) => word.endsWith('=-')) && !words.includes('--token-stdin')) learnAll('value', input);
}

const typedShare = /^spike:[0-9]{1,4}:[0-9a-fA-F]{64}$/u;

/** What is typed to a question. */
export function learnTyped(question: RegExp, typed: string): void {
  learnForms(typed);
  // What has a form is what its form says: a share belongs elsewhere than a password.
  if (secretQuestion.test(question.source) && !typedShare.test(typed))
    learn(/value/iu.test(question.source) ? 'value' : 'password', typed);
}

/** Fails when a command shows what it was not asked for. */
export function searchPrinted({ words }: Run, printed: string, more: readonly Kind[] = []): void {
  learnForms(printed);
  const line = words.join(' ');
  const may = [...lawful.filter(([command]) => command.test(line)).flatMap(([, kinds]) => kinds), ...more];
  const found = known.find(printed).filter(({ name }) => !may.some((kind) => kind === name));
  if (found.length === 0) return;
  const places = found.map(({ name, offset }) => `${name} at ${offset}`).join(', ');
  // Its words are not shown: they may be what leaked.
  throw new Error(`a leak: \`${words.slice(0, 4).join(' ')}\` printed ${places}`);
}

function has(words: readonly string[], first: string, second: string): boolean {
  return words.some((word, index) => word === first && words[index + 1] === second);
}
