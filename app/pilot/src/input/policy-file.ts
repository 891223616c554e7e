import { SpikeError } from '@spike/error';
import { parseAllDocuments } from 'yaml';
import { toPolicy, type PolicySet } from './policy.ts';

const mostDocuments = 10_000;

/**
 * The policies of a YAML text, one for each document; empty documents are passed over. Maps are read as maps, so that
 * `__proto__` is a name like any other; aliases, by which a small file becomes a large value, are refused.
 */
export function parsePolicies(text: string, where: string): PolicySet {
  const parsed = parseAllDocuments(text);
  const documents = Array.isArray(parsed) ? parsed : [];
  if (documents.length > mostDocuments)
    throw new SpikeError('data_invalid_input', `${where} has more than ${mostDocuments} documents`);
  const sets = documents.flatMap((document, index): readonly PolicySet[] => {
    const at = documents.length === 1 ? where : `${where}, document ${index + 1}`;
    const [fault] = document.errors;
    if (fault !== undefined) throw notYaml(at, fault);
    const value = toValue(() => document.toJS({ mapAsMap: true, maxAliasCount: 0 }), at);
    return value === null || value === undefined ? [] : [toPolicy(value, at)];
  });
  return {
    specs: sets.flatMap(({ specs }) => specs),
    warnings: sets.flatMap(({ warnings }) => warnings),
  };
}

function toValue(read: () => unknown, where: string): unknown {
  try {
    return read();
  } catch (error) {
    throw notYaml(where, error);
  }
}

function notYaml(where: string, error: unknown): SpikeError {
  const why = error instanceof Error ? error.message : 'it is not understood';
  return new SpikeError('data_invalid_input', `${where} is not YAML: ${why}`, { cause: error });
}
