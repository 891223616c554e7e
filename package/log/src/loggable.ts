/**
 * What may stand in a log line. Byte arrays, class instances (so every secret type) and errors are refused by the
 * compiler; an error goes through {@link describeError}.
 */
export type Loggable =
  | string
  | number
  | boolean
  | bigint
  | null
  | Date
  | readonly Loggable[]
  | { readonly [name: string]: Loggable };

export type Fields = Readonly<Record<string, Loggable>>;

const maxCauses = 4;

/** An error as log fields: code and message of it and the codes of its causes; no stack, no properties. */
export function describeError(thrown: unknown): Fields {
  if (!(thrown instanceof Error)) return { error: 'not an error object' };
  const causes: string[] = [];
  let cause = thrown.cause;
  while (cause instanceof Error && causes.length < maxCauses) {
    causes.push(codeOf(cause) ?? cause.name);
    cause = cause.cause;
  }
  return {
    error: codeOf(thrown) ?? thrown.name,
    message: thrown.message,
    ...(causes.length === 0 ? {} : { causes }),
  };
}

function codeOf(error: Error): string | undefined {
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
