import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The ways in which bytes may lie in a file, besides as they are. */
export function codesOf(bytes: Uint8Array): readonly Buffer[] {
  const plain = Buffer.from(bytes);
  // In base64 they look different at each of three offsets; the characters at its ends depend on the neighbours.
  const base64 = [0, 1, 2].map((offset) => {
    const encoded = Buffer.concat([Buffer.alloc(offset), plain]).toString('base64');
    return encoded.slice(offset === 0 ? 0 : 4, -4);
  });
  const url = base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_'));
  const hex = plain.toString('hex');
  return [...new Set([...base64, ...url, hex, hex.toUpperCase()])].map((text) => Buffer.from(text));
}

/** The ways in which a text may lie in a file. */
export function formsOf(text: string): readonly Buffer[] {
  const plain = Buffer.from(text, 'utf8');
  const wide = Buffer.from(text, 'utf16le');
  const escaped = [JSON.stringify(text).slice(1, -1), encodeURIComponent(text), text.toLowerCase()];
  const others = [...new Set(escaped)].filter((one) => one !== text).map((one) => Buffer.from(one));
  return [plain, wide, Buffer.from(wide).swap16(), ...others, ...codesOf(plain)];
}

const mostTries = 5;

/** None where the directory is gone. One of those below it may go while they are listed: then it is listed again. */
export async function filesBelow(directory: string, tries = mostTries): Promise<readonly string[]> {
  try {
    const entries = await readdir(directory, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  } catch (error) {
    if (!existsSync(directory)) return [];
    if (tries <= 1) throw error;
    return await filesBelow(directory, tries - 1);
  }
}

/** Each word that a file below the directory holds in some form. */
export async function search(directory: string, wanted: readonly string[]): Promise<readonly string[]> {
  const found: string[] = [];
  const files = await filesBelow(directory);
  assert(files.length > 0, directory);
  for (const file of files) {
    const bytes = await readFile(file);
    for (const word of wanted) {
      if (formsOf(word).some((form) => bytes.includes(form))) found.push(`${word} in ${file}`);
    }
  }
  return found;
}
