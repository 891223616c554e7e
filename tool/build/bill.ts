// The bill of materials of the executables: CycloneDX 1.6, the same for the same sources.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { root } from '../step.ts';
import { packagedNode, type Executable } from './executable.ts';

interface Locked {
  readonly name?: string;
  readonly version: string;
  readonly integrity: string;
  readonly license?: string;
}

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license: string;
}

interface Component {
  readonly type: 'application' | 'library' | 'platform';
  readonly 'bom-ref': string;
  readonly name: string;
  readonly version: string;
  readonly [field: string]: unknown;
}

/** No time and no random serial number: whoever builds the same gets the same, byte for byte. */
export async function writeBill(executables: readonly Executable[]): Promise<string> {
  const { name, version, license } = await readJson<Manifest>('package.json');
  const { packages } = await readJson<{ packages: Readonly<Record<string, Locked>> }>('package-lock.json');
  const locked = (key: string): Locked => {
    const found = packages[key];
    if (found === undefined) throw new Error(`package-lock.json does not name ${key}`);
    return found;
  };
  const own = (executable: string): string => `${name}/${executable}@${version}`;
  const node = await describeNode(locked);
  const used = [...new Set(executables.flatMap((executable) => [...executable.packages]))].toSorted();
  const libraries = new Map(used.map((key) => [key, describePackage(key, locked(key))]));
  const licenses = [{ license: { id: license } }];
  const bill = {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      component: { type: 'application', 'bom-ref': `${name}@${version}`, name, version, licenses },
    },
    components: [
      ...executables.map((executable): Component => {
        const ref = own(executable.name);
        return { type: 'application', 'bom-ref': ref, name: executable.name, version, licenses };
      }),
      node,
      ...libraries.values(),
    ],
    dependencies: [
      { ref: `${name}@${version}`, dependsOn: executables.map((executable) => own(executable.name)) },
      ...executables.map((executable) => {
        const refs = [...executable.packages].toSorted().map((key) => libraries.get(key)?.['bom-ref']);
        return { ref: own(executable.name), dependsOn: [node['bom-ref'], ...refs] };
      }),
    ],
  };
  return `${JSON.stringify(bill, null, 2)}\n`;
}

function describePackage(key: string, { name, version, integrity, license }: Locked): Component {
  const full = name ?? key.replace(/^.*node_modules\//, '');
  const purl = `pkg:npm/${full.replace('@', '%40')}@${version}`;
  return {
    type: 'library',
    'bom-ref': purl,
    name: full,
    version,
    purl,
    hashes: [hashOf(integrity)],
    ...(license === undefined ? {} : { licenses: [{ license: { id: license } }] }),
  };
}

/** The Node that every executable contains, and what is linked into it. */
async function describeNode(locked: (key: string) => Locked): Promise<Component> {
  const path = packagedNode();
  const [, key = ''] = /[\\/](node_modules[\\/][^\\/]+)[\\/]bin[\\/]node$/.exec(path) ?? [];
  const { stdout } = await promisify(execFile)(path, ['-p', 'JSON.stringify(process.versions)'], { env: {} });
  const { node = '', ...linked } = JSON.parse(stdout) as Readonly<Record<string, string>>;
  const libraries = Object.keys(linked).filter(
    (name) => linked[name] !== '' && name !== 'modules' && name !== 'napi',
  );
  return {
    ...describePackage(key.replaceAll('\\', '/'), locked(key.replaceAll('\\', '/'))),
    type: 'platform',
    name: 'node',
    version: node,
    cpe: `cpe:2.3:a:nodejs:node.js:${node}:*:*:*:*:*:*:*`,
    components: libraries.toSorted().map((name) => ({
      type: 'library',
      'bom-ref': `node@${node}/${name}@${linked[name]}`,
      name,
      version: linked[name],
    })),
  };
}

/** The lockfile has the digest of the package as it was published, in base64. */
function hashOf(integrity: string): { readonly alg: 'SHA-512'; readonly content: string } {
  const [algorithm, digest = ''] = integrity.split('-', 2);
  if (algorithm !== 'sha512') throw new Error(`package-lock.json has a digest of another kind: ${integrity}`);
  return { alg: 'SHA-512', content: Buffer.from(digest, 'base64').toString('hex') };
}

async function readJson<T>(path: string): Promise<T> {
  return JSON.parse(await readFile(join(root, path), 'utf8')) as T;
}
