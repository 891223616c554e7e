import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { formatLineProof, hashLeaf, hashNode, NoteSigner, signCheckpoint } from '@spike/audit';
import { rehearse } from '../testing/invocation.ts';
import { verifyAudit } from './audit-copy.ts';

const origin = 'log.example/a';
const [old, now] = [1, 2].map((n) => new NoteSigner(origin, (use) => use(new Uint8Array(32).fill(n))));

/** That the first line is in a log of two or four lines, as this key says. */
function prove(signer: NoteSigner, size: 2 | 4): string {
  const [line = '', ...others] = Array.from({ length: size }, (_, n) => `{"sequence":${n}}`);
  const [a, b, c, d] = [line, ...others].map((one) => hashLeaf(Buffer.from(one)));
  assert.ok(a !== undefined && b !== undefined);
  const path = c === undefined || d === undefined ? [b] : [b, hashNode(c, d)];
  const root = path.reduce((left, right) => hashNode(left, right), a);
  const { note } = signCheckpoint({ origin, size, root }, [signer]);
  return formatLineProof({ sequence: 0, line, path, note });
}

async function verify(text: string, earlier: unknown): Promise<string> {
  assert.ok(now !== undefined);
  const home = await mkdtemp(join(tmpdir(), 'spike-proof-'));
  try {
    await mkdir(join(home, 'pilot'), { mode: 0o700 });
    const trust = { [origin]: { key: now.verifier.toString(), earlier } };
    await writeFile(join(home, 'pilot', 'audit.json'), JSON.stringify(trust), { mode: 0o600 });
    await writeFile(join(home, 'proof'), text);
    const { invocation, written } = rehearse({ env: { SPIKE_HOME: home } });
    await verifyAudit(invocation, join(home, 'proof'), { checkpoint: [], from: 0 });
    return written.out;
  } finally {
    await rm(home, { recursive: true });
  }
}

test('what a replaced key signed is believed up to the size at which it handed over, and no further', async () => {
  assert.ok(old !== undefined && now !== undefined);
  const key = old.verifier.toString();
  const earlier = [{ key, handedOverAt: 3 }];
  assert.match(await verify(prove(now, 4), earlier), /Line 0 is in the audit log\.example\/a of 4 lines/);
  assert.match(await verify(prove(old, 2), earlier), /of 2 lines/);
  await assert.rejects(verify(prove(old, 4), earlier), /signed by a key that was replaced at line 3/);
  // As it was kept before: nobody knows how long the key was good.
  assert.match(await verify(prove(now, 4), [key]), /of 4 lines/);
  await assert.rejects(verify(prove(old, 2), [key]), /when is not known here/);
});
