import { SpikeError } from '@spike/error';

/** What a policy can give. `super` gives all of them on the paths of that one policy (wire.md 5). */
export const permissions = ['read', 'write', 'list', 'execute', 'super'] as const;
export type Permission = (typeof permissions)[number];

/** What a request can ask for. */
export type Action = Exclude<Permission, 'super'>;

const bits: Readonly<Record<Permission, number>> = { read: 1, write: 2, list: 4, execute: 8, super: 31 };

/** A set of permissions as bits, in which `super` has all of them. */
export function toMask(granted: readonly Permission[]): number {
  let mask = 0;
  for (const permission of granted) mask |= bits[permission];
  return mask;
}

export function grants(mask: number, action: Action): boolean {
  return (mask & bits[action]) !== 0;
}

/** Permissions as they came; doubles are allowed and kept. Throws `data_invalid_input`. */
export function parsePermissions(input: readonly string[]): readonly Permission[] {
  if (input.length === 0) {
    throw new SpikeError('data_invalid_input', `a policy gives at least one of ${permissions.join(', ')}`);
  }
  if (input.length > 100)
    throw new SpikeError('data_invalid_input', 'a policy names at most 100 permissions');
  return input.map((text) => {
    const found = permissions.find((permission) => permission === text);
    if (found !== undefined) return found;
    throw new SpikeError(
      'data_invalid_input',
      `a permission is one of ${permissions.join(', ')}, in lower case`,
    );
  });
}
