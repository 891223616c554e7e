/** Where secrets of the bench lie. `flat`: all in one directory. `tree`: a hundred in each, however many there are. */
export interface SecretRange {
  readonly prefix: string;
  readonly shape: 'flat' | 'tree';
}

const perDirectory = 100;

export const hot: SecretRange = { prefix: 'bench/secret', shape: 'flat' };
export const filled: SecretRange = { prefix: 'fill', shape: 'tree' };

export function pathOf({ prefix, shape }: SecretRange, index: number): string {
  return shape === 'flat' ? `${prefix}/${index}` : `${prefix}/${Math.floor(index / perDirectory)}/${index}`;
}
