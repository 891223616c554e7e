import assert from 'node:assert/strict';
import { mkdir, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { buildExecutables } from './executable.ts';
import { packagedNode } from '../tool/build/executable.ts';
import { readCommands } from './page.ts';
import { openScratch, repository, runProgram } from './system.ts';

interface Bill {
  readonly components: readonly {
    readonly 'bom-ref': string;
    readonly name: string;
    readonly version: string;
    readonly hashes?: readonly { readonly content: string }[];
  }[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

/** What the bundler says in comments of where each piece of the code in this executable came from. */
async function packagesIn(path: string): Promise<Set<string>> {
  const text = await readFile(path, 'latin1');
  const found = text.matchAll(/^\/\/ (?:\S+\/)?node_modules\/((?:@[^/\s]+\/)?[^/\s]+)\/\S+$/gm);
  return new Set(Array.from(found, ([, name = '']) => name));
}

test('the bill of materials names Node and every package that is in an executable, and no other', async () => {
  const directory = await buildExecutables();
  const text = await readFile(join(directory, 'spike.cdx.json'), 'utf8');
  assert.doesNotMatch(text, /timestamp|serialNumber/);
  const { components, dependencies } = JSON.parse(text) as Bill;
  const lock = JSON.parse(await readFile(join(repository, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, { readonly version: string; readonly integrity: string }>>;
  };
  const byRef = new Map(components.map((component) => [component['bom-ref'], component]));
  // Node brings some along in the same form, which it does not name.
  const ofNode = await packagesIn(packagedNode());
  for (const executable of ['nexus', 'keeper', 'bootstrap', 'spike']) {
    const { dependsOn } = dependencies.find(({ ref }) => ref === `spike/${executable}@0.1.0`) ?? {
      dependsOn: [],
    };
    const named = dependsOn.map((ref) => byRef.get(ref));
    assert.equal(named[0]?.name, 'node');
    const names = new Set(named.slice(1).map((component) => component?.name));
    assert.deepEqual(names, (await packagesIn(join(directory, executable))).difference(ofNode), executable);
    for (const component of named.slice(1)) {
      // It may lie in another package, which needs another version of it.
      const found = Object.entries(lock.packages).filter(
        ([key, { version }]) =>
          key.endsWith(`node_modules/${component?.name}`) && version === component?.version,
      );
      const digest = Buffer.from(component?.hashes?.[0]?.content ?? '', 'hex').toString('base64');
      assert.notEqual(found.length, 0);
      for (const [, { integrity }] of found) assert.equal(`sha512-${digest}`, integrity);
    }
  }
  const [zod, rolldown] = ['zod', 'rolldown'].map((name) => components.some((part) => part.name === name));
  assert.deepEqual([zod, rolldown], [true, false]);
});

test('the commands of the guide find what was built, and find a file that was changed', async () => {
  const [build, ...commands] = await readCommands('doc/guide/build.md');
  assert.equal(build, 'npm run build');
  await using scratch = await openScratch();
  const dist = join(scratch.path, 'dist');
  const built = await buildExecutables();
  const { scripts } = JSON.parse(await readFile(join(repository, 'package.json'), 'utf8')) as {
    readonly scripts: Readonly<Record<string, string>>;
  };
  // The same that the helper of the tests runs.
  assert.equal(scripts['build'], 'node bin/setup.mjs build');
  await mkdir(dist);
  for (const name of ['nexus', 'keeper', 'bootstrap', 'spike', 'spike.cdx.json', 'SHA256SUMS'])
    await symlink(join(built, name), join(dist, name));
  const run = async (line: string) => await runProgram('/bin/sh', ['-c', line], { cwd: scratch.path });
  for (const line of commands) {
    const { code, stderr } = await run(line);
    assert.equal(code, 0, `${line}\n${stderr}`);
  }
  assert.equal((await run('rm dist/keeper && ln -s nexus dist/keeper')).code, 0);
  const changed = await run(commands[0] ?? '');
  assert.equal(changed.code, 1);
  assert.match(changed.stdout, /^keeper: FAILED$/m);
});
