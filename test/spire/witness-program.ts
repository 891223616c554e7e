// Watches the Workload API as whoever has its executable, and says each change with the time of the monotonic clock.
import { WorkloadClient, type X509Svid } from '@spike/spiffe';

const client = new WorkloadClient({
  // oxlint-disable-next-line node/no-process-env
  env: process.env,
  // After a denial it asks afresh all the time, which tells to the hundredth of a second when there is an identity again.
  timing: { deniedLeastMs: 10, deniedMostMs: 20, backoffLeastMs: 10, backoffMostMs: 20 },
});
process.stdin.on('end', () => process.exit()).resume();

let before = '';
for await (const event of client.watchX509Events(new AbortController().signal)) {
  const told = event.kind === 'received' ? describe(event.value.svids) : { kind: event.kind };
  const line = JSON.stringify(told);
  if (line !== before) process.stdout.write(`${JSON.stringify({ ...told, atMs: now() })}\n`);
  before = line;
}

function describe(svids: readonly X509Svid[]) {
  return {
    kind: 'received',
    svids: svids.map(({ id, notAfter }) => ({ id: id.toString(), notAfter })),
  };
}

/** One clock for all processes of this machine. */
function now(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
