import { chmod, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunScriptOptions } from './run.ts';
import { placeTools } from './tool.ts';
import { openListener, type Scene, type SceneOptions } from './scene.ts';

/** A run that must be refused, change nothing and be told of in the journal. */
export interface Refusal {
  readonly name: string;
  readonly scene?: SceneOptions;
  /** Makes the scene one in which it has to be refused. What it answers is owned by the test. */
  readonly prepare: (scene: Scene, stack: AsyncDisposableStack) => Promise<RunScriptOptions | undefined>;
  readonly reason: RegExp;
}

/** What a person types who means it. */
export function answersOf(scene: Scene): readonly string[] {
  const loss = `all secrets of ${scene.instance} may be lost`;
  return scene.manifest.backup === undefined ? [loss, scene.instance] : [scene.instance];
}

async function listenAs(
  scene: Scene,
  stack: AsyncDisposableStack,
  part: 'nexus' | 'keeper',
): Promise<undefined> {
  const { port } = stack.use(await openListener());
  const addresses = scene.manifest.addresses.map((each) => (each.part === part ? { ...each, port } : each));
  await scene.save({ addresses });
}

const hour = 3_600_000;
const backup = { backup: true };

export const refusals: readonly Refusal[] = [
  {
    name: 'Nexus still runs',
    prepare: (scene, stack) => listenAs(scene, stack, 'nexus'),
    reason: /Nexus still runs: .*To stop it: press Ctrl-C/,
  },
  {
    name: 'a Keeper still runs',
    prepare: (scene, stack) => listenAs(scene, stack, 'keeper'),
    reason: /Keeper 1 still runs: .*To stop it: press Ctrl-C/,
  },
  {
    name: 'an address has a name that nobody knows, so it cannot be tried',
    prepare: async (scene) => {
      const addresses = scene.manifest.addresses.map((each) => ({ ...each, host: 'keeper.invalid' }));
      await scene.save({ addresses });
      return undefined;
    },
    reason: /can't be tried, unknown \(.*, so it counts as running/,
  },
  {
    name: 'Nexus holds the store and listens elsewhere',
    prepare: async (scene, stack) => {
      scene.holdStore(stack);
      return undefined;
    },
    reason: /A Nexus holds the store/,
  },
  {
    name: 'the Node.js of SPIKE is another one now',
    prepare: async (scene) => {
      await writeFile(scene.manifest.node.path, '#!/bin/sh\nexit 0\n');
      return undefined;
    },
    reason: /is not the Node\.js that ran SPIKE/,
  },
  {
    name: 'there is no Node.js to try addresses with',
    prepare: async (scene) => {
      await rm(scene.manifest.node.path);
      return undefined;
    },
    reason: /cannot be tried/,
  },
  {
    name: 'the data are of another instance',
    prepare: async (scene) => {
      scene.writeStore('another-instance');
      return undefined;
    },
    reason: /are of instance another-instance/,
  },
  {
    name: 'there are no data, as on another host than that of Nexus',
    prepare: async (scene) => {
      await rm(scene.data, { recursive: true });
      return undefined;
    },
    reason: /there is no data directory/,
  },
  {
    name: 'the store is something else than SPIKE data',
    prepare: async (scene) => {
      await writeFile(join(scene.data, 'store.sqlite'), 'no database');
      return undefined;
    },
    reason: /cannot be read/,
  },
  {
    name: 'the anchor names another instance',
    prepare: async (scene) => {
      await scene.writeAnchor('another-instance');
      return undefined;
    },
    reason: /anchor file .* names another instance/,
  },
  {
    name: 'the data directory is a link',
    prepare: async (scene) => {
      await rename(scene.data, join(scene.root, 'elsewhere'));
      await symlink('elsewhere', scene.data);
      return undefined;
    },
    reason: /is a link/,
  },
  {
    name: 'its hour is over',
    prepare: async (scene) => {
      await scene.save({ createdAt: new Date(Date.now() - hour), expiresAt: new Date(Date.now() - 1000) });
      return undefined;
    },
    reason: /was valid until/,
  },
  {
    name: 'the clock was set back',
    prepare: async (scene) => {
      await scene.save({
        createdAt: new Date(Date.now() + hour),
        expiresAt: new Date(Date.now() + 2 * hour),
      });
      return undefined;
    },
    reason: /has not reached: set the clock/,
  },
  {
    name: 'the backup is gone',
    scene: backup,
    prepare: async (scene) => {
      await rm(scene.backup);
      return undefined;
    },
    reason: /the backup .* it is not there/,
  },
  {
    name: 'the backup was changed and has the same size',
    scene: backup,
    prepare: async (scene) => {
      await writeFile(scene.backup, 'sealed bytez\n');
      return undefined;
    },
    reason: /the backup .* its SHA-256 is another one/,
  },
  {
    name: 'the backup was cut off',
    scene: backup,
    prepare: async (scene) => {
      await writeFile(scene.backup, 'sealed');
      return undefined;
    },
    reason: /the backup .* it has 6 bytes instead of 13/,
  },
  {
    name: 'the loss is not accepted in its words',
    prepare: async (scene) => ({ answers: ['yes', scene.instance] }),
    reason: /the loss was not accepted/,
  },
  {
    name: 'the id of the instance is typed wrong',
    scene: backup,
    prepare: async () => ({ answers: ['9344cd9b-1ab1-4a1e-b491-145441184461'] }),
    reason: /not the id of the instance/,
  },
  {
    name: 'there is no terminal',
    prepare: async (scene) => ({ terminal: false, answers: answersOf(scene) }),
    reason: /needs a terminal/,
  },
  {
    name: 'its file may be written by the group',
    prepare: async (scene) => {
      await chmod(scene.script, 0o620);
      return undefined;
    },
    reason: /may be written by its group/,
  },
  {
    name: 'its file may be written by everybody',
    prepare: async (scene) => {
      await chmod(scene.script, 0o602);
      return undefined;
    },
    reason: /may be written by everybody/,
  },
  {
    name: 'its file belongs to somebody else',
    prepare: async (scene) => {
      // Whoever runs it is then another one than whoever wrote it.
      const before = await placeTools(scene, {
        id: '#!/bin/sh\necho 54321\n',
        sha256sum: '#!/bin/sh\nexec /usr/bin/sha256sum\n',
      });
      return { before };
    },
    reason: /does not belong to you \(uid 54321\)/,
  },
  {
    name: 'no checksum can be made',
    prepare: async (scene) => ({ before: await placeTools(scene, {}) }),
    reason: /no checksum can be made/,
  },
  {
    name: 'it is run through a link',
    prepare: async (scene) => {
      await rename(scene.script, `${scene.script}.real`);
      await symlink(`${scene.script}.real`, scene.script);
      return undefined;
    },
    reason: /has to run from a regular file/,
  },
];
