/** What a guide for several machines asks of its reader, in the order of the text. */
export type Step =
  | {
      readonly kind: 'commands';
      readonly machines: readonly string[];
      readonly as: string;
      readonly commands: readonly string[];
    }
  | {
      readonly kind: 'copy';
      readonly from: readonly [machine: string, path: string];
      readonly to: readonly [machine: string, path: string];
    };

const both = ['vault', 'guard'];

/**
 * `On `vault`, as root` before a block says where its commands are typed and by whom; ``Copy `A` of `x` to `B` on `y` ``
 * is done by hand. A block that no such sentence stands before is for the reader's own machine.
 */
export function readSteps(text: string): readonly Step[] {
  const steps: Step[] = [];
  let end = 0;
  for (const block of text.matchAll(/```sh\n(.*?)```/gs)) {
    const said = text.slice(end, block.index);
    end = block.index + block[0].length;
    steps.push(...readCopies(said));
    const place = [...said.matchAll(/\b[Oo]n (?:`(\w+)`|both),\s+as (\w+)/g)].at(-1);
    if (place === undefined) continue;
    const [, machine, as = ''] = place;
    const commands = (block[1] ?? '').split('\n').filter((line) => line !== '');
    steps.push({ kind: 'commands', machines: machine === undefined ? both : [machine], as, commands });
  }
  return steps;
}

function readCopies(said: string): readonly Step[] {
  return [
    ...said.matchAll(
      /Copy ((?:`[^`]+`(?: and )?)+)\s+of `(\w+)`\s+to\s+((?:`[^`]+`(?:\s+and\s+)?)+)\s+on\s+`(\w+)`/g,
    ),
  ].flatMap(([, sources = '', from = '', targets = '', to = '']) => {
    const there = pathsOf(targets);
    return pathsOf(sources).map((path, index): Step => ({
      kind: 'copy',
      from: [from, path],
      to: [to, there[index] ?? path],
    }));
  });
}

function pathsOf(text: string): readonly string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, path = '']) => path);
}
