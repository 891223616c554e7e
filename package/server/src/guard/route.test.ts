import { suite, test } from 'node:test';
import assert from 'node:assert/strict';
import {
  formatRequest,
  keeperTable,
  nexusTable,
  rolePaths,
  type Action,
  type Role,
  type Route,
  type Table,
} from '@spike/contract';
import type { VerifiedPeer } from '@spike/spiffe';
import { keeperSamples, nexusSamples, samplePath, type Samples } from '../testing/sample.ts';
import { fitFor } from '../testing/port.ts';
import { Stage } from '../testing/stage.ts';
import { TestWorld } from '../testing/world.ts';
import { Grant } from './grant.ts';

/* Every route with no, wrong and right permission, from the table: a new route is tested by being written down. */

const roles = Object.keys(rolePaths) as Role[];
const actions: readonly Action[] = ['read', 'write', 'list', 'execute'];

// Keys and certificates of one trust domain do for all stages: each judges anew whoever comes.
const world = new TestWorld();
const elsewhere = new TestWorld('other.ist');
const peers = new Map<string, VerifiedPeer>();

function peerOf(path: string): VerifiedPeer {
  const peer = peers.get(path) ?? world.peer(path);
  peers.set(path, peer);
  return peer;
}

/** The roles that a guard lets in without a policy. */
function rolesOf({ guard }: Route): readonly Role[] {
  if (guard.kind === 'role') return guard.anyOf;
  if (guard.kind === 'anyPeer') return roles;
  return ['superuser', ...('roles' in guard ? (guard.roles ?? []) : [])];
}

function pathOf({ guard }: Route): string {
  return 'at' in guard ? guard.at : samplePath;
}

function suiteFor<T extends Table>(title: string, table: T, samples: Samples<T>): void {
  for (const [name, route] of Object.entries(table)) {
    void suite(`${title} ${route.path} ${route.action}`, () => {
      const open = () => {
        const stage = new Stage(table, samples, {}, world);
        stage.sessions.alone = fitFor(route);
        return stage;
      };
      const ask = (stage: Stage<T>, peer: VerifiedPeer) =>
        stage.ask(peer, route.path, route.action, formatRequest(route, samples[name]?.input ?? {}));

      const assertDenied = async (stage: Stage<T>, peer: VerifiedPeer): Promise<void> => {
        const { status, json } = await ask(stage, peer);
        assert.equal(status, 401);
        assert.equal(json[route.error.field], 'access_unauthorized');
        assert.deepEqual(stage.calls, []);
        const [record] = stage.audit.records;
        assert.equal(record?.outcome, 'denied');
        assert.equal(record?.action, route.audit);
        assert.equal(record?.trail, json['trail']);
      };

      const assertAllowed = async (stage: Stage<T>, peer: VerifiedPeer): Promise<Grant> => {
        const { status } = await ask(stage, peer);
        assert.equal(status, 200);
        const [call] = stage.calls;
        assert.equal(call?.name, name);
        assert.ok(call !== undefined && Grant.is(call.grant) && call.grant.peer === peer);
        assert.deepEqual(
          stage.audit.records.map(({ outcome, action }) => [outcome, action]),
          [['ok', route.audit]],
        );
        return call.grant;
      };

      void test('a workload without a policy is denied', async () => {
        const stage = open();
        await assertDenied(stage, peerOf('/app'));
      });

      for (const role of roles) {
        const allowed = rolesOf(route).includes(role);
        void test(`${role} is ${allowed ? 'let in' : 'denied'}, also below its path`, async () => {
          for (const path of [rolePaths[role], `${rolePaths[role]}/ann`]) {
            const stage = open();
            const peer = peerOf(path);
            await (allowed ? assertAllowed(stage, peer) : assertDenied(stage, peer));
          }
        });
      }

      void test('a role whose name only begins alike is denied', async () => {
        for (const role of rolesOf(route)) {
          const stage = open();
          await assertDenied(stage, peerOf(`${rolePaths[role]}x`));
        }
      });

      void test('the same role of another trust domain is denied', async () => {
        for (const role of rolesOf(route)) {
          const stage = open();
          await assertDenied(stage, elsewhere.peer(rolePaths[role]));
        }
      });

      const { guard } = route;
      if (guard.kind !== 'policy' && guard.kind !== 'listing') {
        void test('no policy helps where a role is asked for', async () => {
          const stage = open();
          const peer = peerOf('/app');
          for (const action of actions) stage.policies.allow(peer.id, action, samplePath);
          await assertDenied(stage, peer);
        });
        return;
      }

      void test('the right action on the right path is let in, and the policy is named', async () => {
        const stage = open();
        const peer = peerOf('/app');
        stage.policies.allow(peer.id, guard.action, pathOf(route));
        const grant = await assertAllowed(stage, peer);
        assert.equal(grant.policy, 'policy-0');
        assert.equal(stage.audit.records[0]?.policy, 'policy-0');
        if (grant.permission.kind === 'policy') assert.equal(grant.permission.path.text, samplePath);
        if (grant.permission.kind === 'listing') assert.equal(grant.permission.scope, 'all');
      });

      void test('every other action on the right path is denied', async () => {
        const stage = open();
        const peer = peerOf('/app');
        for (const action of actions)
          if (action !== guard.action) stage.policies.allow(peer.id, action, pathOf(route));
        await assertDenied(stage, peer);
      });

      void test('the right action on another path is denied, or lists that path alone', async () => {
        const stage = open();
        const peer = peerOf('/app');
        stage.policies.allow(peer.id, guard.action, `${pathOf(route)}/x`);
        if (guard.kind === 'policy') {
          await assertDenied(stage, peer);
          return;
        }
        const grant = await assertAllowed(stage, peer);
        assert.equal(grant.permission.kind === 'listing' && grant.permission.scope, 'matching');
      });

      void test("somebody else's policy is none", async () => {
        const stage = open();
        stage.policies.allow(peerOf('/other').id, guard.action, pathOf(route));
        await assertDenied(stage, peerOf('/app'));
      });

      if (rolesOf(route).includes('lite')) return;
      void test('a lite workload is denied whatever policies say', async () => {
        const stage = open();
        const peer = peerOf(rolePaths.lite);
        stage.policies.allow(peer.id, guard.action, pathOf(route));
        await assertDenied(stage, peer);
      });
    });
  }
}

suiteFor('nexus', nexusTable, nexusSamples);
suiteFor('keeper', keeperTable, keeperSamples);
