// Makes one file of JavaScript of a program and all that it imports, and finds what else it brings along.
import { readFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { rolldown, type OutputChunk, type Plugin } from 'rolldown';
import { assetProtocol } from '@spike/asset';
import { root } from '../step.ts';

/** What a program brings along besides its code, by the name that the code asks for. */
export type Assets = ReadonlyMap<string, string>;

export interface Bundle {
  readonly code: string;
  readonly assets: Assets;
  /** Keys of package-lock.json: `node_modules/zod`. */
  readonly packages: ReadonlySet<string>;
}

const besideCode = /new URL\(\s*(['"])(?<path>\.\/[^'"]+)\1,\s*import\.meta\.url,?\s*\)/g;
/** What has no meaning, or another one, in an executable; each has its own way there. */
const bound = [
  [/\bimport\.meta\b/, 'import.meta', 'package/host/src/program.ts'],
  [/\bnew Worker\(/, 'new Worker', 'package/asset/src/thread.ts'],
  [/\bprocess\.(?:execPath|execArgv)\b/, 'process.execPath', 'package/host/src/program.ts'],
  // The bundler's own helpers import it, and are not there yet where a module of ours does, too.
  [/\bfrom 'node:module'/, 'node:module', 'process.getBuiltinModule'],
] as const;
const entryName = 'executable-entry';

/** Bundles a module that is given as text, whose imports are meant from the root of the repository. */
export async function bundleEntry(entry: string): Promise<Bundle> {
  const files = new Set<string>();
  const { code, moduleIds } = await bundle(entryName, 'es', [entryPlugin(entry), assetPlugin(files)]);
  const assets = new Map<string, string>();
  const modules = [...moduleIds];
  for (const file of [...files].toSorted()) {
    const asset = await readAssetFile(file);
    assets.set(nameOf(file), asset.code);
    modules.push(...asset.moduleIds);
  }
  return { code, assets, packages: new Set(modules.flatMap(packageOf)) };
}

/** A thread is a program of its own, which brings nothing along itself; anything else is taken as it is. */
async function readAssetFile(file: string): Promise<Pick<OutputChunk, 'code' | 'moduleIds'>> {
  if (!file.endsWith('.ts')) return { code: await readFile(file, 'utf8'), moduleIds: [] };
  const none = new Set<string>();
  const chunk = await bundle(file, 'cjs', [assetPlugin(none)]);
  if (none.size > 0) throw new Error(`${file} runs as a thread and cannot bring along ${[...none].join()}`);
  return chunk;
}

async function bundle(input: string, format: 'es' | 'cjs', plugins: readonly Plugin[]): Promise<OutputChunk> {
  await using made = await rolldown({
    cwd: root,
    input,
    platform: 'node',
    plugins: [...plugins, builtinPlugin()],
    tsconfig: false,
    onLog(level, log) {
      if (level !== 'warn') return;
      throw new Error(`${log.code ?? 'bundle'}: ${log.message}`);
    },
  });
  const { output } = await made.generate({ format, codeSplitting: false, sourcemap: false, minify: false });
  const [chunk] = output;
  if (output.length !== 1) throw new Error(`${input} did not become one file`);
  return chunk;
}

function entryPlugin(text: string): Plugin {
  return {
    name: 'entry',
    resolveId: (id, importer) => {
      if (id === entryName) return `${id}.ts`;
      return importer === `${entryName}.ts` ? join(root, id) : undefined;
    },
    load: (id) => (id === `${entryName}.ts` ? text : undefined),
  };
}

/**
 * Loads each of Node's own modules when the first module that needs it runs. As imports of the one file all of them would
 * load at each start, which takes twice as long.
 */
function builtinPlugin(): Plugin {
  const prefix = '\0builtin:';
  return {
    name: 'builtin',
    resolveId: (id, _importer, { kind }) =>
      isBuiltin(id) && kind !== 'require-call'
        ? { id: prefix + id, external: false, moduleSideEffects: false }
        : undefined,
    load: async (id) => {
      if (!id.startsWith(prefix)) return undefined;
      const name = id.slice(prefix.length);
      const names = Object.keys((await import(name)) as object).filter(
        (key) => /^[a-z_]\w*$/i.test(key) && key !== 'default',
      );
      const exported = names.map((key) => `export const ${key} = /* @__PURE__ */ $read('${key}');`);
      return [
        `const $module = /* @__PURE__ */ process.getBuiltinModule('${name}');`,
        'const $read = (key) => $module[key];',
        'export default $module;',
        ...exported,
      ].join('\n');
    },
  };
}

/** Notes the files that our code names beside itself, and puts a name in their place that `@spike/asset` understands. */
function assetPlugin(files: Set<string>): Plugin {
  return {
    name: 'asset',
    transform: (code, id) => {
      if (nameOf(id).startsWith('node_modules/') || !id.startsWith(root)) return undefined;
      const replaced = code.replace(besideCode, (_, _quote: string, path: string) => {
        const file = resolve(dirname(id), path);
        files.add(file);
        return `new URL('${assetProtocol}${nameOf(file)}')`;
      });
      assertUnbound(replaced, nameOf(id));
      return { code: replaced };
    },
  };
}

function assertUnbound(code: string, name: string): void {
  for (const [pattern, what, home] of bound)
    if (name !== home && pattern.test(code)) throw new Error(`${name} uses ${what}, which ${home} alone may`);
}

/** The package that a module belongs to, also one that lies in another one. */
function packageOf(moduleId: string): readonly string[] {
  const [, key] = /^((?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(nameOf(moduleId)) ?? [];
  return key === undefined ? [] : [key];
}

/** With forward slashes, so that it is the same wherever the repository lies. */
function nameOf(file: string): string {
  return relative(root, file).replaceAll('\\', '/');
}
