// npm run pack: builds the SPIFFE library as others install it (JavaScript, types, no TypeScript sources) and packs it.
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { binary, root, step } from './step.ts';

const source = join(root, 'package', 'spiffe');
const target = join(process.argv[2] ?? join(root, 'node_modules', '.cache', 'pack'), 'spiffe');

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly exports: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
}

/** What is tested runs from source; what is published is built from it, with the same entry points. */
function toPublished(manifest: Manifest): unknown {
  const built = (path: string, ending: string): string =>
    path.replace('./src/', './dist/').replace(/\.ts$/, ending);
  return {
    name: manifest.name,
    version: manifest.version,
    description:
      'SPIFFE for TypeScript: IDs, X.509-SVIDs, bundles, the Workload API and mTLS, without dependencies',
    license: manifest.license,
    type: 'module',
    engines: { node: '>=26.3.1' },
    sideEffects: false,
    exports: Object.fromEntries(
      Object.entries(manifest.exports).map(([name, path]) => [
        name,
        { types: built(path, '.d.ts'), default: built(path, '.js') },
      ]),
    ),
    files: ['dist', 'README.md', 'LICENSE'],
    dependencies: manifest.dependencies,
  };
}

await rm(target, { recursive: true, force: true });
await mkdir(target, { recursive: true });
const manifest = JSON.parse(await readFile(join(source, 'package.json'), 'utf8')) as Manifest;
await writeFile(join(target, 'package.json'), `${JSON.stringify(toPublished(manifest), null, 2)}\n`);
const config = {
  extends: join(root, 'tsconfig.json'),
  compilerOptions: {
    noEmit: false,
    declaration: true,
    rewriteRelativeImportExtensions: true,
    stripInternal: true,
    rootDir: join(source, 'src'),
    outDir: join(target, 'dist'),
    typeRoots: [join(root, 'node_modules', '@types')],
  },
  include: [join(source, 'src')],
  exclude: [join(source, 'src', '**', '*.test.ts'), join(source, 'src', '**', '*.type.ts')],
};
await writeFile(join(target, 'tsconfig.json'), JSON.stringify(config));
await cp(join(source, 'README.md'), join(target, 'README.md'));
await cp(join(root, 'LICENSE'), join(target, 'LICENSE'));
const done =
  (await step('build', binary('tsc'), ['-p', join(target, 'tsconfig.json')])) &&
  (await step('pack', 'npm', ['pack', '--ignore-scripts', '--pack-destination', join(target, '..')], target));
process.exitCode = done ? 0 : 1;
